/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "sim/escape.h"

static struct escape escape;

static void begin(void)
{
    escape = (struct escape){false};
}

/* Types `typed`; the guest must get `passed`, and the commands be `wanted` in order. */
static void expect(const char *typed, const char *passed, const char *wanted)
{
    static const char letters[] = {
        [ESCAPE_EXIT] = 'x', [ESCAPE_HELP] = 'h', [ESCAPE_SNAPSHOT] = 's'};
    char data[64];
    char got[64] = "";
    char commands[64] = "";
    size_t len = strlen(typed);
    size_t at = 0;

    memcpy(data, typed, len);
    while (at < len) {
        size_t kept = 99;
        size_t used = 99;
        enum escape_command command = escape_filter(&escape, data + at, len - at, &kept, &used);

        cr_assert_leq(kept, used);
        cr_assert_leq(used, len - at);
        strncat(got, data + at, kept);
        if (command == ESCAPE_NONE)
            cr_assert_eq(used, len - at);
        else
            strncat(commands, &letters[command], 1);
        at += used;
    }
    cr_expect_str_eq(got, passed, "of %s", typed);
    cr_expect_str_eq(commands, wanted, "of %s", typed);
}

CASE(escape, text_passes)
{
    expect("ls -l\r\x03\x04\x1a", "ls -l\r\x03\x04\x1a", "");
}

CASE(escape, commands)
{
    expect("ab\x01xcd", "abcd", "x");
    expect("\x01"
           "c\x01"
           "h\x01s\x01X",
           "", "hhsx");
    expect("\x01\x01", "\x01", "");
    expect("\x01"
           "a",
           "\x01", "");
    expect("\x01\x01x", "\x01x", "");
    expect("1\x01z2", "12", "");
}

CASE(escape, over_two_reads)
{
    expect("a\x01", "a", "");
    expect("xb", "b", "x");
    expect("x", "x", "");
}

CASES_RUN(escape, begin, NULL)
