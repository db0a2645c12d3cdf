/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The program that runs core's concurrency tests. */
#include "base/addr.h"
#include "explore/driver.h"
#include "explore/explore.h"
#include <stdio.h>
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

int main(int argc, char *argv[])
{
    struct driver_options options;
    bool found = false;
    bool passed = true;

    if (!driver_options(argc, argv, &options))
        return 2;
    for (unsigned i = 0; explore_test(i) != NULL; i++) {
        const struct explore_test *test = explore_test(i);
        if (options.list) {
            (void)printf("%s\n", test->name);
            found = true;
        } else if (options.test == NULL || strcmp(options.test, test->name) == 0) {
            passed = run_test(test, &options) && passed;
            found = true;
        }
    }
    if (!found)
        (void)fprintf(stderr, "explore-core: error: there is no test '%s': see --list\n",
                      options.test);
    return found && passed ? 0 : 1;
}
