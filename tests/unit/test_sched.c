/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The scheduler on one pCPU: who runs, for how long, and what others wait for. */
#include "arch/el2.h"
#include "vm/sched.h"
#include "vm_fixture.h"

static struct fixture f;

#define HZ          62500000u  /* fakehal's */
#define ROUND       (HZ / 125) /* 8 ms */
#define HCR_EL2_TWE (1u << 14) /* D17.2.48 */

/* A VM of three vCPUs on one pCPU; vCPU 0 is started and runs. */
static void finish(void)
{
    fixture_end(&f);
}

static void setup(void)
{
    fixture_hv(&f, MIB(8), 1);
    fixture_create(&f, 3);
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
    cr_assert_eq(sched_next(&f.hv->pcpu[0]), f.vcpu);
}

static struct pcpu *cpu0(void)
{
    return &f.hv->pcpu[0];
}

static struct vcpu *on(unsigned n)
{
    cr_assert_eq(vm_vcpu_on(&f.vm->vcpu[n], ipa(GUEST_ENTRY), n), HV_OK);
    return &f.vm->vcpu[n];
}

/* The time passes that a slice timer waits for. */
static void slice_passes(void)
{
    cr_assert(timer_active(&cpu0()->slice));
    fakehal()->now = cpu0()->slice.deadline;
    timer_queue_run(&cpu0()->timers);
    cr_assert(cpu0()->resched);
}

/* --- Turns --- */

CASE(sched, the_only_one_runs_on_without_a_reload)
{
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
    cr_assert_eq(cpu0()->loaded, f.vcpu);
    cr_assert_eq(cpu0()->current, f.vcpu);
    cr_assert(!cpu0()->resched);
    cr_assert(!timer_active(&cpu0()->slice), "nobody waits");
    for (unsigned i = 0; i < 10; i++) {
        fakehal_advance(HZ);
        cpu0()->resched = true;
        cr_assert_eq(sched_next(cpu0()), f.vcpu);
        cr_assert(!cpu0()->resched);
    }
    cr_assert_eq(f.vcpu->runtime, UINT64_C(10) * HZ);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_LOAD], 1);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_PUT], 0);
}

CASE(sched, takes_turns_by_slices)
{
    struct vcpu *first = on(1);
    struct vcpu *second = on(2);
    struct vcpu *expected[] = {first, second, f.vcpu, first, second};

    cr_assert(cpu0()->resched);
    cr_assert_eq(sched_next(cpu0()), f.vcpu, "it has time left");
    for (unsigned i = 0; i < 5; i++) {
        slice_passes();
        cr_assert_eq(sched_next(cpu0()), expected[i]);
        cr_assert_eq(cpu0()->loaded, expected[i]);
        cr_assert_eq(fakehal()->cpu[0].loaded, &expected[i]->arch);
    }
    cr_assert_eq(f.vcpu->state, VCPU_RUNNABLE);
}

CASE(sched, an_exit_within_the_slice_changes_nothing)
{
    on(1);
    cr_assert_eq(sched_next(cpu0()), f.vcpu);
    uint64_t end = cpu0()->slice.deadline;
    for (unsigned i = 0; i < 5; i++) {
        fakehal_advance((end - fakehal()->now) / 2);
        cr_assert_eq(sched_next(cpu0()), f.vcpu);
        cr_assert_eq(cpu0()->slice.deadline, end);
    }
}

/* --- Idle --- */

/* Others wait, or something else is asked of it: then it goes the long way. */
CASE(sched, one_that_wakes_goes_on_only_if_it_is_alone)
{
    on(1);
    sched_wait(f.vcpu);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED);
    sched_wake(f.vcpu);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNABLE);
    cr_assert(cpu0()->resched);
}

CASE(sched, who_waits_has_paid)
{
    uint64_t before = f.vcpu->runtime;
    int64_t budget = f.vcpu->budget;

    fakehal_advance(777);
    sched_wait(f.vcpu);
    cr_assert_eq(f.vcpu->runtime, before + 777);
    cr_assert_eq(f.vcpu->budget, budget - 777);
}

CASE(sched, its_time_asleep_is_not_charged)
{
    sched_wait(f.vcpu);
    cr_assert_null(sched_next(cpu0()));
    uint64_t before = f.vcpu->runtime;
    fakehal_advance(HZ);
    sched_wake(f.vcpu);
    fakehal_advance(1000);
    cr_assert_eq(sched_next(cpu0()), f.vcpu);
    cr_assert_eq(f.vcpu->runtime, before + 1000);
}

/* --- WFE --- */

CASE(sched, wfe_traps_while_others_wait)
{
    cr_assert_eq(fakehal()->cpu[0].config.hcr_el2 & HCR_EL2_TWE, 0);
    struct vcpu *other = on(1);
    cr_assert_eq(sched_next(cpu0()), f.vcpu);
    cr_assert_neq(fakehal()->cpu[0].config.hcr_el2 & HCR_EL2_TWE, 0);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_SYNC], 1);
    cr_assert_eq(sched_next(cpu0()), f.vcpu);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_SYNC], 1, "nothing changed");
    sched_wait(f.vcpu);
    cr_assert_eq(sched_next(cpu0()), other);
    cr_assert_eq(fakehal()->cpu[0].config.hcr_el2 & HCR_EL2_TWE, 0, "it is alone now");
}

/* --- Waiting --- */

CASE(sched, blocked_one_stays_loaded_until_another_needs_the_cpu)
{
    sched_wait(f.vcpu);
    cr_assert(cpu0()->resched);
    cr_assert_null(sched_next(cpu0()));
    cr_assert_eq(cpu0()->loaded, f.vcpu);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED);
    sched_wake(f.vcpu);
    sched_wake(f.vcpu);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING, "there is nothing to choose");
    cr_assert_eq(cpu0()->current, f.vcpu);
    cr_assert_eq(f.hv->idle, 0);
    cr_assert_eq(sched_next(cpu0()), f.vcpu);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_LOAD], 1);
    sched_wait(f.vcpu);
    struct vcpu *other = on(1);
    cr_assert_eq(sched_next(cpu0()), other);
    cr_assert_eq(cpu0()->loaded, other);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED);
}

CASE(sched, waking_leaves_other_states_alone)
{
    sched_wake(f.vcpu);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
    cr_assert(cpu0()->resched, "it is to look");
    cr_assert_eq(sched_next(cpu0()), f.vcpu);
    sched_wake(&f.vm->vcpu[1]);
    sched_rouse(&f.vm->vcpu[1]);
    cr_assert_eq(f.vm->vcpu[1].state, VCPU_OFF, "an interrupt does not power a CPU on");
    cr_assert(!cpu0()->resched);
    cr_assert_eq(fakehal()->count[FAKEHAL_KICK], 0);
}

CASE(sched, one_that_wakes_early_goes_before_those_that_wait)
{
    struct vcpu *first = on(1);
    struct vcpu *second = on(2);

    cr_assert_eq(sched_next(cpu0()), f.vcpu);
    sched_wait(f.vcpu);
    cr_assert_eq(sched_next(cpu0()), first);
    sched_wake(f.vcpu);
    cr_assert_eq(sched_next(cpu0()), f.vcpu, "with the rest of its slice");
    slice_passes();
    cr_assert_eq(sched_next(cpu0()), first, "which had some left, too");
    slice_passes();
    cr_assert_eq(sched_next(cpu0()), second);
}

/* --- Off --- */

CASE(sched, stopped_one_is_off_once_its_registers_are_let_go)
{
    sched_stop(f.vcpu);
    cr_assert_eq(f.vcpu->state, VCPU_OFF);
    cr_assert_eq(f.vcpu->power, VCPU_POWER_ON, "its registers are still in the CPU");
    cr_assert_null(sched_next(cpu0()));
    cr_assert_null(cpu0()->loaded);
    cr_assert_eq(f.vcpu->power, VCPU_POWER_OFF);
    sched_unload(cpu0());
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_PUT], 1);
}

CASE(sched, one_that_is_off_has_no_timer)
{
    ptimer_write_cval(&f.vcpu->ptimer, 1000);
    ptimer_write_ctl(&f.vcpu->ptimer, 1);
    cr_assert_eq(fakehal()->cpu[0].deadline, 1000);
    on(1);
    vm_vcpu_off(f.vcpu);
    cr_assert_not_null(sched_next(cpu0()));
    cr_assert(!timer_active(&f.vcpu->ptimer.timer));
}

CASES_RUN(sched, setup, finish)
