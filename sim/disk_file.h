/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine's disks, each a file of the host's: sectors as they are, one after the other. What is
 * in the VM's flash (--flash) is the last of them. */
#ifndef SIM_DISK_FILE_H
#define SIM_DISK_FILE_H

#include "sim/options.h"

#define DISK_FILE_REASON_MAX 256u

struct disk_files {
    unsigned count;
    int fd[SIM_DISKS_MAX];
};

/*
 * Opens those of options->disk[] that are files, and puts them into config->disk[]. Each is ours
 * alone while it is open, or, if it is read-only, everybody's. The flash's is made if it is not
 * there. `files` stays where it is. False with the reason: then none is open.
 */
bool disk_files_open(struct disk_files *files, const struct sim_options *options,
                     struct sim_machine_config *config, char reason[DISK_FILE_REASON_MAX]);
void disk_files_close(struct disk_files *files);

/* Names what is in all of them. False if one cannot be read. */
#define DISK_FILE_DIGEST_SIZE 16u /* XXH3-128, canonical */
bool disk_files_digest(const struct disk_files *files, uint8_t out[DISK_FILE_DIGEST_SIZE],
                       char reason[DISK_FILE_REASON_MAX]);

#endif
