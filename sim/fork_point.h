/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Going on from one point any number of times: the process is copied, the copy runs, and the
 * original has not moved. For a test that boots a machine once and tries much with it.
 */
#ifndef SIM_FORK_POINT_H
#define SIM_FORK_POINT_H

#include <stddef.h>

enum fork_end {
    FORK_EXITED, /* value: what child() returned, its low 8 bits, or an exit() status */
    FORK_KILLED, /* value: the signal */
    FORK_FAILED, /* value: errno. The machine has no room for a copy, or SIGCHLD is ignored */
};

struct fork_result {
    enum fork_end end;
    int value;
};

/*
 * Calls child(ctx, out) in a copy of this process and waits for its end. Nothing that it does is
 * seen here but what it leaves in out[0..out_len), which begins zeroed and is copied to `out` here
 * (untouched with FORK_FAILED), and what it does to files and other things outside the process.
 * Handlers of atexit() do not run in it, stdio is flushed before and after. It ends with this
 * process at the latest. Only the calling thread is in the copy: there should be no other.
 */
struct fork_result fork_point_run(int (*child)(void *ctx, void *out), void *ctx, void *out,
                                  size_t out_len);

#endif
