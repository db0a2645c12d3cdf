/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE 1
#include "cases.h"
#include "sim/fork_point.h"
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static int *counter;

static void setup(void)
{
    counter = calloc(1, sizeof(*counter));
}

static void finish(void)
{
    free(counter);
}

struct answer {
    int counter;
    pid_t pid;
};

static int count_to(void *ctx, void *out)
{
    struct answer *answer = out;

    *counter += *(const int *)ctx;
    answer->counter = *counter;
    answer->pid = getpid();
    return 40 + *counter;
}

CASE(fork_point, each_run_starts_from_the_same_point)
{
    for (int i = 0; i < 20; i++) {
        struct answer answer = {-1, 0};
        struct fork_result result = fork_point_run(count_to, &i, &answer, sizeof(answer));
        cr_assert_eq(result.end, FORK_EXITED);
        cr_expect_eq(result.value, 40 + i);
        cr_expect_eq(answer.counter, i);
        cr_expect_neq(answer.pid, getpid());
        cr_expect_eq(*counter, 0);
    }
}

static int leave_nothing(void *ctx, void *out)
{
    (void)ctx;
    return ((const uint8_t *)out)[0] == 0 ? 0 : 1;
}

CASE(fork_point, out_begins_zeroed)
{
    uint8_t out[100];
    struct fork_result result;

    memset(out, 0xff, sizeof(out));
    result = fork_point_run(leave_nothing, NULL, out, sizeof(out));
    cr_expect(result.end == FORK_EXITED && result.value == 0);
    for (size_t i = 0; i < sizeof(out); i++)
        cr_expect_eq(out[i], 0);
    result = fork_point_run(leave_nothing, NULL, NULL, 0);
    cr_expect(result.end == FORK_EXITED && result.value == 0);
}

static int end_by_signal(void *ctx, void *out)
{
    *(int *)out = 7;
    raise(*(const int *)ctx);
    return 0;
}

CASE(fork_point, a_signal_ends_the_copy)
{
    static const int signals[] = {SIGKILL, SIGTERM};

    for (size_t i = 0; i < 2; i++) {
        int number = signals[i];
        int out = 0;
        struct fork_result result = fork_point_run(end_by_signal, &number, &out, sizeof(out));
        cr_expect_eq(result.end, FORK_KILLED);
        cr_expect_eq(result.value, signals[i]);
        cr_expect_eq(out, 7, "what it left before its end is there");
    }
}

static int fork_again(void *ctx, void *out)
{
    int one = 1;
    struct answer answer = {0, 0};
    struct fork_result result = fork_point_run(count_to, &one, &answer, sizeof(answer));

    (void)ctx;
    *(int *)out = answer.counter;
    return result.end == FORK_EXITED ? result.value : 0;
}

CASE(fork_point, a_copy_can_be_copied)
{
    int out = 0;
    struct fork_result result = fork_point_run(fork_again, NULL, &out, sizeof(out));

    cr_expect(result.end == FORK_EXITED && result.value == 41);
    cr_expect_eq(out, 1);
}

/* Text that stdio holds back must come out once, of whichever process it was written in. */
static int print_and_return(void *ctx, void *out)
{
    (void)out;
    fputs("copy ", ctx);
    return 0;
}

CASE(fork_point, stdio_is_flushed)
{
    char text[64] = "";
    FILE *file = tmpfile();
    struct fork_result result;

    cr_assert_not_null(file);
    fputs("original ", file);
    result = fork_point_run(print_and_return, file, NULL, 0);
    cr_expect(result.end == FORK_EXITED && result.value == 0);
    rewind(file);
    cr_expect_not_null(fgets(text, sizeof(text), file));
    cr_expect_str_eq(text, "original copy ");
    fclose(file);
}

CASES_RUN(fork_point, setup, finish)
