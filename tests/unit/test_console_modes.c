/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console with several VMs: the focus, other modes, and the command line among them. */
#include "console_modes.h"
#include "prng.h"
#include <stdio.h>

/* --- Focus --- */

CASE(console_modes, only_the_focused_one)
{
    console_set_mode(console, HV_CONSOLE_FOCUS);
    spells(ALPHA, "\x1b[2Ja\rb\n");
    expect("\x1b[2Ja\rb\n");
    spells(BETA, "one\r\ntwo");
    spells(ALPHA, "$ ");
    expect("$ ");
    print("line\n");
    expect("\r\nline\r\n");
    spells(ALPHA, "$ ");
    fakehal_console_clear();
    keys("\x01t");
    expect("\r\n[halcyon] focus: beta\r\none\r\ntwo");
    keys("\x01t");
    expect("\r\n[halcyon] focus: gamma\r\n");
    keys("\x01t\x01t");
    expect("[halcyon] focus: alpha\r\n[halcyon] focus: beta\r\n");
}

CASE(console_modes, the_oldest_is_lost_and_said_so)
{
    static char text[4096 + 1000 + 1], want[4096 + 100];

    for (unsigned i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)('a' + i % 23);
    console_set_mode(console, HV_CONSOLE_FOCUS);
    spells(BETA, "12");
    says(BETA, text + 1000);
    fakehal_console_clear();
    keys("\x01t");
    sprintf(want, "[halcyon] focus: beta\r\n[halcyon] beta: 2 bytes of output lost\r\n%s",
            text + 1000);
    expect(want);
    keys("\x01t");
    says(BETA, text);
    fakehal_console_clear();
    keys("\x01t\x01t");
    sprintf(want,
            "[halcyon] focus: alpha\r\n[halcyon] focus: beta\r\n"
            "[halcyon] beta: 1000 bytes of output lost\r\n%s",
            text + 1000);
    expect(want);
}

CASE(console_modes, toggling)
{
    spells(ALPHA, "$ ");
    spells(BETA, "par");
    fakehal_console_clear();
    keys("\x01l");
    expect("\r\n[halcyon] mode: focus\r\n");
    spells(ALPHA, "raw\r");
    spells(BETA, "t\nand more\nand");
    expect("raw\r");
    keys("\x01l");
    expect("\r\n[halcyon] mode: prefix\r\nbeta: part\r\nbeta: and more\r\n");
    spells(BETA, "\n");
    expect("beta: and\r\n");
}

CASE(console_modes, the_bundle_chooses)
{
    c.config.console = HV_CONSOLE_FOCUS;
    console_fixture_configure(&c);
    spells(ALPHA, "x");
    expect("x");
    keys("\x01l");
    expect("\r\n[halcyon] mode: prefix\r\n");
    c.config.nr_vms = 1;
    console_fixture_configure(&c);
    spells(BETA, "x\r");
    expect("x\r");
    keys("\x01l");
    expect("\r\n[halcyon] mode: raw, as there is one VM\r\n");
}

/* --- Ends --- */

CASE(console_modes, the_last_words_are_shown)
{
    spells(ALPHA, "$ ");
    spells(BETA, "Oops");
    fakehal_console_clear();
    console_detach(&c.port[BETA]);
    expect("\r\nbeta: Oops\r\nalpha: $ ");
    console_set_mode(console, HV_CONSOLE_FOCUS);
    spells(GAMMA, "one\r\ntwo");
    fakehal_console_clear();
    console_detach(&c.port[GAMMA]);
    expect("gamma: one\r\ngamma: two\r\n");
}

CASE(console_modes, the_focused_one_ends)
{
    spells(ALPHA, "$ ");
    spells(BETA, "login: ");
    fakehal_console_clear();
    console_detach(&c.port[ALPHA]);
    expect("\r\n[halcyon] focus: beta\r\nbeta: login: ");
    cr_expect_eq(console->focus, &c.port[BETA]);
    console_fixture_attach(&c, ALPHA);
    expect("\r\n[halcyon] focus: alpha\r\n");
    cr_expect_eq(console->focus, &c.port[ALPHA], "it is back with its VM");
    console_detach(&c.port[ALPHA]);
    cr_expect_eq(console->focus, &c.port[BETA]);
    keys("\x01t");
    cr_expect_eq(console->focus, &c.port[GAMMA]);
    console_fixture_attach(&c, ALPHA);
    cr_expect_eq(console->focus, &c.port[GAMMA], "another was chosen");
}

CASE(console_modes, the_last_one_in_the_list_ends)
{
    console_set_focus(console, &c.port[GAMMA]);
    console_set_mode(console, HV_CONSOLE_FOCUS);
    spells(ALPHA, "kept");
    spells(GAMMA, "$ ");
    fakehal_console_clear();
    console_detach(&c.port[GAMMA]);
    expect("\r\n[halcyon] focus: alpha\r\nkept");
    console_detach(&c.port[ALPHA]);
    console_detach(&c.port[BETA]);
    fakehal_console_clear();
    keys("\x01t");
    expect("[halcyon] focus: there is no VM\r\n");
    print("x\n");
    expect("x\r\n");
}

CASE(console_modes, raw_output_that_waited_for_the_prompt_is_flushed)
{
    c.config.nr_vms = 1;
    console_fixture_configure(&c);
    spells(ALPHA, "a\n");
    keys("\x01"
         "cli");
    spells(ALPHA, "b\nc");
    fakehal_console_clear();
    console_detach(&c.port[ALPHA]);
    expect("\r\nb\nc\r\nhalcyon> li");
}

/* --- The command line is open --- */

CASE(console_modes, output_waits_for_the_command_line)
{
    spells(ALPHA, "$ ");
    spells(BETA, "be");
    keys("\x01"
         "cst");
    expect("alpha: $ \r\nhalcyon> st");
    spells(ALPHA, "more\r\nand ");
    spells(BETA, "ta\nopen");
    expect("");
    print("a line\n");
    expect("\r\na line\r\nhalcyon> st");
    keys("\x03");
    expect("\r\nbeta: beta\r\nalpha: $ more\r\nalpha: and ");
    spells(BETA, "\n");
    expect("\r\nbeta: open\r\nalpha: and ");
}

CASE(console_modes, too_much_for_the_command_line)
{
    static char text[5001], *out;

    memset(text, 'x', 5000);
    text[4990] = '\n';
    spells(ALPHA, "$ ");
    keys("\x01"
         "c");
    spells(BETA, text);
    spells(ALPHA, text);
    fakehal_console_clear();
    keys("\x03");
    out = fakehal()->out;
    cr_expect_eq(strncmp(out, "\r\n[halcyon] beta: 904 bytes of output lost\r\nbeta: xxx", 52), 0);
    out = strstr(out, "[halcyon] alpha: 904 bytes of output lost\r\nalpha: $ xxx");
    cr_assert_not_null(out);
    cr_expect_not_null(strstr(out, "x\r\nalpha: xxxxxxxxx"));
    fakehal_console_clear();
    spells(ALPHA, "\n");
    expect("\r\n");
}

CASE(console_modes, the_focused_one_ends_while_a_command_is_typed)
{
    spells(ALPHA, "$ ");
    spells(BETA, "login: ");
    keys("\x01"
         "cx");
    spells(ALPHA, "last");
    fakehal_console_clear();
    console_detach(&c.port[ALPHA]);
    expect("\r\nalpha: last\r\nhalcyon> x\r\n[halcyon] focus: beta\r\nhalcyon> x");
    keys("\x03");
    expect("\r\nbeta: login: ");
}

CASE(console_modes, a_new_focus_leaves_the_command_line_alone)
{
    spells(ALPHA, "$ ");
    spells(BETA, "login: ");
    keys("\x01"
         "cx");
    fakehal_console_clear();
    console_set_focus(console, &c.port[BETA]);
    console_set_mode(console, HV_CONSOLE_PREFIX);
    expect("");
    keys("\x03");
    expect("\r\nbeta: login: ");
}

/* Whatever the guests and the operator do: each line that beta has ended is shown, once, in order
 * and whole; nothing but lines of known speakers is shown. */
CASE(console_modes, random_lines_are_whole)
{
    uint64_t state = 0x5eed;
    unsigned said = 0, shown = 0, at = 0;
    char line[40];
    char *text, *end;

    sprintf(line, "line %u.\r\n", said);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t r = prng_next(&state);
        if (r % 4 == 0) {
            spells(ALPHA, r >> 8 & 1 ? "alpha speaks" : r >> 9 & 1 ? "\n" : "\r");
        } else if (r % 64 == 1) {
            print("[halcyon 1.000000] notice vm: x\n");
        } else if (r % 64 == 5) {
            keys(r >> 8 & 1 ? "\x01"
                              "cfoo"
                            : "\x03");
        } else {
            console_guest_write(&c.port[BETA], &line[at++], 1);
            if (line[at] == '\0') {
                sprintf(line, "line %u.\r\n", ++said);
                at = 0;
            }
        }
    }
    keys("\x03");
    for (text = fakehal()->out; (end = strstr(text, "\r\n")) != NULL; text = end + 2) {
        *end = '\0';
        if (strncmp(text, "beta: ", 6) == 0) {
            sprintf(line, "line %u.", shown++);
            cr_assert_str_eq(text + 6, line);
        } else if (strncmp(text, "halcyon> ", 9) != 0 && strncmp(text, "[halcyon ", 9) != 0) {
            cr_assert_eq(strncmp(text, "alpha: ", 7), 0, "%s", text);
        }
    }
    cr_expect_eq(shown, said);
    cr_expect_gt(said, 1000);
    fakehal_console_clear();
}

CASES_RUN(console_modes, setup, finish)
