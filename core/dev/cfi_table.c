/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/cfi_table.h"
#include "base/bits.h"
#include "dev/cfi_flash.h"

/* A chip has a half of the bank, and a half of each sector of it. */
#define CHIP_SIZE   (FLASH_BANK_SIZE / 2)
#define CHIP_SECTOR (FLASH_SECTOR_SIZE / 2)

#define LOG2_CHIP_SIZE   25u
#define LOG2_CHIP_BUFFER 11u

_Static_assert(CHIP_SIZE == UINT64_C(1) << LOG2_CHIP_SIZE, "device size");
_Static_assert(CFI_BUFFER_SIZE / 2 == 1u << LOG2_CHIP_BUFFER, "buffer size");

/* Voltages in 0.1 V, binary-coded; times as powers of 2: in us, in us, in ms, in ms; the longest as
 * factors of them. The values are those of QEMU's virt. */
static const uint8_t query[] = {
    [0x10] = 'Q',
    'R',
    'Y',
    [0x13] = 0x01,
    0x00, /* command set: Intel's extended one */
    [0x15] = 0x31,
    0x00, /* where its table is */
    [0x1b] = 0x45,
    0x55, /* Vcc */
    [0x1f] = 0x07,
    0x07,
    0x0a,
    0x00, /* a word, a buffer, a block, the chip: typically */
    [0x23] = 0x04,
    0x04,
    0x04,
    0x00, /* at most */
    [0x27] = LOG2_CHIP_SIZE,
    [0x28] = 0x02,
    0x00, /* x8 and x16 */
    [0x2a] = LOG2_CHIP_BUFFER,
    0x00,
    [0x2c] = 1, /* one region of blocks of one size: how many less one, and their size / 256 */
    [0x2d] = (FLASH_SECTORS - 1) & 0xff,
    (FLASH_SECTORS - 1) >> 8,
    [0x2f] = CHIP_SECTOR / 256 & 0xff,
    CHIP_SECTOR / 256 >> 8,
    [0x31] = 'P',
    'R',
    'I',
    '1',
    '0',           /* version 1.0, and nothing that is optional */
    [0x3f] = 0x01, /* protection registers */
};

uint16_t cfi_table_id(uint64_t word)
{
    static const uint16_t id[] = {0x89, 0x18}; /* Intel, as QEMU's virt */

    return word < ARRAY_LEN(id) ? id[word] : 0;
}

uint16_t cfi_table_query(uint64_t word)
{
    return word < ARRAY_LEN(query) ? query[word] : 0;
}
