/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guest's GPIO controller: registers, edges and levels, the power button. */
#include "dev/pl061.h"
#include "sched_fixture.h"

#define HZ UINT64_C(62500000)

#define ALL   0x3fc /* GPIODATA of all pins */
#define DIR   0x400
#define IS    0x404
#define IBE   0x408
#define IEV   0x40c
#define IE    0x410
#define RIS   0x414
#define MIS   0x418
#define IC    0x41c
#define AFSEL 0x420

#define POWER 0x08 /* pin 3 */

static const struct mmio_region *gpio;

static bool reach(uint64_t offset, unsigned size, bool write, uint64_t *value)
{
    struct mmio_access access = {
        .offset = offset, .size = (uint8_t)size, .write = write, .value = *value};
    bool done = gpio->access(gpio->dev, &access);

    *value = access.value;
    return done;
}

static uint32_t get(uint64_t offset)
{
    uint64_t value = 0x5a5a5a5a5a5a5a5a;

    cr_assert(reach(offset, 4, false, &value));
    cr_assert_leq(value, 0xff, "%" PRIx64, offset);
    return (uint32_t)value;
}

static void set(uint64_t offset, uint32_t value)
{
    uint64_t wide = value;

    cr_assert(reach(offset, 4, true, &wide));
}

static bool line(void)
{
    return f.vm->vgic.spi[7].level; /* INTID 39 */
}

static bool press(void)
{
    return f.vm->power_button.press(f.vm->power_button.dev);
}

static void begin(uint32_t cpus)
{
    fixture_hv(&f, MIB(8), cpus);
    fakehal()->hz = HZ;
    fakehal()->now = HZ;
    fixture_create(&f, 1);
    cr_assert_eq(dev_create_all(f.vm), HV_OK);
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
    cr_assert_eq(fixture_next(&f, 0), f.vcpu);
    gpio = mmio_bus_find(&f.vm->bus, ipa(0x9030000));
    cr_assert_neq(gpio, NULL);
}

static void begin_one(void)
{
    begin(1);
}

static void pass(uint64_t ticks)
{
    fakehal()->now += ticks;
    timer_queue_run(&pcpu(0)->timers);
    (void)fixture_next(&f, 0);
}

/* As Linux's gpio-keys does: both edges. */
static void listen(void)
{
    set(IBE, POWER);
    set(IE, POWER);
}

CASE(pl061, where_virt_has_it)
{
    cr_expect_eq(gpio->size, 0x1000);
    cr_expect_str_eq(gpio->name, "pl061");
}

CASE(pl061, reset_state)
{
    static const uint16_t regs[] = {DIR, IS, IBE, IEV, IE, RIS, MIS, IC, AFSEL};

    for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
        cr_expect_eq(get(regs[i]), 0, "%x", regs[i]);
    for (uint64_t offset = 0; offset <= ALL; offset += 4)
        cr_expect_eq(get(offset), 0);
    cr_expect_not(line());
}

CASE(pl061, identification)
{
    static const uint8_t id[8] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    for (unsigned i = 0; i < 8; i++)
        cr_expect_eq(get(0xfe0 + 4 * i), id[i]);
    for (uint64_t offset = 0x424; offset < 0xfe0; offset += 4) {
        set(offset, UINT32_MAX);
        cr_assert_eq(get(offset), 0, "%" PRIx64, offset);
    }
}

CASE(pl061, eight_bits_each)
{
    static const uint16_t regs[] = {DIR, IS, IBE, IEV, IE, AFSEL};

    for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
        set(regs[i], 0xffffffa5);
        cr_expect_eq(get(regs[i]), 0xa5, "%x", regs[i]);
        set(regs[i], 0);
        cr_expect_eq(get(regs[i]), 0, "%x", regs[i]);
    }
}

/* Address bits 9:2 choose the pins, of which only outputs are written. */
CASE(pl061, data)
{
    set(ALL, 0xff);
    cr_expect_eq(get(ALL), 0, "inputs");
    set(DIR, 0xf0);
    cr_expect_eq(get(ALL), 0, "a write to an input is lost");
    set(ALL, 0xff);
    cr_expect_eq(get(ALL), 0xf0);
    set(0x10 << 2, 0);
    cr_expect_eq(get(ALL), 0xe0);
    set(0x33 << 2, 0xff);
    cr_expect_eq(get(ALL), 0xf0);
    cr_expect_eq(get(0x50 << 2), 0x50);
    cr_expect_eq(get(0), 0);
    set(0, 0);
    cr_expect_eq(get(ALL), 0xf0);
    set(DIR, 0);
    cr_expect_eq(get(ALL), 0, "the pins' own levels");
}

CASE(pl061, levels)
{
    set(IS, 0xff);
    cr_expect_eq(get(RIS), 0xff, "low levels, and all pins are low");
    cr_expect_eq(get(MIS), 0);
    cr_expect_not(line());
    set(IE, 0x21);
    cr_expect_eq(get(MIS), 0x21);
    cr_expect(line());
    set(IC, 0xff);
    cr_expect_eq(get(RIS), 0xff, "a level is not cleared");
    set(IEV, 0x01);
    cr_expect_eq(get(MIS), 0x20);
    set(DIR, 0x20);
    cr_expect_eq(get(MIS), 0, "outputs do not interrupt");
    cr_expect_not(line());
    set(IEV, 0);
    cr_expect(line());
    set(IS, 0);
    cr_expect_not(line());
    cr_expect_eq(get(RIS), 0);
}

CASE(pl061, high_level_of_the_button)
{
    set(IS, POWER);
    set(IEV, POWER);
    set(IE, POWER);
    cr_expect_not(line());
    cr_assert(press());
    cr_expect(line());
    set(IC, POWER);
    cr_expect(line());
    pass(HZ / 10);
    cr_expect_not(line());
    cr_expect_eq(get(RIS), 0);
}

CASE(pl061, a_press_makes_two_edges)
{
    listen();
    cr_expect_eq(get(ALL), 0);
    cr_assert(press());
    cr_expect_eq(get(ALL), POWER);
    cr_expect_eq(get(RIS), POWER);
    cr_expect_eq(get(MIS), POWER);
    cr_expect(line());
    set(IC, 0xff & ~POWER);
    cr_expect(line());
    set(IC, POWER);
    cr_expect_not(line());
    pass(HZ / 10 - 1);
    cr_expect_eq(get(ALL), POWER);
    pass(1);
    cr_expect_eq(get(ALL), 0);
    cr_expect(line());
    set(IC, POWER);
    pass(HZ);
    cr_expect_not(line());
}

static void expect_edges(uint32_t iev, bool down, bool up)
{
    set(IE, POWER);
    set(IEV, iev);
    cr_assert(press());
    cr_expect_eq(get(RIS) != 0, down);
    cr_expect_eq(line(), down);
    set(IC, POWER);
    pass(HZ / 10);
    cr_expect_eq(get(RIS) != 0, up);
    cr_expect_eq(line(), up);
    set(IC, POWER);
}

CASE(pl061, one_edge)
{
    expect_edges(POWER, true, false);
    expect_edges(0, false, true);
}

CASE(pl061, nobody_listens)
{
    cr_expect_not(press());
    set(IE, 0xff & ~POWER);
    cr_expect_not(press());
    set(IE, POWER);
    set(DIR, POWER);
    cr_expect_not(press(), "an output");
    cr_expect_eq(get(ALL), 0);
    cr_expect_eq(get(RIS), 0);
    cr_expect(list_empty(&pcpu(0)->timers.head));
}

CASE(pl061, pressed_again_while_it_is_down)
{
    listen();
    cr_assert(press());
    set(IC, POWER);
    pass(HZ / 20);
    cr_assert(press());
    cr_expect_not(line(), "no edge");
    pass(HZ / 20);
    cr_expect_eq(get(ALL), POWER, "held on");
    pass(HZ / 20);
    cr_expect_eq(get(ALL), 0);
}

/* When its pCPU goes offline each timer is told so ahead of time. */
CASE(pl061, an_early_timer_is_started_again)
{
    listen();
    cr_assert(press());
    timer_queue_flush(&pcpu(0)->timers);
    (void)fixture_next(&f, 0);
    cr_expect_eq(get(ALL), POWER);
    cr_expect_not(list_empty(&pcpu(0)->timers.head));
    pass(HZ / 10);
    cr_expect_eq(get(ALL), 0);
}

CASE(pl061, sizes)
{
    uint64_t value = 0;

    set(DIR, 0xa5);
    cr_expect(reach(DIR, 1, false, &value));
    cr_expect_eq(value, 0xa5);
    cr_expect(reach(DIR + 3, 1, false, &value));
    cr_expect_eq(value, 0xa5, "the APB has no byte lanes");
    cr_expect(reach(DIR + 2, 2, false, &value));
    cr_expect_eq(value, 0xa5);
    cr_expect_not(reach(DIR, 8, false, &value));
    cr_expect_not(reach(DIR + 1, 2, false, &value));
    cr_expect_not(reach(DIR + 2, 4, false, &value));
    value = 0x12345678;
    cr_expect(reach(DIR, 1, true, &value));
    cr_expect_eq(get(DIR), 0x78);
}

/* A VM that ends while its button is down; fixture_end() finds what is left. */
CASE(pl061, ends_while_pressed)
{
    fixture_end(&f);
    begin(2);
    listen();
    cr_assert(press());
    fixture_destroy(&f, f.vm);
    f.vm = NULL;
    cr_expect(list_empty(&pcpu(0)->timers.head));
}

static void end(void)
{
    fixture_end(&f);
}

CASES_RUN(pl061, begin_one, end)
