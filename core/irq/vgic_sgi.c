/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Software-generated interrupts: ICC_SGI1R_EL1, ICC_SGI0R_EL1, ICC_ASGI1R_EL1 (IHI 0069, 12.2.16).
 */
#include "irq/vgic_priv.h"

#define SGIR_CLUSTER (BITS(55, 48) | BITS(39, 32) | BITS(23, 16)) /* Aff3, Aff2, Aff1 */

#define SGIR_TARGETS (SGIR_CLUSTER | ICC_SGIR_IRM | ICC_SGIR_TARGETLIST)

static void sgi_raise(struct vgic *vgic, unsigned to, uint32_t sgi, bool group1, unsigned by)
{
    struct vgic_irq *irq = &vgic->cpu[to].private_irq[sgi];
    if (irq->group1 != group1)
        return;
    if (to == by) {
        vgic_irq_raise_own(vgic, by, irq, 0);
    } else {
        vgic_irq_latch(irq);
        vgic_irq_update(vgic, irq, by);
    }
}

/* RS is taken as 0: GICD_TYPER.RSS is. Bits for vCPUs that do not exist are ignored. */
static bool sgi_targets(const struct vgic_cpu *c, uint64_t value)
{
    uint64_t aff0 = c->affinity & 0xff;
    return (value & SGIR_CLUSTER) == c->sgi_cluster && aff0 < 16 && (value & BIT(aff0)) != 0;
}

static __attribute__((noinline)) void sgi_raise_all(struct vgic *vgic, unsigned cpu, uint64_t value,
                                                    uint32_t sgi, bool group1)
{
    for (uint32_t to = 0; to < vgic->nr_cpus; to++) {
        bool target = (value & ICC_SGIR_IRM) != 0 ? to != cpu : sgi_targets(&vgic->cpu[to], value);
        if (target)
            sgi_raise(vgic, to, sgi, group1, cpu);
    }
}

void vgic_send_sgi(struct vgic *vgic, unsigned cpu, uint64_t value, bool group1)
{
    uint32_t sgi = (uint32_t)(value >> ICC_SGIR_INTID_SHIFT) & (GIC_NR_SGIS - 1);
    spinlock_lock(&vgic->lock);
    if ((value & SGIR_TARGETS) == vgic->cpu[cpu].sgi_self)
        sgi_raise(vgic, cpu, sgi, group1, cpu);
    else
        sgi_raise_all(vgic, cpu, value, sgi, group1);
    spinlock_unlock(&vgic->lock);
}
