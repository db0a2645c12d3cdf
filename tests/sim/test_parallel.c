/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "sim/parallel.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 5000u

struct rounds {
    atomic_uint calls[ROUNDS];
    atomic_uint total;
    size_t refused; /* SIZE_MAX: none */
};

static struct rounds rounds;

static void setup(void)
{
    memset(&rounds, 0, sizeof(rounds));
    rounds.refused = SIZE_MAX;
}

static bool count(void *ctx, size_t i)
{
    struct rounds *all = ctx;

    cr_assert_lt(i, ROUNDS);
    atomic_fetch_add(&all->calls[i], 1);
    atomic_fetch_add(&all->total, 1);
    return i != all->refused;
}

CASE(parallel, each_round_once)
{
    static const size_t numbers[] = {0, 1, 2, 3, 7, ROUNDS};

    for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++) {
        setup();
        cr_expect(parallel_run(numbers[k], count, &rounds));
        cr_expect_eq(atomic_load(&rounds.total), numbers[k]);
        for (size_t i = 0; i < ROUNDS; i++)
            cr_expect_eq(atomic_load(&rounds.calls[i]), i < numbers[k], "round %zu", i);
    }
}

CASE(parallel, one_that_fails_fails_all)
{
    static const size_t refused[] = {0, 1, 100, ROUNDS - 1};

    for (size_t k = 0; k < sizeof(refused) / sizeof(refused[0]); k++) {
        setup();
        rounds.refused = refused[k];
        cr_expect_not(parallel_run(ROUNDS, count, &rounds));
        for (size_t i = 0; i < ROUNDS; i++)
            cr_expect_leq(atomic_load(&rounds.calls[i]), 1);
        cr_expect_eq(atomic_load(&rounds.calls[refused[k]]), 1);
    }
}

static pthread_t caller;
static atomic_bool helped;

static void end_well(int signal)
{
    (void)signal;
    _exit(42);
}

/* Faults in a helper, for which the caller waits a while: there is none on a host with one CPU. */
static bool fault(void *ctx, size_t i)
{
    (void)ctx;
    (void)i;
    if (!pthread_equal(pthread_self(), caller)) {
        atomic_store(&helped, true);
        raise(SIGSEGV);
    }
    usleep(1000);
    return true;
}

CASE(parallel, a_fault_of_a_helper_reaches_the_handler)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        caller = pthread_self();
        signal(SIGSEGV, end_well);
        (void)parallel_run(200, fault, NULL);
        _exit(atomic_load(&helped) ? 1 : 42);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 42, "%#x", (unsigned)status);
}

CASES_RUN(parallel, setup, NULL)
