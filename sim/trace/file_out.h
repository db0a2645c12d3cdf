/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An output file that is there whole or not at all. It is written under a name beside its target,
 * PATH.PID-N.partial, and takes the target's name when it is committed: what was there before stays
 * until then, whatever happens. A process that is killed leaves the partial file, nothing else.
 * Traces, recordings, snapshots and bundles are written through it.
 *
 * A target that exists and is no regular file (/dev/null, a pipe, a terminal) is written directly,
 * as there is nothing to keep. Symbolic links are followed; one that leads nowhere is replaced.
 *
 * Whoever writes into pipes ignores SIGPIPE, so that a reader who left is an error here.
 */
#ifndef SIM_TRACE_FILE_OUT_H
#define SIM_TRACE_FILE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a caller keeps for the reason of a failure: a line without its newline, naming the path. */
#define FILE_OUT_REASON_MAX 256u

struct file_out;

/* NULL with the reason if `path` cannot be written, or there is no memory. */
struct file_out *file_out_open(const char *path, char *reason);

/*
 * Appends, buffered. A failure (a full disk) is remembered: this and later calls return false, and
 * file_out_commit() says why. A caller with nothing better to do may look only there.
 */
bool file_out_write(struct file_out *out, const void *data, size_t len);

/* Bytes appended so far. */
uint64_t file_out_size(const struct file_out *out);

/*
 * Ends with the file in its place and on the disk (true), or with the target as it was before the
 * open and the reason (false). `out` is gone in both cases. NULL is committed already.
 */
bool file_out_commit(struct file_out *out, char *reason);

/* Ends with the target as it was before the open. NULL is nothing. */
void file_out_discard(struct file_out *out);

#endif
