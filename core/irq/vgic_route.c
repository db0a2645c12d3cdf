/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which vCPU an SPI goes to: affinity routing and 1 of N (IHI 0069, 3.1 and GICD_IROUTER<n>). */
#include "hal/hal.h"
#include "irq/vgic_priv.h"

#define AFFINITY_MASK (BITS(39, 32) | BITS(23, 0))

/* How good a choice a vCPU is: a sum. */
enum chance {
    CHANCE_NONE = 0,   /* does not participate */
    CHANCE_SOME = 1,   /* participates */
    CHANCE_LOADED = 1, /* and has a pCPU */
    CHANCE_NOW = 2,    /* and nothing that is known keeps it from taking the interrupt at once */
};

uint32_t vgic_cpu_by_affinity(const struct vgic *vgic, uint64_t affinity)
{
    for (uint32_t cpu = 0; cpu < vgic->nr_cpus; cpu++)
        if (vgic->cpu[cpu].affinity == (affinity & AFFINITY_MASK))
            return cpu;
    return VGIC_NO_CPU;
}

/* --- 1 of N --- */

/* No other interrupt of its priority or a better one is before it there. */
static bool is_first_in(const struct vgic *vgic, const struct vgic_cpu *c,
                        const struct vgic_irq *irq)
{
    for (struct list_node *pos = c->queue.next; pos != &c->queue; pos = pos->next) {
        const struct vgic_irq *other = list_entry(pos, struct vgic_irq, queue);
        if (other->priority > irq->priority)
            break;
        if (other != irq && (other->active || vgic_irq_is_deliverable(vgic, other)))
            return false;
    }
    return true;
}

static unsigned chance_of(const struct vgic *vgic, const struct vgic_cpu *c,
                          const struct vgic_irq *irq)
{
    unsigned chance = CHANCE_SOME;
    if (c->waker != 0 || (c->ctlr & (irq->group1 ? GICR_CTLR_DPG1NS : GICR_CTLR_DPG0)) != 0)
        return CHANCE_NONE;
    if (atomic_load_explicit(&c->loaded, memory_order_relaxed))
        chance += CHANCE_LOADED;
    if (vgic_irq_passes(irq, c->vmcr) && is_first_in(vgic, c, irq))
        chance += CHANCE_NOW;
    return chance;
}

/* The one that has it stays the target unless another is better, so that it does not wander. */
void vgic_irq_choose(struct vgic *vgic, struct vgic_irq *irq, unsigned by)
{
    uint32_t best = VGIC_NO_CPU;
    unsigned best_chance = CHANCE_NONE;
    if (by != VGIC_NO_CPU)
        vgic->cpu[by].vmcr = hal_gic_vmcr_get(vgic->cpu[by].vcpu);
    if (irq->target != VGIC_NO_CPU) {
        best_chance = chance_of(vgic, &vgic->cpu[irq->target], irq);
        best = best_chance != CHANCE_NONE ? irq->target : VGIC_NO_CPU;
    }
    for (uint32_t i = 1; i <= vgic->nr_cpus; i++) {
        uint32_t cpu = (vgic->cursor + i) % vgic->nr_cpus;
        unsigned chance = chance_of(vgic, &vgic->cpu[cpu], irq);
        if (chance > best_chance) {
            best = cpu;
            best_chance = chance;
        }
    }
    if (best != irq->target && best != VGIC_NO_CPU)
        vgic->cursor = best;
    irq->target = best;
}

void vgic_route_review(struct vgic *vgic, unsigned by)
{
    uint32_t left = vgic->nr_any;
    for (uint32_t i = 0; left != 0; i++) {
        struct vgic_irq *irq = &vgic->spi[i];
        if (!irq->any)
            continue;
        left--;
        vgic_irq_update(vgic, irq, by);
    }
}

void vgic_route_note_vmcr(struct vgic *vgic, unsigned by, uint64_t vmcr)
{
    struct vgic_cpu *c = &vgic->cpu[by];
    bool enabled = (vmcr & ~c->vmcr & (ICH_VMCR_VENG0 | ICH_VMCR_VENG1)) != 0;
    c->vmcr = vmcr;
    if (enabled)
        vgic_route_review(vgic, by);
}

/* --- The register --- */

void vgic_irq_set_route(struct vgic *vgic, struct vgic_irq *irq, uint64_t value, unsigned by)
{
    bool any = (value & GICD_IROUTER_IRM) != 0;
    vgic->nr_any += (any ? 1u : 0u) - (irq->any ? 1u : 0u);
    irq->router = value & (AFFINITY_MASK | GICD_IROUTER_IRM);
    irq->any = any;
    if (!any)
        irq->target = vgic_cpu_by_affinity(vgic, irq->router);
    vgic_irq_update(vgic, irq, by);
}
