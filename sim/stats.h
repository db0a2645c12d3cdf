/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What --stats prints. */
#ifndef SIM_STATS_H
#define SIM_STATS_H

#include "hal-sim/machine.h"
#include "sim/tracer.h"
#include <stdio.h>

/* What this process did of the run; the only thing here that is not the same in equal runs. */
struct stats_cost {
    uint64_t instructions;
    double seconds;
};

void stats_print(FILE *to, const struct sim_stats *stats, const struct tracer_state *trace,
                 const struct stats_cost *cost);

#endif
