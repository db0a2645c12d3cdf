/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hal-sim/explore.h"
#include "hal-sim/internal.h"
#include <stdio.h>

/* Points without a write after which nobody will ever write: more than any wait for a time takes.
 */
#define FRUITLESS_MAX 500000u

/* Turns of guests are short and of all lengths: up to 2 to this many ticks. */
#define TURN_BITS 12u
/* One in so many CPUs that lose their turn is passed over for up to 2 to NAP_BITS turns. */
#define NAP_ONE_IN 8u
#define NAP_BITS   9u
/* One in so many hal_cpu_idle(). */
#define EARLY_ONE_IN 8u

/* 1 to 2^bits, each order of magnitude as likely as the others. */
static uint64_t draw(struct sim_machine *machine, unsigned bits)
{
    uint64_t range = UINT64_C(1) << (1 + turns_random(machine) % bits);

    return 1 + turns_random(machine) % range;
}

static _Noreturn void report_deadlock(struct sim_machine *machine)
{
    char places[SIM_REASON_MAX / 2];
    int used = 0;

    places[0] = '\0';
    for (unsigned cpu = 0; cpu < machine->nr_cpus && used + 32 < (int)sizeof(places); cpu++)
        if (machine->cpu[cpu].state == SIM_CPU_RUNNING)
            used += snprintf(places + used, sizeof(places) - (size_t)used, " CPU %u at [0x%llx]",
                             cpu, (unsigned long long)machine->cpu[cpu].explore.place);
    turns_break(machine, "deadlock: %u steps and nobody has written anything:%s", FRUITLESS_MAX,
                places);
}

void explore_point(const void *where)
{
    struct sim_machine *machine = sim_machine();

    if (machine == NULL || machine->explore.one_in == 0 || !sim_host()->inside)
        return;
    sim_cpu_self(machine)->explore.place = (uint64_t)(uintptr_t)where;
    if (++machine->explore.fruitless >= FRUITLESS_MAX)
        report_deadlock(machine);
    if (turns_random(machine) % machine->explore.one_in == 0)
        turns_yield(machine);
}

void explore_progress(void)
{
    struct sim_machine *machine = sim_machine();

    if (machine != NULL)
        machine->explore.fruitless = 0;
}

uint64_t explore_turn(struct sim_machine *machine)
{
    return draw(machine, TURN_BITS);
}

/* A CPU that naps is where a slow one would be, for as long as others do much. */
static void lull(struct sim_machine *machine, struct explore_cpu *cpu)
{
    if (turns_random(machine) % NAP_ONE_IN == 0)
        cpu->nap = (uint32_t)draw(machine, NAP_BITS);
}

unsigned explore_choose(struct sim_machine *machine, const unsigned *able, unsigned count)
{
    unsigned awake[SIM_MAX_CPUS];
    unsigned nr_awake = 0;

    for (unsigned i = 0; i < count; i++) {
        struct explore_cpu *cpu = &machine->cpu[able[i]].explore;
        if (able[i] == machine->self)
            lull(machine, cpu);
        if (cpu->nap == 0)
            awake[nr_awake++] = able[i];
        else
            cpu->nap--;
    }
    if (nr_awake == 0)
        return able[turns_random(machine) % count];
    return awake[turns_random(machine) % nr_awake];
}

bool explore_wakes_early(struct sim_machine *machine)
{
    return machine->explore.one_in != 0 && turns_random(machine) % EARLY_ONE_IN == 0;
}
