/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An input file that is to be in memory whole: regular, not empty, not too large, and of the size
 * that it said. */
#ifndef SIM_FILE_IN_H
#define SIM_FILE_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILE_IN_REASON_MAX 256u

struct file_in {
    int fd;
    uint64_t size; /* 1..limit */
    const char *path;
};

/* Opens without waiting for anything (a pipe's writer, a device). False with "PATH: why" in
 * reason[FILE_IN_REASON_MAX]. */
bool file_in_open(struct file_in *file, const char *path, uint64_t limit, char *reason);
/* Reads all of it to `to`, once. False with the reason, also if the file has become shorter. */
bool file_in_read(struct file_in *file, void *to, char *reason);
void file_in_close(struct file_in *file);

#endif
