/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * CPUs that sleep in WFI until an interrupt of another CPU's, or of a timer of their own: first one
 * at a time, then all at once. Short, for many runs. One wake that is lost, and it does not end.
 */
#include <stddef.h>

#include "lib/gic.h"
#include "lib/smp.h"
#include "lib/smp_irq.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define MAX_CPUS  4u
#define LAPS      4u
#define ROUNDS    4u
#define PERIOD_US 20u

static unsigned cpus;

/* A token goes round; who has it sleeps for a while before it sends it on. */
static void pass_on(unsigned self)
{
    unsigned before = (self + cpus - 1) % cpus;

    for (uint32_t lap = 0; lap < LAPS; lap++) {
        if (self != 0 || lap != 0) {
            smp_irq_sleep_until(&smp_irq[self].sgi[before], self == 0 ? lap : lap + 1);
        }
        smp_irq_sleep_for(lap % 2 == 0 ? TIMER_VIRTUAL : TIMER_PHYSICAL, PERIOD_US);
        gic_send((self + 1) % cpus, self);
    }
    if (self == 0) {
        smp_irq_sleep_until(&smp_irq[self].sgi[before], LAPS);
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
            smp_irq_sleep_until(&smp_irq[self].sgi[other], heard[other] + round);
        }
        smp_irq_sleep_for((self + round) % 2 == 0 ? TIMER_VIRTUAL : TIMER_PHYSICAL, 1 + self);
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
            good = good && smp_irq[to].sgi[from] == want;
        }
        good = good && smp_irq[to].ticks[0] + smp_irq[to].ticks[1] == LAPS + ROUNDS;
        good = good && smp_irq[to].strange == 0;
    }
    return good;
}

void guest_main(void)
{
    cpus = smp_count();
    if (!tap_ok(cpus >= 2 && cpus <= MAX_CPUS, "there are two to four CPUs")) {
        return;
    }
    smp_irq_start(cpus, NULL);
    smp_doze(true);
    smp_run(cpus, pass_on);
    tap_ok(true, "one after the other is woken, by the one before and by its timer");
    smp_run(cpus, call_all);
    smp_doze(false);
    tap_ok(true, "all are woken by all");
    tap_ok(is_exact(), "every SGI and every tick is taken once");
}
