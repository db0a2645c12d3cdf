/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console with one VM: raw. Input, and what is told to whom. */
#include "console_fixture.h"
#include "prng.h"

static struct console_fixture c;
static struct console *console;
static struct pl011 *const uart = &c.uart[0], *const other = &c.uart[1];
static struct console_port *const port = &c.port[0], *const other_port = &c.port[1];

static void setup(void)
{
    console_fixture(&c);
    console = &c.f.console;
}

static void finish(void)
{
    console_fixture_end(&c);
}

static void attach(void)
{
    console_fixture_attach(&c, 0);
    console_fixture_attach(&c, 1);
}

static bool uart_line(void)
{
    return c.vm[0]->vgic.spi[1].level;
}

static void log_line(const char *text)
{
    console_log_write(console, text, strlen(text));
}

static void guest_says(const char *text)
{
    console_guest_write(port, text, strlen(text));
}

CASE(console, log_lines_start_at_the_beginning)
{
    attach();
    log_line("one\n");
    console_fixture_output("one\r\n");
    guest_says("login: ");
    console_fixture_output("login: ");
    log_line("two\nthree\n");
    console_fixture_output("\r\ntwo\r\nthree\r\n");
    guest_says("x\r\n");
    log_line("four\n");
    console_fixture_output("x\r\nfour\r\n");
    guest_says("50%\r");
    log_line("five\n");
    console_fixture_output("50%\r\r\nfive\r\n");
    guest_says("a\n");
    guest_says("\r");
    log_line("six\n");
    console_fixture_output("a\n\rsix\r\n");
    guest_says("open");
    guest_says("");
    log_line("cut");
    log_line("seven\n");
    console_fixture_output("open\r\ncut\r\nseven\r\n");
}

CASE(console, guest_output_is_not_changed)
{
    attach();
    console_guest_write(port, "a\0b\n\x1b[2J\xff", 9);
    cr_expect_eq(fakehal()->out_len, 9);
    cr_expect_arr_eq(fakehal()->out, "a\0b\n\x1b[2J\xff", 9);
}

CASE(console, focus_enables_the_interrupt_and_gets_the_input)
{
    fakehal()->cpu[0].enabled[UART_INTID] = false;
    attach();
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
    uart_write(uart, IMSC, 0x10);
    console_fixture_type(&c, "ke", 2); /* without FIFOs there is room for one */
    cr_expect(uart_line());
    pl011_poll(other);
    cr_expect_eq(uart_read(other, FR), 0x90, "another guest cannot take the second");
    cr_expect_eq(uart_read(uart, DR), 'k');
    cr_expect_eq(uart_read(uart, DR), 'e');
    cr_expect_not(uart_line());
}

CASE(console, no_focus_no_input)
{
    char lots[2500];

    attach();
    memset(lots, 'x', sizeof(lots));
    console_set_focus(console, port);
    console_set_focus(console, NULL);
    console_fixture_type(&c, lots, sizeof(lots));
    cr_expect_eq(fakehal()->in_head, fakehal()->in_len, "taken, and dropped");
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
    console_set_focus(console, port);
    pl011_poll(uart);
    cr_expect_eq(uart_read(uart, FR), 0x90);
}

/* The firmware may leave the machine's interrupt as it likes: nothing comes for what is there. */
CASE(console, input_before_the_focus_is_taken)
{
    char lots[2500];

    fakehal_console_type("early", 5);
    console_fixture_attach(&c, 0);
    uart_write(uart, IMSC, 0x10);
    cr_expect(uart_line(), "the guest is told");
    for (unsigned i = 0; i < 5; i++)
        cr_expect_eq(uart_read(uart, DR), (uint32_t) "early"[i]);
    cr_expect_eq(uart_read(uart, FR), 0x90);
    cr_expect_eq(port->notifying, 0);
    memset(lots, 'x', sizeof(lots));
    console_set_focus(console, NULL);
    fakehal_console_type(lots, sizeof(lots));
    console_set_focus(console, port);
    cr_expect_not(fakehal()->cpu[0].enabled[UART_INTID], "the buffer is full");
    for (unsigned i = 0; i < sizeof(lots); i++)
        cr_assert_eq(uart_read(uart, DR), 'x', "%u", i);
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
}

/* hal_init() has enabled the interrupt, which would come again and again for what there is no room
 * for. */
CASE(console, more_before_the_first_focus_than_there_is_room_for)
{
    char lots[2500];

    memset(lots, 'x', sizeof(lots));
    fakehal_console_type(lots, sizeof(lots));
    cr_assert(fakehal()->cpu[0].enabled[UART_INTID]);
    console_fixture_attach(&c, 0);
    cr_expect_not(fakehal()->cpu[0].enabled[UART_INTID], "the buffer is full");
    for (unsigned i = 0; i < sizeof(lots); i++)
        cr_assert_eq(uart_read(uart, DR), 'x', "%u", i);
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
}

CASE(console, the_first_has_the_focus_until_it_ends)
{
    attach();
    cr_expect_eq(console->focus, port);
    console_detach(port);
    console_detach(port);
    cr_expect_eq(console->focus, other_port);
    console_fixture_attach(&c, 2);
    console_detach(&c.port[2]);
    cr_expect_eq(console->focus, other_port);
    console_detach(other_port);
    cr_expect_null(console->focus);
    console_fixture_attach(&c, 1);
    cr_expect_eq(console->focus, other_port);
}

CASE(console, input_for_one_guest_is_not_the_next_ones)
{
    attach();
    console_set_focus(console, port);
    console_fixture_type(&c, "secret", 6);
    console_set_focus(console, other_port);
    console_fixture_type(&c, "x", 1);
    cr_expect_eq(uart_read(other, DR), 'x');
    cr_expect_eq(uart_read(other, FR), 0x90);
    for (unsigned i = 0; i < 6; i++)
        cr_expect_eq(uart_read(uart, DR), (uint32_t) "secret"[i], "it is still its own");
    cr_expect_eq(uart_read(uart, FR), 0x90);
}

/* Far more than the buffer holds: the interrupt goes off, comes back, and no byte is lost. */
CASE(console, no_input_is_lost)
{
    static char text[5000];
    bool disabled = false;

    attach();
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 23);
    console_set_focus(console, port);
    console_fixture_type(&c, text, sizeof(text));
    for (size_t i = 0; i < sizeof(text); i++) {
        bool enabled = fakehal()->cpu[0].enabled[UART_INTID];
        disabled = disabled || !enabled;
        cr_assert_eq(uart_read(uart, DR), (uint32_t)text[i], "%zu", i);
        if (enabled && fakehal_irq_deliverable(0))
            console_interrupt(console);
    }
    cr_expect_eq(uart_read(uart, FR), 0x90);
    cr_expect(disabled);
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
}

CASE(console, machine_without_console_interrupt)
{
    console_init(console, HAL_INTID_NONE);
    fakehal_console_type("x", 1);
    attach();
    console_interrupt(console);
    cr_expect_eq(fakehal()->count[FAKEHAL_IRQ_ENABLE], 0);
    cr_expect_eq(fakehal()->in_head, 0, "no input: there may be no UART to read");
    guest_says("still here");
    console_fixture_output("still here");
}

CASE(console, interrupt_that_the_hal_refuses)
{
    console_init(console, 1019);
    console->intid = 5000;
    attach();
    cr_expect_eq(console->intid, HAL_INTID_NONE);
    console_set_focus(console, other_port);
}

/* The VM is destroyed here while another pCPU, on which the interrupt came, tells its PL011. */
static unsigned relaxed;

static void finish_notifying(void *ctx)
{
    (void)ctx;
    relaxed++;
    cr_assert_eq(port->console, console, "the PL011 may read until now");
    console_interrupt(console);
    if (relaxed == 3)
        port->notifying = 0;
}

CASE(console, detaching_waits_for_the_interrupt)
{
    attach();
    port->notifying = 1;
    fakehal()->relax = finish_notifying;
    relaxed = 0;
    fakehal_console_type("xy", 2);
    console_detach(port);
    cr_expect_eq(relaxed, 3);
    cr_expect_null(port->console);
    cr_expect_eq(uart_read(other, DR), 'x', "it is not the input of one that ends");
}

/* Against a queue, with FIFO and random amounts. */
CASE(console, random_against_a_queue)
{
    uint64_t state = 0xc0501e;
    uint32_t typed = 0, taken = 0;

    attach();
    console_set_focus(console, port);
    uart_write(uart, LCR_H, 0x10);
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t r = prng_next(&state);
        char text[100];
        if (r % 8 == 0) {
            size_t n = r >> 8 & 63;
            for (size_t k = 0; k < n; k++)
                text[k] = (char)(typed++ % 127);
            console_fixture_type(&c, text, n);
            continue;
        }
        for (uint64_t n = r >> 8 & 7; n > 0 && taken < typed; n--)
            cr_assert_eq(uart_read(uart, DR), taken++ % 127);
        if (fakehal_irq_deliverable(0))
            console_interrupt(console);
        cr_assert_eq((uart_read(uart, FR) & 0x10) != 0, taken == typed);
    }
    cr_expect_gt(taken, 2000);
}

CASES_RUN(console, setup, finish)
