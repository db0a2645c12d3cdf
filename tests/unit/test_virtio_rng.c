/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The entropy device. fakehal's random bytes count up from 0, those of the device from 1: it has
 * looked whether there are any. */
#include "dev/rng_device.h"
#include "virtio/rng.h"
#include "virtio_fixture.h"

#define RINGS (GUEST_RAM + 0x10000)
#define DATA  (GUEST_RAM + 0x40000)

static struct driver drv;

static const struct dev_instance instance = {.base = VIRTIO_BASE, .intid = VIRTIO_INTID};

static void setup_rng(void)
{
    setup();
    cr_assert_eq(rng_device_create(f.vm, &instance), HV_OK);
    cr_assert(negotiate(F_VERSION_1));
    cr_assert(set_queue(0, &drv, RINGS, 16));
    driver_ok();
    serve_all();
    memset(driver_mem(&drv, DATA, 0x1000), 0xee, 0x1000);
}

static void ask(uint32_t len)
{
    struct driver_seg s = {DATA, len};

    driver_offer(&drv, driver_chain(&drv, &s, 0, 1));
    notify(0);
}

/* What came back of one buffer; UINT32_MAX: nothing. */
static uint32_t answer(void)
{
    uint16_t head;
    uint32_t len;

    if (!driver_used(&drv, &head, &len))
        return UINT32_MAX;
    driver_free(&drv, head);
    return len;
}

static void expect_bytes(uint8_t first, uint32_t count)
{
    const uint8_t *data = driver_mem(&drv, DATA, 0x1000);

    for (uint32_t i = 0; i < count; i++)
        cr_assert_eq(data[i], (uint8_t)(first + i), "byte %u", i);
    cr_assert_eq(data[count], 0xee, "behind them");
}

CASE(virtio_rng, identity)
{
    cr_assert_eq(rd(R_DEVICE_ID), 4);
    cr_assert_eq(offered_features(), F_VERSION_1 | F_INDIRECT | F_EVENT_IDX);
    wr(R_QUEUE_SEL, 1);
    cr_assert_eq(rd(R_QUEUE_NUM_MAX), 0, "it has one queue");
    for (uint64_t at = 0; at < 0x100; at += 4)
        cr_assert_eq(rd(R_CONFIG + at), 0, "and no configuration");
}

CASE(virtio_rng, fills_a_buffer)
{
    ask(100);
    serve_all();
    cr_assert_eq(answer(), 100);
    expect_bytes(1, 100);
    cr_assert(irq_line());
    cr_assert_eq(rd(R_ISR), 1);
}

CASE(virtio_rng, a_large_buffer_gets_a_piece)
{
    ask(4096);
    serve_all();
    cr_assert_eq(answer(), 256);
    expect_bytes(1, 256);
}

CASE(virtio_rng, scattered)
{
    struct driver_seg s[] = {{DATA, 3}, {DATA + 3, 90}, {DATA + 93, 0}, {DATA + 93, 7}};

    driver_offer(&drv, driver_chain(&drv, s, 0, 4));
    notify(0);
    serve_all();
    cr_assert_eq(answer(), 100);
    expect_bytes(1, 100);
}

CASE(virtio_rng, several_at_once)
{
    struct driver_seg s[] = {{DATA, 16}, {DATA + 16, 16}, {DATA + 32, 16}};

    for (unsigned i = 0; i < 3; i++)
        driver_stage(&drv, driver_chain(&drv, &s[i], 0, 1));
    driver_show(&drv);
    notify(0);
    serve_all();
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(answer(), 16);
    expect_bytes(1, 48);
}

/* One buffer is a piece of work. */
CASE(virtio_rng, a_piece_is_one_buffer)
{
    struct driver_seg s = {DATA, 4096};

    driver_stage(&drv, driver_chain(&drv, &s, 0, 1));
    driver_stage(&drv, driver_chain(&drv, &s, 0, 1));
    driver_show(&drv);
    notify(0);
    (void)next(0);
    cr_assert_eq(answer(), 256);
    cr_assert_eq(answer(), UINT32_MAX);
    cr_assert(pcpu(0)->resched, "there is more");
    serve_all();
    cr_assert_eq(answer(), 256);
}

/* --- What a driver may not do --- */

static void expect_broken(void)
{
    notify(0);
    serve_all();
    cr_assert_eq(rd(R_STATUS) & S_NEEDS_RESET, S_NEEDS_RESET);
    cr_assert_eq(rd(R_ISR), 2);
    cr_assert_eq(answer(), UINT32_MAX);
}

CASE(virtio_rng, nothing_to_write)
{
    struct driver_seg s = {DATA, 0};

    driver_offer(&drv, driver_chain(&drv, &s, 0, 1));
    expect_broken();
}

CASE(virtio_rng, something_to_read)
{
    struct driver_seg s[] = {{DATA, 4}, {DATA + 4, 4}};

    driver_offer(&drv, driver_chain(&drv, s, 1, 1));
    expect_broken();
}

CASE(virtio_rng, not_memory)
{
    struct driver_seg s = {GUEST_RAM + GUEST_SIZE, 4};

    driver_offer(&drv, driver_chain(&drv, &s, 0, 1));
    expect_broken();
    cr_assert(negotiate(F_VERSION_1));
    cr_assert(set_queue(0, &drv, RINGS, 16));
    driver_ok();
    ask(4);
    serve_all();
    cr_assert_eq(answer(), 4, "it is sound after a reset");
}

/* --- Without numbers --- */

static void time_goes_on(uint64_t micros)
{
    fakehal()->now += fakehal()->hz * micros / 1000000;
    runs_timers(0);
}

/* The machine is asked once a millisecond, and the guest runs meanwhile. */
CASE(virtio_rng, none_at_the_moment)
{
    fakehal()->entropy_result = HV_ERR_BUSY;
    ask(8);
    (void)next(0);
    for (unsigned i = 0; i < 5; i++) {
        cr_assert(!pcpu(0)->resched, "nothing to do now");
        cr_assert_eq(answer(), UINT32_MAX);
        time_goes_on(900);
        cr_assert(!pcpu(0)->resched);
        time_goes_on(100);
        cr_assert(pcpu(0)->resched, "the buffer is not forgotten");
        (void)next(0);
    }
    fakehal()->entropy_result = HV_OK;
    time_goes_on(1000);
    serve_all();
    cr_assert_eq(answer(), 8);
    expect_bytes(1, 8);
    time_goes_on(5000);
    cr_assert(!pcpu(0)->resched, "that was all");
}

/* Nor does it wait for that if the guest comes again by itself. */
CASE(virtio_rng, a_notification_while_one_waits)
{
    fakehal()->entropy_result = HV_ERR_BUSY;
    ask(8);
    serve_all();
    fakehal()->entropy_result = HV_OK;
    ask(8);
    serve_all();
    cr_assert_eq(answer(), 8);
    cr_assert_eq(answer(), 8);
}

static void expect_forgotten(void)
{
    time_goes_on(5000);
    cr_assert(!pcpu(0)->resched, "nobody waits");
    fakehal()->entropy_result = HV_OK;
    serve_all();
    cr_assert_eq(answer(), UINT32_MAX);
}

CASE(virtio_rng, a_reset_while_one_waits)
{
    fakehal()->entropy_result = HV_ERR_BUSY;
    ask(8);
    serve_all();
    wr(R_STATUS, 0);
    expect_forgotten();
}

CASE(virtio_rng, the_queue_is_stopped_while_one_waits)
{
    fakehal()->entropy_result = HV_ERR_BUSY;
    ask(8);
    serve_all();
    wr(R_QUEUE_SEL, 0);
    wr(R_QUEUE_READY, 0);
    expect_forgotten();
}

/* What is left of it would go off in memory that is not the device's any more. */
CASE(virtio_rng, the_vm_ends_while_one_waits)
{
    fakehal()->entropy_result = HV_ERR_BUSY;
    ask(8);
    serve_all();
    fixture_destroy(&f, f.vm);
    f.vm = NULL;
    cr_assert(list_empty(&pcpu(0)->timers.head));
}

CASE(virtio_rng, a_machine_that_has_none)
{
    struct vm *other = f.vm;
    uint64_t used;

    f.config.affinity[0] = 2;
    cr_assert_eq(vm_create(f.hv, &f.config, 2, &f.vm), HV_OK);
    used = f.vm->account.used;
    fakehal()->entropy_result = HV_ERR_UNSUPPORTED;
    cr_assert_eq(rng_device_create(f.vm, &instance), HV_ERR_UNSUPPORTED);
    cr_assert(fakehal_console_has("g: rng: this machine has no random numbers to give"));
    cr_assert_eq(f.vm->account.used, used);
    fakehal()->entropy_result = HV_ERR_BUSY;
    cr_assert_eq(rng_device_create(f.vm, &instance), HV_OK, "it will have some");
    vm_destroy(f.vm);
    f.vm = other;
}

CASE(virtio_rng, no_memory)
{
    struct vm *other = f.vm;

    f.config.affinity[0] = 2;
    cr_assert_eq(vm_create(f.hv, &f.config, 2, &f.vm), HV_OK);
    f.vm->account.limit = f.vm->account.used;
    cr_assert_eq(rng_device_create(f.vm, &instance), HV_ERR_QUOTA);
    f.vm->account.limit++;
    f.vm->nr_devices = VM_MAX_DEVICES;
    cr_assert_eq(rng_device_create(f.vm, &instance), HV_ERR_NOMEM);
    f.vm->nr_devices = 0;
    vm_destroy(f.vm);
    f.vm = other;
}

CASES_RUN(virtio_rng, setup_rng, finish)
