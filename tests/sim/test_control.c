/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ctrl-A on its way into the machine: from pipes and files, and with --control. */
#include "program_fixture.h"

CASE(control, ctrl_a_in_a_file_is_data)
{
    cr_expect_eq(RUN("a\x01xQ", "--record", path("rec")), 0, "%s", reasons);
    cr_expect_not_null(strstr(said, "> a\x01\x01xQ"), "%s", said);
    cr_expect_eq(RUN("", "--replay", path("rec")), 0, "%s", reasons);
    cr_expect_not_null(strstr(said, "> a\x01\x01xQ"), "a recording has what the machine got");
    expect_reason("replay agrees");
}

CASE(control, unless_it_is_said_to_be_none)
{
    cr_expect_eq(RUN("a\x01"
                     "clist\rQ",
                     "--input-raw"),
                 0, "%s", reasons);
    cr_expect_not_null(strstr(said, "> a\x01"
                                    "clist\rQ"));
}

/* More than the machine takes at once, and more than is read at once. */
CASE(control, much_data)
{
    static char typed[3002];

    memset(typed, '\x01', 3000);
    typed[3000] = 'Q';
    cr_expect_eq(RUN(typed, "--stats"), 0, "%s", reasons);
    const char *at = strchr(said, '\x01');
    cr_assert_not_null(at);
    cr_expect_eq(strspn(at, "\x01"), 6000);
    cr_expect_eq(at[6000], 'Q');
}

#define NO_ESCAPE                                                                                  \
    "/dts-v1/;\n/ { compatible = \"halcyon,bundle\"; halcyon { no-escape; }; vms { a {\n"          \
    "compatible = \"halcyon,vm\"; memory-size = /bits/ 64 <0x100000>; kernel = [00]; }; }; };\n"

CASE(control, a_hypervisor_without_an_escape)
{
    const char *bundle = path("b.dts");

    scratch_write(bundle, NO_ESCAPE, strlen(NO_ESCAPE));
    cr_expect_eq(run("a\x01xQ", WORDS("--bundle", bundle)), 0, "%s", reasons);
    cr_expect_not_null(strstr(said, "> a\x01xQ"), "%s", said);
    cr_expect_eq(run("", WORDS("--bundle", bundle, "--control", "list")), 1);
    expect_reason("--control: the bundle's no-escape");
    /* A snapshot knows it. */
    cr_assert_eq(run("b", WORDS("--bundle", bundle, "--snapshot", path("snap"), "--snapshot-on",
                                "b", "--snapshot-quit")),
                 0, "%s", reasons);
    cr_expect_eq(run("\x01Q", WORDS("--restore", path("snap"))), 0, "%s", reasons);
    cr_expect_eq(strncmp(said, "\x01Q", 2), 0, "%s", said);
    cr_expect_eq(run("", WORDS("--restore", path("snap"), "--control", "list")), 1);
    expect_reason("--control: the bundle's no-escape");
}

CASE(control, commands_in_order)
{
    char first[128];
    char second[128];

    cr_expect_eq(RUN("", "--no-input", "--control", "list", "--control", "stop 1", "--control", "Q",
                     "--record", path("rec")),
                 0, "%s", reasons);
    cr_expect_not_null(strstr(said, "> \x01"
                                    "clist\r\x01"
                                    "cstop 1\r\x01"
                                    "cQ"));
    expect_hash(first);
    cr_expect_eq(RUN("", "--replay", path("rec")), 0, "%s", reasons);
    expect_reason("replay agrees");
    expect_hash(second);
    cr_expect_str_eq(first, second);
}

/* Each text counts from the command before it: the machine echoes what it gets. */
CASE(control, commands_wait_for_their_texts)
{
    cr_expect_eq(RUN("", "--no-input", "--control-on", "hello", "--control", "one", "--control-on",
                     "one", "--control", "two", "--control", "Q"),
                 0, "%s", reasons);
    cr_expect_not_null(strstr(said, "> \x01"
                                    "cone\r\x01"
                                    "ctwo\r\x01"
                                    "cQ"));
    /* "hello" was before. */
    cr_expect_eq(RUN("", "--no-input", "--control-on", "hello", "--control", "one", "--control-on",
                     "hello", "--control", "Q", "--max-insns=5000000"),
                 1);
    expect_reason("--max-insns");
    cr_expect_str_eq(said, "hello\r\n> \x01"
                           "cone\r");
}

CASE(control, commands_and_other_input)
{
    /* Typed after the command, whose text has come first; and while other input is held back. */
    cr_expect_eq(RUN("xyQ", "--input-on", "one", "--control", "one"), 0, "%s", reasons);
    cr_expect_not_null(strstr(said, "> \x01"
                                    "cone\rxyQ"));
}

/* The machine takes a hundred bytes at a time: the first hundred end with a Ctrl-A. */
CASE(control, a_key_stays_with_its_ctrl_a)
{
    char typed[128];

    memset(typed, 'x', 99);
    strcpy(typed + 99, "\x01ty");
    cr_expect_eq(
        RUN(typed, "--input-raw", "--control-on", "x", "--control", "one", "--control", "Q"), 0,
        "%s", reasons);
    cr_expect_not_null(strstr(said, "x\x01ty\x01"
                                    "cone\r"),
                       "%s", said);
}

CASE(control, a_command_that_is_never_given_is_a_failure)
{
    cr_expect_eq(RUN("Q", "--control-on", "never", "--control", "stop 1"), 1);
    expect_reason("the run ended before it came to --control 'stop 1'");
    cr_assert_eq(RUN("W", "--snapshot", path("snap"), "--snapshot-on", "W", "--snapshot-quit"), 0,
                 "%s", reasons);
    cr_expect_eq(run("", WORDS("--no-input", "--restore", path("snap"), "--control-on", "never",
                               "--control", "list")),
                 1);
    expect_reason("wait for ever: no timer is set, and the console never printed the text of "
                  "--control-on");
}

CASE(control, commands_after_a_snapshot)
{
    cr_assert_eq(RUN("W", "--snapshot", path("snap"), "--snapshot-on", "W", "--snapshot-quit"), 0,
                 "%s", reasons);
    cr_expect_eq(run("", WORDS("--no-input", "--restore", path("snap"), "--control", "Q")), 0, "%s",
                 reasons);
    cr_expect_eq(strncmp(said,
                         "\x01"
                         "cQ",
                         3),
                 0);
}

CASE(control, keys_of_the_hypervisor)
{
    cr_expect_eq(TYPE("a\x01tb\x01?\x01x", "--record", path("rec")), 0, "%s", reasons);
    cr_expect_str_eq(said, "hello\r\n> a\x01tb\x01?");
}

CASES_RUN(control, begin, scratch_end)
