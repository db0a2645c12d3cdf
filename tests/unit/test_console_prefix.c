/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console with several VMs, each line after its VM's name. */
#include "console_modes.h"
#include <stdio.h>

CASE(console_prefix, whole_lines_with_names)
{
    spells(BETA, "Booting");
    spells(GAMMA, "Hello\n");
    expect("gamma: Hello\r\n");
    spells(BETA, " Linux\r\n");
    expect("beta: Booting Linux\r\n");
    says(BETA, "a\nb\r\r\n\nc");
    expect("beta: a\r\nbeta: b\r\nbeta: \r\n");
    says(BETA, "\n");
    expect("beta: c\r\n");
}

CASE(console_prefix, the_focused_ones_prompt_is_visible)
{
    spells(ALPHA, "one\r\nlogin: ");
    expect("alpha: one\r\nalpha: login: ");
    spells(ALPHA, "ro");
    expect("ro");
    says(BETA, "half");
    expect("");
    says(BETA, " line\n");
    expect("\r\nbeta: half line\r\nalpha: login: ro");
    print("two\nlines\n");
    expect("\r\ntwo\r\nlines\r\nalpha: login: ro");
    spells(ALPHA, "ot\r\n");
    expect("ot\r\n");
    print("three\n");
    expect("three\r\n");
    spells(ALPHA, "\n\n");
    expect("alpha: \r\nalpha: \r\n");
}

/* A progress display overwrites its line, but not its name. */
CASE(console_prefix, carriage_returns_of_the_focused_one)
{
    spells(ALPHA, "10%\r");
    expect("alpha: 10%");
    spells(ALPHA, "20%\r");
    expect("\ralpha: 20%");
    says(BETA, "x\n");
    expect("\r\nbeta: x\r\nalpha: 20%");
    spells(ALPHA, "\r30%");
    expect("\ralpha: 30%");
    spells(ALPHA, "\r\r\n");
    expect("\r\n");
    spells(ALPHA, "\rnew");
    expect("alpha: new");
}

CASE(console_prefix, the_focused_one_steers_the_terminal)
{
    spells(ALPHA, "\x1b[1m\xc3\xa9\b");
    expect("alpha: \x1b[1m\xc3\xa9\b");
}

CASE(console_prefix, the_others_do_not_steer_the_terminal)
{
    says(BETA, "\x1b[1;32mOK\x1b[0m \x1b"
               "7\tx\ry\b\x7f\x9b\xc3\xa9"
               "\n");
    expect("beta: OK \tx?y??\xef\xbf\xbd\xc3\xa9\r\n");
    says(BETA, "end\x1b\n");
    expect("beta: end\r\n");
    says(BETA, "end\x1b[3\n");
    expect("beta: end\r\n");
    console_guest_write(&c.port[BETA], "a\0b\n", 4);
    expect("beta: a?b\r\n");
    says(BETA, "\r\x1b[Aalpha: forged\n");
    expect("beta: ?alpha: forged\r\n");
}

#define BAD "\xef\xbf\xbd" /* U+FFFD */

CASE(console_prefix, characters_of_the_others_are_whole)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"Gr\xc3\xbc\xc3\x9f e \xe2\x82\xac \xf0\x9f\x90\xa7", NULL},
        {"\xc2\xa0\xdf\xbf \xe0\xa0\x80\xed\x9f\xbf \xee\x80\x80\xef\xbf\xbf \xf4\x8f\xbf\xbf",
         NULL},
        {"\xc2\x80 \xc2\x85 \xc2\x9b"
         "2J \xc2\x9f",
         BAD " " BAD " " BAD "2J " BAD},
        {"\x80\x85\x9b\x9f\xa0\xbf", BAD BAD BAD BAD BAD BAD},
        {"\xe2\x80\xa8\xe2\x80\xa9 \xe2\x80\xae \xe2\x81\xa6 \xe2\x80\x8f \xd8\x9c",
         BAD BAD " " BAD " " BAD " " BAD " " BAD},
        {"\xc0\x8d \xe0\x80\x8a \xed\xa0\x80 \xf4\x90\x80\x80 \xff",
         BAD BAD " " BAD BAD BAD " " BAD BAD BAD " " BAD BAD BAD BAD " " BAD},
        {"\xe2\x82z \xf0\x9f\x90\x1b[1mz \xc3", BAD "z " BAD "z " BAD},
        {"\x1b\xc3\xa9 \x1b[\xc3\xa9m", BAD " "},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char want[200];
        (void)snprintf(want, sizeof(want), "beta: %s\r\n",
                       rows[i].shown != NULL ? rows[i].shown : rows[i].text);
        spells(BETA, rows[i].text);
        spells(BETA, "\n");
        expect(want);
    }
}

/* A part ends before the character that it had no room for. */
CASE(console_prefix, long_lines_are_cut_between_characters)
{
    for (unsigned pad = 250; pad <= 256; pad++) {
        char text[300], want[300];
        unsigned first = pad <= 252 ? 256 : pad;
        memset(text, 'x', pad);
        strcpy(text + pad, "\xf0\x9f\x90\xa7yyyyyyyy\n");
        (void)snprintf(want, sizeof(want), "beta: %.*s\r\nbeta: %s", (int)first, text,
                       text + first);
        strcpy(want + strlen(want) - 1, "\r\n");
        spells(BETA, text);
        expect(want);
    }
    /* What only looks as if it went on is cut anywhere. */
    char text[260], want[800] = "beta: ";
    memset(text, '\x9b', 258);
    strcpy(text + 258, "\n");
    for (unsigned i = 0; i < 258; i++)
        strcat(want, i == 256 ? "\r\nbeta: " BAD : BAD);
    strcat(want, "\r\n");
    spells(BETA, text);
    expect(want);
}

/* Other lines wait for the end of a character; one that has none is shown with what follows it. */
CASE(console_prefix, characters_of_the_focused_one_are_whole)
{
    spells(ALPHA, "\xf0\x9f");
    expect("alpha: ");
    spells(BETA, "x\n");
    expect("\r\nbeta: x\r\nalpha: ");
    spells(ALPHA, "\x90");
    expect("");
    spells(ALPHA, "\xa7 \xc3");
    expect("\xf0\x9f\x90\xa7 ");
    print("y\n");
    expect("\r\ny\r\nalpha: \xf0\x9f\x90\xa7 ");
    spells(ALPHA, "\xa9\xc3");
    expect("\xc3\xa9");
    spells(ALPHA, "\n\xe2\r");
    expect("\xc3\r\nalpha: \xe2");
    spells(ALPHA, "a\xe2\x82z");
    expect("\ralpha: a\xe2\x82z");
    spells(ALPHA, "\xf0\x9f\xe2\x82");
    expect("\xf0\x9f");
    spells(ALPHA, "\xac\x9b\xc3");
    expect("\xe2\x82\xac\x9b");
    keys("\x01t");
    expect("\xc3\r\n[halcyon] focus: beta\r\n");
    spells(ALPHA, "b\n");
    expect("alpha: b\r\n");
}

/* What is shown again of a long line begins with a character. */
CASE(console_prefix, the_end_of_a_long_line_begins_with_a_character)
{
    char want[400] = "\r\nz\r\nalpha: ";

    spells(ALPHA, "xx");
    for (unsigned i = 0; i < 64; i++)
        spells(ALPHA, "\xf0\x9f\x90\xa7");
    fakehal_console_clear();
    print("z\n");
    for (unsigned i = 0; i < 32; i++)
        strcat(want, "\xf0\x9f\x90\xa7");
    expect(want);
    spells(ALPHA, "\n");
    for (unsigned i = 0; i < 256; i++)
        spells(ALPHA, "\xa9");
    spells(ALPHA, "x");
    fakehal_console_clear();
    print("z\n");
    cr_expect_eq(strlen(fakehal()->out), 5 + 7 + 125 + 1, "none begins there");
    fakehal_console_clear();
}

/* Lengths around CONSOLE_LINE_MAX, with either end. */
CASE(console_prefix, long_lines_come_in_parts)
{
    for (unsigned len = 250; len <= 520; len++) {
        for (unsigned ends = 0; ends < 2; ends++) {
            char text[600], want[700];
            unsigned at = 0;
            memset(text, 'x', sizeof(text));
            strcpy(text + len, ends == 0 ? "\n" : "\r\n");
            for (unsigned done = 0; done < len; done += 256)
                at += (unsigned)sprintf(want + at, "beta: %.*s\r\n",
                                        (int)(len - done < 256 ? len - done : 256), text);
            spells(BETA, text);
            expect(want);
        }
    }
}

/* The end of it is shown again: what the cursor stands behind. */
CASE(console_prefix, a_long_line_of_the_focused_one_is_not_cut)
{
    static char text[780];
    const char *out;

    memset(text, 'x', 779);
    text[778] = '$';
    spells(ALPHA, text);
    cr_expect_eq(strlen(fakehal()->out), 7 + 779);
    fakehal_console_clear();
    print("line\n");
    out = fakehal()->out;
    cr_expect_eq(strncmp(out, "\r\nline\r\nalpha: xxx", 18), 0);
    cr_expect_leq(strlen(out), 8 + 7 + 256);
    cr_expect_geq(strlen(out), 8 + 7 + 128);
    cr_expect_eq(out[strlen(out) - 1], '$');
    fakehal_console_clear();
}

CASE(console_prefix, switching_in_prefix_mode)
{
    spells(ALPHA, "$ ");
    spells(BETA, "login: ");
    expect("alpha: $ ");
    keys("\x01t");
    expect("\r\n[halcyon] focus: beta\r\nbeta: login: ");
    spells(ALPHA, "x\n");
    expect("\r\nalpha: x\r\nbeta: login: ");
    keys("\x01t\x01t");
    expect("\r\n[halcyon] focus: gamma\r\n[halcyon] focus: alpha\r\n");
    spells(ALPHA, "y");
    expect("alpha: y");
    console_set_focus(console, NULL);
    expect("\r\n");
    spells(ALPHA, "z\n");
    expect("alpha: z\r\n");
}

CASES_RUN(console_prefix, setup, finish)
