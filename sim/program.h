/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What halcyon-sim does with a good command line, from the first file to the exit status. */
#ifndef SIM_PROGRAM_H
#define SIM_PROGRAM_H

#include "sim/options.h"

/* Both return the process's exit status; the reason of a failure is on stderr. */
int program_write_bundle(const struct sim_options *options);
/* May end the process itself: by the signal that ended the run. */
int program_run(const struct sim_options *options);

#endif
