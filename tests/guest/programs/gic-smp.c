/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One GICv3 and four CPUs (IHI 0069): in which order a CPU takes interrupts, and what one CPU sees
 * and changes of an interrupt that another one handles. All CPUs take interrupts by hand and spin
 * in between: each should have a physical CPU.
 */
#include "lib/collect.h"
#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/psci.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define FIRST_SPI 64u /* from here on no device of the machine drives one */
#define NR_SPIS   COLLECT_MAX
#define RPR_IDLE  0xffu

#define ICC_AP1R0        "S3_0_C12_C9_0"
#define ICC_CTLR_EOIMODE (1u << 1)

/* What one task tells or is told. */
static volatile uint32_t subject;
static volatile uint64_t seen_rpr;

/* --- In which order --- */

/* The first is the most important, and made pending last: when a CPU sees it, it sees them all. */
static unsigned priority_of(unsigned index)
{
    return index == 0 ? 8 : (index * 7 % 28 + 2) * 8;
}

static void await_first(unsigned cpu)
{
    uint64_t start = timer_now();

    (void)cpu;
    while (SYS_READ(ICC_HPPIR1) != FIRST_SPI &&
           timer_now() - start < COLLECT_PATIENCE * timer_frequency()) {
    }
}

/* More than there are list registers, of mixed priorities. */
static void test_order(void)
{
    bool good = true;
    uint64_t set = 0;

    for (unsigned i = 0; i < NR_SPIS; i++) {
        uint32_t spi = FIRST_SPI + i;
        collect_route(spi, smp_affinity(2));
        gic_set_edge(spi, true);
        gic_set_priority(spi, (uint8_t)priority_of(i));
        gic_enable(spi);
    }
    for (unsigned i = 0; i < NR_SPIS; i++) {
        gic_set_pending(FIRST_SPI + NR_SPIS - 1 - i);
    }
    collected[2].want = NR_SPIS;
    smp_run_on(2, await_first);
    smp_run_on(2, collect);
    good = collected[2].taken == NR_SPIS;
    for (unsigned i = 0; good && i < NR_SPIS; i++) {
        unsigned index = collected[2].order[i] - FIRST_SPI;
        good = index < NR_SPIS;
        set |= 1UL << (index % 64);
        if (i > 0) {
            good = good && priority_of(collected[2].order[i - 1] - FIRST_SPI) <= priority_of(index);
        }
    }
    tap_ok(good && set == (1UL << NR_SPIS) - 1,
           "40 pending SPIs of mixed priorities are taken in their order, each once");
}

/* Acknowledges each before the last is ended. */
static void nest(unsigned cpu)
{
    static const uint8_t priorities[] = {0xe0, 0xa0, 0x60, 0x20};
    bool good = true;
    uint64_t active = 0;

    (void)cpu;
    for (unsigned i = 0; i < 4; i++) {
        gic_set_priority(i, priorities[i]);
        gic_send_self(i);
        good = good && collect_acknowledge() == i && SYS_READ(ICC_RPR) == priorities[i];
        active |= 1UL << (priorities[i] >> 3);
        good = good && SYS_READ(ICC_AP1R0) == active;
        gic_set_priority(8 + i, priorities[i]);
        gic_send_self(8 + i);
        good = good && SYS_READ(ICC_IAR1) == GIC_SPURIOUS;
    }
    for (unsigned i = 4; i-- > 0;) {
        collect_end(i);
        active &= ~(1UL << (priorities[i] >> 3));
        good = good && SYS_READ(ICC_RPR) == (i == 0 ? RPR_IDLE : priorities[i - 1]) &&
               SYS_READ(ICC_AP1R0) == active;
        good = good && collect_acknowledge() == 8 + i;
        collect_end(8 + i);
    }
    subject = good;
    for (unsigned sgi = 0; sgi < 16; sgi++) {
        gic_set_priority(sgi, GIC_PRIORITY_DEFAULT);
    }
}

/* ICC_BPR1 = 6: bits 7 and 6 alone decide about preemption (IHI 0069, 4.8.2). */
static void group_priorities(unsigned cpu)
{
    bool good = true;

    (void)cpu;
    SYS_WRITE(ICC_BPR1, 6);
    sys_isb();
    gic_set_priority(0, 0xb0);
    gic_set_priority(1, 0x80);
    gic_set_priority(2, 0x70);
    gic_send_self(0);
    good = collect_acknowledge() == 0;
    gic_send_self(1);
    good = good && SYS_READ(ICC_IAR1) == GIC_SPURIOUS;
    gic_send_self(2);
    good = good && collect_acknowledge() == 2;
    collect_end(2);
    good = good && SYS_READ(ICC_IAR1) == GIC_SPURIOUS;
    collect_end(0);
    good = good && collect_acknowledge() == 1;
    collect_end(1);
    SYS_WRITE(ICC_BPR1, 0);
    sys_isb();
    for (unsigned sgi = 0; sgi < 3; sgi++) {
        gic_set_priority(sgi, GIC_PRIORITY_DEFAULT);
    }
    subject = good;
}

static void test_nesting(void)
{
    bool good = true;
    bool grouped = true;

    for (unsigned cpu = 1; cpu < COLLECT_CPUS; cpu++) {
        smp_run_on(cpu, nest);
        good = good && subject;
        smp_run_on(cpu, group_priorities);
        grouped = grouped && subject;
    }
    tap_ok(good, "four priorities nest, the same one does not: ICC_RPR and ICC_AP1R0 tell");
    tap_ok(grouped, "ICC_BPR1 says which bits of a priority count for preemption");
}

/* --- Interrupts that another CPU handles --- */

static void take_subject(unsigned cpu)
{
    (void)cpu;
    subject = collect_acknowledge();
}

static void end_subject(unsigned cpu)
{
    (void)cpu;
    collect_end(subject);
    seen_rpr = SYS_READ(ICC_RPR);
}

/* What another CPU has done may take until its next exit to be seen. */
static bool becomes(bool (*state)(uint32_t intid), uint32_t intid, bool want)
{
    uint64_t start = timer_now();

    while (state(intid) != want) {
        if (timer_now() - start > COLLECT_PATIENCE * timer_frequency()) {
            return false;
        }
    }
    return true;
}

static uint32_t begin_on_other(bool edge)
{
    uint32_t spi = FIRST_SPI + 50;

    collect_route(spi, smp_affinity(1));
    gic_set_edge(spi, edge);
    gic_enable(spi);
    gic_set_pending(spi);
    smp_run_on(1, take_subject);
    return spi;
}

static void test_state_of_other(bool edge, const char *const names[])
{
    uint32_t spi = begin_on_other(edge);

    tap_ok(subject == spi && becomes(gic_is_active, spi, true) &&
               becomes(gic_is_pending, spi, false),
           names[0]);
    gic_set_pending(spi);
    tap_ok(becomes(gic_is_pending, spi, true) && gic_is_active(spi), names[1]);
    smp_run_on(1, end_subject);
    tap_ok(seen_rpr == RPR_IDLE && collect_arrives(1UL << 1, spi), names[2]);
    begin_on_other(edge);
    gic_set_pending(spi);
    gic_clear_pending(spi);
    smp_run_on(1, end_subject);
    tap_ok(becomes(gic_is_active, spi, false) && collect_arrives(0, spi), names[3]);
    begin_on_other(edge);
    mmio_write32(GICD_BASE + GIC_ICACTIVER + 4 * (spi / 32), 1u << (spi % 32));
    tap_ok(becomes(gic_is_active, spi, false), names[4]);
    smp_run_on(1, end_subject);
    tap_ok(seen_rpr == RPR_IDLE && collect_arrives(0, spi), names[5]);
    gic_set_pending(spi);
    tap_ok(collect_arrives(1UL << 1, spi), names[6]);
    gic_disable(spi);
}

static void test_states(void)
{
    static const char *const edge[] = {
        "edge: active here too while another CPU handles it",
        "edge: pending again meanwhile",
        "edge: so that it comes again",
        "edge: taken back, it does not",
        "edge: GICD_ICACTIVER ends it from here",
        "edge: its own end of interrupt is then no more than that",
        "edge: and it still comes",
    };
    static const char *const level[] = {
        "level: active here too while another CPU handles it",
        "level: pending again meanwhile",
        "level: so that it comes again",
        "level: taken back, it does not",
        "level: GICD_ICACTIVER ends it from here",
        "level: its own end of interrupt is then no more than that",
        "level: and it still comes",
    };

    test_state_of_other(true, edge);
    test_state_of_other(false, level);
}

static void set_eoi_mode(unsigned cpu)
{
    (void)cpu;
    SYS_WRITE(ICC_CTLR, subject != 0 ? ICC_CTLR_EOIMODE : 0);
    sys_isb();
}

static void deactivate_subject(unsigned cpu)
{
    (void)cpu;
    SYS_WRITE(ICC_DIR, subject);
    sys_isb();
}

static bool is_active_at_1(uint32_t sgi)
{
    return (mmio_read32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ISACTIVER) & 1u << sgi) != 0;
}

/* An SGI is each CPU's own, whatever its number. */
static void test_deactivation_of_sgi(void)
{
    bool good;

    gic_send(1, 5);
    smp_run_on(1, take_subject);
    good = subject == 5;
    smp_run_on(1, end_subject);
    deactivate_subject(0);
    good = good && becomes(is_active_at_1, 5, true);
    smp_run_on(1, deactivate_subject);
    tap_ok(good && becomes(is_active_at_1, 5, false),
           "EOImode 1: ICC_DIR deactivates an SGI of its own CPU alone");
}

/* ICC_DIR of an SPI may be written by any CPU. */
static void test_deactivation(void)
{
    uint32_t spi;

    subject = 1;
    smp_run(COLLECT_CPUS, set_eoi_mode);
    spi = begin_on_other(true);
    smp_run_on(1, end_subject);
    tap_ok(seen_rpr == RPR_IDLE && becomes(gic_is_active, spi, true),
           "EOImode 1: dropped and still active");
    gic_set_pending(spi);
    tap_ok(collect_arrives(0, spi), "EOImode 1: it does not come while it is active");
    subject = spi;
    smp_run_on(1, deactivate_subject);
    smp_run_on(1, take_subject);
    tap_eq(subject, spi, "EOImode 1: it comes once it is deactivated");
    smp_run_on(1, end_subject);
    gic_set_pending(spi);
    deactivate_subject(0);
    smp_run_on(1, take_subject);
    tap_eq(subject, spi, "EOImode 1: and once another CPU does it");
    smp_run_on(1, end_subject);
    deactivate_subject(0);
    tap_ok(becomes(gic_is_active, spi, false),
           "EOImode 1: ICC_DIR of another CPU deactivates an SPI");
    test_deactivation_of_sgi();
    subject = 0;
    smp_run(COLLECT_CPUS, set_eoi_mode);
    gic_disable(spi);
}

/* --- Disabled from elsewhere --- */

#define RWP_ROUNDS 8u

static volatile bool is_there;
static volatile bool has_looked;
static volatile bool is_disabled;

/* Looks, without a break, until told that what it sees is disabled. */
static void take_disabled(unsigned cpu)
{
    uint64_t start = timer_now();

    (void)cpu;
    while (SYS_READ(ICC_HPPIR1) != subject &&
           timer_now() - start < COLLECT_PATIENCE * timer_frequency()) {
    }
    is_there = SYS_READ(ICC_HPPIR1) == subject;
    sys_dsb();
    has_looked = true;
    while (!is_disabled) {
    }
    sys_isb();
    subject = (uint32_t)SYS_READ(ICC_IAR1);
    if (subject != GIC_SPURIOUS) {
        collect_end(subject);
    }
}

/* Makes `intid` pending at CPU 1, and disables it by the register at `address`, of which a bit says
 * when that is done. True if it does not come then. */
static bool is_kept_off(uint32_t intid, uint64_t address, uint32_t value, uint64_t rwp)
{
    uint32_t busy = rwp == GICD_BASE + GICD_CTLR ? GICD_CTLR_RWP : 1u << 3;

    subject = intid;
    has_looked = false;
    is_disabled = false;
    sys_dsb();
    smp_post(1, take_disabled);
    while (!has_looked) {
    }
    mmio_write32(address, value);
    while ((mmio_read32(rwp) & busy) != 0) {
    }
    sys_dsb();
    is_disabled = true;
    smp_wait(1);
    return is_there && subject == GIC_SPURIOUS;
}

static void test_rwp(void)
{
    uint32_t spi = FIRST_SPI + 52;
    uint64_t sgis = gic_redistributor(1) + GICR_SGI_FRAME;
    bool spis_good = true;
    bool sgis_good = true;
    bool group_good = true;

    collect_route(spi, smp_affinity(1));
    gic_set_edge(spi, true);
    for (unsigned i = 0; i < RWP_ROUNDS; i++) {
        gic_enable(spi);
        gic_set_pending(spi);
        spis_good = is_kept_off(spi, GICD_BASE + GIC_ICENABLER + 4 * (spi / 32), 1u << (spi % 32),
                                GICD_BASE + GICD_CTLR) &&
                    spis_good;
        gic_enable(spi);
        group_good =
            is_kept_off(spi, GICD_BASE + GICD_CTLR, GICD_CTLR_ARE, GICD_BASE + GICD_CTLR) &&
            group_good;
        gic_clear_pending(spi);
        mmio_write32(GICD_BASE + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1);
        gic_send(1, 6);
        sgis_good =
            is_kept_off(6, sgis + GIC_ICENABLER, 1u << 6, gic_redistributor(1) + GICR_CTLR) &&
            sgis_good;
        mmio_write32(sgis + GIC_ICPENDR, 1u << 6);
        mmio_write32(sgis + GIC_ISENABLER, 1u << 6);
    }
    gic_disable(spi);
    tap_ok(spis_good, "GICD_CTLR.RWP is clear: a disabled SPI comes nowhere");
    tap_ok(group_good, "GICD_CTLR.RWP is clear: nor does one of a disabled group");
    tap_ok(sgis_good, "GICR_CTLR.RWP is clear: nor does a disabled SGI");
}

/* --- A CPU that is off --- */

static void turn_off(unsigned cpu)
{
    (void)cpu;
    smp_power_off();
}

static void test_off(void)
{
    uint32_t spi = FIRST_SPI + 51;

    smp_post(3, turn_off);
    while (psci_call(PSCI_AFFINITY_INFO, smp_affinity(3), 0, 0) != PSCI_AFF_OFF) {
        timer_delay_us(20);
    }
    gic_send(3, 2);
    collect_route(spi, smp_affinity(3));
    gic_set_edge(spi, true);
    gic_enable(spi);
    gic_set_pending(spi);
    tap_ok(gic_is_pending(spi) &&
               (mmio_read32(gic_redistributor(3) + GICR_SGI_FRAME + GIC_ISPENDR) & 4) != 0,
           "what is for a CPU that is off stays pending");
    tap_eq((uint64_t)smp_power_on(3), 0, "it is powered on");
}

static void open_interface(unsigned cpu)
{
    (void)cpu;
    SYS_WRITE(ICC_PMR, 0xff);
    SYS_WRITE(ICC_IGRPEN1, 1);
    sys_isb();
}

static void test_on_again(void)
{
    smp_run_on(3, open_interface);
    collected[3].want = 2;
    smp_run_on(3, collect);
    tap_ok(collected[3].taken == 2 &&
               collected[3].order[0] + collected[3].order[1] == 2 + FIRST_SPI + 51,
           "and takes both");
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
    test_order();
    test_nesting();
    test_states();
    test_deactivation();
    test_rwp();
    test_off();
    test_on_again();
}
