/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console with several VMs: what is shown of whom, in which form. */
#include "console_fixture.h"
#include "prng.h"
#include <stdio.h>

#define ALPHA 0u
#define BETA  1u
#define GAMMA 2u

static struct console_fixture c;
static struct console *console;

static void setup(void)
{
    console_fixture(&c);
    console = &c.f.console;
    console_fixture_configure(&c);
    for (unsigned i = 0; i < PORTS; i++)
        console_fixture_attach(&c, i);
    console_fixture_output("");
}

static void finish(void)
{
    console_fixture_end(&c);
}

static void says(unsigned i, const char *text)
{
    console_guest_write(&c.port[i], text, strlen(text));
}

/* As a driver does it: byte by byte. */
static void spells(unsigned i, const char *text)
{
    for (; *text != '\0'; text++)
        console_guest_write(&c.port[i], text, 1);
}

static void print(const char *text)
{
    console_print(console, text, strlen(text));
}

static void keys(const char *text)
{
    console_fixture_type(&c, text, strlen(text));
}

static void expect(const char *text)
{
    console_fixture_output(text);
}

/* --- Prefix --- */

CASE(console_modes, whole_lines_with_names)
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

CASE(console_modes, the_focused_ones_prompt_is_visible)
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
CASE(console_modes, carriage_returns_of_the_focused_one)
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

CASE(console_modes, the_focused_one_steers_the_terminal)
{
    spells(ALPHA, "\x1b[1m\xc3\xa9\b");
    expect("alpha: \x1b[1m\xc3\xa9\b");
}

CASE(console_modes, the_others_do_not_steer_the_terminal)
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

CASE(console_modes, characters_of_the_others_are_whole)
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
CASE(console_modes, long_lines_are_cut_between_characters)
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
CASE(console_modes, characters_of_the_focused_one_are_whole)
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
CASE(console_modes, the_end_of_a_long_line_begins_with_a_character)
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
CASE(console_modes, long_lines_come_in_parts)
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
CASE(console_modes, a_long_line_of_the_focused_one_is_not_cut)
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

CASE(console_modes, switching_in_prefix_mode)
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
