/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The memory-mapped registers as data: one table for the distributor (IHI 0069, 12.9), one for the
 * redistributor (12.11), served by vgic_access.c. A row is the only place to touch when a register
 * is added.
 */
#include "irq/vgic_regs.h"
#include "irq/vgic_lpi.h"

/* Identification as QEMU's: a GICv3 by Arm, so that no guest applies an erratum's workaround. */
#define IIDR_ARM UINT32_C(0x43b)

#define GICR_SETLPIR 0x0040u
#define GICR_CLRLPIR 0x0048u
#define GICR_INVLPIR 0x00a0u
#define GICR_INVALLR 0x00b0u
#define GICR_SYNCR   0x00c0u
#define IDREGS_END   0x10000u

/* --- Register Write Pending --- */

/*
 * A disable reaches the list registers of a vCPU that runs elsewhere by its next flush, which ends
 * `dirty`; without a pCPU it has none. So RWP may stay too long, if there is something else to
 * flush, but is never clear too early.
 */
static bool rwp_is_over(const struct vgic_cpu *c)
{
    return !atomic_load_explicit(&c->dirty, memory_order_relaxed) ||
           !atomic_load_explicit(&c->loaded, memory_order_relaxed);
}

/* Before the vCPU is marked. */
static void rwp_begin(struct vgic_cpu *c, enum vgic_rwp whose)
{
    if (rwp_is_over(c))
        c->rwp = 0;
    c->rwp |= (uint8_t)whose;
}

static bool rwp_is_set(struct vgic_cpu *c, enum vgic_rwp whose)
{
    if (c->rwp != 0 && rwp_is_over(c))
        c->rwp = 0;
    return (c->rwp & whose) != 0;
}

/* --- One field of one interrupt --- */

static uint32_t get_group(const struct vgic_irq *irq)
{
    return irq->group1;
}

static bool set_group(struct vgic *vgic, struct vgic_irq *irq, uint32_t field)
{
    (void)vgic;
    bool changed = irq->group1 != (field != 0);
    irq->group1 = field != 0;
    return changed;
}

static uint32_t get_enable(const struct vgic_irq *irq)
{
    return irq->enabled;
}

static bool set_enable(struct vgic *vgic, struct vgic_irq *irq, uint32_t field)
{
    (void)vgic;
    (void)field;
    bool changed = !irq->enabled;
    irq->enabled = true;
    return changed;
}

static bool clear_enable(struct vgic *vgic, struct vgic_irq *irq, uint32_t field)
{
    (void)field;
    bool changed = irq->enabled;
    if (changed && irq->lr >= 0)
        rwp_begin(&vgic->cpu[irq->cpu],
                  irq->intid < GIC_NR_PRIVATE ? VGIC_RWP_REDIST : VGIC_RWP_DIST);
    irq->enabled = false;
    return changed;
}

static uint32_t get_pending(const struct vgic_irq *irq)
{
    return vgic_irq_is_pending(irq);
}

static bool set_pending(struct vgic *vgic, struct vgic_irq *irq, uint32_t field)
{
    (void)vgic;
    (void)field;
    vgic_irq_latch(irq);
    return true;
}

static bool clear_pending(struct vgic *vgic, struct vgic_irq *irq, uint32_t field)
{
    (void)vgic;
    (void)field;
    vgic_irq_unlatch(irq);
    return true;
}

static uint32_t get_active(const struct vgic_irq *irq)
{
    return irq->active;
}

static bool set_active(struct vgic *vgic, struct vgic_irq *irq, uint32_t field)
{
    (void)vgic;
    (void)field;
    vgic_irq_activate(irq, true);
    return true;
}

static bool clear_active(struct vgic *vgic, struct vgic_irq *irq, uint32_t field)
{
    (void)vgic;
    (void)field;
    vgic_irq_activate(irq, false);
    return true;
}

static uint32_t get_priority(const struct vgic_irq *irq)
{
    return irq->priority;
}

static bool set_priority(struct vgic *vgic, struct vgic_irq *irq, uint32_t field)
{
    uint8_t priority = (uint8_t)(field & VGIC_PRIORITY_MASK);
    if (irq->priority == priority)
        return false;
    irq->priority = priority;
    vgic_irq_reorder(vgic, irq);
    return true;
}

static uint32_t get_config(const struct vgic_irq *irq)
{
    return irq->edge ? 2 : 0;
}

static bool set_config(struct vgic *vgic, struct vgic_irq *irq, uint32_t field)
{
    (void)vgic;
    bool edge = (field & 2) != 0 || irq->intid < GIC_NR_SGIS;
    bool changed = irq->edge != edge;
    irq->edge = edge;
    return changed;
}

/* --- Whole registers --- */

static uint64_t read_dist_ctlr(const struct vgic_reg_access *a)
{
    uint64_t value = GICD_CTLR_DS | GICD_CTLR_ARE | a->vgic->ctlr;
    for (uint32_t cpu = 0; cpu < a->vgic->nr_cpus; cpu++)
        if (rwp_is_set(&a->vgic->cpu[cpu], VGIC_RWP_DIST))
            value |= GICD_CTLR_RWP;
    return value;
}

static void write_dist_ctlr(const struct vgic_reg_access *a, uint64_t value)
{
    uint32_t enables = (uint32_t)(value & (GICD_CTLR_ENABLE_GRP0 | GICD_CTLR_ENABLE_GRP1));
    bool disables = (a->vgic->ctlr & ~enables) != 0;
    if (a->vgic->ctlr == enables)
        return;
    a->vgic->ctlr = enables;
    for (uint32_t cpu = 0; cpu < a->vgic->nr_cpus; cpu++) {
        if (disables && a->vgic->cpu[cpu].lr_used != 0)
            rwp_begin(&a->vgic->cpu[cpu], VGIC_RWP_DIST);
        vgic_cpu_mark(a->vgic, cpu, NULL, a->by);
    }
}

static uint64_t read_dist_typer(const struct vgic_reg_access *a)
{
    return a->vgic->typer;
}

static uint64_t read_iidr(const struct vgic_reg_access *a)
{
    (void)a;
    return IIDR_ARM;
}

/* PIDR4..7, PIDR0..3, CIDR0..3: the CoreSight scheme; part 0x492 (PIDR0 of a redistributor: 0x93,
 * of an ITS: 0x94), JEP106 code 0x43b. */
uint32_t vgic_regs_read_id(uint32_t offset, uint32_t part)
{
    static const uint8_t id[] = {0x44, 0x00, 0x00, 0x00, 0x92, 0xb4,
                                 0x3b, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    uint32_t i = offset / 4;
    return id[i] + (i == 4 ? part : 0);
}

static uint64_t read_id(const struct vgic_reg_access *a)
{
    return vgic_regs_read_id(a->offset - GICD_IDREGS, a->redist != NULL ? 1 : 0);
}

static uint64_t read_router(const struct vgic_reg_access *a)
{
    const struct vgic_irq *irq =
        vgic_irq_find(a->vgic, VGIC_NO_CPU, (a->offset - GICD_IROUTER) / 8);
    return irq != NULL ? irq->router : 0;
}

static void write_router(const struct vgic_reg_access *a, uint64_t value)
{
    struct vgic_irq *irq = vgic_irq_find(a->vgic, VGIC_NO_CPU, (a->offset - GICD_IROUTER) / 8);
    if (irq != NULL)
        vgic_irq_set_route(a->vgic, irq, value, a->by);
}

/* The processor selections; of them nothing is ever in progress. DPG1S is RAZ/WI: DS = 1. */
static uint64_t read_redist_ctlr(const struct vgic_reg_access *a)
{
    return a->redist->ctlr | vgic_lpi_read_ctlr(a) |
           (rwp_is_set(a->redist, VGIC_RWP_REDIST) ? GICR_CTLR_RWP : 0);
}

static void write_redist_ctlr(const struct vgic_reg_access *a, uint64_t value)
{
    a->redist->ctlr = (uint32_t)(value & (GICR_CTLR_DPG0 | GICR_CTLR_DPG1NS));
    vgic_route_review(a->vgic, a->by);
    vgic_lpi_write_ctlr(a, value);
}

static uint64_t read_redist_typer(const struct vgic_reg_access *a)
{
    return a->redist->typer;
}

static uint64_t read_waker(const struct vgic_reg_access *a)
{
    return a->redist->waker;
}

/*
 * There is no power domain behind it: ChildrenAsleep follows ProcessorSleep at once, and nothing
 * but 1-of-N interrupts is kept from it while it sleeps. Guests that leave waking to EL3 firmware,
 * which they do not have here, rely on that.
 */
static void write_waker(const struct vgic_reg_access *a, uint64_t value)
{
    bool sleep = (value & GICR_WAKER_PROCESSOR_SLEEP) != 0;
    a->redist->waker =
        sleep ? (uint32_t)(GICR_WAKER_PROCESSOR_SLEEP | GICR_WAKER_CHILDREN_ASLEEP) : 0;
    vgic_route_review(a->vgic, a->by);
}

/* --- The tables, by ascending offset --- */

#define PER_IRQ_1  1
#define PER_IRQ_2  2
#define PER_IRQ_8  4
#define RAZ_WI     .sizes = 4, .flags = VGIC_ROW_CONST
#define RAZ_WI_64  .sizes = 4 | 8, .flags = VGIC_ROW_CONST | VGIC_ROW_WIDE
#define ONE(o)     .first = (o), .end = (o) + 4
#define WIDE(o)    .first = (o), .end = (o) + 8
#define SPAN(o, n) .first = (o), .end = (o) + (n)
#define BITMAP     .bits = PER_IRQ_1, .sizes = 4
#define SENTINEL                                                                                   \
    {                                                                                              \
        .first = UINT32_MAX, .end = UINT32_MAX                                                     \
    }

/* The registers with fields for each interrupt: those of INTIDs 0 to n - 1, at `base`. */
#define IRQ_ROWS(base, n)                                                                          \
    {SPAN((base) + GICD_IGROUPR, (n) / 8), BITMAP, .get = get_group, .set = set_group},            \
        {SPAN((base) + GICD_ISENABLER, (n) / 8), BITMAP, .flags = VGIC_ROW_ONES,                   \
         .get = get_enable, .set = set_enable},                                                    \
        {SPAN((base) + GICD_ICENABLER, (n) / 8), BITMAP, .flags = VGIC_ROW_ONES,                   \
         .get = get_enable, .set = clear_enable},                                                  \
        {SPAN((base) + GICD_ISPENDR, (n) / 8), BITMAP, .flags = VGIC_ROW_ONES | VGIC_ROW_SYNC,     \
         .get = get_pending, .set = set_pending},                                                  \
        {SPAN((base) + GICD_ICPENDR, (n) / 8), BITMAP, .flags = VGIC_ROW_ONES | VGIC_ROW_SYNC,     \
         .get = get_pending, .set = clear_pending},                                                \
        {SPAN((base) + GICD_ISACTIVER, (n) / 8), BITMAP, .flags = VGIC_ROW_ONES | VGIC_ROW_SYNC,   \
         .get = get_active, .set = set_active},                                                    \
        {SPAN((base) + GICD_ICACTIVER, (n) / 8), BITMAP, .flags = VGIC_ROW_ONES | VGIC_ROW_SYNC,   \
         .get = get_active, .set = clear_active},                                                  \
    {                                                                                              \
        SPAN((base) + GICD_IPRIORITYR, (n)), .bits = PER_IRQ_8, .sizes = 1 | 4,                    \
                                             .get = get_priority, .set = set_priority              \
    }

/* clang-format off */
const struct vgic_reg_row vgic_dist_rows[] = {
    {ONE(GICD_CTLR), .sizes = 4, .read = read_dist_ctlr, .write = write_dist_ctlr},
    {ONE(GICD_TYPER), .sizes = 4, .flags = VGIC_ROW_CONST, .read = read_dist_typer},
    {ONE(GICD_IIDR), .sizes = 4, .flags = VGIC_ROW_CONST, .read = read_iidr},
    {ONE(GICD_TYPER2), RAZ_WI},
    {ONE(GICD_STATUSR), RAZ_WI},
    IRQ_ROWS(0, 1024u),
    {SPAN(GICD_ITARGETSR, 0x400), .sizes = 1 | 4, .flags = VGIC_ROW_CONST}, /* ARE = 1: RES0 */
    {SPAN(GICD_ICFGR, 0x100), .bits = PER_IRQ_2, .sizes = 4, .get = get_config, .set = set_config},
    {SPAN(GICD_IGRPMODR, 0x80), RAZ_WI}, /* DS = 1 */
    {SPAN(GICD_NSACR, 0x100), RAZ_WI},   /* DS = 1 */
    {ONE(GICD_SGIR), RAZ_WI},            /* ARE = 1: RES0, as the next */
    {SPAN(GICD_CPENDSGIR, 0x20), .sizes = 1 | 4, .flags = VGIC_ROW_CONST},
    {SPAN(GICD_IROUTER, 0x1fe0), .sizes = 4 | 8, .flags = VGIC_ROW_WIDE, .read = read_router, .write = write_router},
    {.first = GICD_IDREGS, .end = IDREGS_END, .sizes = 4, .flags = VGIC_ROW_CONST, .read = read_id},
    SENTINEL,
};

const struct vgic_reg_row vgic_redist_rows[] = {
    {ONE(GICR_CTLR), .sizes = 4, .read = read_redist_ctlr, .write = write_redist_ctlr},
    {ONE(GICR_IIDR), .sizes = 4, .flags = VGIC_ROW_CONST, .read = read_iidr},
    {WIDE(GICR_TYPER), .sizes = 4 | 8, .flags = VGIC_ROW_CONST | VGIC_ROW_WIDE, .read = read_redist_typer},
    {ONE(GICR_STATUSR), RAZ_WI},
    {ONE(GICR_WAKER), .sizes = 4, .read = read_waker, .write = write_waker},
    {WIDE(GICR_SETLPIR), RAZ_WI_64}, /* GICR_TYPER.DirectLPI = 0, GICR_CTLR.IR = 0 */
    {WIDE(GICR_CLRLPIR), RAZ_WI_64},
    {WIDE(GICR_PROPBASER), .sizes = 4 | 8, .flags = VGIC_ROW_WIDE, .read = vgic_lpi_read_propbaser, .write = vgic_lpi_write_propbaser},
    {WIDE(GICR_PENDBASER), .sizes = 4 | 8, .flags = VGIC_ROW_WIDE, .read = vgic_lpi_read_pendbaser, .write = vgic_lpi_write_pendbaser},
    {WIDE(GICR_INVLPIR), RAZ_WI_64},
    {WIDE(GICR_INVALLR), RAZ_WI_64},
    {ONE(GICR_SYNCR), RAZ_WI},
    {.first = GICR_IDREGS, .end = IDREGS_END, .sizes = 4, .flags = VGIC_ROW_CONST, .read = read_id},
    IRQ_ROWS(GICR_SGI_BASE, 32u),
    {SPAN(GICR_SGI_BASE + GICD_ICFGR, 8), .bits = PER_IRQ_2, .sizes = 4, .get = get_config, .set = set_config},
    {ONE(GICR_SGI_BASE + GICD_IGRPMODR), RAZ_WI}, /* DS = 1 */
    {ONE(GICR_SGI_BASE + GICD_NSACR), RAZ_WI},    /* DS = 1 */
    SENTINEL,
};
/* clang-format on */
