/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * HV_CHECK guards the hypervisor's own invariants, never anything that a guest, a bundle or a file
 * can cause. A failed check ends in a panic report and a halt.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* Provided by the HAL (see hal/CONTRACT.md): prints the report and halts the machine. May be called
 * anywhere. */
_Noreturn void hv_check_failed(const char *expr, const char *file, unsigned line);

#define HV_CHECK(expr)                                                                             \
    do {                                                                                           \
        if (__builtin_expect(!(expr), 0))                                                          \
            hv_check_failed(#expr, __FILE__, __LINE__);                                            \
    } while (0)

#endif
