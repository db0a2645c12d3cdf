/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is programmed stays, over resets and, if the flash is kept in a file, over the end of the
 * machine at any moment: each life looks at the words of those before, and adds some. Each word is
 * told once the flash is ready after it.
 */
#include "lib/con.h"
#include "lib/sys.h"
#include "lib/tap.h"

#define BANK1 0x04000000UL
#define PLACE (BANK1 + 0x40000UL)
#define WORDS 0x10000UL /* of a sector */
#define ADDED 32UL      /* in a life */
#define LOOKS 100000u   /* at the status, until it says ready */

enum {
    PROGRAM = 0x400040,
    READ_STATUS = 0x700070,
    READ_ARRAY = 0xff00ff,
    READY = 0x800080,
};

static uint32_t word_of(uint64_t i)
{
    return (uint32_t)(i * 2654435761u) & 0x7fffffff;
}

static uint32_t keep(uint64_t i)
{
    uint32_t status = 0;

    mmio_write32(PLACE + i * 4, PROGRAM);
    mmio_write32(PLACE + i * 4, word_of(i));
    mmio_write32(BANK1, READ_STATUS);
    for (unsigned looks = 0; looks < LOOKS && (status & READY) != READY; looks++) {
        for (unsigned nop = 0; nop < 500; nop++)
            __asm__ volatile("nop");
        status = mmio_read32(BANK1);
    }
    mmio_write32(BANK1, READ_ARRAY);
    return status;
}

void guest_main(void)
{
    uint64_t found = 0;
    uint64_t behind = 0;
    unsigned wrong = 0;

    mmio_write32(BANK1, READ_ARRAY);
    while (found < WORDS - ADDED && mmio_read32(PLACE + found * 4) == word_of(found))
        found++;
    for (uint64_t i = found; i < WORDS; i++)
        behind += mmio_read32(PLACE + i * 4) != 0xffffffff;
    con_printf("# found: %u\n", (unsigned)found);
    tap_eq(behind, 0, "nothing behind the last word");
    for (uint64_t i = found; i < found + ADDED; i++) {
        wrong += keep(i) != READY;
        con_printf("# kept: %u\n", (unsigned)i);
    }
    tap_eq(wrong, 0, "all are kept");
}
