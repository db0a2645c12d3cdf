/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The program that runs core's concurrency tests. */
#include "base/addr.h"
#include "explore/driver.h"
#include "explore/explore.h"
#include <string.h>

static void set_seed(uint64_t seed)
{
    explore_plan.seed = seed;
}

static const char *judge(const char *console)
{
    if (strstr(console, "Bail out!") != NULL)
        return "it could not begin";
    return explore_plan.test->judge != NULL ? explore_plan.test->judge(console) : NULL;
}

static bool run_test(const struct explore_test *test, const struct driver_options *options)
{
    const struct driver driver = {
        .program = "explore-core",
        .nr_cpus = test->nr_cpus,
        .ram_size = MIB(16),
        .verbose = options->verbose,
        .set_seed = set_seed,
        .judge = judge,
        .finds = test->finds,
    };

    explore_plan.test = test;
    return driver_run(&driver, test->name, options->seed, options->runs);
}

static const char *test_name(unsigned n)
{
    return explore_test(n) != NULL ? explore_test(n)->name : NULL;
}

static bool test_run(unsigned n, const struct driver_options *options)
{
    return run_test(explore_test(n), options);
}

int main(int argc, char *argv[])
{
    return driver_main(argc, argv, test_name, test_run);
}
