/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A machine in a file. It is a memory image of core, so it is bound to the very program that wrote
 * it and trusted like one (docs/decisions/0013); a file that is damaged, foreign or cut off is
 * refused with words before anything of it is used.
 */
#ifndef SIM_SNAPSHOT_H
#define SIM_SNAPSHOT_H

#include "hal-sim/machine.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNAPSHOT_REASON_MAX  256u /* size of every `reason` below */
#define SNAPSHOT_RUN_MAX     4096u
#define SNAPSHOT_DIGEST_SIZE 16u /* XXH3-128, canonical */

/* What is in the file beside the machine's memory. */
struct snapshot_meta {
    struct sim_machine_config config; /* console_write, trace and ctx are not kept: NULL in a
                                         file's; whether `trace` was given is in `traced` */
    bool traced;
    /* What the program keeps about the run (console position, trace hash, counts): opaque here,
     * holds no pointer. */
    uint32_t run_size; /* 0..SNAPSHOT_RUN_MAX */
    uint8_t run[SNAPSHOT_RUN_MAX];
};

/*
 * Writes the machine beside `path`, and renames it to that name when it is complete. Between two
 * runs of the machine only; the machine can go on as if nothing had been. False with the reason:
 * the old file, if there is one, is as it was.
 */
bool snapshot_save(const char *path, struct sim_machine *machine, const struct snapshot_meta *meta,
                   char *reason);

struct snapshot_file;

/*
 * Opens a snapshot and checks all that can be checked before there is a machine: format, version,
 * build, bounds, order, the sum of every byte. NULL with the reason.
 */
struct snapshot_file *snapshot_open(const char *path, char *reason);
/* NULL is allowed. */
void snapshot_close(struct snapshot_file *file);
const struct snapshot_meta *snapshot_meta(const struct snapshot_file *file);
/* Names the content, for the identity of recordings that start from it. */
void snapshot_digest(const struct snapshot_file *file, uint8_t out[SNAPSHOT_DIGEST_SIZE]);
/*
 * Fills a machine that was just made with meta's config (and callbacks of the caller's), not run
 * and its RAM not written to before, and takes it into use. False with the reason: the machine is
 * as it was but for its RAM, and good for nothing but to be destroyed.
 */
bool snapshot_load(struct snapshot_file *file, struct sim_machine *machine, char *reason);

#endif
