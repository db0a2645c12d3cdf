/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Set-up, lookups, sources of interrupts, and the queues of the vCPUs. */
#include "base/check.h"
#include "hal/hal.h"
#include "irq/vgic_lpi.h"

/* GICD_TYPER: A3V, INTIDs of 10 bits, or of 16 with LPIs; 1-of-N distribution; no MBIs, no range
 * selector. */
#define TYPER_A3V    BIT(24)
#define TYPER_IDBITS (UINT64_C(9) << 19)
#define TYPER_LPIS   (BIT(17) | (uint64_t)(VGIC_INTID_BITS - 1) << 19)

void vgic_irq_init(struct vgic_irq *irq, uint32_t intid, uint32_t target)
{
    *irq = (struct vgic_irq){
        .intid = intid,
        .hw_intid = VGIC_NO_HW,
        .target = target,
        .lr = -1,
        .edge = intid < GIC_NR_SGIS,
    };
    list_init(&irq->queue);
}

static void cpu_init(struct vgic *vgic, uint32_t cpu)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    c->affinity &= BITS(39, 32) | BITS(23, 0);
    c->sgi_cluster = bits_get(c->affinity, 39, 32) << 48 | bits_get(c->affinity, 23, 16) << 32 |
                     bits_get(c->affinity, 15, 8) << 16;
    c->sgi_self =
        (c->affinity & 0xff) < 16 ? c->sgi_cluster | BIT(c->affinity & 0xff) : VGIC_NO_SGI;
    c->waker = GICR_WAKER_PROCESSOR_SLEEP | GICR_WAKER_CHILDREN_ASLEEP;
    c->typer = bits_get(c->affinity, 39, 32) << 56 | bits_get(c->affinity, 23, 0) << 32 |
               (uint64_t)cpu << 8 | GICR_TYPER_DPGS |
               (cpu + 1 == vgic->nr_cpus ? GICR_TYPER_LAST : 0) |
               (vgic->its.s2 != NULL ? GICR_TYPER_PLPIS : 0);
    list_init(&c->queue);
    vgic_lpi_init_cpu(c);
    for (uint32_t intid = 0; intid < GIC_NR_PRIVATE; intid++)
        vgic_irq_init(&c->private_irq[intid], intid, cpu);
    atomic_init(&c->dirty, true);
    atomic_init(&c->loaded, false);
    c->hw_mapped = 0;
}

hv_err vgic_init(struct vgic *vgic, const struct vgic_config *config)
{
    if (config->nr_cpus == 0 || config->nr_cpus > VGIC_MAX_CPUS || config->nr_spis > VGIC_MAX_SPIS)
        return HV_ERR_RANGE;
    if (config->kick == NULL ||
        (config->s2 != NULL && (config->pool == NULL || config->account == NULL)))
        return HV_ERR_INVAL;
    *vgic = (struct vgic){
        .cpu = config->cpu,
        .spi = config->spi,
        .nr_cpus = config->nr_cpus,
        .nr_spis = config->nr_spis,
        .nr_lrs = hal_gic_lr_count(),
        .kick = config->kick,
        .kick_ctx = config->kick_ctx,
        .its = {.s2 = config->s2, .pool = config->pool, .account = config->account},
    };
    vgic->typer = (uint32_t)(TYPER_A3V | (config->nr_spis + 31) / 32 |
                             (config->s2 != NULL ? TYPER_LPIS : TYPER_IDBITS));
    spinlock_init(&vgic->its.lock, LOCK_RANK_ITS);
    spinlock_init(&vgic->lock, LOCK_RANK_VGIC);
    vgic_regs_init(vgic);
    for (uint32_t cpu = 0; cpu < vgic->nr_cpus; cpu++)
        cpu_init(vgic, cpu);
    uint32_t target = vgic_cpu_by_affinity(vgic, 0);
    for (uint32_t i = 0; i < vgic->nr_spis; i++)
        vgic_irq_init(&vgic->spi[i], GIC_FIRST_SPI + i, target);
    return HV_OK;
}

void vgic_destroy(struct vgic *vgic)
{
    vgic_lpi_destroy(vgic);
}

struct vgic_irq *vgic_irq_find(struct vgic *vgic, unsigned cpu, uint32_t intid)
{
    if (intid < GIC_NR_PRIVATE)
        return cpu < vgic->nr_cpus ? &vgic->cpu[cpu].private_irq[intid] : NULL;
    uint32_t spi = intid - GIC_FIRST_SPI;
    return spi < vgic->nr_spis ? &vgic->spi[spi] : NULL;
}

/* --- Queues --- */

void vgic_irq_enqueue(struct vgic *vgic, struct vgic_irq *irq, uint32_t cpu)
{
    struct list_node *head = &vgic->cpu[cpu].queue;
    struct list_node *pos = head->next;
    for (; pos != head; pos = pos->next) {
        const struct vgic_irq *other = list_entry(pos, struct vgic_irq, queue);
        if (irq->priority < other->priority ||
            (irq->priority == other->priority && irq->intid < other->intid))
            break;
    }
    irq->cpu = cpu;
    list_insert_before(pos, &irq->queue);
}

void vgic_irq_reorder(struct vgic *vgic, struct vgic_irq *irq)
{
    if (!vgic_irq_is_queued(irq))
        return;
    list_remove(&irq->queue);
    vgic_irq_enqueue(vgic, irq, irq->cpu);
}

void vgic_cpu_mark(struct vgic *vgic, unsigned cpu, struct vgic_irq *only, unsigned by)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    if (vgic_needs_flush(vgic, cpu) && c->only != only)
        only = NULL;
    c->only = only;
    /* Relaxed: the lock orders it against the flush that clears it, and who looks without the lock
     * and misses it is made to look again by the kick. */
    atomic_store_explicit(&c->dirty, true, memory_order_relaxed);
    /* Even if it was dirty before: it may have looked meanwhile, found nothing, and gone to WFI. */
    if (cpu != by)
        vgic->kick(vgic->kick_ctx, cpu);
}

/* It stays where the guest may have taken it, or has: its vCPU's flush moves it when it can. */
static bool irq_is_bound(const struct vgic_irq *irq)
{
    return irq->lr >= 0 || irq->active || irq->hw_active;
}

void vgic_irq_dequeue(struct vgic *vgic, struct vgic_irq *irq)
{
    struct vgic_cpu *c = &vgic->cpu[irq->cpu];
    if (c->only == irq)
        c->only = NULL;
    list_remove(&irq->queue);
}

static bool irq_join_target(struct vgic *vgic, struct vgic_irq *irq)
{
    if (irq->target == VGIC_NO_CPU || !vgic_irq_is_wanted(irq))
        return false;
    vgic_irq_enqueue(vgic, irq, irq->target);
    return true;
}

static bool irq_is_in_play(struct vgic *vgic, struct vgic_irq *irq, unsigned by)
{
    if (vgic_irq_is_queued(irq)) {
        if (irq_is_bound(irq))
            return true;
        if (irq->any)
            vgic_irq_choose(vgic, irq, by);
        if (irq->target == irq->cpu)
            return true;
        vgic_irq_dequeue(vgic, irq);
    } else if (irq->any && vgic_irq_is_wanted(irq)) {
        irq->target = VGIC_NO_CPU;
        vgic_irq_choose(vgic, irq, by);
    }
    return irq_join_target(vgic, irq);
}

void vgic_irq_hand_over(struct vgic *vgic, struct vgic_irq *irq, unsigned by)
{
    list_remove(&irq->queue);
    if (irq_join_target(vgic, irq))
        vgic_cpu_mark(vgic, irq->cpu, irq, by);
}

void vgic_irq_update(struct vgic *vgic, struct vgic_irq *irq, unsigned by)
{
    if (irq_is_in_play(vgic, irq, by))
        vgic_cpu_mark(vgic, irq->cpu, irq, by);
}

void vgic_irq_update_own(struct vgic *vgic, struct vgic_irq *irq, unsigned by)
{
    if (!irq_is_in_play(vgic, irq, by))
        return;
    if (vgic_needs_flush(vgic, by) || !vgic_irq_refresh(vgic, &vgic->cpu[by], irq))
        vgic_cpu_mark(vgic, by, NULL, by);
}

/* --- Sources --- */

void vgic_set_level(struct vgic *vgic, unsigned cpu, uint32_t intid, bool level)
{
    struct vgic_irq *irq = vgic_irq_find(vgic, cpu, intid);
    HV_CHECK(irq != NULL && intid >= GIC_NR_SGIS);
    spinlock_lock(&vgic->lock);
    if (irq->hw_intid != VGIC_NO_HW) {
        if (!level && irq->latched) {
            vgic_irq_unlatch(irq);
            vgic_irq_update(vgic, irq, VGIC_NO_CPU);
        }
    } else if (irq->level != level) {
        irq->level = level;
        if (level && irq->edge)
            vgic_irq_latch(irq);
        if (level || !irq->edge)
            vgic_irq_update(vgic, irq, VGIC_NO_CPU);
    }
    spinlock_unlock(&vgic->lock);
}

void vgic_map_hw(struct vgic *vgic, unsigned cpu, uint32_t intid, uint32_t hw_intid)
{
    struct vgic_irq *irq = vgic_irq_find(vgic, cpu, intid);
    HV_CHECK(irq != NULL && intid >= GIC_NR_SGIS && intid < GIC_NR_PRIVATE);
    HV_CHECK(hw_intid >= GIC_NR_SGIS && hw_intid < GIC_INTID_FIRST_SPECIAL);
    spinlock_lock(&vgic->lock);
    irq->hw_intid = hw_intid;
    vgic->cpu[cpu].hw_mapped |= UINT32_C(1) << intid;
    spinlock_unlock(&vgic->lock);
}

/* A latch on top of an active one is the guest's own (ISPENDR): the line has no part in it. */
void vgic_lower_hw(struct vgic *vgic, unsigned cpu, uint32_t intid)
{
    HV_CHECK(cpu < vgic->nr_cpus && intid < GIC_NR_PRIVATE);
    struct vgic_irq *irq = &vgic->cpu[cpu].private_irq[intid];
    HV_CHECK(irq->hw_intid != VGIC_NO_HW);
    spinlock_lock(&vgic->lock);
    vgic_irq_fold(&vgic->cpu[cpu], irq);
    if (irq->latched && irq->hw_active && !irq->active) {
        vgic_irq_unlatch(irq);
        vgic_irq_update_own(vgic, irq, cpu);
    }
    spinlock_unlock(&vgic->lock);
}

void vgic_raise_hw(struct vgic *vgic, unsigned cpu, uint32_t intid)
{
    HV_CHECK(cpu < vgic->nr_cpus && intid < GIC_NR_PRIVATE);
    struct vgic_irq *irq = &vgic->cpu[cpu].private_irq[intid];
    HV_CHECK(irq->hw_intid != VGIC_NO_HW);
    spinlock_lock(&vgic->lock);
    vgic_irq_raise_own(vgic, cpu, irq, ICH_LR_HW);
    spinlock_unlock(&vgic->lock);
}
