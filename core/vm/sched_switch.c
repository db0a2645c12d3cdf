/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which registers are in the CPU: loading, letting go, and what is done for a vCPU in between. */
#include "abi/machine.h"
#include "base/check.h"
#include "hal/hal.h"
#include "vm/ptimer.h"
#include "vm/sched_priv.h"

/* --- Letting go --- */

/* Nobody watches the hardware's virtual timer of a vCPU that waits and is not loaded. */
static void watch_vtimer(struct pcpu *pcpu, struct vcpu *vcpu)
{
    const uint64_t *sys = vcpu->arch.sys;

    if (vcpu->state == VCPU_BLOCKED &&
        (sys[ARCH_CNTV_CTL_EL0] & (CNT_CTL_ENABLE | CNT_CTL_IMASK)) == CNT_CTL_ENABLE)
        timer_start(&pcpu->timers, &vcpu->vtimer_watch,
                    sys[ARCH_CNTV_CVAL_EL0] + vcpu->arch.config.cntvoff_el2);
}

/* The registers are in memory: from here on it may be stolen, and run elsewhere. */
static void settle(struct pcpu *pcpu, struct vcpu *vcpu)
{
    bool send = false;

    spinlock_lock(&pcpu->lock);
    vcpu->loaded = false;
    if (vcpu->state == VCPU_OFF) {
        vcpu_gone(vcpu);
    } else if (vcpu->state == VCPU_RUNNING) {
        send = vcpu->budget <= 0 && sched_is_crowded(pcpu, vcpu->affinity & ~sched_bit(pcpu));
        vcpu->state = VCPU_RUNNABLE;
        if (!send) {
            sched_insert(pcpu, vcpu);
            sched_offer(pcpu);
        }
    } else if (vcpu->state == VCPU_RUNNABLE) {
        /* It was woken while it was loaded, when nobody could steal it. */
        sched_offer(pcpu);
    }
    spinlock_unlock(&pcpu->lock);
    if (send)
        sched_send(pcpu->hv, vcpu);
}

static void put(struct pcpu *pcpu, struct vcpu *vcpu)
{
    hal_vcpu_put(&vcpu->arch);
    vgic_unload(&vcpu->vm->vgic, vcpu->index);
    pcpu->loaded = NULL;
}

void sched_let_go(struct pcpu *pcpu)
{
    struct vcpu *vcpu = pcpu->loaded;

    put(pcpu, vcpu);
    if (vcpu->state == VCPU_OFF)
        vgic_cpu_reset(&vcpu->vm->vgic, vcpu->index);
    watch_vtimer(pcpu, vcpu);
    settle(pcpu, vcpu);
}

/* --- Loading --- */

/* A guest may give an ASID two meanings on two of its CPUs, and TLBs tell vCPUs of a VM apart by
 * where they run only. */
static void separate_tlbs(const struct pcpu *pcpu, const struct vcpu *vcpu)
{
    uint8_t *last = &vcpu->vm->last_vcpu[pcpu->cpu];

    if (*last != 0 && *last != vcpu->index + 1)
        hal_tlbi_local(&vcpu->vm->s2.tag);
    *last = (uint8_t)(vcpu->index + 1);
}

static void load(struct pcpu *pcpu, struct vcpu *vcpu)
{
    timer_cancel(&vcpu->vtimer_watch);
    separate_tlbs(pcpu, vcpu);
    vgic_load(&vcpu->vm->vgic, vcpu->index);
    hal_vcpu_load(&vcpu->arch);
    pcpu->loaded = vcpu;
    if (atomic_load_explicit(&vcpu->power, memory_order_relaxed) == VCPU_POWER_PENDING)
        atomic_store(&vcpu->power, VCPU_POWER_ON);
}

/* What others asked for, done by the pCPU that has the registers. */
static void serve(struct pcpu *pcpu, struct vcpu *vcpu)
{
    uint32_t requests = atomic_exchange(&vcpu->requests, 0);

    if ((requests & VCPU_REQ_RESUME) != 0) {
        put(pcpu, vcpu);
        vgic_cpu_reset(&vcpu->vm->vgic, vcpu->index);
        vcpu_reset(vcpu, vcpu->resume_entry, vcpu->resume_context);
        load(pcpu, vcpu);
    }
    if ((requests & VCPU_REQ_PTIMER) != 0)
        ptimer_update(&vcpu->ptimer);
}

/* One that waits stays loaded if nothing else is to run. */
static bool stays_loaded(const struct vcpu *vcpu)
{
    return vcpu->state == VCPU_BLOCKED || vcpu->state == VCPU_RUNNABLE;
}

void sched_switch(struct pcpu *pcpu, struct vcpu *next)
{
    if (pcpu->loaded != NULL && pcpu->loaded != next &&
        (next != NULL || !stays_loaded(pcpu->loaded)))
        sched_let_go(pcpu);
    if (next == NULL)
        return;
    if (pcpu->loaded == NULL) {
        load(pcpu, next);
        ptimer_move(&next->ptimer);
    }
    if (atomic_load_explicit(&next->requests, memory_order_relaxed) != 0)
        serve(pcpu, next);
}
