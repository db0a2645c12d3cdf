/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef GUEST_FDT_H
#define GUEST_FDT_H

#include <stdint.h>

/** End address of the first `reg` (two address and two size cells) of the /memory node of the blob
 * at `dtb`; 0 if none. */
uint64_t fdt_ram_end(uint64_t dtb);

/** /chosen's bootargs; "" if there are none. */
const char *fdt_bootargs(uint64_t dtb);

#endif
