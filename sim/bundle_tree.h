/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How the files that make a bundle write its tree: libfdt's sequential write, in which the first
 * error stays and what follows it does nothing. */
#ifndef SIM_BUNDLE_TREE_H
#define SIM_BUNDLE_TREE_H

#include "sim/file_in.h"
#include <stdbool.h>
#include <stdint.h>

struct tree {
    void *fdt;
    int err;
};

/* Notes what a function of libfdt returned. */
void tree_do(struct tree *tree, int err);
void tree_begin(struct tree *tree, const char *name);
void tree_end(struct tree *tree);
void tree_string(struct tree *tree, const char *name, const char *value);
void tree_u32(struct tree *tree, const char *name, uint32_t value);
void tree_u64(struct tree *tree, const char *name, uint64_t value);
void tree_flag(struct tree *tree, const char *name);
/* A property with the file's bytes, read straight to its place. False if the file cannot be read,
 * with the reason in reason[FILE_IN_REASON_MAX]. */
bool tree_file(struct tree *tree, const char *name, struct file_in *file, char *reason);

#endif
