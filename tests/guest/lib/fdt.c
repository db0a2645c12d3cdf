/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Just enough of the flattened devicetree format (Devicetree Specification, chapter 5) to find RAM
 * and the command line.
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

/* Is `name` that of a node `wanted`, with a unit address or without? */
static bool fdt_is_node(const char *name, const char *wanted)
{
    size_t length = strlen(wanted);

    return strncmp(name, wanted, length) == 0 && (name[length] == '@' || name[length] == '\0');
}

/* Address of the value of a property of the first node that has both names, and its length; 0 if
 * there is none. */
static uint64_t fdt_find(uint64_t dtb, const char *node, const char *property, uint32_t *length)
{
    if (dtb == 0 || (dtb & 3) != 0 || fdt_word(dtb) != 0xd00dfeedu) {
        return 0;
    }
    uint64_t at = dtb + fdt_word(dtb + 8);
    uint64_t end = dtb + fdt_word(dtb + 4);
    uint64_t strings = dtb + fdt_word(dtb + 12);
    bool in_node = false;

    while (at < end) {
        uint32_t token = fdt_word(at);
        at += 4;
        if (token == FDT_BEGIN_NODE) {
            const char *name = (const char *)at;
            in_node = fdt_is_node(name, node);
            at += (strlen(name) + 4) & ~3UL;
        } else if (token == FDT_PROP) {
            *length = fdt_word(at);
            if (in_node && strcmp((const char *)(strings + fdt_word(at + 4)), property) == 0) {
                return at + 8;
            }
            at += 8 + ((*length + 3UL) & ~3UL);
        } else if (token != FDT_END_NODE && token != FDT_NOP) {
            return 0;
        }
    }
    return 0;
}

uint64_t fdt_ram_end(uint64_t dtb)
{
    uint32_t length;
    uint64_t reg = fdt_find(dtb, "memory", "reg", &length);

    return reg == 0 || length < 16 ? 0 : fdt_double(reg) + fdt_double(reg + 8);
}

const char *fdt_bootargs(uint64_t dtb)
{
    uint32_t length;
    uint64_t value = fdt_find(dtb, "chosen", "bootargs", &length);

    return value == 0 || length == 0 ? "" : (const char *)value;
}
