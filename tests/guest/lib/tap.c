/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/tap.h"

#include <stdarg.h>

#include "lib/con.h"

static unsigned tap_count;
static bool tap_ended;

bool tap_ok(bool condition, const char *name)
{
    tap_count++;
    con_printf("%sok %u - %s\n", condition ? "" : "not ", tap_count, name);
    return condition;
}

void tap_fail(const char *name, const char *detail, ...)
{
    va_list args;

    tap_count++;
    con_printf("not ok %u - %s: ", tap_count, name);
    va_start(args, detail);
    con_vprintf(detail, args);
    va_end(args);
    con_putc('\n');
}

bool tap_eq(uint64_t got, uint64_t want, const char *name)
{
    if (got == want) {
        return tap_ok(true, name);
    }
    tap_fail(name, "got 0x%lx, want 0x%lx", got, want);
    return false;
}

void tap_end(void)
{
    if (!tap_ended && tap_count > 0) {
        con_printf("1..%u\n", tap_count);
    }
    tap_ended = true;
}
