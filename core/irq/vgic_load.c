/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a vCPU takes along when it leaves a pCPU, comes to one, or is powered down. */
#include "base/check.h"
#include "hal/hal.h"
#include "irq/vgic_lpi.h"

/* `hw_active` is written on the vCPU's own pCPU alone, which therefore reads it without the lock.
 */
static void cpu_each_hw_active(const struct vgic_cpu *c, void (*call)(uint32_t hw_intid))
{
    for (uint32_t mapped = c->hw_mapped; mapped != 0; mapped &= mapped - 1) {
        const struct vgic_irq *irq = &c->private_irq[__builtin_ctz(mapped)];
        if (irq->hw_active)
            call(irq->hw_intid);
    }
}

void vgic_load(struct vgic *vgic, unsigned cpu)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    atomic_store_explicit(&c->loaded, true, memory_order_relaxed);
    cpu_each_hw_active(c, hal_irq_activate);
}

/*
 * All off the list registers, so that while the vCPU waits for its turn everybody can change what
 * it has, or move what its guest has not taken. Those that are active get one again at the next
 * flush.
 */
static void cpu_strip(struct vgic *vgic, struct vgic_cpu *c, unsigned cpu)
{
    /* It may be in another queue soon. */
    c->only = NULL;
    for (uint32_t used = c->lr_used; used != 0; used &= used - 1) {
        struct vgic_irq *irq = c->lr[__builtin_ctz(used)];
        vgic_irq_release(c, irq);
        if (irq->any && vgic_irq_is_pending(irq))
            vgic_irq_choose(vgic, irq, cpu);
        if (irq->target != irq->cpu && !irq->active)
            vgic_irq_migrate(vgic, c, irq, cpu);
        else
            vgic_irq_retire(c, irq);
    }
    if (!list_empty(&c->queue))
        atomic_store_explicit(&c->dirty, true, memory_order_relaxed);
}

void vgic_unload(struct vgic *vgic, unsigned cpu)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    atomic_store_explicit(&c->loaded, false, memory_order_relaxed);
    if (c->lr_used != 0 || (c->hcr & ICH_HCR_LRENPIE) != 0) {
        spinlock_lock(&vgic->lock);
        vgic_cpu_fold(c);
        cpu_strip(vgic, c, cpu);
        spinlock_unlock(&vgic->lock);
    }
    cpu_each_hw_active(c, hal_irq_deactivate);
}

/* --- Power --- */

/* The unload has deactivated the physical interrupt, and the line of a timer that is reset is low.
 */
static void irq_forget_hw(struct vgic_irq *irq)
{
    if (!irq->hw_active)
        return;
    irq->hw_active = false;
    if (!irq->active)
        vgic_irq_unlatch(irq);
}

void vgic_cpu_reset(struct vgic *vgic, unsigned cpu)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    struct list_node *next;
    HV_CHECK(!atomic_load_explicit(&c->loaded, memory_order_relaxed));
    spinlock_lock(&vgic->lock);
    c->only = NULL;
    c->waker = (uint32_t)(GICR_WAKER_PROCESSOR_SLEEP | GICR_WAKER_CHILDREN_ASLEEP);
    for (struct list_node *pos = c->queue.next; pos != &c->queue; pos = next) {
        struct vgic_irq *irq = list_entry(pos, struct vgic_irq, queue);
        next = pos->next;
        irq_forget_hw(irq);
        if (!vgic_irq_is_wanted(irq))
            list_remove(&irq->queue);
    }
    vgic_route_review(vgic, cpu);
    c->vmcr = 0;
    atomic_store_explicit(&c->dirty, true, memory_order_relaxed);
    spinlock_unlock(&vgic->lock);
}

bool vgic_requests_wake(struct vgic *vgic, unsigned cpu)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    spinlock_lock(&vgic->lock);
    const struct vgic_irq *waits = vgic_lpi_waiting(c);
    /* Commands of the ITS that are left are this vCPU's to carry out. */
    bool found = c->lpi_work || (waits != NULL && vgic_irq_is_deliverable(vgic, waits));
    for (struct list_node *pos = c->queue.next; pos != &c->queue && !found; pos = pos->next) {
        const struct vgic_irq *irq = list_entry(pos, struct vgic_irq, queue);
        found = vgic_irq_is_deliverable(vgic, irq) && !irq->active;
    }
    spinlock_unlock(&vgic->lock);
    return found;
}

bool vgic_hw_is_active(struct vgic *vgic, unsigned cpu, uint32_t intid)
{
    spinlock_lock(&vgic->lock);
    bool active = vgic->cpu[cpu].private_irq[intid].hw_active;
    spinlock_unlock(&vgic->lock);
    return active;
}
