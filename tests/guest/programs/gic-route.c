/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One GICv3 and four CPUs (IHI 0069): who gets which SGI and SPI. All CPUs take interrupts by hand
 * and spin in between: each should have a physical CPU.
 */
#include "lib/collect.h"
#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define FIRST_SPI 64u /* from here on no device of the machine drives one */

#define ICC_IAR0    "S3_0_C12_C8_0"
#define ICC_EOIR0   "S3_0_C12_C8_1"
#define ICC_HPPIR0  "S3_0_C12_C8_2"
#define ICC_SGI0R   "S3_0_C12_C11_7"
#define ICC_IGRPEN0 "S3_0_C12_C12_6"
#define IROUTER_IRM (1UL << 31)

/* What one task tells or is told. */
static volatile uint32_t subject;

static void send(const char *name, uint64_t value, uint64_t mask)
{
    sys_dsb();
    SYS_WRITE(ICC_SGI1R, value);
    sys_isb();
    tap_ok(collect_arrives(mask, (uint32_t)(value >> 24) & 0xf), name);
}

static unsigned lists_cpu;

static void send_all_lists(unsigned cpu)
{
    (void)cpu;
    SYS_WRITE(ICC_SGI1R, (uint64_t)subject << 24 | (uint64_t)lists_cpu);
    sys_isb();
}

static void test_lists(void)
{
    bool good = true;

    for (unsigned list = 0; list < 16; list++) {
        lists_cpu = list;
        subject = list;
        smp_run_on(1 + list % 3, send_all_lists);
        good = good && collect_arrives(list, list);
    }
    tap_ok(good, "an SGI goes to those of its target list, from whomever it comes");
    send("to affinities that are not there: nobody", 5UL << 24 | 0xfff0, 0);
    send("to them and to one that is", 5UL << 24 | 0xfff4, 1UL << 2);
    send("to all but the sender", GIC_SGIR_IRM | 6UL << 24, 0xe);
    send("the list means nothing then", GIC_SGIR_IRM | 6UL << 24 | 1UL << 16 | 3, 0xe);
    send("to another Aff1: nobody", 7UL << 24 | 1UL << 16 | 0xf, 0);
    send("to another Aff2: nobody", 7UL << 24 | 1UL << 32 | 0xf, 0);
    send("to another Aff3: nobody", 7UL << 24 | 1UL << 48 | 0xf, 0);
}

static void test_sgi_once(void)
{
    gic_send(2, 9);
    gic_send(2, 9);
    tap_ok(collect_arrives(1UL << 2, 9), "an SGI sent twice before it is taken comes once");
    mmio_write32(gic_redistributor(3) + GICR_SGI_FRAME + GIC_ICENABLER, 1u << 9);
    gic_send(3, 9);
    tap_ok(collect_arrives(0, 9), "an SGI that the other CPU has disabled waits");
    mmio_write32(gic_redistributor(3) + GICR_SGI_FRAME + GIC_ISENABLER, 1u << 9);
    tap_ok(collect_arrives(1UL << 3, 9), "until it is enabled, from here");
    mmio_write32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ISPENDR, 1u << 10);
    tap_ok(collect_arrives(1UL << 1, 10), "another CPU's GICR_ISPENDR0 sends an SGI");
    mmio_write32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ICENABLER, 1u << 10);
    mmio_write32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ISPENDR, 1u << 10);
    mmio_write32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ICPENDR, 1u << 10);
    mmio_write32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ISENABLER, 1u << 10);
    tap_ok(collect_arrives(0, 10), "and its GICR_ICPENDR0 takes one back");
}

static void take_group0(unsigned cpu)
{
    (void)cpu;
    uint64_t start = timer_now();

    SYS_WRITE(ICC_IGRPEN0, 1);
    sys_isb();
    do {
        subject = (uint32_t)SYS_READ(ICC_HPPIR0);
    } while (subject == GIC_SPURIOUS && timer_now() - start < COLLECT_PATIENCE * timer_frequency());
    uint32_t intid = (uint32_t)SYS_READ(ICC_IAR0);
    sys_dsb();
    if (intid != GIC_SPURIOUS) {
        SYS_WRITE(ICC_EOIR0, intid);
    }
    subject = subject << 16 | intid;
    SYS_WRITE(ICC_IGRPEN0, 0);
    sys_isb();
}

/* What that CPU has taken long since may be seen so a little later. */
static bool none_pending(uint64_t frame)
{
    uint64_t start = timer_now();

    while (mmio_read32(frame + GIC_ISPENDR) != 0) {
        if (timer_now() - start > COLLECT_PATIENCE * timer_frequency()) {
            return false;
        }
    }
    return true;
}

/* With one security state ICC_SGI0R and ICC_ASGI1R mean those that are in Group 0 and 1 of the one
 * state. */
static void test_groups(void)
{
    uint64_t frame = gic_redistributor(2) + GICR_SGI_FRAME;

    mmio_write32(frame + GIC_IGROUPR, ~(1u << 11));
    mmio_write32(GICD_BASE + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1 | 1);
    sys_dsb();
    SYS_WRITE(ICC_SGI1R, 11UL << 24 | 1UL << 2);
    sys_isb();
    tap_ok(none_pending(frame), "ICC_SGI1R does not send what is in Group 0 there");
    SYS_WRITE(ICC_SGI0R, 12UL << 24 | 1UL << 2);
    sys_isb();
    tap_ok(none_pending(frame), "ICC_SGI0R does not send what is in Group 1 there");
    SYS_WRITE(ICC_SGI0R, 11UL << 24 | 1UL << 2);
    sys_isb();
    tap_ok(collect_arrives(0, 11), "what is in Group 0 does not come by ICC_IAR1");
    smp_run_on(2, take_group0);
    tap_eq(subject, 11u << 16 | 11, "ICC_SGI0R sends it, and ICC_HPPIR0 and ICC_IAR0 have it");
    mmio_write32(frame + GIC_IGROUPR, ~0u);
    mmio_write32(GICD_BASE + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1);
    sys_dsb();
}

static void test_routes(void)
{
    bool good = true;

    for (unsigned cpu = 0; cpu < COLLECT_CPUS; cpu++) {
        uint32_t spi = FIRST_SPI + cpu;
        collect_route(spi, smp_affinity(cpu));
        gic_set_edge(spi, cpu % 2 != 0);
        gic_enable(spi);
        gic_set_pending(spi);
        good = good && collect_arrives(1UL << cpu, spi);
    }
    tap_ok(good, "an SPI goes where GICD_IROUTER says");
    gic_disable(FIRST_SPI);
    gic_set_pending(FIRST_SPI);
    collect_route(FIRST_SPI, smp_affinity(3));
    gic_enable(FIRST_SPI);
    tap_ok(collect_arrives(1UL << 3, FIRST_SPI), "one that is pending goes along with its route");
    collect_route(FIRST_SPI, 0x0f00);
    gic_set_pending(FIRST_SPI);
    tap_ok(collect_arrives(0, FIRST_SPI) && gic_is_pending(FIRST_SPI),
           "one for a CPU that is not there stays pending");
    collect_route(FIRST_SPI, smp_affinity(1));
    tap_ok(collect_arrives(1UL << 1, FIRST_SPI), "until it is routed to one that is");
}

static void collect_any(unsigned cpu)
{
    uint32_t intid = (uint32_t)SYS_READ(ICC_IAR1);

    collected[cpu].taken = intid == subject;
    if (intid != GIC_SPURIOUS) {
        collect_end(intid);
    }
}

/* Where GICD_TYPER.No1N says that there is no 1 of N it goes to where Affinity 0.0.0.0 says. */
static void test_one_of_n(void)
{
    uint32_t spi = FIRST_SPI + 8;
    bool good = true;

    subject = spi;
    collect_route(spi, IROUTER_IRM);
    gic_set_edge(spi, true);
    gic_enable(spi);
    for (unsigned i = 0; i < 20; i++) {
        unsigned taken = 0;
        gic_set_pending(spi);
        for (unsigned tries = 0; taken == 0 && tries < 1000; tries++) {
            smp_run(COLLECT_CPUS, collect_any);
            for (unsigned cpu = 0; cpu < COLLECT_CPUS; cpu++) {
                taken += collected[cpu].taken;
            }
        }
        smp_run(COLLECT_CPUS, collect_any);
        for (unsigned cpu = 0; cpu < COLLECT_CPUS; cpu++) {
            taken += collected[cpu].taken;
        }
        good = good && taken == 1;
    }
    tap_ok(good, "a 1 of N SPI is taken by one CPU, once");
    gic_disable(spi);
    collect_route(spi, 0);
}

void guest_main(void)
{
    if (!tap_ok(smp_count() == COLLECT_CPUS, "there are four CPUs")) {
        return;
    }
    mmu_on();
    gic_init();
    smp_start(COLLECT_CPUS);
    smp_run(COLLECT_CPUS, collect_init);
    test_lists();
    test_sgi_once();
    test_groups();
    test_routes();
    test_one_of_n();
}
