/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Of exploration itself: what the detector of races has to find, what it must not, and the two ends
 * of a machine that gets nowhere. What `finds` says is how the machine has to fail.
 */
#include "explore/explore.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include <stdatomic.h>
#include <string.h>

static _Atomic unsigned flag;
static _Atomic unsigned second;
static uint64_t mail;
static uint8_t bytes[8];
static unsigned char page_to_fill[2 * PAGE_SIZE] __attribute__((aligned(4096)));

static void nothing(struct world *w)
{
    (void)w;
}

/* An acquire once it is there, not before: it would see what came earlier. */
static void wait_for_two(void)
{
    while (atomic_load_explicit(&flag, memory_order_relaxed) != 2)
        hal_cpu_relax();
    (void)atomic_load_explicit(&flag, memory_order_acquire);
}

static void wait_for(_Atomic unsigned *what, memory_order order)
{
    while (atomic_load_explicit(what, order) == 0)
        hal_cpu_relax();
}

/* --- Messages: CPU 0 writes mail, and CPU 1 reads it once it has been told --- */

static void ordered(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)random;
    if (cpu == 0) {
        mail = 1;
        atomic_store_explicit(&flag, 1, memory_order_release);
    } else {
        wait_for(&flag, memory_order_acquire);
        EXPECT(mail == 1);
    }
}

static void relaxed_store(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)random;
    if (cpu == 0) {
        mail = 1;
        atomic_store_explicit(&flag, 1, memory_order_relaxed);
    } else {
        wait_for(&flag, memory_order_acquire);
        (void)*(volatile uint64_t *)&mail;
    }
}

static void relaxed_load(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)random;
    if (cpu == 0) {
        mail = 1;
        atomic_store_explicit(&flag, 1, memory_order_release);
    } else {
        wait_for(&flag, memory_order_relaxed);
        (void)*(volatile uint64_t *)&mail;
    }
}

static void fences(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)random;
    if (cpu == 0) {
        mail = 1;
        atomic_thread_fence(memory_order_release);
        atomic_store_explicit(&flag, 1, memory_order_relaxed);
    } else {
        wait_for(&flag, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        EXPECT(mail == 1);
    }
}

/* A read-modify-write in between hands on what was released (C11 5.1.2.4, 10), a store does not. */
static void sequence(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)random;
    if (cpu == 0) {
        mail = 1;
        atomic_store_explicit(&flag, 1, memory_order_release);
    } else if (cpu == 1) {
        wait_for(&flag, memory_order_relaxed);
        atomic_fetch_add_explicit(&flag, 1, memory_order_relaxed);
    } else {
        wait_for_two();
        EXPECT(mail == 1);
    }
}

static void broken_sequence(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)random;
    if (cpu == 0) {
        mail = 1;
        atomic_store_explicit(&flag, 1, memory_order_release);
    } else if (cpu == 1) {
        wait_for(&flag, memory_order_relaxed);
        atomic_store_explicit(&flag, 2, memory_order_relaxed);
    } else {
        wait_for_two();
        (void)*(volatile uint64_t *)&mail;
    }
}

/* CONTRACT.md, hal_cpu_kick(): what was written before is visible to who acknowledges it. */
static void kicked(struct world *w, unsigned cpu, uint64_t *random)
{
    uint32_t intid;

    (void)w;
    (void)random;
    if (cpu == 0) {
        mail = 1;
        hal_cpu_kick(1);
        return;
    }
    do {
        hal_cpu_idle();
        intid = hal_irq_ack();
    } while (intid == HAL_INTID_NONE);
    EXPECT(intid == HAL_INTID_KICK && mail == 1);
    hal_irq_end(intid, true);
}

/* --- What overlaps, and what does not --- */

static void neighbours(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)random;
    *(volatile uint8_t *)&bytes[cpu] = 1;
}

static void overlap(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)random;
    if (cpu == 0)
        *(volatile uint8_t *)&bytes[5] = 1;
    else
        memset(bytes, 0, sizeof(bytes));
}

static void whole_page(struct world *w, unsigned cpu, uint64_t *random)
{
    unsigned char *page = page_to_fill;

    (void)w;
    (void)random;
    if (cpu == 0)
        *(volatile uint8_t *)&page[PAGE_SIZE + 77] = 1;
    else
        memset(page, 0, 2 * PAGE_SIZE);
}

/* Reads do not conflict with each other, whatever their number. */
static void readers(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)cpu;
    (void)random;
    for (unsigned i = 0; i < 8; i++) {
        (void)*(volatile uint8_t *)&bytes[i];
        (void)*(volatile uint64_t *)&mail;
    }
}

/* --- Getting nowhere --- */

static void spin(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)random;
    wait_for(cpu == 0 ? &flag : &second, memory_order_acquire);
}

static void sleep_for_ever(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    (void)random;
    while (cpu != 0 && hal_irq_ack() == HAL_INTID_NONE)
        hal_cpu_idle();
    while (cpu == 0)
        hal_cpu_idle();
}

#define SELF(what, cpus, function, how)                                                            \
    {                                                                                              \
        .name = "self-" what, .nr_cpus = (cpus), .prepare = nothing, .work = (function),           \
        .finds = (how)                                                                             \
    }

const struct explore_test explore_self[EXPLORE_SELF_TESTS] = {
    SELF("ordered", 2, ordered, NULL),
    SELF("relaxed-store", 2, relaxed_store, "race: read"),
    SELF("relaxed-load", 2, relaxed_load, "race: read"),
    SELF("fences", 2, fences, NULL),
    SELF("sequence", 3, sequence, NULL),
    SELF("broken-sequence", 3, broken_sequence, "race: read"),
    SELF("kick", 2, kicked, NULL),
    SELF("neighbours", 4, neighbours, NULL),
    SELF("overlap", 2, overlap, "race: write"),
    SELF("page", 2, whole_page, "race: write"),
    SELF("readers", 4, readers, NULL),
    SELF("spin", 2, spin, "deadlock: "),
    SELF("sleep", 2, sleep_for_ever, "deadlock: all CPUs wait for ever"),
};
