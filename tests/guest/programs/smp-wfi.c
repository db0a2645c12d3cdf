/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * CPUs that sleep in WFI until an interrupt of another CPU's, or of a timer of their own: first one
 * at a time, then all at once. Short, for many runs. One wake that is lost, and it does not end.
 */
#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"
#include "lib/trap.h"

#define MAX_CPUS  4u
#define LAPS      4u
#define ROUNDS    4u
#define PERIOD_US 20u

/* Each CPU's own. */
static struct cpu_count {
    volatile uint32_t sgi[MAX_CPUS]; /* by sender: it sends the SGI of its index */
    volatile uint32_t ticks[2];      /* by enum timer_kind */
    uint32_t strange;
} __attribute__((aligned(64))) counts[MAX_CPUS];
static unsigned cpus;

static void take(uint32_t intid)
{
    struct cpu_count *mine = &counts[smp_self()];

    if (intid == INTID_VTIMER || intid == INTID_PTIMER) {
        enum timer_kind kind = intid == INTID_VTIMER ? TIMER_VIRTUAL : TIMER_PHYSICAL;
        timer_set_ctl(kind, 0);
        mine->ticks[kind]++;
    } else if (intid < cpus) {
        mine->sgi[intid]++;
    } else if (intid != SMP_WAKE) {
        mine->strange++;
    }
}

static void handle_irq(void)
{
    uint32_t intid = (uint32_t)SYS_READ(ICC_IAR1) & 0xffffff;

    sys_dsb();
    if (intid == GIC_SPURIOUS) {
        return;
    }
    take(intid);
    SYS_WRITE(ICC_EOIR1, intid);
    sys_isb();
}

static void open_interrupts(unsigned cpu)
{
    if (cpu != 0) {
        gic_init_cpu();
    }
    for (unsigned sgi = 0; sgi < cpus; sgi++) {
        gic_enable(sgi);
    }
    gic_enable(SMP_WAKE);
    gic_enable(INTID_VTIMER);
    gic_enable(INTID_PTIMER);
}

/* IRQs are masked at PSTATE, but for here: what comes after the look is pending at the WFI. */
static void sleep_until(const volatile uint32_t *count, uint32_t want)
{
    while (*count < want) {
        sys_wfi();
        sys_irq_unmask();
        sys_irq_mask();
    }
}

static void sleep_for(unsigned self, enum timer_kind kind, uint64_t us)
{
    uint32_t want = counts[self].ticks[kind] + 1;

    timer_set_cval(kind, timer_count(kind) + timer_us(us));
    timer_set_ctl(kind, TIMER_ENABLE);
    sleep_until(&counts[self].ticks[kind], want);
}

/* A token goes round; who has it sleeps for a while before it sends it on. */
static void pass_on(unsigned self)
{
    unsigned before = (self + cpus - 1) % cpus;

    for (uint32_t lap = 0; lap < LAPS; lap++) {
        if (self != 0 || lap != 0) {
            sleep_until(&counts[self].sgi[before], self == 0 ? lap : lap + 1);
        }
        sleep_for(self, lap % 2 == 0 ? TIMER_VIRTUAL : TIMER_PHYSICAL, PERIOD_US);
        gic_send((self + 1) % cpus, self);
    }
    if (self == 0) {
        sleep_until(&counts[self].sgi[before], LAPS);
    }
}

/* Each sends to each and sleeps until it has heard from all, by which time some sleep already; then
 * until all have, as one that is sent twice before it is taken comes once. */
static void call_all(unsigned self)
{
    uint32_t heard[MAX_CPUS];

    for (unsigned other = 0; other < cpus; other++) {
        heard[other] = other == (self + cpus - 1) % cpus ? LAPS : 0;
    }
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        gic_send_others(self);
        for (unsigned step = 1; step < cpus; step++) {
            unsigned other = (self + step) % cpus;
            sleep_until(&counts[self].sgi[other], heard[other] + round);
        }
        sleep_for(self, (self + round) % 2 == 0 ? TIMER_VIRTUAL : TIMER_PHYSICAL, 1 + self);
        smp_barrier(cpus);
    }
}

static bool is_exact(void)
{
    bool good = true;

    for (unsigned to = 0; to < cpus; to++) {
        for (unsigned from = 0; from < cpus; from++) {
            uint32_t want = from == to ? 0 : ROUNDS;
            want += (from + 1) % cpus == to ? LAPS : 0;
            good = good && counts[to].sgi[from] == want;
        }
        good = good && counts[to].ticks[0] + counts[to].ticks[1] == LAPS + ROUNDS;
        good = good && counts[to].strange == 0;
    }
    return good;
}

void guest_main(void)
{
    cpus = smp_count();
    if (!tap_ok(cpus >= 2 && cpus <= MAX_CPUS, "there are two to four CPUs")) {
        return;
    }
    mmu_on();
    gic_init();
    trap_set_irq(handle_irq);
    smp_start(cpus);
    smp_run(cpus, open_interrupts);
    smp_doze(true);
    smp_run(cpus, pass_on);
    tap_ok(true, "one after the other is woken, by the one before and by its timer");
    smp_run(cpus, call_all);
    smp_doze(false);
    tap_ok(true, "all are woken by all");
    tap_ok(is_exact(), "every SGI and every tick is taken once");
}
