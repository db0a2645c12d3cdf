/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Two to eight CPUs at work at once: shared memory under locks, exclusives, an IPI from each to
 * each with an answer, both timers of each CPU. All is counted, and each count is exact. Waiting is
 * done in WFI, so that it does not matter how many physical CPUs there are. Command line: rounds=N
 * of all of it together.
 */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/smp.h"
#include "lib/smp_irq.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define MAX_CPUS   8u
#define BLOCKS     256u
#define BLOCK      512u /* 64-bit words */
#define INCREMENTS 2000u
#define ROUNDS     100u /* in which each CPU sends to each other */
#define TICKS      50u
#define PERIOD_US  100u

/* How many of its SGIs each other CPU has taken: written by those; and its checksum. */
static struct {
    uint32_t answered[MAX_CPUS];
    uint64_t sum;
} __attribute__((aligned(64))) per_cpu[MAX_CPUS];
static unsigned cpus;
static uint64_t memory[BLOCKS][BLOCK];
static struct smp_lock lock;
/* Guarded by the lock. */
static volatile struct {
    uint32_t next_block;
    uint64_t sum;
    uint64_t counter;
} shared;
static uint64_t atomic_counter;

static void answer(unsigned self, unsigned from)
{
    __atomic_fetch_add(&per_cpu[from].answered[self], 1, __ATOMIC_RELEASE);
    gic_send(from, SMP_WAKE);
}

/* --- Memory --- */

static uint64_t sum_block(const uint64_t *block)
{
    uint64_t sum = 0xcbf29ce484222325UL;

    for (unsigned i = 0; i < BLOCK; i++) {
        sum = (sum ^ block[i]) * 0x100000001b3UL;
    }
    return sum;
}

static uint64_t fill_memory(void)
{
    uint64_t random = 0x1234567;
    uint64_t sum = 0;

    for (unsigned i = 0; i < BLOCKS; i++) {
        for (unsigned j = 0; j < BLOCK; j++) {
            memory[i][j] = sys_random(&random);
        }
        sum += sum_block(memory[i]);
    }
    return sum;
}

static unsigned claim_block(void)
{
    smp_acquire(&lock);
    unsigned block = shared.next_block++;
    smp_release(&lock);
    return block;
}

static void sum_some(unsigned cpu)
{
    unsigned block;

    (void)cpu;
    while ((block = claim_block()) < BLOCKS) {
        uint64_t sum = sum_block(memory[block]);
        smp_acquire(&lock);
        shared.sum += sum;
        smp_release(&lock);
    }
}

static void test_memory(void)
{
    uint64_t want = fill_memory();

    smp_run(cpus, sum_some);
    tap_eq(shared.sum, want, "the checksum of shared memory");
}

static void increment(unsigned cpu)
{
    (void)cpu;
    for (unsigned i = 0; i < INCREMENTS; i++) {
        smp_acquire(&lock);
        shared.counter++;
        smp_release(&lock);
        __atomic_fetch_add(&atomic_counter, 1, __ATOMIC_RELAXED);
    }
}

static void test_counters(void)
{
    smp_run(cpus, increment);
    tap_eq(shared.counter, cpus * INCREMENTS, "a counter under a lock");
    tap_eq(atomic_counter, cpus * INCREMENTS, "a counter by LDXR and STXR");
}

/* --- IPIs --- */

/* Sends and waits for the answer. */
static void call(unsigned self, unsigned other)
{
    const uint32_t *answered = &per_cpu[self].answered[other];
    uint32_t before = __atomic_load_n(answered, __ATOMIC_ACQUIRE);

    gic_send(other, self);
    (void)smp_await(answered, before);
}

static void call_all(unsigned self)
{
    sys_irq_unmask();
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned step = 1; step < cpus; step++) {
            call(self, (self + step) % cpus);
        }
    }
    sys_irq_mask();
}

/* Each has taken `each` SGIs of each other, none of its own, and nothing else. */
static bool all_taken(uint32_t each)
{
    bool good = true;

    for (unsigned to = 0; to < cpus; to++) {
        for (unsigned from = 0; from < cpus; from++) {
            uint32_t want = from == to ? 0 : each;
            good = good && smp_irq[to].sgi[from] == want && per_cpu[from].answered[to] == want;
        }
        good = good && smp_irq[to].strange == 0;
    }
    return good;
}

static void test_calls(void)
{
    smp_run(cpus, call_all);
    tap_ok(all_taken(ROUNDS), "every SGI from each to each is taken once");
}

/* The first that has not answered is waited for, until there is none. */
static void broadcast(unsigned self)
{
    uint32_t before = ROUNDS;

    sys_irq_unmask();
    for (unsigned round = 0; round < ROUNDS; round++) {
        gic_send_others(self);
        for (unsigned other = 0; other < cpus; other++) {
            if (other != self) {
                (void)smp_await(&per_cpu[self].answered[other], before + round);
            }
        }
    }
    sys_irq_mask();
}

static void test_broadcasts(void)
{
    smp_run(cpus, broadcast);
    tap_ok(all_taken(2 * ROUNDS), "every SGI to all others is taken once by each");
}

/* --- Timers --- */

static void run_timers(unsigned self)
{
    (void)self;
    for (unsigned i = 0; i < TICKS; i++) {
        smp_irq_sleep_for(TIMER_VIRTUAL, PERIOD_US);
        smp_irq_sleep_for(TIMER_PHYSICAL, PERIOD_US);
    }
}

static bool all_ticked(uint32_t ticks)
{
    bool good = true;

    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        good = good && smp_irq[cpu].ticks[TIMER_VIRTUAL] == ticks &&
               smp_irq[cpu].ticks[TIMER_PHYSICAL] == ticks && smp_irq[cpu].strange == 0;
    }
    return good;
}

static void test_timers(void)
{
    smp_run(cpus, run_timers);
    tap_ok(all_ticked(TICKS), "every tick of both timers of each CPU");
}

/* --- All of it together --- */

/* A tick that comes when it comes, calls and sums: each sums all of the memory. */
static void work(unsigned self)
{
    uint64_t random = self + 1;
    uint64_t sum = 0;

    for (unsigned block = 0; block < BLOCKS; block++) {
        enum timer_kind kind = block % 2 == 0 ? TIMER_VIRTUAL : TIMER_PHYSICAL;
        uint32_t before = smp_irq[self].ticks[kind];
        timer_set_cval(kind, timer_count(kind) + timer_us(sys_random(&random) % PERIOD_US));
        timer_set_ctl(kind, TIMER_ENABLE);
        sys_irq_unmask();
        sum += sum_block(memory[block]);
        for (unsigned other = 0; other < cpus; other++) {
            if (other != self) {
                call(self, other);
            }
        }
        sys_irq_mask();
        smp_irq_sleep_until(&smp_irq[self].ticks[kind], before + 1);
    }
    per_cpu[self].sum = sum;
}

static void test_together(void)
{
    uint32_t rounds = (uint32_t)sys_argument("rounds", 1);
    bool good = true;

    for (uint32_t i = 0; i < rounds; i++) {
        smp_run(cpus, work);
    }
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        good = good && per_cpu[cpu].sum == shared.sum;
    }
    tap_ok(good, "together: each CPU's checksum");
    tap_ok(all_taken(2 * ROUNDS + rounds * BLOCKS), "together: every SGI");
    tap_ok(all_ticked(TICKS + rounds * BLOCKS / 2), "together: every tick");
}

void guest_main(void)
{
    cpus = smp_count();
    if (!tap_ok(cpus >= 2 && cpus <= MAX_CPUS, "there are two to eight CPUs")) {
        return;
    }
    smp_irq_start(cpus, answer);
    tap_ok(true, "all of them run");
    test_memory();
    smp_doze(true);
    test_counters();
    test_calls();
    test_broadcasts();
    test_timers();
    test_together();
    smp_doze(false);
    con_printf("# OK\n");
}
