/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One GICv3 and four CPUs (IHI 0069): who gets which interrupt, in which order, and what one CPU
 * sees and changes of an interrupt that another one handles. All CPUs mask IRQs at PSTATE and take
 * interrupts by hand.
 */
#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/psci.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define CPUS      4u
#define FIRST_SPI 64u /* from here on no device of the machine drives one */
#define NR_SPIS   40u
#define PATIENCE  2u /* seconds */
#define RPR_IDLE  0xffu

#define ICC_IAR0    "S3_0_C12_C8_0"
#define ICC_EOIR0   "S3_0_C12_C8_1"
#define ICC_HPPIR0  "S3_0_C12_C8_2"
#define ICC_AP1R0   "S3_0_C12_C9_0"
#define ICC_ASGI1R  "S3_0_C12_C11_6"
#define ICC_SGI0R   "S3_0_C12_C11_7"
#define ICC_IGRPEN0 "S3_0_C12_C12_6"

#define ICC_CTLR_EOIMODE (1u << 1)
#define IROUTER_IRM      (1UL << 31)

/* What a CPU is to take, and what it took. */
static struct {
    unsigned want;
    unsigned taken;
    uint32_t order[NR_SPIS];
} cpus[CPUS];

/* What one task tells or is told. */
static volatile uint32_t subject;
static volatile uint64_t seen_rpr;

/* --- Taking by hand --- */

/* Waits for an interrupt; GIC_SPURIOUS if none comes. */
static uint32_t acknowledge(void)
{
    uint64_t start = timer_now();
    uint32_t intid;

    do {
        intid = (uint32_t)SYS_READ(ICC_IAR1);
    } while (intid == GIC_SPURIOUS && timer_now() - start < PATIENCE * timer_frequency());
    sys_dsb();
    return intid;
}

static void end(uint32_t intid)
{
    SYS_WRITE(ICC_EOIR1, intid);
    sys_isb();
}

/* Takes what is wanted, and whatever is there besides. */
static void collect(unsigned cpu)
{
    cpus[cpu].taken = 0;
    for (unsigned i = 0; i < cpus[cpu].want; i++) {
        uint32_t intid = acknowledge();
        if (intid == GIC_SPURIOUS) {
            return;
        }
        cpus[cpu].order[cpus[cpu].taken++] = intid;
        end(intid);
    }
    uint32_t more = (uint32_t)SYS_READ(ICC_IAR1);
    if (more != GIC_SPURIOUS) {
        cpus[cpu].taken++;
        end(more);
    }
}

/* CPUs of the mask take one interrupt each, `intid`, and the others none. */
static bool arrives(uint64_t mask, uint32_t intid)
{
    bool good = true;

    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        cpus[cpu].want = (mask >> cpu) & 1;
    }
    /* First those that should: when they have it, it would have come to the others. */
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned cpu = 0; cpu < CPUS; cpu++) {
            if (cpus[cpu].want == round) {
                continue;
            }
            if (cpu == 0) {
                collect(0);
            } else {
                smp_run_on(cpu, collect);
            }
            good = good && cpus[cpu].taken == cpus[cpu].want &&
                   (cpus[cpu].taken == 0 || cpus[cpu].order[0] == intid);
        }
    }
    return good;
}

static void init_cpu(unsigned cpu)
{
    if (cpu != 0) {
        gic_init_cpu();
    }
    for (unsigned sgi = 0; sgi < 16; sgi++) {
        gic_enable(sgi);
    }
}

static void route(uint32_t spi, uint64_t value)
{
    mmio_write64(GICD_BASE + GICD_IROUTER + 8UL * spi, value);
    sys_dsb();
}

static void send(const char *name, uint64_t value, uint64_t mask)
{
    sys_dsb();
    SYS_WRITE(ICC_SGI1R, value);
    sys_isb();
    tap_ok(arrives(mask, (uint32_t)(value >> 24) & 0xf), name);
}

/* --- Who gets it --- */

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
        good = good && arrives(list, list);
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
    tap_ok(arrives(1UL << 2, 9), "an SGI sent twice before it is taken comes once");
    mmio_write32(gic_redistributor(3) + GICR_SGI_FRAME + GIC_ICENABLER, 1u << 9);
    gic_send(3, 9);
    tap_ok(arrives(0, 9), "an SGI that the other CPU has disabled waits");
    mmio_write32(gic_redistributor(3) + GICR_SGI_FRAME + GIC_ISENABLER, 1u << 9);
    tap_ok(arrives(1UL << 3, 9), "until it is enabled, from here");
    mmio_write32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ISPENDR, 1u << 10);
    tap_ok(arrives(1UL << 1, 10), "another CPU's GICR_ISPENDR0 sends an SGI");
    mmio_write32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ICENABLER, 1u << 10);
    mmio_write32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ISPENDR, 1u << 10);
    mmio_write32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ICPENDR, 1u << 10);
    mmio_write32(gic_redistributor(1) + GICR_SGI_FRAME + GIC_ISENABLER, 1u << 10);
    tap_ok(arrives(0, 10), "and its GICR_ICPENDR0 takes one back");
}

static void take_group0(unsigned cpu)
{
    (void)cpu;
    uint64_t start = timer_now();

    SYS_WRITE(ICC_IGRPEN0, 1);
    sys_isb();
    do {
        subject = (uint32_t)SYS_READ(ICC_HPPIR0);
    } while (subject == GIC_SPURIOUS && timer_now() - start < PATIENCE * timer_frequency());
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
        if (timer_now() - start > PATIENCE * timer_frequency()) {
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
    tap_ok(arrives(0, 11), "what is in Group 0 does not come by ICC_IAR1");
    smp_run_on(2, take_group0);
    tap_eq(subject, 11u << 16 | 11, "ICC_SGI0R sends it, and ICC_HPPIR0 and ICC_IAR0 have it");
    mmio_write32(frame + GIC_IGROUPR, ~0u);
    mmio_write32(GICD_BASE + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1);
    sys_dsb();
}

static void test_routes(void)
{
    bool good = true;

    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        uint32_t spi = FIRST_SPI + cpu;
        route(spi, smp_affinity(cpu));
        gic_set_edge(spi, cpu % 2 != 0);
        gic_enable(spi);
        gic_set_pending(spi);
        good = good && arrives(1UL << cpu, spi);
    }
    tap_ok(good, "an SPI goes where GICD_IROUTER says");
    gic_disable(FIRST_SPI);
    gic_set_pending(FIRST_SPI);
    route(FIRST_SPI, smp_affinity(3));
    gic_enable(FIRST_SPI);
    tap_ok(arrives(1UL << 3, FIRST_SPI), "one that is pending goes along with its route");
    route(FIRST_SPI, 0x0f00);
    gic_set_pending(FIRST_SPI);
    tap_ok(arrives(0, FIRST_SPI) && gic_is_pending(FIRST_SPI),
           "one for a CPU that is not there stays pending");
    route(FIRST_SPI, smp_affinity(1));
    tap_ok(arrives(1UL << 1, FIRST_SPI), "until it is routed to one that is");
}

static void collect_any(unsigned cpu)
{
    uint32_t intid = (uint32_t)SYS_READ(ICC_IAR1);

    cpus[cpu].taken = intid == subject;
    if (intid != GIC_SPURIOUS) {
        end(intid);
    }
}

/* Where GICD_TYPER.No1N says that there is no 1 of N it goes to where Affinity 0.0.0.0 says. */
static void test_one_of_n(void)
{
    uint32_t spi = FIRST_SPI + 8;
    bool good = true;

    subject = spi;
    route(spi, IROUTER_IRM);
    gic_set_edge(spi, true);
    gic_enable(spi);
    for (unsigned i = 0; i < 20; i++) {
        unsigned taken = 0;
        gic_set_pending(spi);
        for (unsigned tries = 0; taken == 0 && tries < 1000; tries++) {
            smp_run(CPUS, collect_any);
            for (unsigned cpu = 0; cpu < CPUS; cpu++) {
                taken += cpus[cpu].taken;
            }
        }
        smp_run(CPUS, collect_any);
        for (unsigned cpu = 0; cpu < CPUS; cpu++) {
            taken += cpus[cpu].taken;
        }
        good = good && taken == 1;
    }
    tap_ok(good, "a 1 of N SPI is taken by one CPU, once");
    gic_disable(spi);
    route(spi, 0);
}

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
           timer_now() - start < PATIENCE * timer_frequency()) {
    }
}

/* More than there are list registers, of mixed priorities. */
static void test_order(void)
{
    bool good = true;
    uint64_t set = 0;

    for (unsigned i = 0; i < NR_SPIS; i++) {
        uint32_t spi = FIRST_SPI + i;
        route(spi, smp_affinity(2));
        gic_set_edge(spi, true);
        gic_set_priority(spi, (uint8_t)priority_of(i));
        gic_enable(spi);
    }
    for (unsigned i = 0; i < NR_SPIS; i++) {
        gic_set_pending(FIRST_SPI + NR_SPIS - 1 - i);
    }
    cpus[2].want = NR_SPIS;
    smp_run_on(2, await_first);
    smp_run_on(2, collect);
    good = cpus[2].taken == NR_SPIS;
    for (unsigned i = 0; good && i < NR_SPIS; i++) {
        unsigned index = cpus[2].order[i] - FIRST_SPI;
        good = index < NR_SPIS;
        set |= 1UL << (index % 64);
        if (i > 0) {
            good = good && priority_of(cpus[2].order[i - 1] - FIRST_SPI) <= priority_of(index);
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
        good = good && acknowledge() == i && SYS_READ(ICC_RPR) == priorities[i];
        active |= 1UL << (priorities[i] >> 3);
        good = good && SYS_READ(ICC_AP1R0) == active;
        gic_set_priority(8 + i, priorities[i]);
        gic_send_self(8 + i);
        good = good && SYS_READ(ICC_IAR1) == GIC_SPURIOUS;
    }
    for (unsigned i = 4; i-- > 0;) {
        end(i);
        active &= ~(1UL << (priorities[i] >> 3));
        good = good && SYS_READ(ICC_RPR) == (i == 0 ? RPR_IDLE : priorities[i - 1]) &&
               SYS_READ(ICC_AP1R0) == active;
        good = good && acknowledge() == 8 + i;
        end(8 + i);
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
    good = acknowledge() == 0;
    gic_send_self(1);
    good = good && SYS_READ(ICC_IAR1) == GIC_SPURIOUS;
    gic_send_self(2);
    good = good && acknowledge() == 2;
    end(2);
    good = good && SYS_READ(ICC_IAR1) == GIC_SPURIOUS;
    end(0);
    good = good && acknowledge() == 1;
    end(1);
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

    for (unsigned cpu = 1; cpu < CPUS; cpu++) {
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
    subject = acknowledge();
}

static void end_subject(unsigned cpu)
{
    (void)cpu;
    end(subject);
    seen_rpr = SYS_READ(ICC_RPR);
}

/* What another CPU has done may take until its next exit to be seen. */
static bool becomes(bool (*state)(uint32_t intid), uint32_t intid, bool want)
{
    uint64_t start = timer_now();

    while (state(intid) != want) {
        if (timer_now() - start > PATIENCE * timer_frequency()) {
            return false;
        }
    }
    return true;
}

static uint32_t begin_on_other(bool edge)
{
    uint32_t spi = FIRST_SPI + 50;

    route(spi, smp_affinity(1));
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
    tap_ok(seen_rpr == RPR_IDLE && arrives(1UL << 1, spi), names[2]);
    begin_on_other(edge);
    gic_set_pending(spi);
    gic_clear_pending(spi);
    smp_run_on(1, end_subject);
    tap_ok(becomes(gic_is_active, spi, false) && arrives(0, spi), names[3]);
    begin_on_other(edge);
    mmio_write32(GICD_BASE + GIC_ICACTIVER + 4 * (spi / 32), 1u << (spi % 32));
    tap_ok(becomes(gic_is_active, spi, false), names[4]);
    smp_run_on(1, end_subject);
    tap_ok(seen_rpr == RPR_IDLE && arrives(0, spi), names[5]);
    gic_set_pending(spi);
    tap_ok(arrives(1UL << 1, spi), names[6]);
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

/* ICC_DIR of an SPI may be written by any CPU. */
static void test_deactivation(void)
{
    uint32_t spi;

    subject = 1;
    smp_run(CPUS, set_eoi_mode);
    spi = begin_on_other(true);
    smp_run_on(1, end_subject);
    tap_ok(seen_rpr == RPR_IDLE && becomes(gic_is_active, spi, true),
           "EOImode 1: dropped and still active");
    gic_set_pending(spi);
    tap_ok(arrives(0, spi), "EOImode 1: it does not come while it is active");
    subject = spi;
    smp_run_on(1, deactivate_subject);
    smp_run_on(1, take_subject);
    tap_eq(subject, spi, "EOImode 1: it comes once it is deactivated");
    smp_run_on(1, end_subject);
    deactivate_subject(0);
    tap_ok(becomes(gic_is_active, spi, false),
           "EOImode 1: ICC_DIR of another CPU deactivates an SPI");
    subject = 0;
    smp_run(CPUS, set_eoi_mode);
    gic_disable(spi);
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
    route(spi, smp_affinity(3));
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
    cpus[3].want = 2;
    smp_run_on(3, collect);
    tap_ok(cpus[3].taken == 2 && cpus[3].order[0] + cpus[3].order[1] == 2 + FIRST_SPI + 51,
           "and takes both");
}

void guest_main(void)
{
    if (!tap_ok(smp_count() == CPUS, "there are four CPUs")) {
        return;
    }
    mmu_on();
    gic_init();
    smp_start(CPUS);
    smp_run(CPUS, init_cpu);
    test_lists();
    test_sgi_once();
    test_groups();
    test_routes();
    test_one_of_n();
    test_order();
    test_nesting();
    test_states();
    test_deactivation();
    test_off();
    test_on_again();
}
