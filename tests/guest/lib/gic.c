/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/gic.h"

#include "lib/smp.h"
#include "lib/timer.h"
#include "lib/trap.h"

volatile struct gic_log gic_log;
static void (*gic_callback)(uint32_t intid);

static void gic_handle_irq(void)
{
    uint32_t intid = (uint32_t)SYS_READ(ICC_IAR1) & 0xffffffu;

    sys_dsb();
    if (intid >= 1020 && intid <= GIC_SPURIOUS) {
        gic_log.spurious++;
        return;
    }
    if (gic_log.taken < GIC_LOG_SIZE) {
        gic_log.order[gic_log.taken] = intid;
    }
    gic_log.taken++;
    if (gic_callback != NULL) {
        gic_callback(intid);
    }
    SYS_WRITE(ICC_EOIR1, intid);
    sys_isb();
}

uint64_t gic_redistributor(unsigned cpu)
{
    return GICR_BASE + cpu * GICR_STRIDE;
}

static void gic_wait_rwp(void)
{
    while ((mmio_read32(GICD_BASE + GICD_CTLR) & GICD_CTLR_RWP) != 0) {
    }
    while ((mmio_read32(gic_redistributor(smp_self()) + GICR_CTLR) & (1u << 3)) != 0) {
    }
}

/* Interrupts 32*word .. 32*word + 31. */
static void gic_quiesce_word(uint64_t frame, unsigned word)
{
    mmio_write32(frame + GIC_ICENABLER + 4 * word, ~0u);
    gic_wait_rwp();
    mmio_write32(frame + GIC_ICPENDR + 4 * word, ~0u);
    mmio_write32(frame + GIC_ICACTIVER + 4 * word, ~0u);
    mmio_write32(frame + GIC_IGROUPR + 4 * word, ~0u);
    for (unsigned i = 0; i < 8; i++) {
        mmio_write32(frame + GIC_IPRIORITYR + 32 * word + 4 * i,
                     GIC_PRIORITY_DEFAULT * 0x01010101u);
    }
}

static void gic_init_redistributor(void)
{
    uint64_t base = gic_redistributor(smp_self());

    mmio_write32(base + GICR_WAKER, 0);
    while ((mmio_read32(base + GICR_WAKER) & (1u << 2)) != 0) {
    }
    gic_quiesce_word(base + GICR_SGI_FRAME, 0);
}

static void gic_init_cpu_interface(void)
{
    SYS_WRITE(ICC_SRE, SYS_READ(ICC_SRE) | 1);
    sys_isb();
    SYS_WRITE(ICC_CTLR, 0);
    SYS_WRITE(ICC_BPR1, 0);
    SYS_WRITE(ICC_PMR, 0xff);
    SYS_WRITE(ICC_IGRPEN1, 1);
    sys_isb();
}

void gic_init_cpu(void)
{
    gic_init_redistributor();
    gic_init_cpu_interface();
}

void gic_init(void)
{
    mmio_write32(GICD_BASE + GICD_CTLR, 0);
    gic_wait_rwp();
    mmio_write32(GICD_BASE + GICD_CTLR, GICD_CTLR_ARE);
    gic_wait_rwp();
    gic_init_redistributor();
    unsigned words = (mmio_read32(GICD_BASE + GICD_TYPER) & 0x1f) + 1;
    for (unsigned word = 1; word < words; word++) {
        gic_quiesce_word(GICD_BASE, word);
        mmio_write32(GICD_BASE + GIC_ICFGR + 8 * word, 0);
        mmio_write32(GICD_BASE + GIC_ICFGR + 8 * word + 4, 0);
        for (unsigned i = 32 * word; i < 32 * word + 32 && i < 1020; i++) {
            mmio_write64(GICD_BASE + GICD_IROUTER + 8 * i, SYS_READ("mpidr_el1") & 0xff00ffffffUL);
        }
    }
    gic_init_cpu_interface();
    mmio_write32(GICD_BASE + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1);
    gic_wait_rwp();
    gic_callback = NULL;
    gic_log_reset();
    trap_set_irq(gic_handle_irq);
}

void gic_set_callback(void (*callback)(uint32_t intid))
{
    gic_callback = callback;
}

void gic_log_reset(void)
{
    gic_log.taken = 0;
    gic_log.spurious = 0;
    for (unsigned i = 0; i < GIC_LOG_SIZE; i++) {
        gic_log.order[i] = 0;
    }
}

bool gic_wait_taken(unsigned taken)
{
    uint64_t start = timer_now();

    while (gic_log.taken < taken) {
        if (timer_now() - start > 2 * timer_frequency()) {
            /* The machine may have stood still between the two looks. */
            return gic_log.taken >= taken;
        }
    }
    return true;
}

void gic_open_window(void)
{
    unsigned before;

    sys_irq_unmask();
    do {
        before = gic_log.taken;
        timer_delay_us(200);
    } while (gic_log.taken != before);
    sys_irq_mask();
}

uint64_t gic_frame(uint32_t intid)
{
    return intid < 32 ? gic_redistributor(smp_self()) + GICR_SGI_FRAME : GICD_BASE;
}

static void gic_write_bit(uint32_t intid, unsigned offset)
{
    mmio_write32(gic_frame(intid) + offset + 4 * (intid / 32), 1u << (intid % 32));
    gic_wait_rwp();
    sys_dsb();
}

static bool gic_read_bit(uint32_t intid, unsigned offset)
{
    return ((mmio_read32(gic_frame(intid) + offset + 4 * (intid / 32)) >> (intid % 32)) & 1) != 0;
}

void gic_enable(uint32_t intid)
{
    gic_write_bit(intid, GIC_ISENABLER);
}

void gic_disable(uint32_t intid)
{
    gic_write_bit(intid, GIC_ICENABLER);
}

void gic_set_pending(uint32_t intid)
{
    gic_write_bit(intid, GIC_ISPENDR);
}

void gic_clear_pending(uint32_t intid)
{
    gic_write_bit(intid, GIC_ICPENDR);
}

bool gic_is_pending(uint32_t intid)
{
    return gic_read_bit(intid, GIC_ISPENDR);
}

bool gic_is_active(uint32_t intid)
{
    return gic_read_bit(intid, GIC_ISACTIVER);
}

void gic_set_priority(uint32_t intid, uint8_t priority)
{
    mmio_write8(gic_frame(intid) + GIC_IPRIORITYR + intid, priority);
    sys_dsb();
}

uint8_t gic_get_priority(uint32_t intid)
{
    return mmio_read8(gic_frame(intid) + GIC_IPRIORITYR + intid);
}

void gic_set_edge(uint32_t intid, bool edge)
{
    uint64_t address = gic_frame(intid) + GIC_ICFGR + 4 * (intid / 16);
    uint32_t bit = 2u << (2 * (intid % 16));
    uint32_t value = mmio_read32(address);

    mmio_write32(address, edge ? value | bit : value & ~bit);
}

void gic_send(unsigned cpu, unsigned sgi)
{
    sys_dsb();
    SYS_WRITE(ICC_SGI1R, (uint64_t)sgi << 24 | 1UL << cpu);
    sys_isb();
}

void gic_send_others(unsigned sgi)
{
    sys_dsb();
    SYS_WRITE(ICC_SGI1R, GIC_SGIR_IRM | (uint64_t)sgi << 24);
    sys_isb();
}

void gic_send_self(unsigned sgi)
{
    uint64_t mpidr = SYS_READ("mpidr_el1");
    uint64_t aff3 = (mpidr >> 32) & 0xff;
    uint64_t aff2 = (mpidr >> 16) & 0xff;
    uint64_t aff1 = (mpidr >> 8) & 0xff;

    sys_dsb();
    SYS_WRITE(ICC_SGI1R,
              aff3 << 48 | aff2 << 32 | aff1 << 16 | (uint64_t)sgi << 24 | 1UL << (mpidr & 0xf));
    sys_isb();
}
