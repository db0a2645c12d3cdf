/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* VMs that rest and end while their vCPUs are anywhere, pCPUs that go offline, and the manager. */
#include "exit/exit.h"
#include "role/manager.h"
#include "sched_fixture.h"
#include "vm/sched_priv.h"

/* vCPU 0 runs on pCPU 0, vCPU 1 waits on pCPU 1, loaded, vCPU 2 is in the queue of pCPU 0, and vCPU
 * 3 is off. */
static void everywhere(void)
{
    run_on(1, 1);
    waits(1);
    cr_assert_null(next(1));
    vcpu(2)->affinity = 1;
    turn_on(2);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_eq(vcpu(0)->state, VCPU_RUNNING);
    cr_assert_eq(vcpu(1)->state, VCPU_BLOCKED);
    cr_assert_eq(vcpu(2)->state, VCPU_RUNNABLE);
    cr_assert_eq(vcpu(3)->state, VCPU_OFF);
    cr_assert_eq(f.vm->nr_live, 3);
}

/* --- Rest --- */

CASE(vm_life, pause_and_resume_in_each_state)
{
    everywhere();
    at(2);
    uint64_t before[] = {kicks(0), kicks(1)};
    cr_assert_eq(vm_resume(f.vm), HV_ERR_INVAL);
    cr_assert_eq(vm_pause(f.vm), HV_OK);
    cr_assert_eq(vm_pause(f.vm), HV_ERR_INVAL);
    cr_assert_gt(kicks(0), before[0]);
    cr_assert_eq(kicks(1), before[1], "one that waits goes on waiting");
    for (unsigned cpu = 0; cpu < 3; cpu++)
        cr_assert_null(next(cpu));
    cr_assert_null(pcpu(0)->loaded);
    cr_assert_eq(vcpu(0)->state, VCPU_PARKED);
    cr_assert_eq(vcpu(1)->state, VCPU_BLOCKED);
    cr_assert_eq(vcpu(2)->state, VCPU_PARKED);
    cr_assert(!vm_is_over(f.vm), "it has not ended");
    sched_wake(vcpu(0));
    cr_assert_eq(vcpu(0)->state, VCPU_PARKED, "no interrupt gets it out of its rest");
    sched_wake(vcpu(1));
    cr_assert_null(next(1));
    cr_assert_eq(vcpu(1)->state, VCPU_PARKED, "it has an interrupt when it is resumed");
    cr_assert_eq(vm_vcpu_on(vcpu(3), ipa(GUEST_ENTRY), 0), HV_OK, "a guest does not see its rest");
    for (unsigned cpu = 0; cpu < 3; cpu++)
        cr_assert_null(next(cpu));
    cr_assert_eq(vcpu(3)->state, VCPU_PARKED);
    cr_assert_eq(vm_resume(f.vm), HV_OK);
    for (unsigned cpu = 0; cpu < 3; cpu++)
        (void)next(cpu);
    for (unsigned i = 0; i < 4; i++)
        cr_assert(vcpu(i)->state == VCPU_RUNNING || vcpu(i)->state == VCPU_RUNNABLE);
}

/* What a vCPU waits for goes on being waited for: a rest ends no suspension. */
CASE(vm_life, a_rest_wakes_nobody)
{
    everywhere();
    at(2);
    cr_assert_eq(vm_pause(f.vm), HV_OK);
    cr_assert_eq(vm_resume(f.vm), HV_OK);
    cr_assert_eq(vcpu(1)->state, VCPU_BLOCKED);
}

CASE(vm_life, resumed_before_anybody_noticed)
{
    everywhere();
    cr_assert_eq(vm_pause(f.vm), HV_OK);
    cr_assert_eq(vm_resume(f.vm), HV_OK);
    cr_assert_not_null(next(0));
    cr_assert_eq(vcpu(1)->state, VCPU_BLOCKED);
}

/* --- The end --- */

static void all_gone(void)
{
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(vcpu(i)->state, VCPU_OFF);
        cr_assert_eq(vcpu(i)->power, VCPU_POWER_OFF);
        cr_assert(!timer_active(&vcpu(i)->vtimer_watch));
        cr_assert(!timer_active(&vcpu(i)->ptimer.timer));
    }
}

CASE(vm_life, quiet_once_every_pcpu_has_let_go)
{
    everywhere();
    at(2);
    vm_end(f.vm, VM_CRASHED, "by pCPU %d", 2);
    cr_assert(!f.hv->work);
    cr_assert_null(next(0));
    cr_assert(!vm_is_over(f.vm), "pCPU 1 has one");
    cr_assert(!f.hv->work);
    cr_assert_null(next(1));
    cr_assert(vm_is_over(f.vm));
    cr_assert(f.hv->work);
    cr_assert(pcpu(1)->resched, "who let the last one go is to be the manager");
    all_gone();
}

CASE(vm_life, end_of_one_that_rests)
{
    everywhere();
    cr_assert_eq(vm_pause(f.vm), HV_OK);
    for (unsigned cpu = 0; cpu < 3; cpu++)
        cr_assert_null(next(cpu));
    at(2);
    vm_end(f.vm, VM_OFF, "at rest");
    for (unsigned cpu = 0; cpu < 3; cpu++)
        cr_assert_null(next(cpu));
    cr_assert(vm_is_over(f.vm));
    all_gone();
}

/* pCPU 0 has one that runs, one that waits for its turn, and one that waits for an interrupt. */
CASE(vm_life, those_that_wait_are_gone_at_once)
{
    run_on(1, 1);
    vcpu(2)->affinity = 1;
    turn_on(2);
    waits(0);
    cr_assert_eq(next(0), vcpu(2));
    vcpu(3)->affinity = 1;
    turn_on(3);
    cr_assert(!vcpu(0)->loaded);
    cr_assert_eq(pcpu(0)->nr_queued, 1);
    at(1);
    vm_end(f.vm, VM_OFF, "off");
    cr_assert_eq(f.vm->nr_live, 2, "those that run");
    cr_assert_eq(vcpu(0)->state, VCPU_OFF);
    cr_assert_eq(vcpu(3)->state, VCPU_OFF);
    cr_assert_eq(vcpu(3)->power, VCPU_POWER_OFF);
    cr_assert_eq(pcpu(0)->nr_queued, 0);
    cr_assert(list_empty(&pcpu(0)->runq));
    cr_assert(!f.hv->work);
    cr_assert_null(next(1));
    cr_assert_null(next(0));
    cr_assert(f.hv->work);
    all_gone();
}

CASE(vm_life, one_that_rests_is_gone_at_once)
{
    cr_assert_eq(vm_pause(f.vm), HV_OK);
    cr_assert_null(next(0));
    at(0);
    sched_unload(pcpu(0));
    cr_assert_eq(vcpu(0)->state, VCPU_PARKED);
    vm_end(f.vm, VM_OFF, "off");
    cr_assert(vm_is_over(f.vm));
    cr_assert(f.hv->work);
    all_gone();
}

/* On the way from one queue to another it is in none. */
CASE(vm_life, stolen_while_its_vm_ends)
{
    run_on(1, 1);
    run_on(2, 2);
    turn_on(3);
    cr_assert_eq(sched_steal(pcpu(1)), vcpu(3));
    at(0);
    vm_end(f.vm, VM_OFF, "off");
    cr_assert_eq(vcpu(3)->state, VCPU_RUNNABLE);
    cr_assert_eq(f.vm->nr_live, 4);
    spinlock_lock(&pcpu(1)->lock);
    sched_insert(pcpu(1), vcpu(3));
    spinlock_unlock(&pcpu(1)->lock);
    for (unsigned cpu = 3; cpu-- > 0;)
        cr_assert_null(next(cpu));
    cr_assert(vm_is_over(f.vm));
    all_gone();
}

CASE(vm_life, cpu_on_while_cpu_off_is_under_way)
{
    run_on(1, 1);
    vm_vcpu_off(vcpu(0));
    at(1);
    cr_assert_eq(vm_vcpu_on(vcpu(0), ipa(GUEST_ENTRY), 0), HV_ERR_EXIST, "still ON");
    cr_assert_null(next(0));
    cr_assert_eq(vm_vcpu_on(vcpu(0), ipa(GUEST_ENTRY), 0), HV_OK);
    cr_assert_eq(vcpu(0)->power, VCPU_POWER_PENDING);
    cr_assert_not_null(next(0));
}

/* --- pCPUs that leave --- */

CASE(vm_life, offline_gives_everything_away)
{
    vcpu(0)->affinity = 3;
    vcpu(1)->affinity = 3;
    turn_on(1);
    cr_assert_eq(next(1), vcpu(1));
    waits(0);
    cr_assert_null(next(0));
    hal_vcpu_sysreg_set(&vcpu(0)->arch, ARCH_CNTV_CTL_EL0, 1);
    hal_vcpu_sysreg_set(&vcpu(0)->arch, ARCH_CNTV_CVAL_EL0, 5000);
    cr_assert_eq(sched_offline(pcpu(0)), HV_OK);
    cr_assert_eq(f.hv->online, 6);
    cr_assert_null(fakehal()->cpu[0].loaded, "the hardware may be stopped");
    cr_assert_eq(pcpu(0)->nr_queued, 0);
    cr_assert(list_empty(&pcpu(0)->timers.head));
    cr_assert_eq(vcpu(0)->state, VCPU_RUNNABLE, "it will wait for its time elsewhere");
    cr_assert_eq(vcpu(0)->pcpu, pcpu(1));
    sched_online(pcpu(0));
    cr_assert_eq(next(0), vcpu(0));
}

CASE(vm_life, offline_takes_the_running_one_elsewhere)
{
    cr_assert_eq(sched_offline(pcpu(0)), HV_OK);
    cr_assert_eq(vcpu(0)->state, VCPU_RUNNABLE);
    cr_assert_neq(vcpu(0)->pcpu, pcpu(0));
    cr_assert(next(1) == vcpu(0) || next(2) == vcpu(0));
    sched_online(pcpu(0));
}

CASE(vm_life, offline_is_refused_where_one_is_needed)
{
    f.hv->vm[0] = f.vm;
    f.hv->nr_vms = 1;
    vcpu(3)->affinity = 2;
    at(1);
    cr_assert_eq(sched_offline(pcpu(1)), HV_ERR_BUSY, "vCPU 3 may be powered on");
    cr_assert_eq(f.hv->online, 7);
    at(2);
    cr_assert_eq(sched_offline(pcpu(2)), HV_OK);
    at(1);
    vcpu(3)->affinity = 3;
    cr_assert_eq(sched_offline(pcpu(1)), HV_OK);
    at(0);
    cr_assert_eq(sched_offline(pcpu(0)), HV_ERR_BUSY, "the last one");
    cr_assert_eq(next(0), vcpu(0));
}

CASE(vm_life, those_that_wait_or_rest_get_another_home)
{
    f.hv->vm[0] = f.vm;
    f.hv->nr_vms = 1;
    everywhere();
    vcpu(1)->affinity = 7;
    cr_assert_eq(vm_pause(f.vm), HV_OK);
    for (unsigned cpu = 0; cpu < 3; cpu++)
        cr_assert_null(next(cpu));
    at(1);
    cr_assert_eq(sched_offline(pcpu(1)), HV_OK);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_neq(vcpu(i)->pcpu, pcpu(1));
    at(0);
    cr_assert_eq(vm_resume(f.vm), HV_OK);
    cr_assert_not_null(next(0));
    cr_assert_neq(vcpu(1)->state, VCPU_PARKED);
}

CASE(vm_life, a_vm_that_no_pcpu_may_run_is_not_made)
{
    struct vm *vm = NULL;

    at(2);
    cr_assert_eq(sched_offline(pcpu(2)), HV_OK);
    f.config.affinity[1] = 4;
    cr_assert_eq(vm_create(f.hv, &f.config, 2, &vm), HV_ERR_INVAL);
    cr_assert_null(vm);
}

/* --- Quiescence --- */

static unsigned relaxed;

static void relax(void *ctx)
{
    relaxed++;
    fixture_serve_kicks(ctx);
}

CASE(vm_life, quiesce_waits_for_all_others)
{
    at(2);
    cr_assert_eq(sched_offline(pcpu(2)), HV_OK);
    at(0);
    uint64_t passes[] = {pcpu(0)->passes, pcpu(1)->passes, pcpu(2)->passes};
    uint64_t before = kicks(1);
    relaxed = 0;
    fakehal()->relax = relax;
    sched_quiesce(f.hv);
    cr_assert_gt(relaxed, 0);
    cr_assert_eq(kicks(1), before + 1);
    cr_assert_gt(pcpu(1)->passes, passes[1]);
    cr_assert_eq(pcpu(0)->passes, passes[0], "not for itself");
    cr_assert_eq(pcpu(2)->passes, passes[2], "nor for one that is offline");
}

/* --- The manager --- */

CASE(vm_life, one_manager_at_a_time)
{
    cr_assert(!hv_start_managing(pcpu(0)), "there is no work");
    hv_post_work(f.hv);
    cr_assert(pcpu(0)->resched);
    cr_assert(hv_start_managing(pcpu(0)));
    cr_assert(!f.hv->work);
    at(1);
    hv_post_work(f.hv);
    cr_assert(!hv_start_managing(pcpu(1)), "there is one");
    cr_assert(!hv_stop_managing(pcpu(0)), "it has more to do");
    cr_assert(hv_stop_managing(pcpu(0)));
    cr_assert(!hv_start_managing(pcpu(1)));
    pcpu(1)->leave = true;
    cr_assert(!hv_start_managing(pcpu(0)), "not its affair");
    cr_assert(hv_start_managing(pcpu(1)));
    pcpu(1)->leave = false;
    cr_assert(hv_stop_managing(pcpu(1)));
}

CASE(vm_life, the_manager_leaves_its_queue_to_others)
{
    vcpu(1)->affinity = 3;
    waits(0);
    cr_assert_null(next(0));
    cr_assert_eq(pcpu(0)->loaded, vcpu(0));
    sched_unload(pcpu(0));
    cr_assert_null(pcpu(0)->loaded, "also one that waits");
    cr_assert_eq(f.hv->idle & 1, 0);
    uint64_t before = kicks(1) + kicks(2);
    at(1);
    sched_wake(vcpu(0));
    cr_assert_eq(kicks(1) + kicks(2), before + 1, "pCPU 0 has something else to do");
    cr_assert_not_null(kicks(1) != 0 ? next(1) : next(2));
}

static unsigned exits;

/* One VM powers off; the other one's guest never exits. */
static void off_then_spin(void *ctx, struct arch_vcpu *arch, struct arch_exit *exit)
{
    (void)ctx;
    cr_assert_eq(arch, &vcpu(0)->arch, "the manager has work, nothing else runs before");
    exits++;
    exit->esr = UINT64_C(0x16) << 26 | 1u << 25;
    arch->x[0] = 0x84000008; /* SYSTEM_OFF */
}

CASE(vm_life, work_does_not_wait_for_a_guest_to_exit)
{
    struct vm_config config = f.config;
    struct vm *other;

    config.vcpus = 1;
    config.affinity[0] = 1;
    cr_assert_eq(vm_create(f.hv, &config, 2, &other), HV_OK);
    vm_start(other, ipa(GUEST_ENTRY), 0);
    exits = 0;
    fakehal_set_run(off_then_spin, NULL);
    exit_run(pcpu(0));
    cr_assert_eq(exits, 1);
    cr_assert(vm_is_over(f.vm));
    cr_assert(f.hv->managing);
    fixture_destroy(&f, other);
}

/* --- A pCPU leaves, as its own manager --- */

static struct hv_config configs;
static struct manager manager;

static void post(struct timer *timer)
{
    (void)timer;
    hv_post_work(f.hv);
}

static void manage_at_1(void *ctx)
{
    (void)ctx;
    at(1);
    manager_run(&manager, pcpu(1));
}

static void managed(void)
{
    f.hv->vm[0] = f.vm;
    f.hv->nr_vms = 1;
    manager_init(&manager, f.hv, &configs);
    cr_assert_eq(log_set_levels(&f.hv->log, "info"), HV_OK);
    fakehal()->cpu[1].on = true;
    pcpu(1)->leave = true;
}

CASE(vm_life, what_is_posted_while_a_pcpu_leaves_is_done)
{
    struct timer timer;

    managed();
    timer_init(&timer, post);
    at(1);
    timer_start(&pcpu(1)->timers, &timer, 1000000); /* goes off when the queue is flushed */
    cr_assert_eq(fakehal_catch(manage_at_1, NULL), FAKEHAL_STOPPED);
    cr_assert(!f.hv->managing, "or nobody ever would be again");
    at(0);
    cr_assert(fakehal()->cpu[0].pending[HAL_INTID_KICK], "it is to look");
    cr_assert(hv_start_managing(pcpu(0)));
    cr_assert_eq(f.hv->online, 5);
    cr_assert(fakehal_console_has("info role: CPU 1 is off"));
}

static void only_the_kick_is_left(void *ctx)
{
    (void)ctx;
    fakehal_leave(FAKEHAL_HALTED, "idle");
}

CASE(vm_life, one_that_is_needed_stays)
{
    managed();
    vcpu(3)->affinity = 2;
    fakehal()->idle = only_the_kick_is_left;
    cr_assert_eq(fakehal_catch(manage_at_1, NULL), FAKEHAL_HALTED);
    cr_assert(fakehal_console_has("warn role: CPU 1 stays: a vCPU may run nowhere else"));
    cr_assert_eq(f.hv->online, 7);
    cr_assert(!f.hv->managing);
}

CASES_RUN(vm_life, setup, finish)
