/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/sched.h"
#include "hal/hal.h"

void sched_init_pcpu(struct hv *hv, uint32_t cpu)
{
    struct pcpu *pcpu = &hv->pcpu[cpu];

    pcpu->hv = hv;
    pcpu->cpu = cpu;
    atomic_init(&pcpu->running, false);
    atomic_init(&pcpu->posted, NULL);
    pcpu->resched = false;
    pcpu->current = NULL;
    pcpu->loaded = NULL;
    list_init(&pcpu->runq);
    timer_queue_init(&pcpu->timers);
}

/* sched_wake() on the vCPU's own pCPU. */
static void sched_enqueue(struct pcpu *pcpu, struct vcpu *vcpu)
{
    uint32_t pending = VCPU_POWER_PENDING;

    if (vcpu->state == VCPU_OFF) {
        if (!atomic_compare_exchange_strong(&vcpu->power, &pending, VCPU_POWER_ON))
            return;
    } else if (vcpu->state != VCPU_BLOCKED) {
        return;
    }
    vcpu->state = VCPU_RUNNABLE;
    list_insert_before(&pcpu->runq, &vcpu->runq);
    pcpu->resched = true;
}

/* Hands it to its pCPU: a stack without a lock, which only grows here and is only emptied there. */
static void sched_post(struct pcpu *pcpu, struct vcpu *vcpu)
{
    if (!atomic_exchange(&vcpu->posted, true)) {
        struct vcpu *head = atomic_load(&pcpu->posted);
        do {
            vcpu->posted_next = head;
        } while (!atomic_compare_exchange_weak(&pcpu->posted, &head, vcpu));
    }
    hal_cpu_kick(pcpu->cpu);
}

static void sched_take_posted(struct pcpu *pcpu)
{
    if (atomic_load_explicit(&pcpu->posted, memory_order_relaxed) == NULL)
        return;
    struct vcpu *vcpu = atomic_exchange(&pcpu->posted, NULL);
    while (vcpu != NULL) {
        struct vcpu *next = vcpu->posted_next;
        /* From here on it may be posted again. */
        atomic_store(&vcpu->posted, false);
        sched_enqueue(pcpu, vcpu);
        vcpu = next;
    }
}

void sched_wake(struct vcpu *vcpu)
{
    struct pcpu *pcpu = vcpu->pcpu;

    if (pcpu->cpu == hal_cpu_self())
        sched_enqueue(pcpu, vcpu);
    else
        sched_post(pcpu, vcpu);
}

void sched_block(struct vcpu *vcpu)
{
    vcpu->state = VCPU_BLOCKED;
    vcpu->pcpu->current = NULL;
    vcpu->pcpu->resched = true;
}

void sched_remove(struct vcpu *vcpu)
{
    struct pcpu *pcpu = vcpu->pcpu;

    list_remove(&vcpu->runq);
    if (timer_active(&vcpu->ptimer.timer))
        timer_cancel(&pcpu->timers, &vcpu->ptimer.timer);
    if (pcpu->current == vcpu)
        pcpu->current = NULL;
    vcpu->state = VCPU_OFF;
    pcpu->resched = true;
}

void sched_unload(struct pcpu *pcpu)
{
    struct vcpu *vcpu = pcpu->loaded;

    if (vcpu == NULL)
        return;
    hal_vcpu_put(&vcpu->arch);
    vgic_unload(&vcpu->vm->vgic, vcpu->index);
    pcpu->loaded = NULL;
    if (vcpu->state == VCPU_OFF) {
        vgic_cpu_reset(&vcpu->vm->vgic, vcpu->index);
        atomic_store(&vcpu->power, VCPU_POWER_OFF);
    }
}

/* The first runnable vCPU, out of the queue. Those of VMs that another pCPU ended drop out. */
static struct vcpu *sched_pick(struct pcpu *pcpu)
{
    while (!list_empty(&pcpu->runq)) {
        struct vcpu *vcpu = list_entry(pcpu->runq.next, struct vcpu, runq);
        list_remove(&vcpu->runq);
        if (vcpu->vm->state == VM_RUNNING)
            return vcpu;
        sched_remove(vcpu);
    }
    return NULL;
}

struct vcpu *sched_next(struct pcpu *pcpu)
{
    struct vcpu *vcpu = pcpu->current;

    sched_take_posted(pcpu);
    if (vcpu != NULL) {
        vcpu->state = VCPU_RUNNABLE;
        list_insert_before(&pcpu->runq, &vcpu->runq);
    }
    vcpu = sched_pick(pcpu);
    pcpu->current = vcpu;
    pcpu->resched = false;
    if (pcpu->loaded != NULL && (pcpu->loaded != vcpu) &&
        (vcpu != NULL || pcpu->loaded->state == VCPU_OFF))
        sched_unload(pcpu);
    if (vcpu == NULL)
        return NULL;
    if (pcpu->loaded == NULL) {
        vgic_load(&vcpu->vm->vgic, vcpu->index);
        hal_vcpu_load(&vcpu->arch);
        pcpu->loaded = vcpu;
    }
    vcpu->state = VCPU_RUNNING;
    return vcpu;
}
