/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which accesses are ordered: a clock for each CPU and each object that CPUs synchronise by. Clocks
 * are vectors, one component a CPU; a CPU's own goes up with each release.
 */
#include "hal-sim/race.h"
#include "hal-sim/internal.h"
#include "hal-sim/race_priv.h"
#include <string.h>

/* An atomic object that something was released to. Found by its address, open addressing. */
#define SYNC_SLOTS 16384u

struct sync {
    uintptr_t object; /* 0: free */
    struct race_clock clock;
};

static struct race_clock cpu_clock[SIM_MAX_CPUS];
/* Of loads and stores that are relaxed, for the fences that give them an order (C11 7.17.4). */
static struct race_clock loaded[SIM_MAX_CPUS];
static struct race_clock fenced[SIM_MAX_CPUS];
static struct sync syncs[SYNC_SLOTS];
static unsigned nr_syncs;
static unsigned nr_cpus; /* 0: nothing has run yet */

static void join(struct race_clock *to, const struct race_clock *from)
{
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (to->at[cpu] < from->at[cpu])
            to->at[cpu] = from->at[cpu];
}

const struct race_clock *race_clock_of(unsigned cpu)
{
    return &cpu_clock[cpu];
}

static void start(struct sim_machine *machine)
{
    nr_cpus = machine->nr_cpus;
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        cpu_clock[cpu].at[cpu] = 1;
    race_shadow_start(machine);
}

bool race_watches(void)
{
    if (!sim_host()->inside || sim_host()->panicking)
        return false;
    if (nr_cpus == 0)
        start(sim_machine());
    return true;
}

/* NULL if there is none and `make` is false. */
static struct sync *find(const void *object, bool make)
{
    uintptr_t key = (uintptr_t)object;
    size_t slot = (size_t)((key >> 1) * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SYNC_SLOTS;

    while (syncs[slot].object != 0 && syncs[slot].object != key)
        slot = (slot + 1) % SYNC_SLOTS;
    if (syncs[slot].object == key)
        return &syncs[slot];
    if (!make)
        return NULL;
    if (++nr_syncs > SYNC_SLOTS / 2)
        turns_break(sim_machine(), "race: more than %u atomic objects: raise SYNC_SLOTS",
                    SYNC_SLOTS / 2);
    syncs[slot].object = key;
    return &syncs[slot];
}

/* --- What has an order --- */

static bool acquires(int order)
{
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL ||
           order == __ATOMIC_SEQ_CST;
}

static bool releases(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static bool is_zero(const struct race_clock *clock)
{
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (clock->at[cpu] != 0)
            return false;
    return true;
}

void race_load(const void *object, int order)
{
    unsigned self = sim_machine()->self;
    const struct sync *sync = find(object, false);

    if (sync != NULL)
        join(acquires(order) ? &cpu_clock[self] : &loaded[self], &sync->clock);
}

/* A store begins a release sequence, a read-modify-write goes on with the one that there is (C11
 * 5.1.2.4, 10). */
void race_store(const void *object, int order, bool modify)
{
    unsigned self = sim_machine()->self;
    const struct race_clock *clock = releases(order) ? &cpu_clock[self] : &fenced[self];
    struct sync *sync = find(object, !is_zero(clock));

    if (sync == NULL)
        return;
    if (!modify)
        memset(&sync->clock, 0, sizeof(sync->clock));
    join(&sync->clock, clock);
    if (releases(order))
        cpu_clock[self].at[self]++;
}

void race_fence(int order)
{
    unsigned self = sim_machine()->self;

    if (acquires(order))
        join(&cpu_clock[self], &loaded[self]);
    if (releases(order)) {
        fenced[self] = cpu_clock[self];
        cpu_clock[self].at[self]++;
    }
}

/* --- The HAL's promises --- */

void race_release(const void *object)
{
    if (race_watches())
        race_store(object, __ATOMIC_RELEASE, true);
}

void race_acquire(const void *object)
{
    if (race_watches())
        race_load(object, __ATOMIC_ACQUIRE);
}

void race_access(const void *at, size_t size, bool write, const void *where)
{
    if (race_watches())
        race_note(at, size, write ? RACE_WRITE : RACE_READ, where);
}
