/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "sim/escape.h"

static struct escape escape;

static void begin(void)
{
    escape = (struct escape){.shared = true};
}

/* Types `typed`; the machine must get `passed`, and the commands be `wanted` in order. */
static void expect(const char *typed, const char *passed, const char *wanted)
{
    static const char letters[] = {
        [ESCAPE_EXIT] = 'x', [ESCAPE_HELP] = 'h', [ESCAPE_SNAPSHOT] = 's'};
    char got[64] = "";
    char commands[64] = "";
    size_t len = strlen(typed);
    size_t at = 0;

    while (at < len) {
        char out[64];
        size_t kept = 99;
        enum escape_command command;
        size_t used = escape_filter(&escape, typed + at, len - at, out, &kept, &command);

        cr_assert_leq(kept, used + 1);
        cr_assert_leq(used, len - at);
        strncat(got, out, kept);
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
           "H\x01"
           "h\x01s\x01X",
           "", "hhsx");
}

/* What is not this program's is the hypervisor's, or the guest's: as it was typed. */
CASE(escape, other_keys_keep_their_ctrl_a)
{
    expect("1\x01t2\x01?\x01l", "1\x01t2\x01?\x01l", "");
    expect("\x01"
           "cstop 1\r",
           "\x01"
           "cstop 1\r",
           "");
    expect("\x01\x01", "\x01\x01", "");
    expect("\x01\x01x", "\x01\x01x", "");
    expect("\x01\x01\x01x", "\x01\x01", "x");
}

CASE(escape, over_two_reads)
{
    expect("a\x01", "a", "");
    expect("xb", "b", "x");
    expect("x", "x", "");
    expect("\x01", "", "");
    expect("t", "\x01t", "");
}

/* A hypervisor that leaves Ctrl-A alone gets the one that was meant. */
CASE(escape, not_shared)
{
    escape.shared = false;
    expect("a\x01\x01z", "a\x01z", "");
    expect("\x01t\x01x", "\x01t", "x");
}

CASE(escape, data)
{
    char out[16] = "";

    cr_expect_eq(escape_double(&escape, "a\x01\x01z", 4, out), 6);
    cr_expect_str_eq(out, "a\x01\x01\x01\x01z");
    escape.shared = false;
    memset(out, 0, sizeof(out));
    cr_expect_eq(escape_double(&escape, "a\x01\x01z", 4, out), 4);
    cr_expect_str_eq(out, "a\x01\x01z");
}

CASE(escape, open)
{
    cr_expect_not(escape_is_open("ab", 2, false));
    cr_expect(escape_is_open("a\x01", 2, false));
    cr_expect_not(escape_is_open("\x01\x01", 2, false));
    cr_expect(escape_is_open("\x01\x01", 2, true));
    cr_expect_not(escape_is_open("x", 1, true));
    cr_expect(escape_is_open("", 0, true));
}

CASES_RUN(escape, begin, NULL)
