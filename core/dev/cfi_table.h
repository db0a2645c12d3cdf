/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a chip of dev/cfi_flash.h says of itself, by its own addresses of 16 bits. */
#ifndef DEV_CFI_TABLE_H
#define DEV_CFI_TABLE_H

#include <stdint.h>

/* Read identifier mode: manufacturer and device; 0 elsewhere. */
uint16_t cfi_table_id(uint64_t word);
/* Query mode (JESD68.01, 4.2 and 4.3; JEP137 for the command set); 0 behind its end. */
uint16_t cfi_table_query(uint64_t word);

#endif
