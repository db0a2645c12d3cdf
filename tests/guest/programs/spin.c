/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * All CPUs want all the time that they can get, for which share they get there is a scheduler. The
 * first says when `say` milliseconds have passed since it began, and all end after `end`; both are
 * of the command line.
 */
#include "lib/con.h"
#include "lib/mmu.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define MILLISECOND 1000u

static uint64_t start;

static void spin_until(uint64_t when)
{
    while (timer_now() - start < when) {
        for (unsigned i = 0; i < 50; i++) {
            __asm__ volatile(".rept 200\nnop\n.endr"); /* few branches: emulated, those cost most */
        }
    }
}

static void spin(unsigned cpu)
{
    if (cpu == 0) {
        spin_until(timer_us(sys_argument("say", 1) * MILLISECOND));
        con_printf("# time\n");
    }
    spin_until(timer_us(sys_argument("end", 2) * MILLISECOND));
}

void guest_main(void)
{
    unsigned cpus = smp_count();

    mmu_on();
    smp_start(cpus);
    start = timer_now();
    smp_run(cpus, spin);
    tap_ok(true, "the time is over");
}
