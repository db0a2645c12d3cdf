/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine's GICv3 (IHI 0069), non-secure side, group 1 only, EOImode 1: priority drop and
 * deactivation are two steps. */
#include "abi/gicv3.h"
#include "base/bits.h"
#include "hal/hal.h"
#include "internal.h"

#define GICD_CTLR_RWP BIT(31)
#define GICR_CTLR_RWP BIT(3)
#define GICD_CTLR_ENABLE_ALL                                                                       \
    (BIT(4) | BIT(1) | BIT(0)) /* ARE_NS | EnableGrp1(A) in both views of the register */
#define PRIORITY_ALL    UINT32_C(0xa0a0a0a0)
#define GICR_FRAME_PAIR UINT64_C(0x20000)

static volatile uint32_t *gicd;
static uint32_t nr_intids;

static void wait_dist(void)
{
    while ((mmio_read32(gicd, GICD_CTLR) & GICD_CTLR_RWP) != 0) {
    }
}

static void dist_init(void)
{
    mmio_write32(gicd, GICD_CTLR, 0);
    wait_dist();
    nr_intids = 32 * ((mmio_read32(gicd, GICD_TYPER) & 0x1f) + 1);
    if (nr_intids > GIC_MAX_INTID + 1)
        nr_intids = GIC_MAX_INTID + 1;
    for (uint32_t n = 32; n < nr_intids; n += 32)
        mmio_write32(gicd, GICD_ICENABLER + n / 8, ~UINT32_C(0));
    wait_dist();
    for (uint32_t n = 32; n < nr_intids; n += 32) {
        mmio_write32(gicd, GICD_ICPENDR + n / 8, ~UINT32_C(0));
        mmio_write32(gicd, GICD_ICACTIVER + n / 8, ~UINT32_C(0));
        mmio_write32(gicd, GICD_IGROUPR + n / 8, ~UINT32_C(0));
    }
    for (uint32_t n = 32; n < nr_intids; n += 4)
        mmio_write32(gicd, GICD_IPRIORITYR + n, PRIORITY_ALL);
    mmio_write32(gicd, GICD_CTLR, GICD_CTLR_ENABLE_ALL);
    wait_dist();
}

/* The redistributor whose GICR_TYPER names this CPU, or NULL. */
static volatile uint32_t *find_redist(const struct hal_platform *platform, uint64_t mpidr)
{
    uint32_t aff = (uint32_t)((mpidr & 0xffffff) | (bits_get(mpidr, 39, 32) << 24));

    for (uint32_t i = 0; i < platform->nr_gicr; i++) {
        uint64_t stride = platform->gicr_stride != 0 ? platform->gicr_stride : GICR_FRAME_PAIR;
        uint64_t size = platform->gicr[i].size;
        for (uint64_t off = 0; off <= size && size - off >= GICR_FRAME_PAIR; off += stride) {
            volatile uint32_t *rd = (volatile uint32_t *)(platform->gicr[i].base + off);
            uint32_t low = mmio_read32(rd, GICR_TYPER);
            if (mmio_read32(rd, GICR_TYPER + 4) == aff)
                return rd;
            if ((low & GICR_TYPER_LAST) != 0)
                break;
            if (platform->gicr_stride == 0 && (low & BIT(1)) != 0) /* VLPIS: two more frames */
                off += GICR_FRAME_PAIR;
        }
    }
    return NULL;
}

static void wait_redist(const volatile uint32_t *rd)
{
    while ((mmio_read32(rd, GICR_CTLR) & GICR_CTLR_RWP) != 0) {
    }
}

static void redist_init(volatile uint32_t *rd)
{
    volatile char *sgi = (volatile char *)rd + GICR_SGI_BASE;

    mmio_write32(rd, GICR_WAKER,
                 mmio_read32(rd, GICR_WAKER) & ~(uint32_t)GICR_WAKER_PROCESSOR_SLEEP);
    while ((mmio_read32(rd, GICR_WAKER) & GICR_WAKER_CHILDREN_ASLEEP) != 0) {
    }
    mmio_write32(sgi, GICD_ICENABLER, ~UINT32_C(0));
    wait_redist(rd);
    mmio_write32(sgi, GICD_ICPENDR, ~UINT32_C(0));
    mmio_write32(sgi, GICD_ICACTIVER, ~UINT32_C(0));
    mmio_write32(sgi, GICD_IGROUPR, ~UINT32_C(0));
    for (uint32_t n = 0; n < 32; n += 4)
        mmio_write32(sgi, GICD_IPRIORITYR + n, PRIORITY_ALL);
}

/* Active priorities that a loader left behind would hold back everything that is no more important.
 */
static void clear_active_priorities(uint64_t pribits, bool group0)
{
    sysreg_write(icc_ap1r0_el1, UINT64_C(0));
    if (pribits >= 6)
        sysreg_write(icc_ap1r1_el1, UINT64_C(0));
    if (pribits >= 7) {
        sysreg_write(icc_ap1r2_el1, UINT64_C(0));
        sysreg_write(icc_ap1r3_el1, UINT64_C(0));
    }
    /* With two security states group 0 is EL3's, which may trap the accesses. */
    if (!group0)
        return;
    sysreg_write(icc_igrpen0_el1, UINT64_C(0));
    sysreg_write(icc_ap0r0_el1, UINT64_C(0));
    if (pribits >= 6)
        sysreg_write(icc_ap0r1_el1, UINT64_C(0));
    if (pribits >= 7) {
        sysreg_write(icc_ap0r2_el1, UINT64_C(0));
        sysreg_write(icc_ap0r3_el1, UINT64_C(0));
    }
}

static void cpu_interface_init(struct percpu *cpu)
{
    uint64_t vtr;
    uint64_t prebits;

    sysreg_write(icc_sre_el2, UINT64_C(0xf)); /* SRE, DFB, DIB, and Enable to set EL1's */
    isb();
    sysreg_write(icc_sre_el1, UINT64_C(0x7));
    isb();
    sysreg_write(icc_sre_el2, UINT64_C(0x7)); /* from now on ICC_SRE_EL1 is core's to answer for */
    isb();
    clear_active_priorities(bits_get(sysreg_read(icc_ctlr_el1), 10, 8) + 1,
                            (mmio_read32(gicd, GICD_CTLR) & GICD_CTLR_DS) != 0);
    sysreg_write(icc_pmr_el1, UINT64_C(0xf0));
    sysreg_write(icc_bpr1_el1, UINT64_C(0));
    sysreg_write(icc_ctlr_el1, BIT(1)); /* EOImode */
    sysreg_write(icc_igrpen1_el1, UINT64_C(1));
    sysreg_write(ich_hcr_el2, UINT64_C(0));
    isb();
    vtr = sysreg_read(ich_vtr_el2);
    prebits = bits_get(vtr, 28, 26) + 1;
    cpu->idregs.ich_vtr = vtr;
    cpu->nr_lrs = (uint32_t)bits_get(vtr, 4, 0) + 1;
    cpu->nr_aprs = prebits >= 7 ? 4 : prebits == 6 ? 2 : 1;
}

void gic_init_cpu(uint32_t enabled)
{
    struct percpu *cpu = percpu_self();

    redist_init(cpu->gicr);
    cpu_interface_init(cpu);
    mmio_write32((volatile char *)cpu->gicr + GICR_SGI_BASE, GICD_ISENABLER, enabled);
}

void gic_stop_cpu(void)
{
    volatile uint32_t *rd = percpu_self()->gicr;

    sysreg_write(icc_igrpen1_el1, UINT64_C(0));
    isb();
    mmio_write32((volatile char *)rd + GICR_SGI_BASE, GICD_ICENABLER, ~UINT32_C(0));
    wait_redist(rd);
}

hv_err gic_init(const struct hal_platform *platform)
{
    hv_err err = mmu_map(platform->gicd.base, platform->gicd.size, MMU_DEVICE);

    for (uint32_t i = 0; err == HV_OK && i < platform->nr_gicr; i++)
        err = mmu_map(platform->gicr[i].base, platform->gicr[i].size, MMU_DEVICE);
    if (err != HV_OK)
        return err;
    gicd = (volatile uint32_t *)platform->gicd.base;
    dist_init();
    for (uint32_t i = 0; i < platform->nr_cpus; i++)
        percpu[i].gicr = find_redist(platform, percpu[i].mpidr);
    return percpu_self()->gicr != NULL ? HV_OK : HV_ERR_NOENT;
}

unsigned hal_gic_lr_count(void)
{
    return percpu_self()->nr_lrs;
}

uint32_t hal_irq_ack(void)
{
    uint32_t intid = (uint32_t)sysreg_read(icc_iar1_el1) & 0xffffff;

    dsb(sy);
    return intid >= GIC_INTID_FIRST_SPECIAL && intid <= GIC_INTID_NONE ? HAL_INTID_NONE : intid;
}

void hal_irq_end(uint32_t intid, bool deactivate)
{
    sysreg_write(icc_eoir1_el1, (uint64_t)intid);
    if (deactivate)
        sysreg_write(icc_dir_el1, (uint64_t)intid);
    isb();
}

void hal_irq_deactivate(uint32_t intid)
{
    sysreg_write(icc_dir_el1, (uint64_t)intid);
    isb();
}

void hal_irq_activate(uint32_t intid)
{
    volatile char *sgi = (volatile char *)percpu_self()->gicr + GICR_SGI_BASE;

    mmio_write32(sgi, GICD_ISACTIVER, UINT32_C(1) << (intid % 32));
    /* No RWP waits for it: a load from the same place comes behind the store. */
    (void)mmio_read32(sgi, GICD_ISACTIVER);
}

hv_err hal_irq_enable(uint32_t intid, bool enable)
{
    struct percpu *cpu = percpu_self();
    uint32_t reg = (enable ? GICD_ISENABLER : GICD_ICENABLER) + 4 * (intid / 32);
    uint32_t bit = UINT32_C(1) << (intid % 32);

    if (intid < GIC_NR_PRIVATE) {
        mmio_write32((volatile char *)cpu->gicr + GICR_SGI_BASE, reg, bit);
        wait_redist(cpu->gicr); /* off is off when this returns; on waits for nothing */
        return HV_OK;
    }
    if (intid >= nr_intids)
        return HV_ERR_RANGE;
    if (enable) {
        volatile char *router = (volatile char *)gicd + GICD_IROUTER + 8 * (uint64_t)intid;
        *(volatile uint64_t *)(volatile void *)router = cpu->mpidr;
    }
    mmio_write32(gicd, reg, bit);
    wait_dist();
    return HV_OK;
}
