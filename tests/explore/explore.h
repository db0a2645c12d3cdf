/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Core's concurrency tests: programs in the place of the role, in which several CPUs drive a module
 * of core at random. driver.c runs them under one seed after another (docs/exploration.md).
 */
#ifndef EXPLORE_EXPLORE_H
#define EXPLORE_EXPLORE_H

#include "base/check.h"
#include "mutation/world.h"
#include <stdbool.h>
#include <stdint.h>

#define EXPLORE_MAX_CPUS 4u

struct explore_test {
    const char *name;
    unsigned nr_cpus;                 /* 2..EXPLORE_MAX_CPUS */
    bool starts_cpus;                 /* work() is for the boot CPU, which starts the others */
    void (*prepare)(struct world *w); /* on the boot CPU, before the others start */
    /* On each CPU, at once. *random is the state of prng_next(), of this CPU and this seed. */
    void (*work)(struct world *w, unsigned cpu, uint64_t *random);
    void (*finish)(struct world *w); /* on the boot CPU, after all work; NULL: nothing */
    /* After the machine's end: what is wrong with what it wrote to its console, or NULL. NULL: it
     * is not looked at. */
    const char *(*judge)(const char *console);
    const char *finds; /* the words in which each run has to fail; NULL: it has to pass */
};

/* The nth test, or NULL. */
const struct explore_test *explore_test(unsigned n);

/* What core_main() is to do; set before the machine runs. */
struct explore_plan {
    const struct explore_test *test;
    uint64_t seed;
};
extern struct explore_plan explore_plan;

/* A number below n. */
uint64_t explore_pick(uint64_t *random, uint64_t n);

/* An invariant that does not hold ends the run, as one of core's would. */
#define EXPECT(condition) HV_CHECK(condition)

#endif
