/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The life of a pCPU for the scheduler, and what concerns all of them. */
#include "hal/hal.h"
#include "vm/sched_priv.h"

void sched_online(struct pcpu *pcpu)
{
    atomic_store(&pcpu->leave, false);
    atomic_fetch_or(&pcpu->hv->online, sched_bit(pcpu));
}

/* --- Going offline --- */

/* Everything that waits for a time here is told at once, and will wait for it elsewhere. */
static void rehome_queue(struct pcpu *pcpu)
{
    struct vcpu *vcpu;

    for (;;) {
        spinlock_lock(&pcpu->lock);
        vcpu = NULL;
        if (!list_empty(&pcpu->runq)) {
            vcpu = list_entry(pcpu->runq.next, struct vcpu, runq);
            sched_extract(pcpu, vcpu);
        }
        spinlock_unlock(&pcpu->lock);
        if (vcpu == NULL)
            return;
        sched_send(pcpu->hv, vcpu);
    }
}

/* Those that wait, rest or are off get another home, to be woken in. */
static void rehome(struct pcpu *pcpu, struct vcpu *vcpu)
{
    struct hv *hv = pcpu->hv;

    if (atomic_load(&vcpu->pcpu) != pcpu)
        return;
    struct pcpu *to = &hv->pcpu[__builtin_ctzll(atomic_load(&hv->online) & vcpu->affinity)];
    struct pcpu *from = pcpu;
    spinlock_lock(&pcpu->lock);
    /* One that is off may be sent elsewhere just now, which takes the lock of its new home only. */
    if (vcpu->state != VCPU_RUNNABLE)
        (void)atomic_compare_exchange_strong(&vcpu->pcpu, &from, to);
    spinlock_unlock(&pcpu->lock);
}

static bool is_needed(const struct pcpu *pcpu)
{
    const struct hv *hv = pcpu->hv;
    uint64_t others = atomic_load(&hv->online) & ~sched_bit(pcpu);

    for (uint32_t slot = 0; slot < hv->nr_vms; slot++)
        for (uint32_t i = 0; hv->vm[slot] != NULL && i < hv->vm[slot]->nr_vcpus; i++)
            if ((hv->vm[slot]->vcpu[i].affinity & others) == 0)
                return true;
    return others == 0;
}

hv_err sched_offline(struct pcpu *pcpu)
{
    struct hv *hv = pcpu->hv;

    atomic_store(&pcpu->leave, false);
    if (is_needed(pcpu))
        return HV_ERR_BUSY;
    sched_unload(pcpu);
    /* Under the lock: whoever puts something into the queue looks there. */
    spinlock_lock(&pcpu->lock);
    atomic_fetch_and(&hv->online, ~sched_bit(pcpu));
    atomic_fetch_and(&hv->idle, ~sched_bit(pcpu));
    spinlock_unlock(&pcpu->lock);
    for (uint32_t slot = 0; slot < hv->nr_vms; slot++)
        for (uint32_t i = 0; hv->vm[slot] != NULL && i < hv->vm[slot]->nr_vcpus; i++)
            rehome(pcpu, &hv->vm[slot]->vcpu[i]);
    timer_queue_flush(&pcpu->timers);
    rehome_queue(pcpu);
    return HV_OK;
}

/* --- All of them --- */

/* Those that have a vCPU of the VM in the middle of something: its state and its home stay what
 * they are until that pCPU passes. */
static uint64_t pcpus_running(struct vm *vm)
{
    uint64_t running = 0;

    for (uint32_t i = 0; i < vm->nr_vcpus; i++)
        if (atomic_load(&vm->vcpu[i].state) == VCPU_RUNNING)
            running |= sched_bit(atomic_load(&vm->vcpu[i].pcpu));
    return running;
}

void sched_grace_begin(struct vm *vm, struct sched_grace *grace)
{
    struct hv *hv = vm->hv;

    grace->waits = pcpus_running(vm) & atomic_load(&hv->online) & ~BIT(hal_cpu_self());
    for (uint32_t cpu = 0; cpu < hv->platform.nr_cpus; cpu++) {
        if ((grace->waits & BIT(cpu)) == 0)
            continue;
        grace->passes[cpu] = atomic_load_explicit(&hv->pcpu[cpu].passes, memory_order_acquire);
        /* One that is still on its way has done nothing yet. */
        if (grace->passes[cpu] == 0)
            grace->waits &= ~BIT(cpu);
        else
            hal_cpu_kick(cpu);
    }
}

bool sched_grace_is_over(struct hv *hv, struct sched_grace *grace)
{
    grace->waits &= atomic_load(&hv->online);
    for (uint32_t cpu = 0; cpu < hv->platform.nr_cpus; cpu++)
        if ((grace->waits & BIT(cpu)) != 0 &&
            atomic_load_explicit(&hv->pcpu[cpu].passes, memory_order_acquire) != grace->passes[cpu])
            grace->waits &= ~BIT(cpu);
    return grace->waits == 0;
}

void sched_quiesce(struct hv *hv)
{
    unsigned self = hal_cpu_self();

    for (uint32_t cpu = 0; cpu < hv->platform.nr_cpus; cpu++) {
        struct pcpu *pcpu = &hv->pcpu[cpu];
        uint64_t passes = atomic_load_explicit(&pcpu->passes, memory_order_acquire);

        /* One that is still on its way has done nothing yet. */
        if (cpu == self || passes == 0 || (atomic_load(&hv->online) & sched_bit(pcpu)) == 0)
            continue;
        hal_cpu_kick(cpu);
        while (atomic_load_explicit(&pcpu->passes, memory_order_acquire) == passes &&
               (atomic_load(&hv->online) & sched_bit(pcpu)) != 0)
            hal_cpu_relax();
    }
}
