/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Run queues. Round robin by slices that are in proportion to weights: who uses up its slice goes
 * last with a new one; who stops earlier keeps the rest of it, and with that goes first when it
 * wakes. So a vCPU that waits has each other one before it for one slice at most.
 */
#include "base/check.h"
#include "hal/hal.h"
#include "vm/sched_priv.h"

/* All slices of a queue together, unless the shortest would be too short to be worth a switch. */
#define ROUND_HZ     500u  /* 2 ms */
#define MIN_SLICE_HZ 5000u /* 200 us */

struct pcpu *sched_lock_home(struct vcpu *vcpu)
{
    for (;;) {
        struct pcpu *pcpu = atomic_load_explicit(&vcpu->pcpu, memory_order_acquire);

        spinlock_lock(&pcpu->lock);
        if (atomic_load_explicit(&vcpu->pcpu, memory_order_relaxed) == pcpu)
            return pcpu;
        spinlock_unlock(&pcpu->lock);
    }
}

/* --- Slices --- */

static uint64_t slice_of(const struct pcpu *pcpu, const struct vcpu *vcpu)
{
    uint64_t round = hal_time_hz() / ROUND_HZ;
    uint64_t min = hal_time_hz() / MIN_SLICE_HZ;
    uint64_t sum = vcpu->weight;
    uint64_t least = vcpu->weight;

    for (struct list_node *pos = pcpu->runq.next; pos != &pcpu->runq; pos = pos->next) {
        const struct vcpu *other = list_entry(pos, struct vcpu, runq);
        if (other == vcpu)
            continue;
        sum += other->weight;
        least = other->weight < least ? other->weight : least;
    }
    if (pcpu->running != NULL && pcpu->running != vcpu) {
        sum += pcpu->running->weight;
        least = pcpu->running->weight < least ? pcpu->running->weight : least;
    }
    if (least * round < min * sum)
        return vcpu->weight * min / least;
    return vcpu->weight * round / sum;
}

void sched_refill(const struct pcpu *pcpu, struct vcpu *vcpu)
{
    int64_t slice = (int64_t)slice_of(pcpu, vcpu);

    vcpu->budget += slice;
    /* A debt of more than a slice is forgiven: it has waited long enough for it. */
    if (vcpu->budget <= 0)
        vcpu->budget = slice;
}

/* --- The queue --- */

void sched_insert(struct pcpu *pcpu, struct vcpu *vcpu)
{
    struct list_node *pos = &pcpu->runq;

    if (vcpu->budget > 0)
        pos = pcpu->runq.next;
    else
        sched_refill(pcpu, vcpu);
    vcpu->state = VCPU_RUNNABLE;
    list_insert_before(pos, &vcpu->runq);
    /* Sequentially consistent, as `idle` is: see sched_call(). */
    atomic_fetch_add(&pcpu->nr_queued, 1);
}

void sched_extract(struct pcpu *pcpu, struct vcpu *vcpu)
{
    list_remove(&vcpu->runq);
    atomic_fetch_sub(&pcpu->nr_queued, 1);
}

/* Kicks the first of `idle` that may steal it, and returns the others. */
static uint64_t call_thief(const struct pcpu *pcpu, const struct vcpu *vcpu, uint64_t idle)
{
    uint64_t thieves = idle & vcpu->affinity & ~sched_bit(pcpu);

    if (thieves == 0 || vcpu->loaded)
        return idle;
    hal_cpu_kick((unsigned)__builtin_ctzll(thieves));
    return idle & ~(thieves & -thieves);
}

/*
 * A pCPU that goes idle says so, and then looks at the queues; here the queue has grown, and then
 * is looked for an idle pCPU. So one of the two sees the other.
 */
void sched_offer(struct pcpu *pcpu)
{
    uint64_t idle = atomic_load(&pcpu->hv->idle) & ~sched_bit(pcpu);

    for (struct list_node *pos = pcpu->runq.next; idle != 0 && pos != &pcpu->runq; pos = pos->next)
        idle = call_thief(pcpu, list_entry(pos, struct vcpu, runq), idle);
}

void sched_stop_idling(struct pcpu *pcpu)
{
    struct hv *hv = pcpu->hv;

    atomic_fetch_and(&hv->idle, ~sched_bit(pcpu));
    for (uint32_t cpu = 0; cpu < hv->platform.nr_cpus; cpu++) {
        struct pcpu *other = &hv->pcpu[cpu];
        if (atomic_load(&other->nr_queued) == 0)
            continue;
        spinlock_lock(&other->lock);
        sched_offer(other);
        spinlock_unlock(&other->lock);
    }
}

void sched_call(struct pcpu *pcpu, const struct vcpu *vcpu)
{
    uint64_t idle = atomic_load(&pcpu->hv->idle);
    bool is_idle = (idle & sched_bit(pcpu)) != 0;

    if (!is_idle)
        (void)call_thief(pcpu, vcpu, idle);
    /* If others waited already its slice is armed, and it will come to this one. */
    if (!is_idle && !pcpu->preempt &&
        atomic_load_explicit(&pcpu->nr_queued, memory_order_relaxed) > 1)
        return;
    if (pcpu->cpu == hal_cpu_self())
        pcpu->resched = true;
    else
        hal_cpu_kick(pcpu->cpu);
}

/* --- Between pCPUs --- */

bool sched_can_run(const struct hv *hv, uint64_t affinity)
{
    return (atomic_load(&hv->online) & affinity) != 0;
}

/* How many vCPUs want to run there. */
static uint32_t load_of(const struct pcpu *pcpu)
{
    bool idle =
        (atomic_load_explicit(&pcpu->hv->idle, memory_order_relaxed) & sched_bit(pcpu)) != 0;

    return atomic_load_explicit(&pcpu->nr_queued, memory_order_relaxed) + (idle ? 0 : 1);
}

/* The pCPU of those online in `affinity` with the least to do; NULL: there is none. */
static struct pcpu *least_busy(struct hv *hv, uint64_t affinity)
{
    struct pcpu *best = NULL;

    for (uint64_t left = atomic_load(&hv->online) & affinity; left != 0; left &= left - 1) {
        struct pcpu *pcpu = &hv->pcpu[__builtin_ctzll(left)];
        if (best == NULL || load_of(pcpu) < load_of(best))
            best = pcpu;
    }
    return best;
}

/* The first in the queue that may run on pCPU `cpu`, out of it. */
static struct vcpu *steal_from(struct pcpu *victim, struct pcpu *thief)
{
    struct vcpu *found = NULL;

    spinlock_lock(&victim->lock);
    for (struct list_node *pos = victim->runq.next; pos != &victim->runq; pos = pos->next) {
        struct vcpu *vcpu = list_entry(pos, struct vcpu, runq);
        if (vcpu->loaded || (vcpu->affinity & sched_bit(thief)) == 0)
            continue;
        sched_extract(victim, vcpu);
        atomic_store_explicit(&vcpu->pcpu, thief, memory_order_release);
        found = vcpu;
        break;
    }
    spinlock_unlock(&victim->lock);
    return found;
}

bool sched_is_crowded(struct pcpu *pcpu, uint64_t affinity)
{
    struct pcpu *best = least_busy(pcpu->hv, affinity);

    return best != NULL && load_of(best) + 2 <= load_of(pcpu) + 1;
}

struct vcpu *sched_steal(struct pcpu *pcpu)
{
    struct hv *hv = pcpu->hv;
    uint32_t count = hv->platform.nr_cpus;

    for (uint32_t i = 1; i < count; i++) {
        struct pcpu *victim = &hv->pcpu[(pcpu->cpu + i) % count];
        struct vcpu *vcpu = NULL;
        if (atomic_load(&victim->nr_queued) != 0)
            vcpu = steal_from(victim, pcpu);
        if (vcpu != NULL)
            return vcpu;
    }
    return NULL;
}

void sched_send(struct hv *hv, struct vcpu *vcpu)
{
    for (;;) {
        struct pcpu *to = least_busy(hv, vcpu->affinity);

        HV_CHECK(to != NULL);
        /* Under the lock: who has found it there is done with it. */
        struct pcpu *from = sched_lock_home(vcpu);
        atomic_store_explicit(&vcpu->pcpu, to, memory_order_release);
        spinlock_unlock(&from->lock);
        spinlock_lock(&to->lock);
        bool online = (atomic_load(&hv->online) & sched_bit(to)) != 0;
        if (online) {
            sched_insert(to, vcpu);
            sched_call(to, vcpu);
        }
        spinlock_unlock(&to->lock);
        if (online)
            return;
    }
}
