/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * PSCI SYSTEM_RESET and SYSTEM_RESET2 while other CPUs run, from any of them and from two at once:
 * each life looks for what the last one left in memory and for CPUs that are still on.
 */
#include "lib/mmu.h"
#include "lib/psci.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"

#define MARKER 0x6d61726bUL
#define MARKS  512u

/* Just below the end of memory, where nothing is loaded. */
static volatile uint64_t *marks(void)
{
    return (volatile uint64_t *)sys_ram_end() - MARKS;
}

static void look_for_traces(void)
{
    uint64_t left = 0;

    for (unsigned i = 0; i < MARKS; i++) {
        left |= marks()[i];
    }
    tap_eq(left, 0, "memory is empty");
    for (unsigned cpu = 1; cpu < 4; cpu++) {
        tap_eq((uint64_t)psci_call(PSCI_AFFINITY_INFO, cpu, 0, 0), PSCI_AFF_OFF,
               "another CPU is off");
    }
}

/* Goes on for as long as it lives. */
static void leave_marks(unsigned cpu)
{
    for (unsigned i = cpu;; i++) {
        marks()[i % MARKS] = MARKER;
    }
}

/* Which of the two it is nobody can tell. */
static void reset(unsigned cpu)
{
    while (marks()[0] == 0) {
    }
    psci_call(cpu == 1 ? PSCI_SYSTEM_RESET : PSCI_64(PSCI_SYSTEM_RESET2), 0, 0, 0);
    for (;;) {
        sys_wfi();
    }
}

void guest_main(void)
{
    look_for_traces();
    mmu_on();
    smp_start(4);
    tap_ok(true, "four CPUs run");
    tap_end();
    smp_post(3, leave_marks);
    smp_post(1, reset);
    smp_post(2, reset);
    leave_marks(0);
}
