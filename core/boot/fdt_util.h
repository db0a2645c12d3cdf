/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Devicetree properties that libfdt leaves to its user: addresses across buses, interrupt
 * specifiers, status (Devicetree Specification v0.4). The tree has passed fdt_check_full(); its
 * content is hostile all the same.
 */
#ifndef BOOT_FDT_UTIL_H
#define BOOT_FDT_UTIL_H

#include "base/err.h"
#include "hal/platform.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * fdt_check_full() for hostile blobs, of version 17 or later. libfdt 1.6.1 by
 * itself follows a null pointer for versions below 16, and loops for ever over a property whose
 * length is near 2^32. 0 or an error of libfdt.
 */
int fdt_util_check(const void *fdt, size_t size);

/* Longest text of fdt_util_path(), with the terminator. */
#define FDT_UTIL_PATH_MAX 64u

/* The path of `node`, escaped for a log; "..." at its end if it is cut. Returns `out`. */
const char *fdt_util_path(const void *fdt, int node, char out[FDT_UTIL_PATH_MAX]);

/* The property as a string that ends where the property ends; NULL if it is absent or is none. */
const char *fdt_util_string(const void *fdt, int node, const char *name);

/* An unsigned property of 4 or 8 bytes. HV_ERR_NOENT if it is absent, HV_ERR_FORMAT for other
 * lengths. */
HV_MUST_CHECK hv_err fdt_util_number(const void *fdt, int node, const char *name, uint64_t *out);

/* "status" is absent, "okay" or "ok". */
bool fdt_util_enabled(const void *fdt, int node);

/*
 * Entry `index` of "reg" in the CPU's address space: through the "ranges" of all buses above.
 * HV_ERR_NOENT if there are fewer entries; HV_ERR_FORMAT or HV_ERR_RANGE with the reason in *why.
 */
HV_MUST_CHECK hv_err fdt_util_reg(const void *fdt, int node, unsigned index,
                                  struct platform_range *out, const char **why);

/* The only number of "reg" where addresses have no size, as of a CPU. Errors as above. */
HV_MUST_CHECK hv_err fdt_util_unit(const void *fdt, int node, uint64_t *out, const char **why);

/*
 * The INTID of entry `index` of "interrupts", whose parent is the GICv3 node `gic` (Linux binding
 * arm,gic-v3: type, number, flags). HV_ERR_NOENT if there are fewer entries, HV_ERR_FORMAT with
 * *why.
 */
HV_MUST_CHECK hv_err fdt_util_irq(const void *fdt, int node, int gic, unsigned index, uint32_t *out,
                                  const char **why);

#endif
