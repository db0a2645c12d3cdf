/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console's own keys: Ctrl-A and what follows it, the command line, and input that waits. */
#include "console_fixture.h"
#include "prng.h"

#define ALPHA 0u
#define BETA  1u
#define GAMMA 2u

#define HELP_HEAD "Ctrl-A t       input to the next VM\r\n"

static struct console_fixture c;
static struct console *console;
static char command[CONSOLE_COMMAND_SIZE];

static void setup(void)
{
    console_fixture(&c);
    console = &c.f.console;
    c.config.console = HV_CONSOLE_FOCUS;
    console_fixture_configure(&c);
    for (unsigned i = 0; i < PORTS; i++)
        console_fixture_attach(&c, i);
}

static void finish(void)
{
    console_fixture_end(&c);
}

static void keys(const char *text)
{
    console_fixture_type(&c, text, strlen(text));
}

static void expect(const char *text)
{
    console_fixture_output(text);
}

/* Everything that VM `i` has got, and nothing else. */
static void expect_input(unsigned i, const char *text)
{
    for (; *text != '\0'; text++) {
        cr_expect_eq(uart_read(&c.uart[i], FR) & FR_RXFE, 0, "before %s", text);
        cr_expect_eq(uart_read(&c.uart[i], DR), (unsigned char)*text);
    }
    cr_expect_eq(uart_read(&c.uart[i], FR) & FR_RXFE, FR_RXFE);
}

static bool take(void)
{
    return console_take_command(console, command, sizeof(command));
}

/* --- Ctrl-A --- */

CASE(console_keys, next_vm)
{
    keys("a\x01tb\x01tc\x01td\x01t");
    expect_input(ALPHA, "ad");
    expect_input(BETA, "b");
    expect_input(GAMMA, "c");
    cr_expect_eq(console->focus, &c.port[BETA]);
    expect("[halcyon] focus: beta\r\n[halcyon] focus: gamma\r\n[halcyon] focus: alpha\r\n"
           "[halcyon] focus: beta\r\n");
}

/* All are told in one interrupt, each of its own. */
CASE(console_keys, each_is_told)
{
    for (unsigned i = 0; i < PORTS; i++)
        uart_write(&c.uart[i], IMSC, 0x10);
    keys("a\x01tb\x01t");
    cr_expect(c.vm[ALPHA]->vgic.spi[1].level);
    cr_expect(c.vm[BETA]->vgic.spi[1].level);
    cr_expect_not(c.vm[GAMMA]->vgic.spi[1].level);
    expect_input(ALPHA, "a");
    expect_input(BETA, "b");
}

CASE(console_keys, from_nobody_to_the_first)
{
    console_set_focus(console, NULL);
    keys("x\x01ty");
    cr_expect_eq(console->focus, &c.port[ALPHA]);
    expect_input(ALPHA, "y");
}

CASE(console_keys, ctrl_a_for_the_guest)
{
    keys("\x01\x01");
    keys("\x01");
    expect_input(ALPHA, "\x01");
    keys("\x01\x01");
    expect_input(ALPHA, "\x01");
    keys("x");
    expect_input(ALPHA, "\x01x");
    expect("");
}

CASE(console_keys, other_keys_go_to_the_guest)
{
    keys("\x01T\x01\n\x01\xff");
    expect_input(ALPHA, "\x01T\x01\n\x01\xff");
    console_set_focus(console, NULL);
    keys("\x01\x01\x01x");
    expect("");
}

CASE(console_keys, help)
{
    keys("\x01?");
    cr_expect_eq(strncmp(fakehal()->out, HELP_HEAD, strlen(HELP_HEAD)), 0);
    cr_expect_not_null(strstr(fakehal()->out, "\r\nCtrl-A Ctrl-A  a Ctrl-A for the VM\r\n"));
    console_set_mode(console, HV_CONSOLE_PREFIX);
    console_guest_write(&c.port[ALPHA], "$ ", 2);
    fakehal_console_clear();
    keys("\x01?");
    cr_expect_eq(strncmp(fakehal()->out, "\r\n" HELP_HEAD, 2 + strlen(HELP_HEAD)), 0);
    cr_expect_not_null(strstr(fakehal()->out, "this list\r\nalpha: $ "));
    expect_input(ALPHA, "");
}

CASE(console_keys, no_escape)
{
    c.config.no_escape = true;
    console_fixture_configure(&c);
    keys("\x01t\x01l\x01"
         "c\x01\x01\x01?");
    expect_input(ALPHA, "\x01t\x01l\x01"
                        "c\x01\x01\x01?");
    expect("");
}

/* --- The command line --- */

CASE(console_keys, a_command)
{
    keys("a\x01"
         "cstop 1");
    expect("halcyon> stop 1");
    cr_expect_not(take());
    cr_expect_eq(c.posted, 0);
    keys("\rb");
    expect("\r\n");
    cr_expect_eq(c.posted, 1);
    cr_expect(take());
    cr_expect_str_eq(command, "stop 1");
    cr_expect_not(take());
    expect_input(ALPHA, "ab");
    keys("\x01"
         "clist\n");
    cr_expect(take());
    cr_expect_str_eq(command, "list");
}

CASE(console_keys, editing)
{
    keys("\x01"
         "cab\x7f\b\b\x01t\x02\x80"
         "c\td\x15 x\x7f"
         "e");
    expect("halcyon> ab\b \b\b \btcd\b \b\b \b\b \b x\b \be");
    keys("\r");
    cr_expect(take());
    cr_expect_str_eq(command, " e");
    expect_input(ALPHA, "");
    cr_expect_eq(console->focus, &c.port[ALPHA]);
}

CASE(console_keys, at_most_80_characters)
{
    char text[101];

    memset(text, 'x', 100);
    text[100] = '\0';
    keys("\x01"
         "c");
    fakehal_console_clear();
    keys(text);
    cr_expect_eq(fakehal()->out_len, 80);
    keys("\x7fy\rz");
    cr_expect(take());
    text[79] = 'y';
    text[80] = '\0';
    cr_expect_str_eq(command, text);
    expect_input(ALPHA, "z");
}

CASE(console_keys, leaving)
{
    keys("\x01"
         "cstop\x03x");
    expect_input(ALPHA, "x");
    keys("\x01"
         "cstop\x1bx");
    expect_input(ALPHA, "x");
    keys("\x01"
         "cstop\x1b\x01t");
    cr_expect_eq(console->focus, &c.port[BETA]);
    keys("\x01"
         "c\r\x01"
         "c   \r");
    expect_input(BETA, "");
    cr_expect_not(take());
    cr_expect_eq(c.posted, 0);
    fakehal_console_clear();
    keys("\x01"
         "cs\x03");
    expect("halcyon> s\r\n");
}

/* Up, Home, F5, and Up in application mode. */
CASE(console_keys, cursor_keys_are_not_typed_into_the_guest)
{
    static const char *const sequences[] = {"\x1b[A", "\x1b[1~", "\x1b[15;2~", "\x1bOA"};

    for (unsigned i = 0; i < 4; i++) {
        keys("\x01"
             "cstop");
        keys(sequences[i]);
        keys("x");
        expect_input(ALPHA, "x");
    }
    cr_expect_not(take());
}

CASE(console_keys, one_command_at_a_time)
{
    keys("\x01"
         "cone\r");
    fakehal_console_clear();
    keys("\x01"
         "ctwo\r");
    expect("halcyon> two\r\n[halcyon] busy: the command before is not done\r\n");
    cr_expect_eq(c.posted, 1);
    cr_expect(take());
    cr_expect_str_eq(command, "one");
    cr_expect_not(take());
    keys("\x01"
         "ctwo\r");
    cr_expect(take());
    cr_expect_str_eq(command, "two");
}

CASE(console_keys, busy_in_prefix_mode)
{
    console_set_mode(console, HV_CONSOLE_PREFIX);
    keys("\x01"
         "cone\r");
    console_guest_write(&c.port[ALPHA], "$ ", 2);
    fakehal_console_clear();
    keys("\x01"
         "ctwo\r");
    expect("\r\nhalcyon> two\r\nalpha: $ \r\n[halcyon] busy: the command before is not done\r\n"
           "alpha: $ ");
}

CASE(console_keys, a_small_buffer_cuts)
{
    char small[4];

    keys("\x01"
         "cstop\r");
    cr_expect(console_take_command(console, small, sizeof(small)));
    cr_expect_str_eq(small, "sto");
    keys("\x01"
         "cstop\r");
    cr_expect(console_take_command(console, small, 1));
    cr_expect_str_eq(small, "");
}

CASE(console_keys, nobody_takes_commands)
{
    console_detach(&c.port[BETA]);
    console_detach(&c.port[GAMMA]);
    console_detach(&c.port[ALPHA]);
    console_init(console, UART_INTID);
    console_configure(console, &c.config, NULL);
    console_fixture_attach(&c, ALPHA);
    fakehal_console_clear();
    keys("\x01"
         "cx");
    expect("[halcyon] no commands\r\n");
    expect_input(ALPHA, "x");
}

/* --- Input that waits --- */

/* The guest in focus reads nothing, and has more than enough. */
CASE(console_keys, escapes_work_when_the_guest_does_not_read)
{
    char text[1500];

    memset(text, 'x', sizeof(text));
    console_fixture_type(&c, text, sizeof(text));
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
    keys("\x01ty\x01"
         "clist\r");
    cr_expect_eq(console->focus, &c.port[BETA]);
    expect_input(BETA, "y");
    cr_expect(take());
    for (unsigned i = 0; i < sizeof(text); i++)
        cr_assert_eq(uart_read(&c.uart[ALPHA], DR), 'x');
    expect_input(ALPHA, "");
}

/* When its VM ends, or another gets the focus, what waits before the console goes there. */
CASE(console_keys, the_next_focus_ends_the_waiting)
{
    char text[3000];

    memset(text, 'x', sizeof(text));
    console_fixture_type(&c, text, sizeof(text));
    keys("y");
    cr_expect_not(fakehal()->cpu[0].enabled[UART_INTID]);
    console_detach(&c.port[ALPHA]);
    cr_expect_not(fakehal()->cpu[0].enabled[UART_INTID] && fakehal()->in_head < fakehal()->in_len);
    cr_expect_eq(console->focus, &c.port[BETA]);
    while ((uart_read(&c.uart[BETA], FR) & FR_RXFE) == 0)
        text[0] = (char)uart_read(&c.uart[BETA], DR);
    cr_expect_eq(text[0], 'y');
}

CASE(console_keys, waiting_ends_with_the_last_vm)
{
    char text[3000];

    memset(text, 'x', sizeof(text));
    console_detach(&c.port[BETA]);
    console_detach(&c.port[GAMMA]);
    console_fixture_type(&c, text, sizeof(text));
    cr_expect_not(fakehal()->cpu[0].enabled[UART_INTID]);
    console_detach(&c.port[ALPHA]);
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
    keys("\x01"
         "cx\r");
    cr_expect(take());
}

/* Fills the buffer of the focused one, then types `text`, and lets the guest make room for it. */
static void find_by_reading(const char *text)
{
    char lots[3000];

    memset(lots, 'x', sizeof(lots));
    console_fixture_type(&c, lots, sizeof(lots));
    keys(text);
    cr_expect_not(fakehal()->cpu[0].enabled[UART_INTID]);
    cr_expect_eq(console->focus, &c.port[ALPHA]);
    for (unsigned i = 0; i < sizeof(lots); i++)
        cr_assert_eq(uart_read(&c.uart[ALPHA], DR), 'x');
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
}

CASE(console_keys, a_guests_read_finds_its_own_input)
{
    find_by_reading("yz");
    expect_input(ALPHA, "yz");
    cr_expect_eq(c.posted, 0);
}

CASE(console_keys, a_guests_read_finds_a_command)
{
    find_by_reading("\x01"
                    "clist\r");
    expect_input(ALPHA, "");
    cr_expect_eq(c.posted, 1);
    cr_expect(take());
    cr_expect_str_eq(command, "list");
}

/* The other cannot be told with the reader's PL011 locked: the sink is called for it. */
CASE(console_keys, a_guests_read_finds_input_for_another)
{
    uart_write(&c.uart[BETA], IMSC, 0x10);
    find_by_reading("\x01ty");
    expect_input(ALPHA, "");
    cr_expect_eq(console->focus, &c.port[BETA]);
    cr_expect_gt(c.posted, 0);
    cr_expect_not(c.vm[BETA]->vgic.spi[1].level);
    cr_expect_not(take());
    cr_expect(c.vm[BETA]->vgic.spi[1].level);
    expect_input(BETA, "y");
}

/* A Ctrl-A takes no room until it is known what it is, then it may need two. */
CASE(console_keys, room_for_a_ctrl_a)
{
    char text[CONSOLE_BUFFER];

    for (unsigned fill = CONSOLE_BUFFER - 4; fill <= CONSOLE_BUFFER; fill++) {
        memset(text, 'x', sizeof(text));
        console_guest_read(&c.port[ALPHA], text, 0);
        console_fixture_type(&c, text, fill);
        keys("\x01z\x01\x01!");
        for (unsigned i = 0; i < fill; i++)
            cr_assert_eq(uart_read(&c.uart[ALPHA], DR), 'x', "%u of %u", i, fill);
        expect_input(ALPHA, "\x01z\x01!");
    }
}

CASES_RUN(console_keys, setup, finish)
