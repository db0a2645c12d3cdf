/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Work that is posted for a VM's devices: who does it, that none is lost, and that it takes turns.
 */
#include "exit/exit.h"
#include "sched_fixture.h"

struct device {
    uint32_t index;
    unsigned calls;
    unsigned left; /* pieces after the next one */
    void (*during)(struct device *self);
    struct vcpu *on; /* whose time the last piece took */
};

static struct device dev[VM_MAX_DEVICES];

static bool work(void *self)
{
    struct device *device = self;

    device->calls++;
    device->on = pcpu(fakehal()->self)->current;
    if (device->during != NULL)
        device->during(device);
    if (device->left == 0)
        return false;
    device->left--;
    return true;
}

static void destroy(struct vm *vm, void *self)
{
    (void)vm;
    ((struct device *)self)->calls = UINT32_MAX;
}

static struct device *add(unsigned n)
{
    cr_assert_eq(vm_add_worker(f.vm, &dev[n], destroy, work, &dev[n].index), HV_OK);
    return &dev[n];
}

static void post(const struct device *device)
{
    vm_post_device(f.vm, device->index);
}

static void setup_devices(void)
{
    setup();
    memset(dev, 0, sizeof(dev));
}

/* --- Who is asked --- */

CASE(vm_device, table)
{
    for (unsigned n = 0; n < VM_MAX_DEVICES; n++)
        cr_assert_eq(add(n)->index, n);
    uint32_t index;
    cr_assert_eq(vm_add_worker(f.vm, &dev[0], destroy, work, &index), HV_ERR_NOMEM);
    post(&dev[39]);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(dev[39].calls, 1, "the last bit");
    fixture_destroy(&f, f.vm);
    f.vm = NULL;
    cr_assert_eq(dev[7].calls, UINT32_MAX);
}

CASE(vm_device, served_by_who_runs_here_before_it_runs_on)
{
    struct device *d = add(0);

    post(d);
    cr_assert(pcpu(0)->resched);
    cr_assert_eq(d->calls, 0, "a post is no more than that");
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 1);
    cr_assert_eq(d->on, vcpu(0));
    cr_assert(!pcpu(0)->resched);
    cr_assert_eq(f.vm->work, 0);
    cr_assert_eq(vcpu(0)->requests, 0);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 1, "once");
}

CASE(vm_device, post_from_elsewhere_reaches_who_runs)
{
    struct device *d = add(0);

    run_on(1, 1);
    waits(1);
    cr_assert_null(next(1));
    uint64_t before[] = {kicks(0), kicks(1)};
    at(2);
    post(d);
    cr_assert_eq(kicks(0), before[0] + 1);
    cr_assert_eq(kicks(1), before[1], "one that runs is nearer than one that waits");
    post(d);
    cr_assert_eq(kicks(0), before[0] + 1, "it has been asked");
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 1);
}

CASE(vm_device, wakes_one_that_waits_if_none_runs)
{
    struct device *d = add(0);

    run_on(1, 1);
    waits(1);
    cr_assert_null(next(1));
    waits(0);
    cr_assert_null(next(0));
    at(2);
    post(d);
    cr_assert_eq(vcpu(0)->state, VCPU_RUNNABLE);
    cr_assert_eq(vcpu(1)->state, VCPU_BLOCKED, "one is enough");
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->on, vcpu(0));
}

/* It waited here alone, and would otherwise go on as it is loaded. */
CASE(vm_device, wakes_one_that_waits_here)
{
    struct device *d = add(0);

    waits(0);
    cr_assert_null(next(0));
    post(d);
    cr_assert(pcpu(0)->resched);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 1);
}

CASE(vm_device, posted_before_its_wait_keeps_it_from_waiting)
{
    struct device *d = add(0);

    at(2);
    post(d);
    waits(0);
    cr_assert_eq(vcpu(0)->state, VCPU_RUNNING);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 1);
}

/* Who was asked waits in a queue; the one that posts now runs. */
CASE(vm_device, who_posts_does_it_itself)
{
    struct device *d = add(0);
    struct device *e = add(1);

    run_on(1, 1);
    at(2);
    post(d);
    cr_assert_neq(vcpu(0)->requests & VCPU_REQ_DEVICES, 0);
    at(1);
    post(e);
    cr_assert_eq(next(1), vcpu(1));
    cr_assert_eq(d->on, vcpu(1));
    cr_assert_eq(next(1), vcpu(1));
    cr_assert_eq(e->on, vcpu(1));
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls + e->calls, 2, "nothing is left for the one that was asked");
}

CASE(vm_device, a_vcpu_of_another_vm_serves_nothing)
{
    struct vm_config config = f.config;
    struct device *d = add(0);
    struct vm *other;

    config.vcpus = 1;
    config.affinity[0] = 2;
    cr_assert_eq(vm_create(f.hv, &config, 2, &other), HV_OK);
    vm_start(other, ipa(GUEST_ENTRY), 0);
    cr_assert_eq(next(1), &other->vcpu[0]);
    waits(0);
    cr_assert_null(next(0));
    at(1);
    post(d);
    cr_assert_eq(other->vcpu[0].requests, 0);
    cr_assert_eq(next(1), &other->vcpu[0]);
    cr_assert_eq(d->calls, 0);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 1);
    at(0);
    fixture_destroy(&f, other);
}

/* --- Turns --- */

CASE(vm_device, a_piece_at_a_time)
{
    struct device *d = add(0);

    d->left = 2;
    post(d);
    for (unsigned i = 1; i <= 3; i++) {
        cr_assert_eq(next(0), vcpu(0));
        cr_assert_eq(d->calls, i);
        cr_assert_eq(pcpu(0)->resched, i < 3, "the guest runs when all is done");
    }
}

CASE(vm_device, devices_take_turns)
{
    struct device *d[] = {add(0), add(1), add(2)};

    d[0]->left = d[1]->left = d[2]->left = 3;
    for (unsigned n = 0; n < 3; n++)
        post(d[n]);
    for (unsigned i = 0; i < 12; i++) {
        cr_assert(pcpu(0)->resched);
        cr_assert_eq(next(0), vcpu(0));
        for (unsigned n = 0; n < 3; n++)
            cr_assert_eq(d[n]->calls, (i + 3 - n) / 3);
    }
    cr_assert(!pcpu(0)->resched);
}

/* The work of one VM costs another one no more than its own time would. */
CASE(vm_device, endless_work_ends_with_the_slice)
{
    struct device *d = add(0);

    vcpu(1)->affinity = 1;
    turn_on(1);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert(timer_active(&pcpu(0)->slice));
    uint64_t end = pcpu(0)->slice.deadline;
    d->left = UINT32_MAX;
    post(d);
    while (fakehal()->now < end) {
        cr_assert_eq(next(0), vcpu(0));
        cr_assert(pcpu(0)->resched);
        fakehal_advance(1000);
    }
    unsigned calls = d->calls;
    cr_assert_gt(calls, 10);
    cr_assert_eq(next(0), vcpu(1));
    cr_assert_eq(d->calls, calls, "it was not asked");
    cr_assert_neq(vcpu(0)->requests, 0);
    d->left = 0;
}

static void post_again(struct device *self)
{
    self->during = NULL;
    post(self);
}

CASE(vm_device, posted_during_its_work)
{
    struct device *d = add(0);

    d->during = post_again;
    post(d);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 1);
    cr_assert(pcpu(0)->resched);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 2);
    cr_assert(!pcpu(0)->resched);
}

static void post_from_another(struct device *self)
{
    unsigned before = fakehal()->self;

    self->during = NULL;
    at(2);
    post(self);
    at(before);
}

CASE(vm_device, posted_from_elsewhere_during_its_work)
{
    struct device *d = add(0);

    d->during = post_from_another;
    post(d);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert(pcpu(0)->resched);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 2);
}

/* --- Not lost --- */

CASE(vm_device, who_was_asked_powers_off)
{
    struct device *d = add(0);

    run_on(1, 1);
    waits(1);
    cr_assert_null(next(1));
    at(2);
    post(d);
    cr_assert_eq(vcpu(1)->state, VCPU_BLOCKED);
    at(0);
    vm_vcpu_off(vcpu(0));
    cr_assert_eq(vcpu(1)->state, VCPU_RUNNABLE, "it is asked instead");
    cr_assert_null(next(0));
    cr_assert_eq(vcpu(0)->requests, 0);
    cr_assert_eq(next(1), vcpu(1));
    cr_assert_eq(d->on, vcpu(1));
}

CASE(vm_device, powers_off_in_the_middle_of_the_work)
{
    struct device *d = add(0);

    run_on(1, 1);
    d->left = 1;
    post(d);
    at(0);
    post(d);
    cr_assert_eq(next(0), vcpu(0));
    vm_vcpu_off(vcpu(0));
    cr_assert_null(next(0));
    cr_assert_eq(next(1), vcpu(1));
    cr_assert_eq(d->calls, 2);
    cr_assert_eq(f.vm->work, 0);
}

CASE(vm_device, nobody_is_asked_to_do_nothing)
{
    (void)add(0);
    run_on(1, 1);
    uint64_t before = kicks(1);
    at(0);
    vm_vcpu_off(vcpu(0));
    cr_assert_eq(kicks(1), before);
    cr_assert_null(next(0));
}

CASE(vm_device, a_paused_vm_does_it_when_it_is_resumed)
{
    struct device *d = add(0);

    at(2);
    cr_assert_eq(vm_pause(f.vm), HV_OK);
    cr_assert_null(next(0));
    cr_assert_eq(vcpu(0)->state, VCPU_PARKED);
    post(d);
    cr_assert_null(next(0));
    cr_assert_eq(d->calls, 0);
    cr_assert_eq(vm_resume(f.vm), HV_OK);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 1);
}

CASE(vm_device, a_paused_vm_whose_vcpus_wait)
{
    struct device *d = add(0);

    waits(0);
    cr_assert_null(next(0));
    at(2);
    cr_assert_eq(vm_pause(f.vm), HV_OK);
    post(d);
    cr_assert_null(next(0));
    cr_assert_eq(vcpu(0)->state, VCPU_PARKED);
    cr_assert_eq(d->calls, 0);
    cr_assert_eq(vm_resume(f.vm), HV_OK);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(d->calls, 1);
}

CASE(vm_device, a_vm_that_has_ended_does_nothing)
{
    struct device *d = add(0);

    post(d);
    vm_end(f.vm, VM_OFF, "off");
    cr_assert_null(next(0));
    at(2);
    post(d);
    cr_assert_null(next(0));
    cr_assert(vm_is_over(f.vm));
    cr_assert_eq(d->calls, 0);
}

CASE(vm_device, ends_in_its_work)
{
    struct device *d = add(0);

    d->left = 5;
    post(d);
    cr_assert_eq(next(0), vcpu(0));
    vm_end(f.vm, VM_RESET, "reset");
    cr_assert_null(next(0));
    cr_assert_eq(d->calls, 1);
    cr_assert(vm_is_over(f.vm));
}

/* --- The loop --- */

static void end_vm(void *ctx, struct arch_vcpu *arch, struct arch_exit *exit)
{
    (void)ctx;
    (void)arch;
    (void)exit;
    vm_end(f.vm, VM_OFF, "the guest ran");
    hv_post_work(f.hv);
}

static unsigned enabled_kicks;

static void kick_self(struct device *self)
{
    (void)self;
    fakehal_irq_pend(0, HAL_INTID_KICK);
    enabled_kicks++;
}

CASE(vm_device, interrupts_do_not_wait_for_the_last_piece)
{
    struct device *d = add(0);

    d->left = 3;
    d->during = kick_self;
    enabled_kicks = 0;
    post(d);
    fakehal_push_exit((struct arch_exit){.kind = ARCH_EXIT_IRQ}, end_vm, NULL, NULL);
    exit_run(pcpu(0));
    cr_assert_eq(d->calls, 4, "before the guest runs");
    cr_assert_eq(enabled_kicks, 4);
    cr_assert_eq(fakehal()->count[FAKEHAL_IRQ_ACK], 4,
                 "one after each piece but the last, and the exit's");
    (void)hv_start_managing(pcpu(0));
}

CASES_RUN(vm_device, setup_devices, finish)
