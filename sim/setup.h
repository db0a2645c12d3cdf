/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From the options to a machine that is ready to run: made anew and loaded, or restored. */
#ifndef SIM_SETUP_H
#define SIM_SETUP_H

#include "sim/options.h"
#include "sim/record.h"
#include "sim/run.h"
#include <stdbool.h>

#define SETUP_REASON_MAX 256u

/*
 * Makes run->machine with run->config, whose callbacks are set (run_connect()) and whose other
 * members it fills in. identity: for recordings of this run. False with the reason; then there is
 * no machine.
 */
bool setup_new(struct sim_run *run, const struct sim_options *options,
               struct record_identity *identity, char *reason);
/* The same from options->restore; takes run->console's and run->tracer's state from it, too. */
bool setup_restore(struct sim_run *run, const struct sim_options *options,
                   struct record_identity *identity, char *reason);

#endif
