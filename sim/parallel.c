/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE 1
#include "sim/parallel.h"
#include "base/bits.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* More gain nothing: the memory's bandwidth is the limit. */
#define MAX_HELPERS 3u

struct loop {
    size_t n;
    bool (*work)(void *ctx, size_t i);
    void *ctx;
    atomic_size_t next;
    atomic_bool failed;
};

static void take_part(struct loop *loop)
{
    while (!atomic_load(&loop->failed)) {
        size_t i = atomic_fetch_add(&loop->next, 1);
        if (i >= loop->n)
            return;
        if (!loop->work(loop->ctx, i))
            atomic_store(&loop->failed, true);
    }
}

static void *helper_main(void *loop)
{
    take_part(loop);
    return NULL;
}

static size_t helpers_wanted(size_t n)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = cpus > 1 ? (size_t)cpus - 1 : 0;

    if (wanted > MAX_HELPERS)
        wanted = MAX_HELPERS;
    return wanted < n ? wanted : n;
}

/* All but what a helper's own mistake raises: blocked, that would end the process without the
 * handler that puts the terminal back. */
static void block_signals(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    sigset_t blocked;

    (void)sigfillset(&blocked);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        (void)sigdelset(&blocked, faults[i]);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, before);
}

bool parallel_run(size_t n, bool (*work)(void *ctx, size_t i), void *ctx)
{
    struct loop loop = {.n = n, .work = work, .ctx = ctx};
    pthread_t helpers[MAX_HELPERS];
    size_t started = 0;
    sigset_t before;

    block_signals(&before);
    for (size_t wanted = helpers_wanted(n); started < wanted; started++)
        if (pthread_create(&helpers[started], NULL, helper_main, &loop) != 0)
            break;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    take_part(&loop);
    while (started > 0)
        (void)pthread_join(helpers[--started], NULL);
    return !atomic_load(&loop.failed);
}
