/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE 1
#include "sim/fork_point.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void run_child(int (*child)(void *ctx, void *out), void *ctx, void *shared,
                                pid_t parent)
{
    int status;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it ended before the line above */
        _exit(1);
    status = child(ctx, shared);
    (void)fflush(NULL);
    _exit(status);
}

static struct fork_result wait_for(pid_t pid)
{
    struct fork_result result = {FORK_FAILED, 0};
    int status = 0;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno == EINTR)
            continue;
        result.value = errno;
        return result;
    }
    result.end = WIFEXITED(status) ? FORK_EXITED : FORK_KILLED;
    result.value = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    return result;
}

struct fork_result fork_point_run(int (*child)(void *ctx, void *out), void *ctx, void *out,
                                  size_t out_len)
{
    struct fork_result result = {FORK_FAILED, 0};
    size_t shared_len = out_len > 0 ? out_len : 1;
    pid_t parent = getpid();
    void *shared =
        mmap(NULL, shared_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        result.value = errno;
        return result;
    }
    (void)fflush(NULL); /* what is buffered would come out of both */
    pid_t pid = fork();
    if (pid == 0)
        run_child(child, ctx, shared, parent);
    if (pid > 0)
        result = wait_for(pid);
    else
        result.value = errno;
    if (result.end != FORK_FAILED && out_len > 0)
        memcpy(out, shared, out_len);
    (void)munmap(shared, shared_len);
    return result;
}
