/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/console.h"
#include "prng.h"
#include "vm_fixture.h"

#define DR    0x000
#define FR    0x018
#define LCR_H 0x02c
#define IMSC  0x038

static struct fixture f;
static struct pl011 uart, other;

static void setup(void)
{
    const struct pl011_backend backend = {console_guest_write, console_guest_read, &uart};
    const struct pl011_backend other_backend = {console_guest_write, console_guest_read, &other};

    fixture_hv(&f, MIB(8), 1);
    fixture_create(&f, 1);
    cr_assert_eq(pl011_init(&uart, f.vm, 0x9000000, 33, &backend), HV_OK);
    cr_assert_eq(pl011_init(&other, f.vm, 0x9001000, 34, &other_backend), HV_OK);
}

static void finish(void)
{
    fixture_end(&f);
}

static uint32_t rd(struct pl011 *pl011, uint64_t offset)
{
    struct mmio_access access = {.offset = offset, .size = 4};

    cr_assert(pl011_access(pl011, &access));
    return (uint32_t)access.value;
}

static void wr(struct pl011 *pl011, uint64_t offset, uint32_t value)
{
    struct mmio_access access = {.offset = offset, .size = 4, .value = value, .write = true};

    cr_assert(pl011_access(pl011, &access));
}

static void expect_output(const char *text)
{
    cr_expect_str_eq(fakehal()->out, text);
    fakehal_console_clear();
}

static void log_line(const char *text)
{
    console_log_write(&f.console, text, strlen(text));
}

static void guest_says(const char *text)
{
    console_guest_write(&uart, text, strlen(text));
}

/* Input arrives; the machine's interrupt is delivered if it is enabled. */
static void type(const char *text, size_t len)
{
    fakehal_console_type(text, len);
    if (fakehal()->cpu[0].enabled[UART_INTID])
        console_interrupt(&f.console);
}

CASE(console, log_lines_start_at_the_beginning)
{
    log_line("one\n");
    expect_output("one\r\n");
    guest_says("login: ");
    expect_output("login: ");
    log_line("two\nthree\n");
    expect_output("\r\ntwo\r\nthree\r\n");
    guest_says("x\r\n");
    log_line("four\n");
    expect_output("x\r\nfour\r\n");
    guest_says("50%\r");
    log_line("five\n");
    expect_output("50%\r\r\nfive\r\n");
    guest_says("a\n");
    guest_says("\r");
    log_line("six\n");
    expect_output("a\n\rsix\r\n");
    guest_says("open");
    guest_says("");
    log_line("cut");
    log_line("seven\n");
    expect_output("open\r\ncut\r\nseven\r\n");
}

CASE(console, guest_output_is_not_changed)
{
    console_guest_write(&uart, "a\0b\n\x1b[2J\xff", 9);
    cr_expect_eq(fakehal()->out_len, 9);
    cr_expect_arr_eq(fakehal()->out, "a\0b\n\x1b[2J\xff", 9);
}

CASE(console, focus_enables_the_interrupt_and_gets_the_input)
{
    fakehal()->cpu[0].enabled[UART_INTID] = false;
    console_set_focus(&f.console, &uart);
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
    wr(&uart, IMSC, 0x10);
    type("ke", 2); /* without FIFOs there is room for one */
    cr_expect(fixture_uart_line(&f));
    pl011_poll(&other);
    cr_expect_eq(rd(&other, FR), 0x90, "another guest cannot take the second");
    cr_expect_eq(rd(&uart, DR), 'k');
    cr_expect_eq(rd(&uart, DR), 'e');
    cr_expect_not(fixture_uart_line(&f));
}

CASE(console, no_focus_no_input)
{
    char lots[2500];

    memset(lots, 'x', sizeof(lots));
    console_set_focus(&f.console, &uart);
    console_set_focus(&f.console, NULL);
    type(lots, sizeof(lots));
    cr_expect_eq(fakehal()->in_head, fakehal()->in_len, "taken, and dropped");
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
    console_set_focus(&f.console, &uart);
    pl011_poll(&uart);
    cr_expect_eq(rd(&uart, FR), 0x90);
}

/* The firmware may leave the machine's interrupt as it likes: nothing comes for what is there. */
CASE(console, input_before_the_focus_is_taken)
{
    char lots[2500];

    wr(&uart, IMSC, 0x10);
    fakehal_console_type("early", 5);
    console_claim_focus(&f.console, &uart);
    cr_expect(fixture_uart_line(&f), "the guest is told");
    for (unsigned i = 0; i < 5; i++)
        cr_expect_eq(rd(&uart, DR), (uint32_t) "early"[i]);
    cr_expect_eq(rd(&uart, FR), 0x90);
    cr_expect_eq(f.console.notifying, 0);
    memset(lots, 'x', sizeof(lots));
    console_set_focus(&f.console, NULL);
    fakehal_console_type(lots, sizeof(lots));
    console_set_focus(&f.console, &uart);
    cr_expect_not(fakehal()->cpu[0].enabled[UART_INTID], "the buffer is full");
    for (unsigned i = 0; i < sizeof(lots); i++)
        cr_assert_eq(rd(&uart, DR), 'x', "%u", i);
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
    console_claim_focus(&f.console, &uart);
    cr_expect_not(fakehal()->cpu[0].enabled[UART_INTID], "the buffer is full");
    for (unsigned i = 0; i < sizeof(lots); i++)
        cr_assert_eq(rd(&uart, DR), 'x', "%u", i);
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
}

CASE(console, focus_can_be_claimed_once)
{
    console_claim_focus(&f.console, &uart);
    console_claim_focus(&f.console, &other);
    cr_expect_eq(f.console.focus, &uart);
    console_drop_focus(&f.console, &other);
    cr_expect_eq(f.console.focus, &uart);
    console_drop_focus(&f.console, &uart);
    cr_expect_eq(f.console.focus, NULL);
    console_claim_focus(&f.console, &other);
    cr_expect_eq(f.console.focus, &other);
}

CASE(console, input_for_one_guest_is_not_the_next_ones)
{
    console_set_focus(&f.console, &uart);
    type("secret", 6);
    console_set_focus(&f.console, &other);
    type("x", 1);
    cr_expect_eq(rd(&other, DR), 'x');
    cr_expect_eq(rd(&other, FR), 0x90);
}

/* Far more than the buffer holds: the interrupt goes off, comes back, and no byte is lost. */
CASE(console, no_input_is_lost)
{
    static char text[5000];
    bool disabled = false;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 23);
    console_set_focus(&f.console, &uart);
    type(text, sizeof(text));
    for (size_t i = 0; i < sizeof(text); i++) {
        bool enabled = fakehal()->cpu[0].enabled[UART_INTID];
        disabled = disabled || !enabled;
        cr_assert_eq(rd(&uart, DR), (uint32_t)text[i], "%zu", i);
        if (enabled && fakehal_irq_deliverable(0))
            console_interrupt(&f.console);
    }
    cr_expect_eq(rd(&uart, FR), 0x90);
    cr_expect(disabled);
    cr_expect(fakehal()->cpu[0].enabled[UART_INTID]);
}

CASE(console, machine_without_console_interrupt)
{
    console_init(&f.console, HAL_INTID_NONE);
    fakehal_console_type("x", 1);
    console_set_focus(&f.console, &uart);
    cr_expect_eq(fakehal()->count[FAKEHAL_IRQ_ENABLE], 0);
    cr_expect_eq(fakehal()->in_head, 0, "no input: there may be no UART to read");
    guest_says("still here");
    expect_output("still here");
}

CASE(console, interrupt_that_the_hal_refuses)
{
    console_init(&f.console, 1019);
    f.console.intid = 5000;
    console_set_focus(&f.console, &uart);
    cr_expect_eq(f.console.intid, HAL_INTID_NONE);
    console_set_focus(&f.console, &other);
}

/* The focus moves on another pCPU while the interrupt is being handled on this one. */
static unsigned relaxed;

static void finish_notifying(void *ctx)
{
    (void)ctx;
    relaxed++;
    cr_assert_eq(f.console.focus, &uart, "the former focus is in use until now");
    if (relaxed == 3)
        f.console.notifying = 0;
}

CASE(console, change_of_focus_waits_for_the_interrupt)
{
    console_set_focus(&f.console, &uart);
    f.console.notifying = 1;
    fakehal()->relax = finish_notifying;
    relaxed = 0;
    console_drop_focus(&f.console, &uart);
    cr_expect_eq(relaxed, 3);
    cr_expect_eq(f.console.focus, NULL);
}

/* Against a queue, with FIFO and random amounts. */
CASE(console, random_against_a_queue)
{
    uint64_t state = 0xc0501e;
    uint32_t typed = 0, taken = 0;

    console_set_focus(&f.console, &uart);
    wr(&uart, LCR_H, 0x10);
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t r = prng_next(&state);
        char text[100];
        if (r % 8 == 0) {
            size_t n = r >> 8 & 63;
            for (size_t k = 0; k < n; k++)
                text[k] = (char)(typed++ % 127);
            type(text, n);
            continue;
        }
        for (uint64_t n = r >> 8 & 7; n > 0 && taken < typed; n--)
            cr_assert_eq(rd(&uart, DR), taken++ % 127);
        if (fakehal_irq_deliverable(0))
            console_interrupt(&f.console);
        cr_assert_eq((rd(&uart, FR) & 0x10) != 0, taken == typed);
    }
    cr_expect_gt(taken, 2000);
}

CASES_RUN(console, setup, finish)
