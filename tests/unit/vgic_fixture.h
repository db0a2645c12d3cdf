/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the vGIC tests share: one VM's interrupt controller on fakehal, and a guest that accesses
 * its registers. Offsets and bits restate IHI 0069; nothing here comes from core's headers but the
 * API.
 */
#ifndef VGIC_FIXTURE_H
#define VGIC_FIXTURE_H

#include "cases.h"
#include "fakehal/fakehal.h"
#include "irq/vgic.h"
#include <string.h>

#define MAX_CPUS 4u
#define NOWHERE  99u
#define MAX_SPIS 988u

enum {
    D_CTLR = 0x0,
    D_TYPER = 0x4,
    IGROUPR = 0x80,
    ISENABLER = 0x100,
    ICENABLER = 0x180,
    ISPENDR = 0x200,
    ICPENDR = 0x280,
    ISACTIVER = 0x300,
    ICACTIVER = 0x380,
    IPRIORITYR = 0x400,
    ICFGR = 0xc00,
    IROUTER = 0x6000,
    SGI_FRAME = 0x10000,
    REDIST = 0x20000, /* from one redistributor to the next */
};

static struct vgic gic;
static struct vgic_cpu gic_cpu[MAX_CPUS];
static struct vgic_irq gic_spi[MAX_SPIS];
static struct arch_vcpu vcpus[MAX_CPUS];
static unsigned kicks[MAX_CPUS];
static unsigned pcpu_of[MAX_CPUS]; /* where each vCPU is loaded, or NOWHERE */

static void fixture_kick(void *ctx, unsigned cpu)
{
    (void)ctx;
    cr_assert_lt(cpu, gic.nr_cpus, "kick of vCPU %u", cpu);
    kicks[cpu]++;
}

/* What follows happens on the pCPU of this vCPU. */
static inline void be(unsigned cpu)
{
    cr_assert_neq(pcpu_of[cpu], NOWHERE, "vCPU %u is not loaded", cpu);
    fakehal()->self = pcpu_of[cpu];
}

/* The guest's memory, for LPIs: none unless a test brings it. */
static struct s2 *gic_s2;
static struct page_pool *gic_pool;
static struct page_account *gic_account;

/* vCPU n has affinity n; its CPU interface takes group 1 of any priority. It is loaded on pCPU n.
 * After fakehal_reset(). */
static inline void setup_gic_here(unsigned cpus, unsigned spis, unsigned lrs)
{
    fakehal()->lr_count = lrs;
    memset(gic_cpu, 0, sizeof(gic_cpu));
    memset(gic_spi, 0, sizeof(gic_spi));
    memset(vcpus, 0, sizeof(vcpus));
    memset(kicks, 0, sizeof(kicks));
    for (unsigned i = 0; i < cpus; i++) {
        gic_cpu[i].vcpu = &vcpus[i];
        gic_cpu[i].affinity = i;
    }
    struct vgic_config config = {.cpu = gic_cpu,
                                 .spi = gic_spi,
                                 .nr_cpus = cpus,
                                 .nr_spis = spis,
                                 .kick = fixture_kick,
                                 .s2 = gic_s2,
                                 .pool = gic_pool,
                                 .account = gic_account};
    cr_assert_eq(vgic_init(&gic, &config), HV_OK);
    for (unsigned i = 0; i < cpus; i++) {
        pcpu_of[i] = i;
        vgic_load(&gic, i);
        vgic_flush(&gic, i);
        fakehal_gic_enable(&vcpus[i], false, 0xf8);
    }
}

static inline void setup_gic(unsigned cpus, unsigned spis, unsigned lrs)
{
    fakehal_reset();
    setup_gic_here(cpus, spis, lrs);
}

static inline bool dist(unsigned cpu, bool write, uint64_t offset, unsigned size, uint64_t *value)
{
    struct mmio_access access = {
        .offset = offset, .value = *value, .cpu = cpu, .size = (uint8_t)size, .write = write};
    be(cpu);
    bool ok = vgic_dist_access(&gic, &access);
    *value = access.value;
    return ok;
}

static inline bool redist(unsigned cpu, bool write, uint64_t offset, unsigned size, uint64_t *value)
{
    struct mmio_access access = {
        .offset = offset, .value = *value, .cpu = cpu, .size = (uint8_t)size, .write = write};
    be(cpu);
    bool ok = vgic_redist_access(&gic, &access);
    *value = access.value;
    return ok;
}

static inline uint64_t dist_read(uint64_t offset, unsigned size)
{
    uint64_t value = 0xa5a5a5a5a5a5a5a5;
    cr_assert(dist(0, false, offset, size, &value), "GICD + %#lx", offset);
    return value;
}

static inline void dist_write(uint64_t offset, unsigned size, uint64_t value)
{
    cr_assert(dist(0, true, offset, size, &value), "GICD + %#lx", offset);
}

static inline uint64_t redist_read(uint64_t offset, unsigned size)
{
    uint64_t value = 0xa5a5a5a5a5a5a5a5;
    cr_assert(redist(0, false, offset, size, &value), "GICR + %#lx", offset);
    return value;
}

static inline void redist_write(uint64_t offset, unsigned size, uint64_t value)
{
    cr_assert(redist(0, true, offset, size, &value), "GICR + %#lx", offset);
}

/* A bitmap register's bit of one interrupt, as vCPU `by` reads or writes it; `cpu`: whose private.
 */
static inline bool bit_access(unsigned by, bool write, unsigned cpu, unsigned base, unsigned intid,
                              uint64_t *value)
{
    uint64_t offset = base + 4 * (intid / 32);
    if (intid < 32)
        return redist(by, write, cpu * (uint64_t)REDIST + SGI_FRAME + offset, 4, value);
    return dist(by, write, offset, 4, value);
}

static inline bool bit_read(unsigned by, unsigned cpu, unsigned base, unsigned intid)
{
    uint64_t value = 0;
    cr_assert(bit_access(by, false, cpu, base, intid, &value));
    return (value >> (intid % 32) & 1) != 0;
}

static inline void bit_write(unsigned by, unsigned cpu, unsigned base, unsigned intid)
{
    uint64_t value = UINT64_C(1) << (intid % 32);
    cr_assert(bit_access(by, true, cpu, base, intid, &value));
}

/* IGROUPR is not written by ones. */
static inline void group_write(unsigned by, unsigned cpu, unsigned intid, bool group1)
{
    uint64_t bit = UINT64_C(1) << (intid % 32);
    uint64_t value = 0;
    cr_assert(bit_access(by, false, cpu, IGROUPR, intid, &value));
    value = group1 ? value | bit : value & ~bit;
    cr_assert(bit_access(by, true, cpu, IGROUPR, intid, &value));
}

static inline void priority_write(unsigned by, unsigned cpu, unsigned intid, unsigned priority)
{
    uint64_t value = priority;
    bool ok = intid < 32 ? redist(by, true, cpu * (uint64_t)REDIST + SGI_FRAME + IPRIORITYR + intid,
                                  1, &value)
                         : dist(by, true, IPRIORITYR + intid, 1, &value);
    cr_assert(ok);
}

/* Group 1, enabled, with this priority. */
static inline void irq_on(unsigned cpu, unsigned intid, unsigned priority)
{
    group_write(0, cpu, intid, true);
    priority_write(0, cpu, intid, priority);
    bit_write(0, cpu, ISENABLER, intid);
}

/* RWP of the register that tells of this interrupt's ICENABLER. */
static inline bool is_write_pending(unsigned by, unsigned cpu, unsigned intid)
{
    uint64_t value = 0;
    if (intid >= 32) {
        cr_assert(dist(by, false, D_CTLR, 4, &value));
        return (value >> 31 & 1) != 0;
    }
    cr_assert(redist(by, false, cpu * (uint64_t)REDIST, 4, &value));
    return (value >> 3 & 1) != 0;
}

/*
 * Lets the hypervisor do what it does before a guest runs: maintenance interrupts, and a flush of
 * every loaded vCPU that asks for one, until nothing is left to do.
 */
static inline void settle(void)
{
    unsigned rounds = 0;
    for (bool busy = true; busy; rounds++) {
        busy = false;
        cr_assert_lt(rounds, 100u, "the vCPUs never come to rest");
        for (unsigned cpu = 0; cpu < gic.nr_cpus; cpu++) {
            if (pcpu_of[cpu] == NOWHERE)
                continue;
            be(cpu);
            if (fakehal_gic_misr(&vcpus[cpu]) != 0)
                vgic_maintenance(&gic, cpu);
            else if (vgic_needs_flush(&gic, cpu))
                vgic_flush(&gic, cpu);
            else
                continue;
            cr_assert_not(vgic_needs_flush(&gic, cpu), "dirty right after a flush");
            cr_assert_eq(fakehal_gic_misr(&vcpus[cpu]), 0u, "maintenance right after a flush");
            busy = true;
        }
    }
    fakehal()->self = 0;
}

static inline uint32_t guest_ack(unsigned cpu)
{
    settle();
    be(cpu);
    return fakehal_gic_ack(&vcpus[cpu]);
}

static inline void guest_eoi(unsigned cpu, uint32_t intid)
{
    be(cpu);
    fakehal_gic_eoi(&vcpus[cpu], intid);
}

/* ICC_DIR_EL1, which traps. */
static inline void guest_dir(unsigned cpu, uint32_t intid)
{
    be(cpu);
    cr_assert_not(fakehal_gic_dir(&vcpus[cpu], intid), "the hardware deactivated %u", intid);
    vgic_deactivate(&gic, cpu, intid);
}

/* The guest takes exactly this one and ends it. */
static inline void guest_takes(unsigned cpu, uint32_t intid)
{
    uint32_t got = guest_ack(cpu);
    cr_assert_eq(got, intid, "vCPU %u took %u instead of %u", cpu, got, intid);
    if (intid < 1020 || intid >= 8192)
        guest_eoi(cpu, intid);
}

#endif
