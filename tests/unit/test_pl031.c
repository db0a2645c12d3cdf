/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guest's clock: registers, the match and its interrupt. */
#include "dev/pl031.h"
#include "sched_fixture.h"

#define HZ UINT64_C(62500000)

#define DR   0x000
#define MR   0x004
#define LR   0x008
#define CR   0x00c
#define IMSC 0x010
#define RIS  0x014
#define MIS  0x018
#define ICR  0x01c

static const struct mmio_region *rtc;

static bool reach(uint64_t offset, unsigned size, bool write, uint64_t *value)
{
    struct mmio_access access = {
        .offset = offset, .size = (uint8_t)size, .write = write, .value = *value};
    bool done = rtc->access(rtc->dev, &access);

    *value = access.value;
    return done;
}

static uint32_t get(uint64_t offset)
{
    uint64_t value = 0x5a5a5a5a5a5a5a5a;

    cr_assert(reach(offset, 4, false, &value));
    cr_assert_eq(value >> 32, 0);
    return (uint32_t)value;
}

static void set(uint64_t offset, uint32_t value)
{
    uint64_t wide = value;

    cr_assert(reach(offset, 4, true, &wide));
}

static bool line(void)
{
    return f.vm->vgic.spi[2].level; /* INTID 34 */
}

/* At 10.5 seconds of a machine whose clock said 1000000000 when its counter was 0. */
static void begin(uint32_t cpus)
{
    fixture_hv(&f, MIB(8), cpus);
    f.hv->wall_base = 1000000000;
    fakehal()->hz = HZ;
    fakehal()->now = 10 * HZ + HZ / 2;
    fixture_create(&f, 1);
    cr_assert_eq(dev_create_all(f.vm), HV_OK);
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
    cr_assert_eq(fixture_next(&f, 0), f.vcpu);
    rtc = mmio_bus_find(&f.vm->bus, ipa(0x9010000));
    cr_assert_neq(rtc, NULL);
}

static void begin_one(void)
{
    begin(1);
}

/* To half a second after `seconds`; whoever is due is served. */
static void pass(uint64_t seconds)
{
    fakehal()->now = seconds * HZ + HZ / 2;
    timer_queue_run(&pcpu(0)->timers);
    (void)fixture_next(&f, 0);
}

CASE(pl031, where_virt_has_it)
{
    cr_expect_eq(rtc->base, 0x9010000);
    cr_expect_eq(rtc->size, 0x1000);
    cr_expect_str_eq(rtc->name, "pl031");
}

CASE(pl031, reset_state)
{
    cr_expect_eq(get(DR), 1000000010);
    cr_expect_eq(get(MR), 0);
    cr_expect_eq(get(LR), 0);
    cr_expect_eq(get(CR), 1, "it runs");
    cr_expect_eq(get(IMSC), 0);
    cr_expect_eq(get(RIS), 0);
    cr_expect_eq(get(MIS), 0);
    cr_expect_eq(get(ICR), 0, "write-only");
    cr_expect_not(line());
}

CASE(pl031, identification)
{
    static const uint8_t id[8] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    for (unsigned i = 0; i < 8; i++)
        cr_expect_eq(get(0xfe0 + 4 * i), id[i]);
    for (uint64_t offset = 0x20; offset < 0xfe0; offset += 4) {
        set(offset, UINT32_MAX);
        cr_assert_eq(get(offset), 0, "%" PRIx64, offset);
    }
}

CASE(pl031, counts_seconds)
{
    fakehal()->now = 11 * HZ - 1;
    cr_expect_eq(get(DR), 1000000010);
    fakehal()->now = 11 * HZ;
    cr_expect_eq(get(DR), 1000000011);
    set(DR, 5);
    cr_expect_eq(get(DR), 1000000011, "read-only");
    set(CR, 0);
    fakehal()->now = 12 * HZ;
    cr_expect_eq(get(DR), 1000000012, "nothing stops it");
    cr_expect_eq(get(CR), 1);
}

CASE(pl031, is_set)
{
    set(LR, 7);
    cr_expect_eq(get(DR), 7);
    cr_expect_eq(get(LR), 7);
    pass(15);
    cr_expect_eq(get(DR), 12);
    set(LR, UINT32_MAX);
    cr_expect_eq(get(DR), UINT32_MAX);
    pass(16);
    cr_expect_eq(get(DR), 0, "it wraps");
}

CASE(pl031, without_a_clock_of_the_machine_time_since_power_on)
{
    f.hv->wall_base = 0;
    cr_expect_eq(get(DR), 10);
}

CASE(pl031, match)
{
    set(IMSC, 1);
    set(MR, 1000000013);
    cr_expect_eq(get(RIS), 0);
    pass(12);
    cr_expect_eq(get(RIS), 0);
    cr_expect_not(line());
    pass(13);
    cr_expect_eq(get(RIS), 1);
    cr_expect_eq(get(MIS), 1);
    cr_expect(line());
    cr_expect_eq(f.vcpu->requests & VCPU_REQ_DEVICES, 0);
    set(ICR, 0);
    cr_expect(line(), "a zero clears nothing");
    set(ICR, 0xfffffffe);
    cr_expect(line());
    set(ICR, 1);
    cr_expect_not(line());
    cr_expect_eq(get(RIS), 0);
    pass(100);
    cr_expect_eq(get(RIS), 0, "once");
}

CASE(pl031, masked_match)
{
    set(MR, 1000000011);
    pass(11);
    cr_expect_eq(get(RIS), 1);
    cr_expect_eq(get(MIS), 0);
    cr_expect_not(line());
    set(IMSC, 3);
    cr_expect_eq(get(IMSC), 1);
    cr_expect(line());
    set(IMSC, 0);
    cr_expect_not(line());
}

CASE(pl031, match_now)
{
    set(IMSC, 1);
    set(MR, 1000000010);
    cr_expect(line());
    set(ICR, 1);
    set(LR, 1000000010);
    cr_expect(line(), "setting it to the match");
    set(ICR, 1);
    set(MR, 1000000009);
    cr_expect_not(line(), "in 136 years");
    pass(1000);
    cr_expect_not(line());
}

CASE(pl031, a_match_that_is_moved)
{
    set(IMSC, 1);
    set(MR, 1000000012);
    set(MR, 1000000020);
    pass(12);
    cr_expect_not(line());
    set(LR, 1000000019);
    pass(13);
    cr_expect(line(), "one second after it was set");
}

/* When its pCPU goes offline each timer is told so ahead of time. */
CASE(pl031, an_early_timer_is_started_again)
{
    set(IMSC, 1);
    set(MR, 1000000012);
    timer_queue_flush(&pcpu(0)->timers);
    cr_expect(list_empty(&pcpu(0)->timers.head));
    (void)fixture_next(&f, 0);
    cr_expect_not(list_empty(&pcpu(0)->timers.head));
    cr_expect_not(line());
    pass(12);
    cr_expect(line());
}

/* The guest moves the match while the timer that went off for the old one is being told. */
CASE(pl031, moved_while_the_timer_goes_off)
{
    set(IMSC, 1);
    set(MR, 1000000012);
    fakehal()->now = 12 * HZ;
    timer_queue_run(&pcpu(0)->timers);
    set(MR, 1000000030);
    (void)fixture_next(&f, 0);
    cr_expect_not(line());
    pass(30);
    cr_expect(line());
}

CASE(pl031, sizes)
{
    uint64_t value = 0;

    set(MR, 0x12345678);
    cr_expect(reach(MR, 1, false, &value));
    cr_expect_eq(value, 0x78);
    cr_expect(reach(MR + 1, 1, false, &value));
    cr_expect_eq(value, 0x78, "the APB has no byte lanes");
    cr_expect(reach(MR + 2, 2, false, &value));
    cr_expect_eq(value, 0x5678);
    cr_expect_not(reach(MR, 8, false, &value));
    cr_expect_not(reach(MR + 1, 2, false, &value));
    cr_expect_not(reach(MR + 2, 4, false, &value));
    value = UINT64_MAX;
    cr_expect(reach(MR, 2, true, &value));
    cr_expect_eq(get(MR), 0xffff);
}

/* A VM that ends with a match ahead; fixture_end() finds what is left. */
CASE(pl031, ends_with_an_alarm_set)
{
    fixture_end(&f);
    begin(2);
    set(MR, 1000000500);
    fixture_destroy(&f, f.vm);
    f.vm = NULL;
    cr_expect(list_empty(&pcpu(0)->timers.head));
    fakehal()->now = 1000 * HZ;
    timer_queue_run(&pcpu(0)->timers);
}

static void end(void)
{
    fixture_end(&f);
}

CASES_RUN(pl031, begin_one, end)
