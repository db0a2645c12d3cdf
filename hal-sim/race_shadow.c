/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The accesses that a later one can conflict with, for each 8 bytes of memory that CPUs share:
 * core's arena, RAM, and the program's data. Stacks are left out: core shares nothing on them that
 * is not handed over by other memory.
 *
 * An access that is ordered after another stands for it: whatever conflicts with the older one and
 * has no order with it has none with the newer one either. So a byte keeps its last write, and the
 * reads since then that have no order among each other. Where there are more than there is room
 * for, the oldest is forgotten: a race may be missed, none is made up.
 */
#include "base/addr.h"
#include "hal-sim/internal.h"
#include "hal-sim/race_priv.h"
#include <string.h>
#include <sys/mman.h>

#define GRANULE    8u
#define CELLS      4u
#define PAGE_CELLS (PAGE_SIZE / GRANULE)

/* mask 0: empty */
struct cell {
    uint32_t epoch; /* of the CPU's own clock */
    uint32_t where;
    uint8_t cpu;
    uint8_t mask; /* bytes of the granule */
    uint8_t kind; /* enum race_kind */
    uint8_t unused;
};

struct granule {
    struct cell cell[CELLS];
};

/* A write of a whole page at once stands for all of its granules, which are empty then. */
struct page {
    struct cell all;
    bool used; /* a granule may be in use */
};

static struct region {
    uintptr_t base;
    uint64_t size;
    struct granule *granules;
    struct page *pages;
} regions[3];

extern const char __executable_start[], end[];

/* --- Memory for it --- */

static void *reserve(struct sim_machine *machine, uint64_t size)
{
    void *got = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (got == MAP_FAILED)
        turns_break(machine, "race: no addresses for what the detector remembers");
    return got;
}

static void watch(struct sim_machine *machine, struct region *region, const void *base,
                  uint64_t size)
{
    uint64_t first = align_down((uint64_t)(uintptr_t)base, PAGE_SIZE);
    uint64_t last = align_up((uint64_t)(uintptr_t)base + size, PAGE_SIZE);

    region->base = first;
    region->size = last - first;
    region->granules = reserve(machine, region->size / GRANULE * sizeof(struct granule));
    region->pages = reserve(machine, region->size / PAGE_SIZE * sizeof(struct page));
}

void race_shadow_start(struct sim_machine *machine)
{
    watch(machine, &regions[0], machine->arena, sizeof(machine->arena));
    watch(machine, &regions[1], memory_ram(), machine->ram_size);
    watch(machine, &regions[2], __executable_start, (uint64_t)(end - __executable_start));
}

static struct region *find(uintptr_t at)
{
    for (unsigned i = 0; i < sizeof(regions) / sizeof(regions[0]); i++)
        if (at - regions[i].base < regions[i].size)
            return &regions[i];
    return NULL;
}

/* --- Conflicts --- */

static const char *kind_name(unsigned kind)
{
    static const char *const names[] = {
        [RACE_READ] = "read",
        [RACE_WRITE] = "write",
        [RACE_ATOMIC] = "atomic read",
        [RACE_ATOMIC_WRITE] = "atomic write",
    };

    return names[kind];
}

static bool is_ordered(const struct cell *then, unsigned cpu)
{
    return then->cpu == cpu || then->epoch <= race_clock_of(cpu)->at[then->cpu];
}

static bool conflict(unsigned one, unsigned other)
{
    return ((one | other) & RACE_WRITE) != 0 && (one & other & RACE_ATOMIC) == 0;
}

static void check(const struct cell *then, const struct cell *now, uintptr_t at)
{
    if ((then->mask & now->mask) == 0 || !conflict(then->kind, now->kind) ||
        is_ordered(then, now->cpu))
        return;
    turns_break(sim_machine(),
                "race: %s of 0x%llx by CPU %u at [0x%x], and nothing orders it after the %s of %u "
                "bytes by CPU %u at [0x%x]",
                kind_name(now->kind), (unsigned long long)at, now->cpu, now->where,
                kind_name(then->kind), (unsigned)__builtin_popcount(then->mask), then->cpu,
                then->where);
}

/* Whether the newer stands for the older, which is ordered before it. An atomic access conflicts
 * with less than another. */
static bool stands_for(const struct cell *now, const struct cell *then)
{
    if ((now->kind & RACE_ATOMIC) != 0 && (then->kind & RACE_ATOMIC) == 0)
        return false;
    return (now->kind & RACE_WRITE) != 0 || (then->kind & RACE_WRITE) == 0;
}

static void note_granule(struct granule *granule, const struct cell *now, uintptr_t at)
{
    struct cell *room = NULL;

    for (unsigned i = 0; i < CELLS; i++) {
        struct cell *then = &granule->cell[i];
        if (then->mask == 0) {
            room = room != NULL ? room : then;
            continue;
        }
        check(then, now, at);
        if (stands_for(now, then) && is_ordered(then, now->cpu))
            then->mask &= (uint8_t)~now->mask;
        if (then->mask == 0)
            room = room != NULL ? room : then;
    }
    if (room == NULL) {
        memmove(&granule->cell[0], &granule->cell[1], (CELLS - 1) * sizeof(struct cell));
        room = &granule->cell[CELLS - 1];
    }
    *room = *now;
}

static void note_page(struct region *region, uint64_t page, struct cell *now, uintptr_t at)
{
    struct granule *granules = &region->granules[page * PAGE_CELLS];
    struct page *p = &region->pages[page];

    now->mask = 0xff;
    check(&p->all, now, at);
    for (unsigned i = 0; p->used && i < PAGE_CELLS; i++)
        for (unsigned j = 0; j < CELLS; j++)
            check(&granules[i].cell[j], now, at + (uintptr_t)i * GRANULE);
    if (p->used)
        memset(granules, 0, PAGE_CELLS * sizeof(*granules));
    p->used = false;
    p->all = *now;
}

static void note_part(struct region *region, uint64_t offset, unsigned size, struct cell *now,
                      uintptr_t at)
{
    struct page *page = &region->pages[offset / PAGE_SIZE];
    unsigned first = offset % GRANULE;

    now->mask = (uint8_t)(((1u << size) - 1) << first);
    check(&page->all, now, at);
    page->used = true;
    note_granule(&region->granules[offset / GRANULE], now, at);
}

void race_note(const void *pointer, size_t size, enum race_kind kind, const void *where)
{
    uintptr_t at = (uintptr_t)pointer;
    struct region *region = find(at);
    unsigned cpu = sim_machine()->self;
    struct cell now = {
        .epoch = race_clock_of(cpu)->at[cpu],
        .where = (uint32_t)(uintptr_t)where,
        .cpu = (uint8_t)cpu,
        .kind = (uint8_t)kind,
    };

    if ((kind & RACE_WRITE) != 0)
        explore_progress();
    if (region == NULL)
        return;
    uint64_t offset = at - region->base;
    uint64_t stop = size < region->size - offset ? offset + size : region->size;
    while (offset < stop) {
        uint64_t part = GRANULE - offset % GRANULE;
        if (kind == RACE_WRITE && offset % PAGE_SIZE == 0 && stop - offset >= PAGE_SIZE) {
            part = PAGE_SIZE;
            note_page(region, offset / PAGE_SIZE, &now, region->base + offset);
        } else {
            part = part < stop - offset ? part : stop - offset;
            note_part(region, offset, (unsigned)part, &now, region->base + offset);
        }
        offset += part;
    }
}
