/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What IHI 0069 promises of GICD and GICR registers, with one CPU and affinity routing on. */
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"

static uint32_t gicd(unsigned offset)
{
    return mmio_read32(GICD_BASE + offset);
}

static uint32_t gicr(unsigned offset)
{
    return mmio_read32(GICR_BASE + offset);
}

static void test_identification(void)
{
    tap_eq((gicd(GIC_PIDR2) >> 4) & 0xf, 3, "GICD_PIDR2.ArchRev is 3");
    tap_eq((gicr(GIC_PIDR2) >> 4) & 0xf, 3, "GICR_PIDR2.ArchRev is 3");
    bool ids = true;
    static const uint32_t component[] = {0x0d, 0xf0, 0x05, 0xb1};
    for (unsigned i = 0; i < 4; i++) {
        ids = ids && gicd(GIC_CIDR0 + 4 * i) == component[i] &&
              gicr(GIC_CIDR0 + 4 * i) == component[i];
    }
    tap_ok(ids, "GICD_CIDR0-3 and GICR_CIDR0-3 are the PrimeCell ones");

    uint32_t typer = gicd(GICD_TYPER);
    tap_ok((typer & 0x1f) >= 1, "GICD_TYPER.ITLinesNumber: at least 32 SPIs");
    tap_ok(((typer >> 19) & 0x1f) >= 9, "GICD_TYPER.IDbits: at least 10");
    gicd(GICD_IIDR);
    gicr(GICR_IIDR);
    tap_ok(true, "GICD_IIDR and GICR_IIDR can be read");
}

static void test_redistributor(void)
{
    uint64_t typer = mmio_read64(GICR_BASE + GICR_TYPER);
    uint64_t mpidr = SYS_READ("mpidr_el1");
    uint64_t affinity = ((mpidr >> 32) & 0xff) << 24 | (mpidr & 0xffffff);

    tap_eq(typer >> 32, affinity, "GICR_TYPER.Affinity_Value is MPIDR's");
    tap_ok((typer & (1u << 4)) != 0, "GICR_TYPER.Last is set");
    tap_eq((typer >> 8) & 0xffff, 0, "GICR_TYPER.Processor_Number is 0");
    tap_ok(gicr(GICR_TYPER) == (uint32_t)typer && gicr(GICR_TYPER + 4) == typer >> 32,
           "GICR_TYPER reads the same as two words");
    tap_eq(gicr(GICR_WAKER) & 6, 0, "GICR_WAKER: awake");
    tap_eq(gicr(GICR_CTLR) & (1u << 3), 0, "GICR_CTLR.RWP is clear");
    tap_eq(gicd(GICD_CTLR) & GICD_CTLR_RWP, 0, "GICD_CTLR.RWP is clear");
    tap_eq(gicd(GICD_CTLR) & (GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1),
           GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1, "GICD_CTLR: ARE and EnableGrp1 read back");
}

/* Set and clear registers of a 1-bit-per-interrupt kind. */
static bool set_clear(uint64_t set, uint64_t clear, uint32_t bits)
{
    bool good;

    mmio_write32(clear, bits);
    good = (mmio_read32(set) & bits) == 0 && (mmio_read32(clear) & bits) == 0;
    for (uint32_t rest = bits; rest != 0; rest &= rest - 1) {
        uint32_t bit = rest & -rest;
        mmio_write32(set, bit);
        good = good && (mmio_read32(set) & bits) == bit && (mmio_read32(clear) & bits) == bit;
        mmio_write32(set, 0);
        mmio_write32(clear, 0);
        good = good && (mmio_read32(set) & bits) == bit;
        mmio_write32(clear, bit);
        good = good && (mmio_read32(set) & bits) == 0;
    }
    return good;
}

static void test_set_clear(void)
{
    tap_ok(set_clear(GICD_BASE + GIC_ISENABLER + 4, GICD_BASE + GIC_ICENABLER + 4, ~0u),
           "GICD_ISENABLER1 and GICD_ICENABLER1");
    /* 40 to 63: no device of the machine drives these. */
    tap_ok(set_clear(GICD_BASE + GIC_ISPENDR + 4, GICD_BASE + GIC_ICPENDR + 4, 0xffffff00u),
           "GICD_ISPENDR1 and GICD_ICPENDR1");
    tap_ok(set_clear(GICD_BASE + GIC_ISACTIVER + 4, GICD_BASE + GIC_ICACTIVER + 4, 0xffffff00u),
           "GICD_ISACTIVER1 and GICD_ICACTIVER1");
    tap_ok(set_clear(GICR_SGI_BASE + GIC_ISENABLER, GICR_SGI_BASE + GIC_ICENABLER,
                     1u << 27 | 1u << 30),
           "GICR_ISENABLER0 and GICR_ICENABLER0, timer PPIs");
    tap_ok(set_clear(GICR_SGI_BASE + GIC_ISPENDR, GICR_SGI_BASE + GIC_ICPENDR, 0xffff),
           "GICR_ISPENDR0 and GICR_ICPENDR0, SGIs");
    tap_ok(set_clear(GICR_SGI_BASE + GIC_ISACTIVER, GICR_SGI_BASE + GIC_ICACTIVER, 0xffff),
           "GICR_ISACTIVER0 and GICR_ICACTIVER0, SGIs");
}

static void test_priorities(void)
{
    bool good = true;

    /* Five bits at least are implemented: values whose low three are clear must read back. */
    for (uint32_t intid = 0; intid < 64; intid++) {
        if (intid >= 16 && intid < 32 && intid != INTID_VTIMER && intid != INTID_PTIMER) {
            continue;
        }
        for (unsigned value = 0; value < 256; value += 8) {
            gic_set_priority(intid, (uint8_t)value);
            good = good && gic_get_priority(intid) == value;
        }
    }
    tap_ok(good, "IPRIORITYR: every 5-bit priority of SGIs, timers and SPIs 32-63 reads back");
    mmio_write32(GICD_BASE + GIC_IPRIORITYR + 44, 0x08102038);
    tap_ok(gic_get_priority(44) == 0x38 && gic_get_priority(45) == 0x20 &&
               gic_get_priority(46) == 0x10 && gic_get_priority(47) == 0x08,
           "GICD_IPRIORITYR: words and bytes agree");
    gic_set_priority(46, 0xf8);
    tap_eq(gicd(GIC_IPRIORITYR + 44), 0x08f82038, "GICD_IPRIORITYR: a byte changes no other");
}

static void test_configuration(void)
{
    mmio_write32(GICD_BASE + GIC_ICFGR + 12, 0xaaaaaaaa);
    tap_eq(gicd(GIC_ICFGR + 12), 0xaaaaaaaa, "GICD_ICFGR3: all edge");
    mmio_write32(GICD_BASE + GIC_ICFGR + 12, 0x20802008);
    tap_eq(gicd(GIC_ICFGR + 12), 0x20802008, "GICD_ICFGR3: a mix");
    mmio_write32(GICD_BASE + GIC_ICFGR + 12, 0);
    tap_eq(gicd(GIC_ICFGR + 12), 0, "GICD_ICFGR3: all level");
    mmio_write32(GICR_SGI_BASE + GIC_ICFGR, 0);
    tap_eq(mmio_read32(GICR_SGI_BASE + GIC_ICFGR) & 0xaaaaaaaa, 0xaaaaaaaa,
           "GICR_ICFGR0: SGIs are edge, read-only");
    mmio_write32(GICD_BASE + GIC_IGROUPR + 4, 0xffffffff);
    tap_eq(gicd(GIC_IGROUPR + 4), 0xffffffff, "GICD_IGROUPR1: all Group 1");

    /* Where GICD_TYPER.No1N says that there is no 1 of N routing, the bit may be kept or not. */
    mmio_write64(GICD_BASE + GICD_IROUTER + 8 * 50, 1UL << 31);
    tap_ok((mmio_read64(GICD_BASE + GICD_IROUTER + 8 * 50) & (1UL << 31)) != 0 ||
               (mmio_read32(GICD_BASE + GICD_TYPER) & (1U << 25)) != 0,
           "GICD_IROUTER50: Interrupt_Routing_Mode reads back, or TYPER.No1N is set");
    mmio_write64(GICD_BASE + GICD_IROUTER + 8 * 50, 0);
    tap_eq(mmio_read64(GICD_BASE + GICD_IROUTER + 8 * 50), 0, "GICD_IROUTER50: and clears");
}

/* With affinity routing the distributor's copies for interrupts 0-31 and the legacy registers are
 * RAZ/WI. */
static void test_affinity_routing(void)
{
    static const struct {
        unsigned offset;
        const char *name;
    } registers[] = {
        {GIC_IGROUPR, "GICD_IGROUPR0 is RAZ/WI"},
        {GIC_ISENABLER, "GICD_ISENABLER0 is RAZ/WI"},
        {GIC_ICENABLER, "GICD_ICENABLER0 is RAZ/WI"},
        {GIC_ISPENDR, "GICD_ISPENDR0 is RAZ/WI"},
        {GIC_ICPENDR, "GICD_ICPENDR0 is RAZ/WI"},
        {GIC_ISACTIVER, "GICD_ISACTIVER0 is RAZ/WI"},
        {GIC_ICACTIVER, "GICD_ICACTIVER0 is RAZ/WI"},
        {GIC_IPRIORITYR, "GICD_IPRIORITYR0 is RAZ/WI"},
        {GIC_IPRIORITYR + 28, "GICD_IPRIORITYR7 is RAZ/WI"},
        {GICD_ITARGETSR + 40, "GICD_ITARGETSR10 is RAZ/WI"},
        {GICD_SGIR, "GICD_SGIR is RAZ/WI"},
    };

    for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        uint32_t before = gicd(registers[i].offset);
        mmio_write32(GICD_BASE + registers[i].offset, ~0u);
        tap_ok(before == 0 && gicd(registers[i].offset) == 0, registers[i].name);
    }
    tap_eq(mmio_read32(GICR_SGI_BASE + GIC_ISPENDR) & 0xffff, 0,
           "none of which made an SGI pending");
}

/* Interrupts above GICD_TYPER.ITLinesNumber are not there: read as zero. */
static void test_absent(void)
{
    uint32_t first = 32 * ((gicd(GICD_TYPER) & 0x1f) + 1);
    bool zero = true;

    if (first < 1020) {
        zero = gicd(GIC_ISENABLER + first / 8) == 0 && gicd(GIC_ISPENDR + first / 8) == 0 &&
               gicd(GIC_ISACTIVER + first / 8) == 0;
    }
    tap_ok(zero, "interrupts that are not implemented read as zero");
}

void guest_main(void)
{
    gic_init();
    test_identification();
    test_redistributor();
    test_set_clear();
    test_priorities();
    test_configuration();
    test_affinity_routing();
    test_absent();
}
