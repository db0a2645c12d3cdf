/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Guest programs of several vCPUs under the whole hypervisor, its role included. They say in the
 * Test Anything Protocol what is wrong.
 */
#include "base/addr.h"
#include "base/bits.h"
#include "explore/driver.h"
#include "sim/bundle_make.h"
#include <stdio.h>
#include <string.h>

#define PATH_SIZE 512u
#define RAM_SIZE  MIB(64)

static const struct guest_test {
    const char *name;
    const char *kernel; /* in the build's directory of guests */
    const char *vcpus;
    unsigned nr_cpus;
} tests[] = {
    {"guest-sgi", "sgi.bin", "1", 2},
    {"guest-wfi", "wfi.bin", "1", 2},
    {"guest-psci-race", "psci-race.bin", "4", 4},
    {"guest-two-vcpus", "two-vcpus.bin", "2", 2},
    {"guest-smp-wfi", "smp-wfi.bin", "3", 2},
};

static void set_seed(uint64_t seed)
{
    (void)seed;
}

static unsigned count(const char *text, const char *word)
{
    unsigned n = 0;

    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        n++;
    return n;
}

static const char *judge(const char *console)
{
    const char *plan = strstr(console, "\n1..");
    unsigned wanted = 0;

    if (strstr(console, "not ok ") != NULL)
        return "a check of the guest's failed";
    if (plan == NULL || sscanf(plan, "\n1..%u", &wanted) != 1 || wanted == 0)
        return "the guest did not come to its end";
    return count(console, "\nok ") + (strncmp(console, "ok ", 3) == 0) == wanted
               ? NULL
               : "the guest did not make all of its checks";
}

static bool make_bundle(const struct guest_test *test, const char *directory,
                        struct bundle_blob *bundle)
{
    char path[PATH_SIZE];
    char reason[BUNDLE_MAKE_REASON_MAX];
    char *argv[] = {
        (char[]){"explore-guest"}, (char[]){"--kernel"}, path,           (char[]){"--memory"},
        (char[]){"16M"},           (char[]){"--smp"},    (char[]){"  "}, NULL};
    struct sim_options options;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, test->kernel);
    (void)snprintf(argv[6], 3, "%s", test->vcpus);
    if (options_parse(ARRAY_LEN(argv) - 1, argv, &options, reason) &&
        bundle_make(&options, bundle, reason))
        return true;
    (void)fprintf(stderr, "explore-guest: error: %s\n", reason);
    return false;
}

static bool run_test(const struct guest_test *test, const struct driver_options *options)
{
    struct bundle_blob bundle;
    struct driver driver = {
        .program = "explore-guest",
        .nr_cpus = test->nr_cpus,
        .ram_size = RAM_SIZE,
        .verbose = options->verbose,
        .set_seed = set_seed,
        .judge = judge,
    };
    bool passed;

    if (!make_bundle(test, options->guests, &bundle))
        return false;
    driver.initrd = bundle.data;
    driver.initrd_size = bundle.size;
    passed = driver_run(&driver, test->name, options->seed, options->runs);
    bundle_free(&bundle);
    return passed;
}

static const char *test_name(unsigned n)
{
    return n < ARRAY_LEN(tests) ? tests[n].name : NULL;
}

static bool test_run(unsigned n, const struct driver_options *options)
{
    return run_test(&tests[n], options);
}

int main(int argc, char *argv[])
{
    return driver_main(argc, argv, test_name, test_run);
}
