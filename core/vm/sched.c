/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Waking, waiting, and the choice of who runs. What a queue is: sched_queue.c. Loading and letting
 * go: sched_switch.c. */
#include "arch/el2.h"
#include "hal/hal.h"
#include "vm/sched_priv.h"

static void slice_expired(struct timer *timer)
{
    struct pcpu *pcpu = list_entry(timer, struct pcpu, slice);

    pcpu->resched = true;
}

void sched_init_pcpu(struct hv *hv, uint32_t cpu)
{
    struct pcpu *pcpu = &hv->pcpu[cpu];

    *pcpu = (struct pcpu){.hv = hv, .cpu = cpu};
    timer_init(&pcpu->slice, slice_expired);
    timer_queue_init(&pcpu->timers);
    spinlock_init(&pcpu->lock, LOCK_RANK_SCHED);
    list_init(&pcpu->runq);
}

/* `current` pays for its time since it was charged last. */
static void charge(struct pcpu *pcpu)
{
    uint64_t now = hal_time_now();

    if (pcpu->current != NULL) {
        pcpu->current->budget -= (int64_t)(now - pcpu->charged);
        atomic_store_explicit(&pcpu->current->runtime,
                              pcpu->current->runtime + (now - pcpu->charged), memory_order_relaxed);
    }
    pcpu->charged = now;
}

/* --- To run, and not to run --- */

void sched_start(struct vcpu *vcpu)
{
    sched_send(vcpu->vm->hv, vcpu);
}

/* With the rest of a slice it goes before the one that runs. */
static void make_runnable(struct pcpu *home, struct vcpu *vcpu)
{
    home->preempt = home->preempt || vcpu->budget > 0;
    sched_insert(home, vcpu);
    sched_call(home, vcpu);
}

/* This pCPU may have been called for one of them, and then has to hand it on. */
static bool somebody_waits(const struct hv *hv)
{
    for (uint32_t cpu = 0; cpu < hv->platform.nr_cpus; cpu++)
        if (atomic_load(&hv->pcpu[cpu].nr_queued) != 0)
            return true;
    return false;
}

/* True if it waited on this pCPU, which has nothing else to do: then it goes on as it was loaded,
 * and sched_next() has nothing to choose. The lock is held. */
static bool resume_here(struct pcpu *home, struct vcpu *vcpu)
{
    if (home->cpu != hal_cpu_self() || home->loaded != vcpu || home->current != NULL ||
        vcpu->requests != 0 || vcpu->sleep.kind != VCPU_AWAKE || vcpu->vm->state != VM_RUNNING)
        return false;
    atomic_fetch_and(&home->hv->idle, ~sched_bit(home));
    if (somebody_waits(home->hv)) {
        atomic_fetch_or(&home->hv->idle, sched_bit(home));
        return false;
    }
    if (vcpu->budget <= 0)
        sched_refill(home, vcpu);
    vcpu->state = VCPU_RUNNING;
    home->current = vcpu;
    home->running = vcpu;
    home->charged = hal_time_now();
    return true;
}

/* What is done to a vCPU in each state: bits. */
enum reach { REACH_BLOCKED = 1, REACH_PARKED = 2, REACH_RUNNING = 4, REACH_FOR_GOOD = 8 };

/* True if it was let go: it waited, for its turn or anything else, with its registers in no CPU.
 * One that is on the way from one queue to another is found by who takes it there. The lock is
 * held. */
static bool end_here(struct pcpu *home, struct vcpu *vcpu)
{
    uint32_t state = vcpu->state;

    if (vcpu->loaded || state == VCPU_OFF || state == VCPU_RUNNING)
        return false;
    if (state == VCPU_RUNNABLE) {
        if (list_empty(&vcpu->runq))
            return false;
        sched_extract(home, vcpu);
    }
    vcpu->state = VCPU_OFF;
    vcpu_gone(vcpu);
    return true;
}

static void reach(struct vcpu *vcpu, unsigned whom)
{
    struct pcpu *home = sched_lock_home(vcpu);
    uint32_t state = vcpu->state;

    if ((whom & REACH_FOR_GOOD) != 0 && end_here(home, vcpu)) {
        /* Nothing of it is left to be reached. */
    } else if ((state == VCPU_BLOCKED && (whom & REACH_BLOCKED) != 0) ||
               (state == VCPU_PARKED && (whom & REACH_PARKED) != 0)) {
        if (!resume_here(home, vcpu))
            make_runnable(home, vcpu);
    } else if (state == VCPU_RUNNING && (whom & REACH_RUNNING) != 0) {
        vcpu->woken = true;
        if (home->cpu == hal_cpu_self())
            home->resched = true;
        else
            hal_cpu_kick(home->cpu);
    }
    spinlock_unlock(&home->lock);
}

void sched_wake(struct vcpu *vcpu)
{
    reach(vcpu, REACH_BLOCKED | REACH_RUNNING);
}

void sched_rouse(struct vcpu *vcpu)
{
    reach(vcpu, REACH_BLOCKED | REACH_PARKED | REACH_RUNNING | REACH_FOR_GOOD);
}

void sched_rest(struct vcpu *vcpu)
{
    reach(vcpu, REACH_RUNNING);
}

void sched_unrest(struct vcpu *vcpu)
{
    reach(vcpu, REACH_PARKED);
}

/* The running vCPU stops running as `state`: nobody else changes it while it runs. */
static void stop_running(struct vcpu *vcpu, enum vcpu_state state)
{
    struct pcpu *pcpu = vcpu->pcpu;

    charge(pcpu);
    vcpu->state = state;
    pcpu->current = NULL;
    pcpu->running = NULL;
    pcpu->resched = true;
}

/*
 * A wake between the look and the lock leaves `woken`. One that comes with an interrupt follows the
 * look under the vGIC's lock, so that it follows the clearing too; whatever else wakes leaves its
 * reason where it is looked for here. The lock is held.
 */
static bool may_wait(const struct vcpu *vcpu)
{
    return !vcpu->woken && vcpu->requests == 0 && vcpu->vm->state == VM_RUNNING;
}

void sched_wait(struct vcpu *vcpu)
{
    struct pcpu *home = vcpu->pcpu;

    atomic_store_explicit(&vcpu->woken, false, memory_order_relaxed);
    if (vgic_has_pending(&vcpu->vm->vgic, vcpu->index))
        return;
    spinlock_lock(&home->lock);
    if (may_wait(vcpu))
        stop_running(vcpu, VCPU_BLOCKED);
    spinlock_unlock(&home->lock);
}

/* Its registers are let go at once: what it had in list registers may wake it, whatever its CPU
 * interface, which is lost, says of it. */
static bool power_down(struct pcpu *home, struct vcpu *vcpu)
{
    bool down;

    atomic_store_explicit(&vcpu->woken, false, memory_order_relaxed);
    sched_release(home, vcpu);
    if (vgic_requests_wake(&vcpu->vm->vgic, vcpu->index))
        return false;
    spinlock_lock(&home->lock);
    down = may_wait(vcpu);
    if (down) {
        stop_running(vcpu, VCPU_BLOCKED);
        vcpu->loaded = false;
    }
    spinlock_unlock(&home->lock);
    return down;
}

void sched_suspend(struct vcpu *vcpu, enum vcpu_suspend kind, ipa_t entry, uint64_t context)
{
    struct pcpu *home = vcpu->pcpu;

    vcpu->sleep.kind = kind;
    vcpu->sleep.entry = entry;
    vcpu->sleep.context = context;
    vcpu->sleep.since = hal_time_now();
    if (kind == VCPU_STANDBY)
        sched_wait(vcpu);
    else if (!power_down(home, vcpu))
        sched_switch(home, vcpu);
    /* If it did not fall asleep it wakes at once. */
    home->resched = true;
}

void sched_stop(struct vcpu *vcpu)
{
    struct pcpu *home = vcpu->pcpu;

    spinlock_lock(&home->lock);
    stop_running(vcpu, VCPU_OFF);
    spinlock_unlock(&home->lock);
}

/* --- The choice --- */

/* The first in the queue that is of the same VM, or NULL. */
static struct vcpu *find_mate(const struct pcpu *pcpu, const struct vcpu *vcpu)
{
    for (struct list_node *pos = pcpu->runq.next; pos != &pcpu->runq; pos = pos->next)
        if (list_entry(pos, struct vcpu, runq)->vm == vcpu->vm)
            return list_entry(pos, struct vcpu, runq);
    return NULL;
}

/*
 * One of the same VM may be the one that is waited for: it comes to the front, where it has what is
 * left of this one's time and not its own. So two that wait for each other do not keep others
 * waiting for longer than one of them would.
 */
void sched_give_way(struct vcpu *vcpu)
{
    struct pcpu *home = vcpu->pcpu;

    charge(home);
    spinlock_lock(&home->lock);
    struct vcpu *mate = find_mate(home, vcpu);
    if (mate != NULL && vcpu->budget > 0 && home->runq.next != &mate->runq) {
        mate->budget = vcpu->budget;
        list_remove(&mate->runq);
        list_insert_before(home->runq.next, &mate->runq);
    }
    vcpu->budget = vcpu->budget > 0 ? 0 : vcpu->budget;
    home->resched = true;
    spinlock_unlock(&home->lock);
}

/* What becomes of a vCPU that was to run, if its VM does not. */
static bool vm_lets_run(const struct vcpu *vcpu, enum vcpu_state *instead)
{
    uint32_t state = vcpu->vm->state;

    *instead = state == VM_PAUSED ? VCPU_PARKED : VCPU_OFF;
    return state == VM_RUNNING;
}

/* The first of the queue whose VM runs, out of it. The others rest, or are gone. */
static struct vcpu *take_first(struct pcpu *pcpu)
{
    while (!list_empty(&pcpu->runq)) {
        struct vcpu *vcpu = list_entry(pcpu->runq.next, struct vcpu, runq);
        enum vcpu_state instead;
        sched_extract(pcpu, vcpu);
        if (vm_lets_run(vcpu, &instead))
            return vcpu;
        vcpu->state = instead;
        if (instead == VCPU_OFF && !vcpu->loaded)
            vcpu_gone(vcpu);
    }
    return NULL;
}

/* The current one, if it may go on: with a new slice if nobody waits. */
static struct vcpu *keep_current(struct pcpu *pcpu)
{
    struct vcpu *vcpu = pcpu->current;
    enum vcpu_state instead;

    if (vcpu == NULL)
        return NULL;
    if (!vm_lets_run(vcpu, &instead)) {
        stop_running(vcpu, instead);
        return NULL;
    }
    return vcpu;
}

static struct vcpu *choose(struct pcpu *pcpu)
{
    spinlock_lock(&pcpu->lock);
    struct vcpu *current = keep_current(pcpu);
    struct vcpu *next = NULL;
    if (current == NULL || current->budget <= 0 || pcpu->preempt)
        next = take_first(pcpu);
    pcpu->preempt = false;
    if (next == NULL)
        next = current;
    if (next != NULL) {
        if (next->budget <= 0)
            sched_refill(pcpu, next);
        next->state = VCPU_RUNNING;
        next->loaded = true;
    }
    pcpu->current = next;
    pcpu->running = next;
    if (next != NULL)
        sched_offer(pcpu);
    spinlock_unlock(&pcpu->lock);
    return next;
}

/* Says that it is idle before it looks: see sched_call(). */
static struct vcpu *choose_elsewhere(struct pcpu *pcpu)
{
    atomic_fetch_or(&pcpu->hv->idle, sched_bit(pcpu));
    struct vcpu *next = NULL;
    struct vcpu *stolen;
    /* It goes the usual way: its VM may have ended meanwhile. */
    while (next == NULL && (stolen = sched_steal(pcpu)) != NULL) {
        spinlock_lock(&pcpu->lock);
        sched_insert(pcpu, stolen);
        spinlock_unlock(&pcpu->lock);
        next = choose(pcpu);
    }
    return next;
}

static bool is_idle(const struct pcpu *pcpu)
{
    return (atomic_load_explicit(&pcpu->hv->idle, memory_order_relaxed) & sched_bit(pcpu)) != 0;
}

/* Others wait: `current` has a slice, and its spinning is of interest. */
static void share(struct pcpu *pcpu, struct vcpu *vcpu, bool changed)
{
    bool others = atomic_load_explicit(&pcpu->nr_queued, memory_order_relaxed) != 0;
    uint64_t hcr = vcpu->arch.config.hcr_el2;

    if (!others)
        timer_cancel(&pcpu->slice);
    else if (changed || !timer_active(&pcpu->slice))
        timer_start(&pcpu->timers, &pcpu->slice, pcpu->charged + (uint64_t)vcpu->budget);
    vcpu->arch.config.hcr_el2 = others ? hcr | HCR_TWE : hcr & ~HCR_TWE;
    if (vcpu->arch.config.hcr_el2 != hcr && pcpu->loaded == vcpu)
        hal_vcpu_config_sync(&vcpu->arch);
}

struct vcpu *sched_next(struct pcpu *pcpu)
{
    const struct vcpu *before = pcpu->current;

    atomic_fetch_add_explicit(&pcpu->passes, 1, memory_order_release);
    pcpu->resched = false;
    charge(pcpu);
    struct vcpu *next = choose(pcpu);
    if (next == NULL)
        next = choose_elsewhere(pcpu);
    if (next == NULL) {
        timer_cancel(&pcpu->slice);
        sched_switch(pcpu, NULL);
        return NULL;
    }
    if (is_idle(pcpu))
        sched_stop_idling(pcpu);
    sched_switch(pcpu, next);
    share(pcpu, next, next != before);
    return next;
}

void sched_unload(struct pcpu *pcpu)
{
    charge(pcpu);
    spinlock_lock(&pcpu->lock);
    pcpu->current = NULL;
    pcpu->running = NULL;
    spinlock_unlock(&pcpu->lock);
    timer_cancel(&pcpu->slice);
    if (pcpu->loaded != NULL)
        sched_let_go(pcpu);
    /* It has something else to do: what waits here is for others to take. */
    sched_stop_idling(pcpu);
}
