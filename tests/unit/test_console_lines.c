/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console's mode for programs that read it: whole lines of each VM, also of the one in focus.
 */
#include "console_fixture.h"

#define ALPHA 0u /* has the focus */
#define BETA  1u

static struct console_fixture c;
static struct console *console;

static void setup(void)
{
    console_fixture(&c);
    console = &c.f.console;
    c.config.console = HV_CONSOLE_LINES;
    console_fixture_configure(&c);
    for (unsigned i = 0; i < PORTS; i++)
        console_fixture_attach(&c, i);
    console_fixture_output("");
}

static void finish(void)
{
    console_fixture_end(&c);
}

static void spells(unsigned i, const char *text)
{
    for (; *text != '\0'; text++)
        console_guest_write(&c.port[i], text, 1);
}

CASE(console_lines, no_part_of_a_line_is_shown)
{
    spells(ALPHA, "login: ");
    spells(BETA, "Booting\r\n");
    console_fixture_output("beta: Booting\r\n");
    console_print(console, "[halcyon 0.1] x\n", 16);
    console_fixture_output("[halcyon 0.1] x\r\n");
    spells(ALPHA, "root\r\n");
    console_fixture_output("alpha: login: root\r\n");
}

CASE(console_lines, keys_show_none_either)
{
    spells(ALPHA, "a");
    spells(BETA, "b");
    console_fixture_type(&c, "\x01t", 2);
    console_fixture_output("[halcyon] focus: beta\r\n");
    console_fixture_type(&c,
                         "\x01"
                         "cx",
                         3);
    console_fixture_output("halcyon> x");
    spells(BETA, "c\n");
    spells(ALPHA, "d\ne");
    console_fixture_output("");
    console_fixture_type(&c, "\x03", 1);
    console_fixture_output("\r\nalpha: ad\r\nbeta: bc\r\n");
    spells(ALPHA, "\n");
    console_fixture_output("alpha: e\r\n");
}

CASE(console_lines, the_end_of_a_vm_ends_its_line)
{
    spells(ALPHA, "last words");
    console_detach(&c.port[ALPHA]);
    console_fixture_output("alpha: last words\r\n[halcyon] focus: beta\r\n");
}

CASE(console_lines, other_modes_show_the_part)
{
    spells(ALPHA, "one\ntwo");
    console_fixture_output("alpha: one\r\n");
    console_set_mode(console, HV_CONSOLE_PREFIX);
    console_fixture_output("alpha: two");
    console_set_mode(console, HV_CONSOLE_LINES);
    console_fixture_output("\r\n");
    spells(ALPHA, "three\n");
    console_fixture_output("alpha: three\r\n");
    spells(ALPHA, "four");
    console_fixture_type(&c, "\x01l", 2);
    console_fixture_output("[halcyon] mode: prefix\r\nalpha: four");
}

CASES_RUN(console_lines, setup, finish)
