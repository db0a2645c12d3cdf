/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The part of sim/bundle_make.c that is about disks: nodes for --disk, and the memory that the
 * disks of a bundle may take. */
#ifndef SIM_BUNDLE_DISK_H
#define SIM_BUNDLE_DISK_H

#include "sim/bundle_tree.h"
#include "sim/options.h"

/* A disk's file that goes into the bundle. */
struct bundle_disk {
    char path[SIM_DISK_FILE_MAX];
    struct file_in file; /* fd < 0: none does */
};

/* Opens the files of those that are in memory. False with the reason; what is open stays so. */
bool bundle_disks_open(const struct sim_options *options, struct bundle_disk *disk, char *reason);
/* Bytes that they add to the tree, at most. */
uint64_t bundle_disks_size(const struct sim_options *options, const struct bundle_disk *disk);
/* The nodes of a VM: the first (first NULL), or one with the images of the VM of that name. */
bool bundle_disks_write(struct tree *tree, const struct sim_options *options, const char *first,
                        struct bundle_disk *disk, char *reason);
/* What the disks of the VM, and its flash, may take of the machine's memory. Of a huge one, which
 * is not meant to be filled, BUNDLE_DISK_MEMORY. */
#define BUNDLE_DISK_MEMORY GIB(1)
uint64_t bundle_disks_memory(const struct vm_config *vm);

#endif
