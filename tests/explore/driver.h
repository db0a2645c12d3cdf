/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs a machine under many seeds: driver.c. */
#ifndef EXPLORE_DRIVER_H
#define EXPLORE_DRIVER_H

#include "hal-sim/machine.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where in RAM the initrd is put: behind the image and the devicetree. */
#define DRIVER_INITRD (SIM_IMAGE_SIZE + MIB(2))

struct driver {
    const char *program; /* its name, for messages */
    unsigned nr_cpus;
    uint64_t ram_size;
    const void *initrd; /* initrd_size 0: none */
    uint64_t initrd_size;
    bool verbose;
    void (*set_seed)(uint64_t seed); /* in the process of a run, before it */
    /* What is wrong with all that the machine wrote to its console, or NULL. */
    const char *(*judge)(const char *console);
    const char *finds; /* the words in which each run has to fail; NULL: it has to pass */
};

/* Runs under the seeds [first, first + runs) and prints the result. False at the first failure. */
bool driver_run(const struct driver *driver, const char *test, uint64_t first, uint64_t runs);

/* The command line of both programs. */
struct driver_options {
    const char *test;   /* NULL: all */
    const char *guests; /* the directory of the guest programs */
    uint64_t seed;      /* the first */
    uint64_t runs;
    bool list;
    bool verbose;
};

/* main() of a program whose nth test has the name test_name(n), NULL behind the last, and is run by
 * test_run(n), false if it fails. */
int driver_main(int argc, char *argv[], const char *(*test_name)(unsigned n),
                bool (*test_run)(unsigned n, const struct driver_options *options));

#endif
