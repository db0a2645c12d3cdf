/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which registers are in the CPU: loading, letting go, and what is done for a vCPU in between. */
#include "abi/machine.h"
#include "base/check.h"
#include "hal/hal.h"
#include "vm/ptimer.h"
#include "vm/sched_priv.h"

/* --- Letting go --- */

/* Nobody else watches the hardware's virtual timer of a vCPU that waits and is not loaded. One
 * whose interrupt has come already, and is held back by the guest's GIC, wakes nobody. */
static void watch_vtimer(struct pcpu *pcpu, struct vcpu *vcpu)
{
    const uint64_t *sys = vcpu->arch.sys;

    if ((sys[ARCH_CNTV_CTL_EL0] & (CNT_CTL_ENABLE | CNT_CTL_IMASK)) == CNT_CTL_ENABLE &&
        !vgic_hw_is_active(&vcpu->vm->vgic, vcpu->index, MACHINE_INTID_VTIMER))
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
    vmid_unload(&pcpu->hv->vmids, pcpu->cpu);
    pcpu->loaded = NULL;
}

void sched_release(struct pcpu *pcpu, struct vcpu *vcpu)
{
    put(pcpu, vcpu);
    vgic_cpu_reset(&vcpu->vm->vgic, vcpu->index);
    watch_vtimer(pcpu, vcpu);
}

void sched_let_go(struct pcpu *pcpu)
{
    struct vcpu *vcpu = pcpu->loaded;

    put(pcpu, vcpu);
    if (vcpu->state == VCPU_OFF)
        vgic_cpu_reset(&vcpu->vm->vgic, vcpu->index);
    if (vcpu->state == VCPU_BLOCKED)
        watch_vtimer(pcpu, vcpu);
    settle(pcpu, vcpu);
}

/* --- Loading --- */

/* A guest may give an ASID two meanings on two of its CPUs, and TLBs tell vCPUs of a VM apart by
 * where they run only. */
static void separate_tlbs(const struct pcpu *pcpu, const struct vcpu *vcpu,
                          const struct s2_tag *tag)
{
    uint8_t *last = &vcpu->vm->last_vcpu[pcpu->cpu];

    if (*last != 0 && *last != vcpu->index + 1)
        hal_tlbi_local(tag);
    *last = (uint8_t)(vcpu->index + 1);
}

static void load(struct pcpu *pcpu, struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    timer_cancel(&vcpu->vtimer_watch);
    vmid_load(&pcpu->hv->vmids, pcpu->cpu, &vm->s2);
    struct s2_tag tag = s2_tag(&vm->s2);
    vcpu->arch.config.vttbr_el2 = tag.vttbr;
    separate_tlbs(pcpu, vcpu, &tag);
    vgic_load(&vm->vgic, vcpu->index);
    hal_vcpu_load(&vcpu->arch);
    pcpu->loaded = vcpu;
    if (vcpu->power == VCPU_POWER_PENDING)
        atomic_store(&vcpu->power, VCPU_POWER_ON);
}

/* A vCPU runs again that PSCI had suspended. */
static void wake_up(struct pcpu *pcpu, struct vcpu *vcpu)
{
    struct vcpu_sleep *sleep = &vcpu->sleep;

    atomic_fetch_add(&sleep->count[sleep->kind], 1);
    atomic_fetch_add(&sleep->ticks[sleep->kind], hal_time_now() - sleep->since);
    if (sleep->kind != VCPU_STANDBY) {
        put(pcpu, vcpu);
        vgic_cpu_reset(&vcpu->vm->vgic, vcpu->index);
        vcpu_reset(vcpu, sleep->entry, sleep->context);
        load(pcpu, vcpu);
    }
    sleep->kind = VCPU_AWAKE;
}

/* What others asked for, done by the pCPU that has the registers. */
static void serve(struct vcpu *vcpu)
{
    uint32_t requests = atomic_exchange(&vcpu->requests, 0);

    if ((requests & VCPU_REQ_PTIMER) != 0)
        ptimer_update(&vcpu->ptimer);
    if ((requests & VCPU_REQ_DEVICES) != 0)
        vm_serve_devices(vcpu);
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
    if (next->sleep.kind != VCPU_AWAKE)
        wake_up(pcpu, next);
    if (atomic_load_explicit(&next->requests, memory_order_relaxed) != 0)
        serve(next);
}
