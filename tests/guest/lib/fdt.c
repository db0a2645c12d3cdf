/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Just enough of the flattened devicetree format (Devicetree Specification, chapter 5) to find RAM.
 */
#include "lib/fdt.h"

#include <stdbool.h>
#include <stddef.h>

#include "lib/string.h"

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4 };

static uint32_t fdt_word(uint64_t at)
{
    return __builtin_bswap32(*(const uint32_t *)at);
}

static uint64_t fdt_double(uint64_t at)
{
    return ((uint64_t)fdt_word(at) << 32) | fdt_word(at + 4);
}

uint64_t fdt_ram_end(uint64_t dtb)
{
    if (dtb == 0 || (dtb & 3) != 0 || fdt_word(dtb) != 0xd00dfeedu) {
        return 0;
    }
    uint64_t at = dtb + fdt_word(dtb + 8);
    uint64_t end = dtb + fdt_word(dtb + 4);
    uint64_t strings = dtb + fdt_word(dtb + 12);
    bool in_memory = false;

    while (at < end) {
        uint32_t token = fdt_word(at);
        at += 4;
        if (token == FDT_BEGIN_NODE) {
            const char *name = (const char *)at;
            in_memory = strncmp(name, "memory", 6) == 0 && (name[6] == '@' || name[6] == '\0');
            at += (strlen(name) + 4) & ~3UL;
        } else if (token == FDT_PROP) {
            uint32_t length = fdt_word(at);
            const char *name = (const char *)(strings + fdt_word(at + 4));
            if (in_memory && length >= 16 && strcmp(name, "reg") == 0) {
                return fdt_double(at + 8) + fdt_double(at + 16);
            }
            at += 8 + ((length + 3UL) & ~3UL);
        } else if (token != FDT_END_NODE && token != FDT_NOP) {
            return 0;
        }
    }
    return 0;
}
