/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/sched.h"
#include "vm_fixture.h"

static struct fixture f;

/* Two pCPUs, a VM of three vCPUs; vCPU 0 is started and runs. */
static void finish(void)
{
    fixture_end(&f);
}

static void setup(void)
{
    fixture_hv(&f, MIB(8), 2);
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

CASE(sched, the_only_one_runs_on_without_a_reload)
{
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
    cr_assert_eq(cpu0()->loaded, f.vcpu);
    cr_assert_eq(cpu0()->current, f.vcpu);
    cr_assert(!cpu0()->resched);
    cpu0()->resched = true;
    cr_assert_eq(sched_next(cpu0()), f.vcpu);
    cr_assert(!cpu0()->resched);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_LOAD], 1);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_PUT], 0);
}

CASE(sched, takes_turns)
{
    struct vcpu *first = on(1);
    struct vcpu *second = on(2);

    cr_assert(cpu0()->resched);
    cr_assert_eq(sched_next(cpu0()), first);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNABLE);
    cr_assert_eq(cpu0()->loaded, first);
    cr_assert_eq(fakehal()->cpu[0].loaded, &first->arch);
    cr_assert_eq(sched_next(cpu0()), second);
    cr_assert_eq(sched_next(cpu0()), f.vcpu);
    cr_assert_eq(sched_next(cpu0()), first);
}

CASE(sched, blocked_one_stays_loaded_until_another_needs_the_cpu)
{
    sched_block(f.vcpu);
    cr_assert(cpu0()->resched);
    cr_assert_null(sched_next(cpu0()));
    cr_assert_eq(cpu0()->loaded, f.vcpu);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED);
    sched_wake(f.vcpu);
    sched_wake(f.vcpu);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNABLE);
    cr_assert_eq(sched_next(cpu0()), f.vcpu);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_LOAD], 1);
    sched_block(f.vcpu);
    struct vcpu *other = on(1);
    cr_assert_eq(sched_next(cpu0()), other);
    cr_assert_eq(cpu0()->loaded, other);
}

CASE(sched, waking_leaves_other_states_alone)
{
    sched_wake(f.vcpu);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
    sched_wake(&f.vm->vcpu[1]);
    cr_assert_eq(f.vm->vcpu[1].state, VCPU_OFF, "an interrupt does not power a CPU on");
    cr_assert(!cpu0()->resched);
}

CASE(sched, from_elsewhere_it_is_posted_and_kicked)
{
    sched_block(f.vcpu);
    cr_assert_null(sched_next(cpu0()));
    fakehal()->self = 1;
    sched_wake(f.vcpu);
    sched_wake(f.vcpu);
    struct vcpu *other = on(1);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED, "not touched by another pCPU");
    cr_assert_eq(fakehal()->cpu[0].kicks, 3);
    fakehal()->self = 0;
    struct vcpu *a = sched_next(cpu0());
    struct vcpu *b = sched_next(cpu0());
    cr_assert((a == f.vcpu && b == other) || (a == other && b == f.vcpu));
    /* And it can be posted anew. */
    sched_block(b);
    fakehal()->self = 1;
    sched_wake(b);
    fakehal()->self = 0;
    cr_assert_eq(sched_next(cpu0()), a == cpu0()->current ? a : b);
    cr_assert_neq(b->state, VCPU_BLOCKED);
}

CASE(sched, removed_one_is_unloaded_and_off)
{
    sched_remove(f.vcpu);
    cr_assert_eq(f.vcpu->state, VCPU_OFF);
    cr_assert_eq(f.vcpu->power, VCPU_POWER_ON, "its registers are still in the CPU");
    cr_assert_null(sched_next(cpu0()));
    cr_assert_null(cpu0()->loaded);
    cr_assert_eq(f.vcpu->power, VCPU_POWER_OFF);
    sched_unload(cpu0());
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_PUT], 1);
}

CASE(sched, remove_stops_the_timer)
{
    ptimer_write_cval(&f.vcpu->ptimer, 1000);
    ptimer_write_ctl(&f.vcpu->ptimer, 1);
    cr_assert_eq(fakehal()->cpu[0].deadline, 1000);
    sched_remove(f.vcpu);
    cr_assert_eq(fakehal()->cpu[0].deadline, HAL_TIMER_NEVER);
}

/* The VM ends on pCPU 1 while pCPU 0 runs, queues and blocks its vCPUs. */
CASE(sched, vm_ended_elsewhere_drops_out)
{
    on(1);
    on(2);
    struct vcpu *running = sched_next(cpu0());
    sched_block(running);
    cr_assert_not_null(sched_next(cpu0()));
    fakehal()->self = 1;
    vm_end(f.vm, VM_CRASHED, "by pCPU %d", 1);
    cr_assert_eq(f.hv->nr_running, 0);
    cr_assert_geq(fakehal()->cpu[0].kicks, 1);
    fakehal()->self = 0;
    cr_assert_null(sched_next(cpu0()));
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(f.vm->vcpu[i].state, VCPU_OFF);
    cr_assert_null(cpu0()->loaded);
    cr_assert_null(cpu0()->current);
}

CASES_RUN(sched, setup, finish)
