/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of the vGIC share. Everything here is called with vgic->lock held, but for
 * vgic_regs_init(). `by` names the vCPU on whose pCPU the call is made, VGIC_NO_CPU if that is
 * unknown: only the list registers of vCPU `by` can be touched.
 */
#ifndef IRQ_VGIC_PRIV_H
#define IRQ_VGIC_PRIV_H

#include "irq/vgic.h"

/* Five bits of priority are implemented: the others are RAZ/WI (IHI 0069, 4.8). */
#define VGIC_PRIORITY_MASK 0xf8u

static inline bool vgic_irq_is_pending(const struct vgic_irq *irq)
{
    return irq->latched || (irq->level && !irq->edge);
}

static inline bool vgic_irq_is_queued(const struct vgic_irq *irq)
{
    return !list_empty(&irq->queue);
}

/* Worth a place in a queue. GICD_CTLR is left out, so that writing it changes no queue. */
static inline bool vgic_irq_is_wanted(const struct vgic_irq *irq)
{
    return irq->active || irq->hw_active || (irq->enabled && vgic_irq_is_pending(irq));
}

/* Pending, and every enable between it and the vCPU of its queue is set. */
static inline bool vgic_irq_is_deliverable(const struct vgic *vgic, const struct vgic_irq *irq)
{
    uint32_t group = irq->group1 ? GICD_CTLR_ENABLE_GRP1 : GICD_CTLR_ENABLE_GRP0;
    return irq->enabled && vgic_irq_is_pending(irq) && (vgic->ctlr & group) != 0 &&
           irq->target == irq->cpu;
}

/* Enabled by the guest's CPU interface: ICH_VMCR_EL2's group enables and priority mask. */
static inline bool vgic_irq_passes(const struct vgic_irq *irq, uint64_t vmcr)
{
    uint64_t enable = irq->group1 ? ICH_VMCR_VENG1 : ICH_VMCR_VENG0;
    return (vmcr & enable) != 0 &&
           irq->priority < bits_get(vmcr, ICH_VMCR_VPMR_SHIFT + 7, ICH_VMCR_VPMR_SHIFT);
}

static inline void vgic_irq_latch(struct vgic_irq *irq)
{
    irq->latched = true;
    irq->relatched = true;
}

static inline void vgic_irq_unlatch(struct vgic_irq *irq)
{
    irq->latched = false;
    irq->relatched = false;
}

static inline void vgic_irq_activate(struct vgic_irq *irq, bool active)
{
    irq->active = active;
    if (irq->lr >= 0)
        irq->override = active ? VGIC_ACTIVATE : VGIC_DEACTIVATE;
}

/* vgic.c */

/* One that is neither enabled nor pending, of group 0 and priority 0. */
void vgic_irq_init(struct vgic_irq *irq, uint32_t intid, uint32_t target);
/* Puts one that is in no queue into that of vCPU `cpu`. */
void vgic_irq_enqueue(struct vgic *vgic, struct vgic_irq *irq, uint32_t cpu);

/* NULL if there is no such interrupt. */
struct vgic_irq *vgic_irq_find(struct vgic *vgic, unsigned cpu, uint32_t intid);
/* Out of the queue of a vCPU that perhaps does not run for long, and must not look at it then; no
 * list register holds it. */
void vgic_irq_dequeue(struct vgic *vgic, struct vgic_irq *irq);
/* Its priority has changed: finds its new place in the queue, if it is in one. */
void vgic_irq_reorder(struct vgic *vgic, struct vgic_irq *irq);
/*
 * Makes vCPU `cpu` look at its interrupts: at `only`, or at all if that is NULL. Kicks it unless it
 * is `by`.
 */
void vgic_cpu_mark(struct vgic *vgic, unsigned cpu, struct vgic_irq *only, unsigned by);
/* The state of the interrupt has changed: queues it if that is due, and marks the vCPU concerned.
 */
void vgic_irq_update(struct vgic *vgic, struct vgic_irq *irq, unsigned by);
/*
 * From its queue to that of its target, which is another vCPU's. Does not choose anew: `loaded`,
 * which others change without the lock, could make that come back to the queue which the caller is
 * walking.
 */
void vgic_irq_hand_over(struct vgic *vgic, struct vgic_irq *irq, unsigned by);
/*
 * As vgic_irq_update(), for an interrupt that is folded, and is a private one of vCPU `by` or in
 * one of its list registers: writes the list register at once if no other matter is waiting for a
 * flush.
 */
void vgic_irq_update_own(struct vgic *vgic, struct vgic_irq *irq, unsigned by);

/* vgic_lr.c: own pCPU of the vCPU concerned. */

/* Takes over what the guest did to the list register of `irq`, if it is in one. */
void vgic_irq_fold(struct vgic_cpu *c, struct vgic_irq *irq);
/* All of them, and EOIs of interrupts that are in none. */
void vgic_cpu_fold(struct vgic_cpu *c);
/*
 * Writes the list register of one queued and folded interrupt as its state demands. false, and
 * nothing has happened, if that takes a look at the others too.
 */
bool vgic_irq_refresh(struct vgic *vgic, struct vgic_cpu *c, struct vgic_irq *irq);

/* Takes it off its list register, if it is in one. */
void vgic_irq_release(struct vgic_cpu *c, struct vgic_irq *irq);
/* The same for one that is folded and has no business there; it leaves the queue, too, if it has
 * none there. */
void vgic_irq_retire(struct vgic_cpu *c, struct vgic_irq *irq);
/* The same for one whose target is another vCPU: on to that. */
void vgic_irq_migrate(struct vgic *vgic, struct vgic_cpu *c, struct vgic_irq *irq, unsigned by);

/*
 * A private interrupt of vCPU `cpu` becomes pending by a latch: one that its own pCPU makes. hw is
 * ICH_LR_HW if its physical interrupt is active, else 0.
 */
void vgic_irq_raise_own(struct vgic *vgic, unsigned cpu, struct vgic_irq *irq, uint64_t hw);

/* vgic_route.c */

/* The vCPU with this affinity (MPIDR's places, other bits ignored), or VGIC_NO_CPU. */
uint32_t vgic_cpu_by_affinity(const struct vgic *vgic, uint64_t affinity);
/* A write of GICD_IROUTER<n> of an SPI. */
void vgic_irq_set_route(struct vgic *vgic, struct vgic_irq *irq, uint64_t value, unsigned by);
/* Sets `target` of a 1-of-N interrupt that is wanted; VGIC_NO_CPU if no vCPU participates. */
void vgic_irq_choose(struct vgic *vgic, struct vgic_irq *irq, unsigned by);
/* A vCPU may have begun or ceased to participate: chooses anew for all 1-of-N interrupts. */
void vgic_route_review(struct vgic *vgic, unsigned by);
/* ICH_VMCR_EL2 of vCPU `by` was looked at. */
void vgic_route_note_vmcr(struct vgic *vgic, unsigned by, uint64_t vmcr);

/* vgic_access.c */

/* Fills dist_index and redist_index. */
void vgic_regs_init(struct vgic *vgic);

#endif
