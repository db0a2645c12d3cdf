/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "sim/console.h"

static struct sim_console console;
static char out[8192];
static size_t out_len;
static bool broken;

static bool write_out(void *ctx, const char *text, size_t len)
{
    cr_expect_eq(ctx, &out_len);
    if (broken)
        return false;
    cr_assert_leq(out_len + len, sizeof(out));
    memcpy(out + out_len, text, len);
    out_len += len;
    return true;
}

static void begin(void)
{
    out_len = 0;
    broken = false;
    sim_console_start(&console, write_out, &out_len);
}

static void take(const char *text)
{
    sim_console_take(&console, text, strlen(text));
}

CASE(console, passes_everything_on)
{
    char sent[6000];

    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 7 + i / 256);
    for (size_t at = 0; at < sizeof(sent); at += 10)
        sim_console_take(&console, sent + at, 10);
    cr_expect_gt(out_len, 0, "a full buffer is passed on");
    cr_expect(sim_console_flush(&console));
    cr_expect_eq(out_len, sizeof(sent));
    cr_expect_eq(memcmp(out, sent, sizeof(sent)), 0);
    cr_expect_eq(console.state.count, sizeof(sent));
}

CASE(console, a_failure_stays)
{
    take("x");
    broken = true;
    cr_expect_not(sim_console_flush(&console));
    broken = false;
    take("y");
    cr_expect_not(sim_console_flush(&console));
    cr_expect_eq(out_len, 0);
}

CASE(console, reads_the_log)
{
    cr_expect_null(sim_console_failure(&console));
    take("[halcyon 0.000001] notice vm: linux off: PSCI SYSTEM_OFF\n"
         "[halcyon 0.1] warn vm: ] error vm: not this\n"
         " [halcyon 0.1] error vm: nor this\n");
    cr_expect_null(sim_console_failure(&console));
    take("[halcyon 12.000345] error vm: linux stopped: what");
    take(" happened\r\n[halcyon 13.0] error role: machine off: nothing to run\n");
    cr_expect_str_eq(sim_console_failure(&console), "vm: linux stopped: what happened");
    take("\nhalcyon PANIC: check failed on CPU 0: x (a.c:1)\nhalcyon PANIC: end\n");
    cr_expect_str_eq(sim_console_failure(&console), "check failed on CPU 0: x (a.c:1)",
                     "a panic outdoes it");
}

CASE(console, long_and_strange_lines)
{
    take("[halcyon 1.0] error vm: ");
    for (int i = 0; i < 400; i++)
        take("\x1b");
    take("\n");
    cr_assert_not_null(sim_console_failure(&console));
    cr_expect_lt(strlen(sim_console_failure(&console)), SIM_CONSOLE_LINE_MAX);
    cr_expect_eq(strspn(sim_console_failure(&console) + 4, "?"),
                 strlen(sim_console_failure(&console)) - 4);
    sim_console_take(&console, "\0[halcyon 1.0] error\n\n\r\n", 23);
}

static void expect_seen(const char *wanted, const char *text, bool seen)
{
    for (size_t piece = 1; piece < 4; piece++) {
        sim_console_start(&console, write_out, &out_len);
        sim_console_watch(&console, SIM_CONSOLE_SNAPSHOT, wanted);
        for (size_t at = 0; at < strlen(text); at += piece) {
            size_t left = strlen(text) - at;
            sim_console_take(&console, text + at, left < piece ? left : piece);
        }
        cr_expect_eq(sim_console_seen(&console, SIM_CONSOLE_SNAPSHOT), seen, "\"%s\" in \"%s\"",
                     wanted, text);
    }
}

CASE(console, looks_for_a_text)
{
    expect_seen("~ # ", "boot\r\n~ # ", true);
    expect_seen("~ # ", "boot\r\n~ #", false);
    expect_seen("aab", "aaab", true);
    expect_seen("abab", "abaabab", true);
    expect_seen("abcabd", "abcabcabd", true);
    expect_seen("aabaaab", "aabaabaaab", true);
    expect_seen("x", "", false);
    expect_seen("x", "aaax and on", true);
}

CASE(console, looks_for_two_texts)
{
    cr_expect(sim_console_seen(&console, SIM_CONSOLE_INPUT), "nothing to wait for");
    sim_console_watch(&console, SIM_CONSOLE_SNAPSHOT, "cd");
    sim_console_watch(&console, SIM_CONSOLE_INPUT, "bc");
    cr_expect_not(sim_console_seen(&console, SIM_CONSOLE_INPUT));
    take("abc");
    cr_expect(sim_console_seen(&console, SIM_CONSOLE_INPUT));
    cr_expect_not(sim_console_seen(&console, SIM_CONSOLE_SNAPSHOT));
    take("d");
    cr_expect(sim_console_seen(&console, SIM_CONSOLE_SNAPSHOT));
}

CASES_RUN(console, begin, NULL)
