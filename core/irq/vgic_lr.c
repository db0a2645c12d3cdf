/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * List registers. "Fold" takes over what the guest did to them; "flush" writes them. A list
 * register whose interrupt has ended stays assigned to it until somebody needs the register or the
 * interrupt: the next one of a recurring interrupt then costs a read and a write.
 */
#include "base/check.h"
#include "hal/hal.h"
#include "irq/vgic_lpi.h"

#define HCR_EOICOUNT BITS(ICH_HCR_EOICOUNT_SHIFT + 4, ICH_HCR_EOICOUNT_SHIFT)
/* The bits of ICH_HCR_EL2 that this file decides. */
#define HCR_OWNED                                                                                  \
    (ICH_HCR_EN | ICH_HCR_UIE | ICH_HCR_LRENPIE | ICH_HCR_NPIE | ICH_HCR_TDIR | HCR_EOICOUNT)
/* Those that are always set. The hardware's ICC_DIR_EL1 knows nothing but its own list registers.
 */
#define HCR_ALWAYS (ICH_HCR_EN | ICH_HCR_TDIR)

/* How many interrupts of each kind get a list register. */
struct lr_budget {
    unsigned active;
    unsigned pending; /* deliverable and not active: what can be signalled at once */
};

/* --- Guest to memory --- */

void vgic_irq_fold(struct vgic_cpu *c, struct vgic_irq *irq)
{
    if (irq->lr < 0)
        return;
    unsigned n = (unsigned)irq->lr;
    uint64_t was = c->lr_value[n];
    uint64_t now = hal_gic_lr_get(c->vcpu, n);
    c->lr_value[n] = now;
    if ((was & ~now & ICH_LR_PENDING) != 0)
        irq->latched = irq->relatched;
    irq->relatched = false;
    /* An LPI has no active state (IHI 0069, 4.1.1), whatever the list register of some QEMU says.
     */
    if (irq->override == VGIC_KEEP)
        irq->active = (now & ICH_LR_ACTIVE) != 0 && !vgic_irq_is_lpi(irq);
    if ((now & ICH_LR_STATE_MASK) == 0 && (was & ICH_LR_STATE_MASK) != 0 && (now & ICH_LR_HW) != 0)
        irq->hw_active = false;
}

/*
 * The guest ended interrupts that no list register held. Without an identity in the hardware's
 * count they are taken to be the most important active ones, which is what nesting makes of EOIs.
 */
static void fold_eoi_count(struct vgic_cpu *c)
{
    uint64_t hcr = hal_gic_hcr_get(c->vcpu);
    uint64_t count = (hcr & HCR_EOICOUNT) >> ICH_HCR_EOICOUNT_SHIFT;
    if (count == 0)
        return;
    /* With the count goes the maintenance interrupt that would have brought the flush. */
    hal_gic_hcr_set(c->vcpu, hcr & ~HCR_EOICOUNT);
    c->only = NULL;
    atomic_store_explicit(&c->dirty, true, memory_order_relaxed);
    for (struct list_node *pos = c->queue.next; pos != &c->queue && count != 0; pos = pos->next) {
        struct vgic_irq *irq = list_entry(pos, struct vgic_irq, queue);
        if (irq->active && irq->lr < 0) {
            irq->active = false;
            count--;
        }
    }
}

void vgic_cpu_fold(struct vgic_cpu *c)
{
    for (uint32_t used = c->lr_used; used != 0; used &= used - 1)
        vgic_irq_fold(c, c->lr[__builtin_ctz(used)]);
    if ((c->hcr & ICH_HCR_LRENPIE) != 0)
        fold_eoi_count(c);
}

/* --- Memory to guest --- */

static void lr_write(struct vgic_cpu *c, struct vgic_irq *irq, uint64_t value)
{
    unsigned n = (unsigned)irq->lr;
    irq->override = VGIC_KEEP;
    irq->relatched = false;
    irq->armed = (value & ICH_LR_PENDING) != 0;
    if (c->lr_value[n] == value)
        return;
    c->lr_value[n] = value;
    hal_gic_lr_set(c->vcpu, n, value);
}

/* False if each list register belongs to an interrupt. */
static bool lr_assign(const struct vgic *vgic, struct vgic_cpu *c, struct vgic_irq *irq)
{
    unsigned n = (unsigned)__builtin_ctz(~c->lr_used);
    if (n >= vgic->nr_lrs)
        return false;
    c->lr_used |= UINT32_C(1) << n;
    c->lr[n] = irq;
    irq->lr = (int8_t)n;
    return true;
}

void vgic_irq_release(struct vgic_cpu *c, struct vgic_irq *irq)
{
    if (irq->lr < 0)
        return;
    unsigned n = (unsigned)irq->lr;
    /* One that is merely over can stay as it is, unless it still asks for EOI maintenance. */
    if ((c->lr_value[n] & (ICH_LR_STATE_MASK | ICH_LR_EOI)) != 0)
        lr_write(c, irq, 0);
    irq->override = VGIC_KEEP;
    c->lr_used &= ~(UINT32_C(1) << n);
    c->lr[n] = NULL;
    irq->lr = -1;
}

/*
 * What the list register of a folded interrupt should hold; 0 if it needs none. One that is pending
 * and active is written as both, so that it comes again without our help, unless more important
 * ones may be left out: then they must have their chance at its deactivation. The EOI bit is how we
 * learn of that; so it is for a line that is still high, for a new route, and for a hardware
 * interrupt, which cannot be both (12.4.6) and is then deactivated by hand.
 */
static uint64_t lr_compose(const struct vgic *vgic, const struct vgic_irq *irq, bool overflow)
{
    bool pending = vgic_irq_is_deliverable(vgic, irq);
    bool both = pending && irq->active;
    if (!pending && !irq->active)
        return 0;
    uint64_t lr = irq->intid | (uint64_t)irq->priority << ICH_LR_PRIORITY_SHIFT;
    if (pending && !(both && overflow))
        lr |= ICH_LR_PENDING;
    if (irq->active)
        lr |= ICH_LR_ACTIVE;
    if (irq->group1)
        lr |= ICH_LR_GROUP1;
    if (irq->hw_active && !both)
        lr |= ICH_LR_HW | (uint64_t)irq->hw_intid << ICH_LR_PINTID_SHIFT;
    else if (irq->hw_active || (both && overflow) || (irq->level && !irq->edge) ||
             irq->target != irq->cpu)
        lr |= ICH_LR_EOI;
    return lr;
}

/* Nobody else deactivates the physical interrupt of one that ended without the guest's EOI. */
static void irq_settle_hw(struct vgic_irq *irq)
{
    if (!irq->hw_active || irq->active || vgic_irq_is_pending(irq))
        return;
    irq->hw_active = false;
    hal_irq_deactivate(irq->hw_intid);
}

void vgic_irq_retire(struct vgic_cpu *c, struct vgic_irq *irq)
{
    vgic_irq_release(c, irq);
    irq_settle_hw(irq);
    if (!vgic_irq_is_wanted(irq))
        list_remove(&irq->queue);
}

void vgic_irq_migrate(struct vgic *vgic, struct vgic_cpu *c, struct vgic_irq *irq, unsigned by)
{
    vgic_irq_release(c, irq);
    if (vgic_irq_is_lpi(irq)) {
        list_remove(&irq->queue);
        vgic_lpi_update(vgic, vgic_lpi_of(irq), by);
    } else {
        vgic_irq_hand_over(vgic, irq, by);
    }
}

bool vgic_irq_refresh(struct vgic *vgic, struct vgic_cpu *c, struct vgic_irq *irq)
{
    if (c->overflow || irq->any || irq->target != irq->cpu)
        return false;
    uint64_t value = lr_compose(vgic, irq, false);
    if (value == 0) {
        vgic_irq_retire(c, irq);
        return true;
    }
    if (irq->lr < 0 && !lr_assign(vgic, c, irq))
        return false;
    lr_write(c, irq, value);
    return true;
}

/* --- A new interrupt for the vCPU that is loaded here --- */

static __attribute__((noinline)) void raise_anyhow(struct vgic *vgic, unsigned cpu,
                                                   struct vgic_irq *irq, uint64_t hw)
{
    /* First, because the list register may tell of the end of its predecessor. */
    vgic_irq_fold(&vgic->cpu[cpu], irq);
    if (hw != 0)
        irq->hw_active = true;
    vgic_irq_latch(irq);
    vgic_irq_update_own(vgic, irq, cpu);
}

/*
 * The short way, for the SGI and the timer interrupt that come again and again: its predecessor is
 * over and still has the list register. Since nothing is waiting for a flush, whatever else is in
 * there (priority, group), what lets it be pending there (the enables), and its precedence over
 * those that the last flush left without a list register still hold.
 */
void vgic_irq_raise_own(struct vgic *vgic, unsigned cpu, struct vgic_irq *irq, uint64_t hw)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    if (irq->lr >= 0 && irq->armed && !vgic_needs_flush(vgic, cpu)) {
        unsigned n = (unsigned)irq->lr;
        uint64_t now = hal_gic_lr_get(c->vcpu, n);
        if ((now & (ICH_LR_STATE_MASK | ICH_LR_HW | ICH_LR_EOI)) == hw) {
            irq->latched = true;
            irq->active = false;
            irq->hw_active = hw != 0;
            c->lr_value[n] = now | ICH_LR_PENDING;
            hal_gic_lr_set(c->vcpu, n, now | ICH_LR_PENDING);
            return;
        }
    }
    raise_anyhow(vgic, cpu, irq, hw);
}

/* --- ICC_DIR_EL1 --- */

void vgic_deactivate(struct vgic *vgic, unsigned cpu, uint32_t intid)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    struct vgic_irq *irq = vgic_irq_find(vgic, cpu, intid);
    if (irq == NULL || (hal_gic_vmcr_get(c->vcpu) & ICH_VMCR_VEOIM) == 0)
        return;
    spinlock_lock(&vgic->lock);
    bool here = irq->lr >= 0 && irq->cpu == cpu;
    if (here)
        vgic_irq_fold(c, irq);
    vgic_irq_activate(irq, false);
    if (here)
        vgic_irq_update_own(vgic, irq, cpu);
    else
        vgic_irq_update(vgic, irq, cpu);
    spinlock_unlock(&vgic->lock);
}

/* --- The flush of all --- */

/* Takes everything off the queue and the list registers that has no business there, and counts the
 * rest. */
static struct lr_budget flush_prune(struct vgic *vgic, struct vgic_cpu *c, unsigned cpu)
{
    struct lr_budget count = {0, 0};
    struct list_node *next;
    for (struct list_node *pos = c->queue.next; pos != &c->queue; pos = next) {
        struct vgic_irq *irq = list_entry(pos, struct vgic_irq, queue);
        next = pos->next;
        if (irq->any && vgic_irq_is_pending(irq))
            vgic_irq_choose(vgic, irq, cpu);
        if (irq->active)
            count.active++;
        else if (irq->target != irq->cpu)
            vgic_irq_migrate(vgic, c, irq, cpu);
        else if (vgic_irq_is_deliverable(vgic, irq))
            count.pending++;
        else
            vgic_irq_retire(c, irq);
    }
    return count;
}

/* True if `irq` gets a list register: interrupts come in the order of importance. */
static bool budget_take(struct lr_budget *budget, const struct vgic *vgic,
                        const struct vgic_irq *irq)
{
    unsigned *left = irq->active ? &budget->active : &budget->pending;
    if (*left == 0 || (!irq->active && !vgic_irq_is_deliverable(vgic, irq)))
        return false;
    (*left)--;
    return true;
}

static void flush_evict(struct vgic *vgic, struct vgic_cpu *c, struct lr_budget budget)
{
    for (struct list_node *pos = c->queue.next; pos != &c->queue; pos = pos->next) {
        struct vgic_irq *irq = list_entry(pos, struct vgic_irq, queue);
        if (!budget_take(&budget, vgic, irq))
            vgic_irq_release(c, irq);
    }
}

static void flush_place(struct vgic *vgic, struct vgic_cpu *c, struct lr_budget budget)
{
    for (struct list_node *pos = c->queue.next; pos != &c->queue; pos = pos->next) {
        struct vgic_irq *irq = list_entry(pos, struct vgic_irq, queue);
        if (!budget_take(&budget, vgic, irq))
            continue;
        bool assigned = irq->lr >= 0 || lr_assign(vgic, c, irq);
        HV_CHECK(assigned);
        lr_write(c, irq, lr_compose(vgic, irq, c->overflow));
    }
}

static void flush_hcr(struct vgic_cpu *c, uint64_t hcr)
{
    if (c->hcr == hcr)
        return;
    c->hcr = hcr;
    hal_gic_hcr_set(c->vcpu, (hal_gic_hcr_get(c->vcpu) & ~HCR_OWNED) | hcr);
}

/*
 * The most important pending interrupt always gets a list register, so that it can preempt; then
 * active ones, whose EOIs are exact only there; then more pending ones. The maintenance interrupts
 * tell when those left out have to be looked at again.
 */
static void flush_all(struct vgic *vgic, struct vgic_cpu *c, unsigned cpu)
{
    vgic_cpu_fold(c);
    struct lr_budget want = flush_prune(vgic, c, cpu);
    if (c->lpi_waiting != 0 && vgic_lpi_stage(vgic, cpu))
        want = flush_prune(vgic, c, cpu);
    struct lr_budget get = want;
    uint64_t hcr = HCR_ALWAYS;
    unsigned lrs = vgic->nr_lrs;
    if (want.active + want.pending > lrs) {
        unsigned reserved = want.pending != 0 ? 1 : 0;
        get.active = want.active < lrs - reserved ? want.active : lrs - reserved;
        get.pending = want.pending < lrs - get.active ? want.pending : lrs - get.active;
        if (get.active < want.active)
            hcr |= ICH_HCR_LRENPIE;
        if (get.pending < want.pending)
            hcr |= ICH_HCR_NPIE;
        flush_evict(vgic, c, get);
    }
    c->overflow = hcr != HCR_ALWAYS;
    flush_place(vgic, c, get);
    flush_hcr(c, hcr);
}

void vgic_flush(struct vgic *vgic, unsigned cpu)
{
    if (!vgic_needs_flush(vgic, cpu))
        return;
    struct vgic_cpu *c = &vgic->cpu[cpu];
    spinlock_lock(&vgic->lock);
    struct vgic_irq *only = c->only;
    c->only = NULL;
    if (only != NULL)
        vgic_irq_fold(c, only);
    bool more = false;
    if (only == NULL || !vgic_irq_refresh(vgic, c, only)) {
        more = c->lpi_work && vgic_lpi_work(vgic, cpu);
        flush_all(vgic, c, cpu);
    }
    atomic_store_explicit(&c->dirty, more, memory_order_relaxed);
    spinlock_unlock(&vgic->lock);
}

/* --- Looks from outside --- */

void vgic_maintenance(struct vgic *vgic, unsigned cpu)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    /* At once: the interrupt is a level, which stays high until its cause is gone. */
    spinlock_lock(&vgic->lock);
    c->only = NULL;
    flush_all(vgic, c, cpu);
    atomic_store_explicit(&c->dirty, c->lpi_work, memory_order_relaxed);
    spinlock_unlock(&vgic->lock);
}

bool vgic_has_pending(struct vgic *vgic, unsigned cpu)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    spinlock_lock(&vgic->lock);
    vgic_cpu_fold(c);
    uint64_t vmcr = hal_gic_vmcr_get(c->vcpu);
    if (vgic->nr_any != 0)
        vgic_route_note_vmcr(vgic, cpu, vmcr);
    const struct vgic_irq *waits = vgic_lpi_waiting(c);
    bool found = c->lpi_work || (waits != NULL && vgic_irq_is_deliverable(vgic, waits) &&
                                 vgic_irq_passes(waits, vmcr));
    for (struct list_node *pos = c->queue.next; pos != &c->queue && !found; pos = pos->next) {
        const struct vgic_irq *irq = list_entry(pos, struct vgic_irq, queue);
        found = vgic_irq_is_deliverable(vgic, irq) && !irq->active && vgic_irq_passes(irq, vmcr);
    }
    spinlock_unlock(&vgic->lock);
    return found;
}
