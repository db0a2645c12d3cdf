/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Exploration of interleavings as every build has it: the CPU in turn changes at calls of the HAL,
 * where the seed says so. */
#include "rig.h"
#include <string.h>

#define CPUS  3u
#define STEPS 50u

static unsigned char trail[CPUS * STEPS + 1];
static unsigned length;
static unsigned nr_done;

/* Nothing here waits: without exploration each CPU goes all the way at once. */
static void walk(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < STEPS; i++) {
        trail[length++] = (unsigned char)('0' + hal_cpu_self());
        hal_timer_arm(HAL_TIMER_NEVER);
    }
    nr_done++;
}

static void core_walks(void)
{
    EXPECT_EQ((uint64_t)rig_init(CPUS), HV_OK);
    for (unsigned cpu = 1; cpu < CPUS; cpu++)
        EXPECT_EQ((uint64_t)hal_cpu_start(cpu, walk, NULL), HV_OK);
    walk(NULL);
    while (nr_done < CPUS)
        hal_cpu_relax();
}

static unsigned changes(void)
{
    unsigned count = 0;

    for (unsigned i = 1; i < length; i++)
        count += trail[i] != trail[i - 1];
    return count;
}

static unsigned run(uint64_t seed, uint32_t explore, void (*core)(void), enum sim_stop want)
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, CPUS);
    struct sim_machine *machine;

    config.explore = 7; /* what sim_machine_explore() says counts */
    length = 0;
    nr_done = 0;
    machine = rig_create(&config, core);
    sim_machine_explore(machine, seed, explore);
    cr_expect_eq(rig_finish(machine), want, "%s %s", sim_machine_failure(machine), rig_console);
    if (want == SIM_STOP_BROKEN)
        cr_expect(strstr(sim_machine_failure(machine), "deadlock: ") != NULL, "%s",
                  sim_machine_failure(machine));
    sim_machine_destroy(machine);
    trail[length] = '\0';
    return changes();
}

/* Without it, a CPU that does not wait goes on. */
CASE(explore, off)
{
    cr_expect_eq(run(1, 0, core_walks, SIM_STOP_HALTED), CPUS - 1, "%s", trail);
}

/* One in so many points changes the CPU. */
CASE(explore, often_and_seldom)
{
    unsigned often = run(1, 1, core_walks, SIM_STOP_HALTED);
    unsigned seldom = run(1, 32, core_walks, SIM_STOP_HALTED);

    cr_expect_gt(often, STEPS / 2, "%u", often);
    cr_expect(seldom > 0 && seldom < often, "%u, and %u", seldom, often);
}

/* A seed decides all of it, and another one otherwise. */
CASE(explore, seeds)
{
    char first[sizeof(trail)];

    run(1, 2, core_walks, SIM_STOP_HALTED);
    memcpy(first, trail, sizeof(trail));
    run(2, 2, core_walks, SIM_STOP_HALTED);
    cr_expect_str_neq((const char *)trail, first, "seeds 1 and 2 do the same");
    run(1, 2, core_walks, SIM_STOP_HALTED);
    cr_expect_str_eq((const char *)trail, first, "seed 1 does two things");
}

static void core_spins(void)
{
    EXPECT_EQ((uint64_t)rig_init(CPUS), HV_OK);
    for (;;)
        hal_cpu_relax();
}

/* CPUs that do nothing but wait for each other end the machine. */
CASE(explore, deadlock)
{
    run(1, 4, core_spins, SIM_STOP_BROKEN);
}

static void end_interrupt(void)
{
    uint32_t intid = hal_irq_ack();

    hal_timer_arm(HAL_TIMER_NEVER);
    if (intid != HAL_INTID_NONE)
        hal_irq_end(intid, true);
}

static void core_sleeps(void)
{
    unsigned early = 0;
    unsigned late = 0;

    EXPECT_EQ((uint64_t)rig_init(CPUS), HV_OK);
    while (early < 3 || late < 3) {
        uint64_t deadline = hal_time_now() + 1000000;
        hal_timer_arm(deadline);
        hal_cpu_idle();
        if (hal_time_now() < deadline)
            early++;
        else
            late++;
        end_interrupt();
    }
}

/* A CPU that idles may wake early, and for what it waits. */
CASE(explore, idle)
{
    run(3, 4, core_sleeps, SIM_STOP_HALTED);
}

CASES_RUN(explore, NULL, NULL)
