/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The scheduler on several pCPUs: who is kicked, who steals, where timers go off. */
#include "sched_fixture.h"

/* --- Waking --- */

CASE(sched_smp, an_idle_home_is_kicked_once)
{
    waits(0);
    cr_assert_null(next(0));
    at(1);
    sched_wake(vcpu(0));
    sched_wake(vcpu(0));
    cr_assert_eq(vcpu(0)->state, VCPU_RUNNABLE);
    cr_assert_eq(kicks(0), 1);
    cr_assert_eq(kicks(2), 0);
    cr_assert_null(next(1), "it is loaded, and nobody else's");
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_LOAD], 1);
}

CASE(sched_smp, one_that_runs_leaves_the_guest)
{
    at(1);
    sched_wake(vcpu(0));
    cr_assert_eq(kicks(0), 1);
    cr_assert_eq(vcpu(0)->state, VCPU_RUNNING);
    cr_assert(!pcpu(0)->resched, "the kick's interrupt does that, on its own pCPU");
}

CASE(sched_smp, what_was_asked_before_it_waits_is_not_slept_through)
{
    at(1);
    atomic_fetch_or(&vcpu(0)->requests, VCPU_REQ_PTIMER);
    sched_wake(vcpu(0));
    waits(0);
    cr_assert_eq(vcpu(0)->state, VCPU_RUNNING);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(vcpu(0)->requests, 0);
    waits(0);
    cr_assert_eq(vcpu(0)->state, VCPU_BLOCKED);
    atomic_fetch_or(&vcpu(0)->requests, VCPU_REQ_PTIMER);
    sched_wake(vcpu(0));
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(vcpu(0)->requests, 0);
}

CASE(sched_smp, one_that_waits_for_its_turn_needs_no_kick)
{
    vcpu(1)->affinity = 1;
    turn_on(1);
    cr_assert_eq(next(0), vcpu(0));
    at(2);
    uint64_t before = kicks(0);
    sched_wake(vcpu(1));
    cr_assert_eq(kicks(0), before);
    cr_assert_eq(vcpu(1)->state, VCPU_RUNNABLE);
}

CASE(sched_smp, with_the_rest_of_a_slice_it_goes_first)
{
    vcpu(0)->affinity = 1;
    vcpu(1)->affinity = 1;
    waits(0);
    turn_on(1);
    cr_assert_eq(next(0), vcpu(1));
    cr_assert_gt(vcpu(0)->budget, 0);
    at(1);
    uint64_t before = kicks(0);
    sched_wake(vcpu(0));
    cr_assert_eq(kicks(0), before + 1);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(vcpu(1)->state, VCPU_RUNNABLE);
    waits(0);
    vcpu(0)->budget = 0;
    cr_assert_eq(next(0), vcpu(1));
    sched_wake(vcpu(0));
    cr_assert_eq(next(0), vcpu(1), "its slice was used up");
}

/* --- Other pCPUs take what waits --- */

CASE(sched_smp, a_new_one_goes_where_nothing_runs)
{
    turn_on(1);
    cr_assert_eq(kicks(0), 0);
    cr_assert_eq(kicks(1), 1);
    cr_assert_eq(next(1), vcpu(1));
    cr_assert_eq(vcpu(1)->pcpu, pcpu(1));
    cr_assert_eq(f.hv->idle, 4);
    vcpu(2)->affinity = 3;
    turn_on(2);
    cr_assert_eq(kicks(2), 0, "it may not run there");
    cr_assert_null(next(2));
}

CASE(sched_smp, one_that_waits_behind_another_is_stolen)
{
    run_on(1, 1);
    run_on(2, 2);
    turn_on(3);
    struct pcpu *home = vcpu(3)->pcpu;
    unsigned thief = home == pcpu(2) ? 1 : 2;
    waits(thief);
    cr_assert_eq(next(thief), vcpu(3), "before it would idle");
    cr_assert_eq(vcpu(3)->pcpu, pcpu(thief));
    cr_assert_eq(home->nr_queued, 0);
}

CASE(sched_smp, a_wake_on_a_busy_home_calls_a_thief)
{
    waits(0);
    vcpu(1)->affinity = 1;
    turn_on(1);
    cr_assert_eq(next(0), vcpu(1));
    cr_assert_not(vcpu(0)->loaded);
    uint64_t before = kicks(1) + kicks(2);
    sched_wake(vcpu(0));
    cr_assert_eq(kicks(1) + kicks(2), before + 1);
    cr_assert_eq(next(kicks(1) != 0 ? 1 : 2), vcpu(0));
}

CASE(sched_smp, pinned_ones_stay)
{
    vcpu(1)->affinity = 1;
    turn_on(1);
    cr_assert_null(next(1));
    cr_assert_null(next(2));
    cr_assert_eq(kicks(1) + kicks(2), 0);
    cr_assert_eq(vcpu(1)->pcpu, pcpu(0));
}

/* Woken while it is loaded, it may not be stolen; when another goes before it, it may. */
CASE(sched_smp, let_go_while_runnable_it_is_offered)
{
    vcpu(1)->affinity = 1;
    waits(0);
    cr_assert_null(next(0));
    vcpu(0)->budget = 0;
    turn_on(1);
    sched_wake(vcpu(0));
    cr_assert_null(next(1), "it is still loaded");
    uint64_t before = kicks(1) + kicks(2);
    cr_assert_eq(next(0), vcpu(1));
    cr_assert_gt(kicks(1) + kicks(2), before, "a pCPU idles, and it waits");
    cr_assert_eq(next(1), vcpu(0));
}

/* --- TLBs --- */

CASE(sched_smp, tlbs_are_separated_when_vcpus_of_a_vm_take_turns)
{
    vcpu(0)->affinity = 1;
    uint64_t before = fakehal()->count[FAKEHAL_TLBI_LOCAL];
    waits(0);
    run_on(1, 0);
    cr_assert_eq(fakehal()->count[FAKEHAL_TLBI_LOCAL], before + 1);
    const struct fakehal_record *record = NULL;
    for (uint64_t n = 0; n < fakehal()->log_len; n++)
        if (fakehal_log(n)->kind == FAKEHAL_TLBI_LOCAL)
            record = fakehal_log(n);
    cr_assert_eq(record->tag.vttbr, vcpu(1)->arch.config.vttbr_el2);
    cr_assert_eq(record->cpu, 0);
    waits(0);
    cr_assert_null(next(0));
    sched_wake(vcpu(1));
    cr_assert_eq(next(0), vcpu(1));
    sched_unload(pcpu(0));
    cr_assert_eq(next(0), vcpu(1));
    cr_assert_eq(fakehal()->count[FAKEHAL_TLBI_LOCAL], before + 1, "the same one again");
    waits(0);
    sched_wake(vcpu(0));
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(fakehal()->count[FAKEHAL_TLBI_LOCAL], before + 2);
    run_on(2, 2);
    cr_assert_eq(fakehal()->count[FAKEHAL_TLBI_LOCAL], before + 2, "the first of the VM there");
}

/* --- Timers --- */

/* vCPU 0 waits, and vCPU 1 has taken its pCPU: the hardware's timer is not its any more. */
static void unloaded_with_vtimer(uint64_t ctl, uint64_t cval)
{
    hal_vcpu_sysreg_set(&vcpu(0)->arch, ARCH_CNTV_CTL_EL0, ctl);
    hal_vcpu_sysreg_set(&vcpu(0)->arch, ARCH_CNTV_CVAL_EL0, cval);
    waits(0);
    run_on(1, 0);
    cr_assert_eq(vcpu(0)->state, VCPU_BLOCKED);
}

CASE(sched_smp, the_virtual_timer_of_one_that_is_not_loaded_wakes_it)
{
    unloaded_with_vtimer(1, 5000);
    fakehal()->now = 4999;
    runs_timers(0);
    cr_assert_eq(vcpu(0)->state, VCPU_BLOCKED);
    cr_assert_leq(fakehal()->cpu[0].deadline, 5000);
    fakehal()->now = 5000;
    runs_timers(0);
    cr_assert_eq(vcpu(0)->state, VCPU_RUNNABLE);
}

CASE(sched_smp, a_virtual_timer_that_is_off_or_masked_does_not)
{
    for (uint64_t ctl = 0; ctl < 4; ctl++) {
        if (ctl == 1)
            continue;
        finish();
        setup();
        unloaded_with_vtimer(ctl, 5000);
        fakehal()->now = 6000;
        runs_timers(0);
        cr_assert_eq(vcpu(0)->state, VCPU_BLOCKED, "CNTV_CTL_EL0 = %" PRIu64, ctl);
    }
}

CASE(sched_smp, loaded_again_its_own_hardware_watches)
{
    unloaded_with_vtimer(1, 5000);
    sched_wake(vcpu(0));
    cr_assert_eq(next(1), vcpu(0));
    cr_assert(!timer_active(&vcpu(0)->vtimer_watch));
}

CASE(sched_smp, the_physical_timer_goes_along)
{
    ptimer_write_cval(&vcpu(0)->ptimer, 5000);
    ptimer_write_ctl(&vcpu(0)->ptimer, 1);
    waits(0);
    run_on(1, 0);
    sched_wake(vcpu(0));
    cr_assert_eq(next(1), vcpu(0));
    cr_assert_eq(fakehal()->cpu[1].deadline, 5000);
    fakehal()->now = 5000;
    runs_timers(0);
    cr_assert_eq(vcpu(0)->requests, 0, "it is not there any more");
    runs_timers(1);
    cr_assert_eq(vcpu(0)->requests, VCPU_REQ_PTIMER);
    cr_assert_eq(next(1), vcpu(0));
    cr_assert(f.vm->vgic.cpu[0].private_irq[30].level);
}

/* It was let go here with its timer running, and sleeps elsewhere when that goes off here. */
CASE(sched_smp, a_physical_timer_that_was_left_behind_still_wakes)
{
    ptimer_write_cval(&vcpu(0)->ptimer, 5000);
    ptimer_write_ctl(&vcpu(0)->ptimer, 1);
    waits(0);
    run_on(1, 0);
    fakehal()->now = 5000;
    runs_timers(0);
    cr_assert_eq(vcpu(0)->requests, VCPU_REQ_PTIMER);
    cr_assert_eq(next(2), vcpu(0), "by whoever idles");
    cr_assert_eq(vcpu(0)->requests, 0);
    cr_assert(f.vm->vgic.cpu[0].private_irq[30].level);
}

/* --- Giving way --- */

/* Two of one VM that spin for each other, and one of another VM, all on one pCPU. */
CASE(sched_smp, spinning_for_each_other_starves_nobody)
{
    struct vm_config config = f.config;
    struct vm *other;

    config.vcpus = 1;
    config.affinity[0] = 1;
    cr_assert_eq(vm_create(f.hv, &config, 2, &other), HV_OK);
    vcpu(0)->affinity = 1;
    vm_start(other, ipa(GUEST_ENTRY), 0);
    vcpu(1)->affinity = 1;
    turn_on(1);
    struct vcpu *runs = next(0);
    uint64_t turns = 0;
    uint64_t start = fakehal()->now;
    for (unsigned i = 0; i < 100000 && runs->vm == f.vm; i++) {
        fakehal_advance(100);
        sched_give_way(runs);
        struct vcpu *then = next(0);
        turns += then != runs && then->vm == f.vm;
        runs = then;
    }
    cr_assert_eq(runs, &other->vcpu[0]);
    cr_assert_gt(turns, 10, "they do take turns");
    cr_assert_leq(fakehal()->now - start, UINT64_C(2) * fakehal()->hz / 125);
    fixture_destroy(&f, other);
}

CASE(sched_smp, alone_it_spins_on)
{
    sched_give_way(vcpu(0));
    cr_assert(pcpu(0)->resched);
    cr_assert_eq(next(0), vcpu(0));
}

CASES_RUN(sched_smp, setup, finish)
