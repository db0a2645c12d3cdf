/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/pl011.h"
#include "prng.h"
#include "vm_fixture.h"

/* DDI 0183, 3.2 */
#define DR    0x000
#define RSR   0x004
#define FR    0x018
#define ILPR  0x020
#define IBRD  0x024
#define FBRD  0x028
#define LCR_H 0x02c
#define CR    0x030
#define IFLS  0x034
#define IMSC  0x038
#define RIS   0x03c
#define MIS   0x040
#define ICR   0x044
#define DMACR 0x048

#define RX UINT32_C(0x010)
#define TX UINT32_C(0x020)
#define RT UINT32_C(0x040)
#define OE UINT32_C(0x400)

static struct fixture f;
static struct pl011 uart;

/* The other end of the line. */
static struct {
    char in[256];
    size_t in_head, in_len;
    char out[256];
    size_t out_len;
    unsigned reads;
    /* Called in the middle of a change of the interrupt line. */
    void (*during_kick)(void);
} far;

static void far_write(void *ctx, const char *text, size_t len)
{
    cr_assert_eq(ctx, &far);
    memcpy(far.out + far.out_len, text, len);
    far.out_len += len;
}

static size_t far_read(void *ctx, char *buf, size_t size)
{
    size_t n = far.in_len - far.in_head < size ? far.in_len - far.in_head : size;

    cr_assert_eq(ctx, &far);
    far.reads++;
    memcpy(buf, far.in + far.in_head, n);
    far.in_head += n;
    return n;
}

static void far_type(const char *text)
{
    memcpy(far.in + far.in_len, text, strlen(text));
    far.in_len += strlen(text);
}

static void setup(void)
{
    const struct pl011_backend backend = {far_write, far_read, &far};

    memset(&far, 0, sizeof(far));
    fixture_hv(&f, MIB(8), 1);
    fixture_create(&f, 1);
    cr_assert_eq(pl011_init(&uart, f.vm, 0x9000000, 33, &backend), HV_OK);
}

static void finish(void)
{
    fixture_end(&f);
}

static bool access_uart(uint64_t offset, uint8_t size, bool write, uint64_t *value)
{
    struct mmio_access access = {.offset = offset, .value = *value, .size = size, .write = write};
    bool allowed = pl011_access(&uart, &access);

    *value = access.value;
    return allowed;
}

static uint32_t rd(uint64_t offset)
{
    uint64_t value = 0;

    cr_assert(access_uart(offset, 4, false, &value));
    return (uint32_t)value;
}

static void wr(uint64_t offset, uint32_t value)
{
    uint64_t v = value;

    cr_assert(access_uart(offset, 4, true, &v));
}

#define expect_reg(offset, value) cr_expect_eq(rd(offset), value, "%s is 0x%x", #offset, rd(offset))

CASE(pl011, reset_state)
{
    static const uint32_t ids[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    expect_reg(FR, 0x90);
    expect_reg(CR, 0x300);
    expect_reg(IFLS, 0x12);
    expect_reg(DR, 0);
    expect_reg(RSR, 0);
    expect_reg(ILPR, 0);
    expect_reg(IBRD, 0);
    expect_reg(FBRD, 0);
    expect_reg(LCR_H, 0);
    expect_reg(IMSC, 0);
    expect_reg(RIS, 0);
    expect_reg(MIS, 0);
    expect_reg(DMACR, 0);
    for (unsigned i = 0; i < 8; i++)
        cr_expect_eq(rd(0xfe0 + 4 * i), ids[i]);
}

CASE(pl011, on_the_bus)
{
    const struct mmio_region *region = mmio_bus_find(&f.vm->bus, ipa(0x9000fff));
    struct mmio_access access = {.offset = FR, .size = 4};
    const struct pl011_backend backend = {far_write, far_read, &far};
    struct pl011 second;

    cr_assert_neq(region, NULL);
    cr_expect_eq(region->base, 0x9000000);
    cr_expect_eq(region->size, 0x1000);
    cr_expect(region->access(region->dev, &access));
    cr_expect_eq(access.value, 0x90);
    cr_expect_eq(pl011_init(&second, f.vm, 0x9000000, 34, &backend), HV_ERR_EXIST);
}

CASE(pl011, writable_bits)
{
    wr(ILPR, UINT32_MAX);
    wr(IBRD, UINT32_MAX);
    wr(FBRD, UINT32_MAX);
    wr(LCR_H, UINT32_MAX);
    wr(CR, UINT32_MAX & ~0x80u);
    wr(IFLS, UINT32_MAX);
    wr(IMSC, UINT32_MAX);
    wr(DMACR, UINT32_MAX);
    expect_reg(ILPR, 0xff);
    expect_reg(IBRD, 0xffff);
    expect_reg(FBRD, 0x3f);
    expect_reg(LCR_H, 0xff);
    expect_reg(CR, 0xff07);
    expect_reg(IFLS, 0x3f);
    expect_reg(IMSC, 0x7ff);
    expect_reg(DMACR, 0x7);
}

CASE(pl011, read_only_and_absent_registers)
{
    static const uint16_t offsets[] = {FR,    RIS,   MIS,   0x008, 0x014, 0x01c,
                                       0x04c, 0x0fc, 0x800, 0xfdc, 0xfe0, 0xffc};

    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        uint32_t before = rd(offsets[i]);
        wr(offsets[i], ~before);
        cr_expect_eq(rd(offsets[i]), before, "0x%x", offsets[i]);
    }
    cr_expect_eq(rd(0x008), 0);
    cr_expect_eq(rd(0xfdc), 0);
    cr_expect_eq(rd(ICR), 0, "write-only");
    cr_expect_eq(far.out_len, 0);
}

/* Every size at every offset: a value within the size, or a refusal; nothing else. */
CASE(pl011, access_sizes)
{
    for (uint64_t offset = 0; offset < 0x1000; offset++) {
        for (uint8_t size = 1; size <= 8; size = (uint8_t)(size * 2)) {
            for (int write = 0; write < 2; write++) {
                uint64_t value = 0;
                bool allowed = access_uart(offset, size, write != 0, &value);
                cr_assert_eq(allowed, size <= 4 && offset % size == 0, "0x%x %u", (unsigned)offset,
                             size);
                cr_assert(size == 8 || value < UINT64_C(1) << (8 * size));
            }
        }
    }
}

CASE(pl011, narrow_accesses_are_of_the_register)
{
    uint64_t value = 0xffffffffffffff41;

    cr_assert(access_uart(IBRD, 2, true, &value));
    expect_reg(IBRD, 0xff41);
    value = 0xffffffffffffff41;
    cr_assert(access_uart(IBRD, 1, true, &value));
    expect_reg(IBRD, 0x41);
    wr(IBRD, 0x1234);
    cr_assert(access_uart(IBRD, 1, false, &value));
    cr_expect_eq(value, 0x34);
    cr_assert(access_uart(IBRD + 3, 1, false, &value));
    cr_expect_eq(value, 0x34);
    cr_assert(access_uart(FR, 1, false, &value));
    cr_expect_eq(value, 0x90);
    value = 'x';
    cr_assert(access_uart(DR, 1, true, &value));
    cr_expect_eq(far.out[0], 'x');
}

CASE(pl011, sends)
{
    wr(CR, 0); /* even so: the firmware that enabled it is imaginary */
    wr(DR, 'a');
    expect_reg(RIS, TX);
    expect_reg(FR, 0x90);
    wr(ICR, TX);
    expect_reg(RIS, 0);
    wr(DR, 0xfffff00 | 'b');
    cr_expect_eq(far.out_len, 2);
    cr_expect_arr_eq(far.out, "ab", 2);
    expect_reg(RIS, TX);
    expect_reg(MIS, 0);
    cr_expect_not(fixture_uart_line(&f));
    wr(IMSC, TX);
    expect_reg(MIS, TX);
    cr_expect(fixture_uart_line(&f));
    wr(ICR, 0x7ff & ~TX);
    cr_expect(fixture_uart_line(&f));
    wr(ICR, TX);
    cr_expect_not(fixture_uart_line(&f));
    wr(DR, 'c');
    cr_expect(fixture_uart_line(&f));
    wr(IMSC, 0);
    cr_expect_not(fixture_uart_line(&f));
}

CASE(pl011, receives_without_fifo)
{
    far_type("xy");
    pl011_poll(&uart);
    expect_reg(FR, 0xc0); /* one byte is all there is room for */
    expect_reg(RIS, RX);
    cr_expect_eq(far.in_head, 1);
    pl011_poll(&uart);
    cr_expect_eq(far.in_head, 1, "the rest waits outside");
    expect_reg(RIS, RX);
    cr_expect_eq(rd(DR), 'x');
    expect_reg(FR, 0xc0); /* the next one has moved in */
    expect_reg(RIS, RX);
    cr_expect_eq(rd(DR), 'y');
    expect_reg(FR, 0x90);
    expect_reg(RIS, 0);
}

CASE(pl011, receive_timeout_tells_of_few_characters)
{
    wr(LCR_H, 0x70);
    wr(IMSC, RX | RT);
    cr_expect_not(fixture_uart_line(&f));
    far_type("l");
    pl011_poll(&uart);
    expect_reg(FR, 0x80);
    expect_reg(MIS, RT);
    cr_expect(fixture_uart_line(&f));
    cr_expect_eq(rd(DR), 'l');
    expect_reg(MIS, 0);
    cr_expect_not(fixture_uart_line(&f));
    far_type("s");
    pl011_poll(&uart);
    wr(ICR, RT);
    cr_expect_not(fixture_uart_line(&f));
    far_type("\r");
    pl011_poll(&uart);
    cr_expect(fixture_uart_line(&f), "each character starts the timeout anew");
}

CASE(pl011, trigger_levels)
{
    /* IFLS: 1/8, 1/4, 1/2, 3/4, 7/8 of 16; reserved ones as 7/8. */
    static const unsigned levels[] = {2, 4, 8, 12, 14, 14, 14, 14};

    for (uint32_t i = 0; i < 8; i++) {
        wr(LCR_H, 0);
        wr(IFLS, i << 3);
        wr(LCR_H, 0x10);
        for (unsigned n = 1; n <= 16; n++) {
            far.in_head = far.in_len = 0;
            far_type("k");
            pl011_poll(&uart);
            cr_expect_eq((rd(RIS) & RX) != 0, n >= levels[i], "%u of %u", n, levels[i]);
            cr_expect_eq((rd(FR) & 0x40) != 0, n == 16);
        }
        for (unsigned n = 15;; n--) {
            cr_expect_eq(rd(DR), 'k');
            cr_expect_eq((rd(RIS) & RX) != 0, n >= levels[i], "%u of %u", n, levels[i]);
            if (n == 0)
                break;
        }
    }
}

CASE(pl011, turning_fifos_flushes_and_loses_nothing_outside)
{
    wr(LCR_H, 0x10);
    far_type("0123456789abcdefXYZ");
    pl011_poll(&uart);
    expect_reg(FR, 0xc0);
    wr(LCR_H, 0x70); /* FEN as before */
    expect_reg(FR, 0xc0);
    wr(LCR_H, 0x60);
    cr_expect_eq(rd(DR), 'X');
    cr_expect_eq(rd(DR), 'Y');
    cr_expect_eq(rd(DR), 'Z');
    expect_reg(FR, 0x90);
}

CASE(pl011, loopback)
{
    wr(LCR_H, 0x10);
    wr(CR, 0x381);
    far_type("outside");
    pl011_poll(&uart);
    cr_expect_eq(far.reads, 1, "when FEN was set, and never since");
    wr(DR, 'i');
    wr(DR, 0xe9);
    cr_expect_eq(far.out_len, 0);
    expect_reg(RIS, TX | RT);
    cr_expect_eq(rd(DR), 'i');
    cr_expect_eq(rd(DR), 0xe9);
    wr(ICR, 0x7ff);
    wr(CR, 0x301);
    expect_reg(FR, 0x80);
    cr_expect_eq(rd(DR), 'o');
}

CASE(pl011, loopback_of_modem_lines)
{
    /* RTS -> CTS, DTR -> DSR, Out1 -> DCD, Out2 -> RI */
    static const struct {
        uint32_t cr, fr, ris;
    } lines[] = {{0x800, 0x1, 0x2}, {0x400, 0x2, 0x8}, {0x1000, 0x4, 0x4}, {0x2000, 0x100, 0x1}};

    wr(CR, 0x3f01);
    expect_reg(FR, 0x90);
    expect_reg(RIS, 0);
    for (size_t i = 0; i < 4; i++) {
        wr(CR, 0x381);
        wr(ICR, 0x7ff);
        wr(CR, 0x381 | lines[i].cr);
        expect_reg(FR, 0x90 | lines[i].fr);
        expect_reg(RIS, lines[i].ris);
        wr(ICR, 0x7ff);
        wr(CR, 0x381);
        expect_reg(FR, 0x90);
        expect_reg(RIS, lines[i].ris);
    }
}

CASE(pl011, loopback_overrun)
{
    wr(CR, 0x381);
    wr(DR, 'a');
    wr(DR, 'b');
    expect_reg(RIS, OE | TX | RX);
    expect_reg(RSR, 0x8);
    cr_expect_eq(rd(DR), 0x800 | 'a', "after it, something was lost");
    expect_reg(RSR, 0x8);
    wr(RSR, 0);
    expect_reg(RSR, 0);
    wr(DR, 'c');
    cr_expect_eq(rd(DR), 'c');
    expect_reg(RSR, 0);
}

CASE(pl011, loopback_break)
{
    wr(LCR_H, 0x1);
    cr_expect_eq(rd(RIS), 0, "not in loopback: it goes out");
    wr(LCR_H, 0);
    wr(CR, 0x381);
    wr(LCR_H, 0x1);
    wr(LCR_H, 0x3);
    expect_reg(RIS, 0x200 | RX);
    cr_expect_eq(rd(DR), 0x400);
    expect_reg(RSR, 0x4);
    expect_reg(FR, 0x90);
}

/* Another pCPU changes the state while the vGIC is being told of the change before. */
static void flip_during_kick(void *ctx, unsigned cpu)
{
    void (*flip)(void) = far.during_kick;

    (void)ctx;
    (void)cpu;
    far.during_kick = NULL;
    if (flip != NULL)
        flip();
}

static void mask_all(void)
{
    /* It must not wait for the one that is telling: its change is told by that one. */
    uart.delivering = true;
    uart.imsc = 0;
}

CASE(pl011, the_last_level_wins)
{
    f.vm->vgic.kick = flip_during_kick;
    f.vm->vgic.ctlr = 3;
    f.vm->vgic.spi[1].enabled = true;
    f.vm->vgic.spi[1].group1 = true;
    far.during_kick = mask_all;
    wr(IMSC, TX);
    wr(DR, 'x');
    cr_assert_eq(far.during_kick, NULL, "the vGIC has kicked the vCPU");
    cr_expect_not(fixture_uart_line(&f));
    cr_expect_not(uart.delivering);
}

/* Against a queue: whatever the order of events, every byte comes once and in order. */
CASE(pl011, random_against_a_queue)
{
    uint64_t state = 0x9011;
    char expected[256];
    size_t head = 0, len = 0;

    wr(LCR_H, 0x10);
    wr(IMSC, RX | RT);
    for (unsigned i = 0; i < 8000; i++) {
        uint64_t r = prng_next(&state);
        char c = (char)(r >> 32 & 0x7f);
        if (r % 4 == 0 && far.in_len < sizeof(far.in)) {
            far.in[far.in_len++] = c;
            expected[len++] = c;
            pl011_poll(&uart);
        } else if (r % 4 == 1) {
            wr(IFLS, (uint32_t)(r >> 40) & 0x3f);
        } else if (rd(FR) & 0x10) {
            cr_assert_eq(head, len);
            cr_assert_not(fixture_uart_line(&f));
            head = len = far.in_head = far.in_len = 0;
        } else {
            cr_assert(fixture_uart_line(&f));
            cr_assert_eq(rd(DR), (uint32_t)expected[head]);
            head++;
        }
    }
}

CASES_RUN(pl011, setup, finish)
