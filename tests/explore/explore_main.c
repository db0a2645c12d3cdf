/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What all tests begin and end with, on the machine's CPUs. */
#include "base/bits.h"
#include "explore/explore.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include "unit/prng.h"
#include <stdatomic.h>
#include <stddef.h>

static const struct explore_test *const tests[] = {EXPLORE_TESTS};
struct explore_plan explore_plan;

static struct world *the_world;
static _Atomic unsigned nr_working;

const struct explore_test *explore_test(unsigned n)
{
    if (n < ARRAY_LEN(tests))
        return tests[n];
    n -= (unsigned)ARRAY_LEN(tests);
    return n < EXPLORE_SELF_TESTS ? &explore_self[n] : NULL;
}

uint64_t explore_pick(uint64_t *random, uint64_t n)
{
    return prng_next(random) % n;
}

static void work(unsigned cpu)
{
    uint64_t random = explore_plan.seed * UINT64_C(0x9e3779b97f4a7c15) + 2 * cpu + 1;

    random = random != 0 ? random : 1;
    for (unsigned i = 0; i < 8; i++) /* seeds that are alike make numbers that are not */
        (void)prng_next(&random);
    explore_plan.test->work(the_world, cpu, &random);
    atomic_fetch_sub(&nr_working, 1);
}

static void other_main(void *arg)
{
    (void)arg;
    work(hal_cpu_self());
    hal_cpu_stop();
}

_Noreturn void core_main(const struct hal_boot *boot)
{
    const struct explore_test *test = explore_plan.test;
    unsigned nr_started = test->starts_cpus ? 1 : test->nr_cpus;

    the_world = world_begin(boot);
    test->prepare(the_world);
    atomic_store(&nr_working, nr_started);
    for (unsigned cpu = 1; cpu < nr_started; cpu++)
        if (hal_cpu_start(cpu, other_main, NULL) != HV_OK)
            world_give_up("a CPU does not start");
    work(0);
    while (atomic_load(&nr_working) != 0)
        hal_cpu_relax();
    if (test->finish != NULL)
        test->finish(the_world);
    world_end(the_world);
}
