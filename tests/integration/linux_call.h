/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* System calls of Linux on arm64, for guests' programs that have no library. */
#ifndef LINUX_CALL_H
#define LINUX_CALL_H

static inline long call(long number, long a, long b, long c)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}

#endif
