/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One VM's interrupt controller with a vCPU on each CPU. All raise edges and SGIs, move, disable
 * and look at interrupts, take theirs out of the list registers as a guest would, and sleep when
 * there is none. Every other SPI stays active until somebody deactivates it (ICC_DIR_EL1). An
 * interrupt is raised again only after it was taken: each arrives exactly once.
 */
#include "abi/gicv3.h"
#include "explore/explore.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include "irq/vgic.h"
#include <stdatomic.h>

#define CPUS   EXPLORE_MAX_CPUS
#define SPIS   32u
#define ROUNDS 40u
#define PMR    UINT64_C(0xf8)

static struct vgic gic;
static struct vgic_cpu gic_cpu[CPUS];
static struct vgic_irq gic_spi[SPIS];
static struct arch_vcpu vcpus[CPUS];

static _Atomic bool spi_pulsed[SPIS]; /* somebody moves its line: no other edge meanwhile */
static _Atomic bool spi_raised[SPIS];
static _Atomic bool sgi_raised[CPUS][GIC_NR_SGIS];
static _Atomic bool spi_dropped[SPIS]; /* acknowledged, and still active */
static _Atomic bool spi_off[SPIS];     /* disabled, and RWP says that it has arrived */
static _Atomic unsigned nr_raised;
static _Atomic unsigned nr_busy; /* CPUs that may raise more */

/* --- The guest's accesses --- */

static uint64_t dist(unsigned cpu, uint64_t offset, uint8_t size, bool write, uint64_t value)
{
    struct mmio_access access = {
        .offset = offset, .value = value, .cpu = cpu, .size = size, .write = write};

    EXPECT(vgic_dist_access(&gic, &access));
    return access.value;
}

static void redist_write(unsigned cpu, uint64_t offset, uint64_t value)
{
    struct mmio_access access = {
        .offset = offset, .value = value, .cpu = 0, .size = 4, .write = true};

    access.offset += cpu * MACHINE_GICR_STRIDE + GICR_SGI_BASE;
    EXPECT(vgic_redist_access(&gic, &access));
}

/* --- Before and after --- */

static void kick(void *ctx, unsigned cpu)
{
    (void)ctx;
    hal_cpu_kick(cpu);
}

static void prepare(struct world *w)
{
    const struct vgic_config config = {
        .cpu = gic_cpu, .spi = gic_spi, .nr_cpus = CPUS, .nr_spis = SPIS, .kick = kick};

    (void)w;
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        gic_cpu[cpu].vcpu = &vcpus[cpu];
        gic_cpu[cpu].affinity = cpu;
        vcpus[cpu].gic.vmcr = ICH_VMCR_VENG1 | ICH_VMCR_VEOIM | PMR << ICH_VMCR_VPMR_SHIFT;
    }
    EXPECT(vgic_init(&gic, &config) == HV_OK);
    (void)dist(0, GICD_CTLR, 4, true, GICD_CTLR_ENABLE_GRP1);
    (void)dist(0, GICD_IGROUPR + 4, 4, true, UINT32_MAX);
    (void)dist(0, GICD_ICFGR + 8, 4, true, UINT32_C(0xaaaaaaaa));
    (void)dist(0, GICD_ICFGR + 12, 4, true, UINT32_C(0xaaaaaaaa));
    (void)dist(0, GICD_ISENABLER + 4, 4, true, UINT32_MAX);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        redist_write(cpu, GICD_IGROUPR, UINT32_MAX);
        redist_write(cpu, GICD_ISENABLER, UINT16_MAX);
    }
    atomic_store(&nr_busy, CPUS);
}

static void finish(struct world *w)
{
    (void)w;
    for (unsigned i = 0; i < SPIS; i++)
        EXPECT(!gic_spi[i].latched && !gic_spi[i].active);
}

/* --- What a CPU does --- */

static void raise_spi(unsigned n)
{
    if (atomic_exchange(&spi_pulsed[n], true))
        return;
    if (!atomic_exchange(&spi_raised[n], true)) {
        atomic_fetch_add(&nr_raised, 1);
        vgic_set_level(&gic, 0, GIC_FIRST_SPI + n, true);
        vgic_set_level(&gic, 0, GIC_FIRST_SPI + n, false);
    }
    atomic_store(&spi_pulsed[n], false);
}

static void raise_sgi(unsigned cpu, unsigned to, unsigned n)
{
    if (atomic_exchange(&sgi_raised[to][n], true))
        return;
    atomic_fetch_add(&nr_raised, 1);
    vgic_send_sgi(&gic, cpu, (uint64_t)n << ICC_SGIR_INTID_SHIFT | UINT64_C(1) << to, true);
}

static void wake_all(void)
{
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        hal_cpu_kick(cpu);
}

static void take(unsigned cpu, uint32_t intid)
{
    _Atomic bool *raised =
        intid < GIC_NR_SGIS ? &sgi_raised[cpu][intid] : &spi_raised[intid - GIC_FIRST_SPI];

    EXPECT(intid < GIC_NR_SGIS || (intid >= GIC_FIRST_SPI && intid < GIC_FIRST_SPI + SPIS));
    EXPECT(intid < GIC_NR_SGIS || !atomic_load(&spi_off[intid - GIC_FIRST_SPI]));
    EXPECT(atomic_exchange(raised, false)); /* else it has come twice */
    if (atomic_fetch_sub(&nr_raised, 1) == 1)
        wake_all();
}

/* ICC_DIR_EL1, by whoever comes. */
static void deactivate(unsigned cpu, unsigned n)
{
    if (atomic_exchange(&spi_dropped[n], false))
        vgic_deactivate(&gic, cpu, GIC_FIRST_SPI + n);
}

/* The guest acknowledges all that its list registers hold, and ends it or drops its priority. */
static unsigned run_guest(unsigned cpu)
{
    unsigned taken = 0;

    for (unsigned n = 0; n < hal_gic_lr_count(); n++) {
        uint64_t lr = hal_gic_lr_get(&vcpus[cpu], n);
        if ((lr & ICH_LR_STATE_MASK) != ICH_LR_PENDING)
            continue;
        lr &= ~ICH_LR_STATE_MASK;
        hal_gic_lr_set(&vcpus[cpu], n, lr | ICH_LR_ACTIVE);
        uint32_t intid = (uint32_t)(lr & ICH_LR_VINTID_MASK);
        take(cpu, intid);
        if (intid >= GIC_FIRST_SPI && intid % 2 == 0)
            atomic_store(&spi_dropped[intid - GIC_FIRST_SPI], true);
        else
            hal_gic_lr_set(&vcpus[cpu], n, lr);
        taken++;
    }
    return taken;
}

static void serve(unsigned cpu)
{
    do {
        vgic_flush(&gic, cpu);
        while (run_guest(cpu) != 0)
            if ((hal_gic_hcr_get(&vcpus[cpu]) & (ICH_HCR_NPIE | ICH_HCR_UIE)) != 0)
                vgic_maintenance(&gic, cpu);
    } while (vgic_needs_flush(&gic, cpu));
}

static void switch_on(unsigned cpu, unsigned n)
{
    atomic_store(&spi_off[n], false);
    (void)dist(cpu, GICD_ISENABLER + 4, 4, true, UINT64_C(1) << n);
}

/* As a guest must that wants to be sure that it does not come. */
static void switch_off(unsigned cpu, unsigned n)
{
    (void)dist(cpu, GICD_ICENABLER + 4, 4, true, UINT64_C(1) << n);
    while ((dist(cpu, GICD_CTLR, 4, false, 0) & GICD_CTLR_RWP) != 0) {
        serve(cpu);
        hal_cpu_relax();
    }
    atomic_store(&spi_off[n], true);
}

static void do_something(unsigned cpu, uint64_t *random)
{
    unsigned n = (unsigned)explore_pick(random, SPIS);
    unsigned own = n / CPUS * CPUS + cpu; /* nobody else switches it off and on */
    uint64_t value = explore_pick(random, CPUS);

    switch (explore_pick(random, 12)) {
    case 0:
        (void)dist(cpu, GICD_IPRIORITYR + GIC_FIRST_SPI + n, 1, true, value << 4);
        break;
    case 1:
        (void)dist(cpu, GICD_IROUTER + 8 * (GIC_FIRST_SPI + (uint64_t)n), 8, true, value);
        break;
    case 2:
        (void)dist(cpu, value % 2 == 0 ? GICD_ISPENDR + 4 : GICD_ISACTIVER + 4, 4, false, 0);
        break;
    case 3:
        if (atomic_load(&spi_off[own]))
            switch_on(cpu, own);
        else
            switch_off(cpu, own);
        break;
    case 4:
        vgic_unload(&gic, cpu);
        vgic_load(&gic, cpu);
        break;
    case 5:
    case 6:
        raise_sgi(cpu, (unsigned)value, n % GIC_NR_SGIS);
        break;
    case 7:
    case 8:
        deactivate(cpu, n);
        break;
    default:
        raise_spi(n);
        break;
    }
}

static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    vgic_load(&gic, cpu);
    for (unsigned round = 0; round < ROUNDS; round++) {
        do_something(cpu, random);
        if (explore_pick(random, 2) == 0)
            serve(cpu);
    }
    for (unsigned n = cpu; n < SPIS; n += CPUS)
        switch_on(cpu, n);
    if (atomic_fetch_sub(&nr_busy, 1) == 1)
        wake_all();
    for (;;) {
        serve(cpu);
        for (unsigned n = 0; n < SPIS; n++)
            deactivate(cpu, n);
        if (atomic_load(&nr_busy) == 0 && atomic_load(&nr_raised) == 0)
            break;
        if (!vgic_has_pending(&gic, cpu) && !vgic_needs_flush(&gic, cpu))
            hal_cpu_idle();
        uint32_t intid = hal_irq_ack();
        if (intid != HAL_INTID_NONE)
            hal_irq_end(intid, true);
    }
    vgic_unload(&gic, cpu);
}

const struct explore_test explore_vgic = {
    .name = "vgic", .nr_cpus = CPUS, .prepare = prepare, .work = work, .finish = finish};
