/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Platform discovery: the machine's devicetree -> struct hal_platform. Devicetree Specification
 * v0.4; Linux bindings of the named devices. */
#ifndef BOOT_PLATFORM_H
#define BOOT_PLATFORM_H

#include "base/err.h"
#include "hal/platform.h"
#include <stddef.h>

#define PLATFORM_REASON_MAX 128u

/*
 * Fills `out` from the tree at `fdt` (`size` bytes may be read). boot_mpidr is the affinity of the
 * running CPU: it becomes CPU 0. On an error `reason` says what is missing or malformed and where.
 * UART: /chosen stdout-path if it is a PL011, or the first PL011; uart_intid is HAL_INTID_NONE if
 * it has no interrupt. Needed: RAM, a GICv3, the architected timer, the running CPU; no UART is no
 * error. trace is the child of /reserved-memory that is compatible with "halcyon,trace-buffer", if
 * there is one. Nothing is clipped: more of a kind than hal_platform holds is an error. dtb gets
 * the tree's size; the caller knows its physical address.
 */
HV_MUST_CHECK hv_err platform_discover(const void *fdt, size_t size, uint64_t boot_mpidr,
                                       struct hal_platform *out, char reason[PLATFORM_REASON_MAX]);

#endif
