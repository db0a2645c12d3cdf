/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Cases that share one Criterion test. Criterion starts a process for each Test(); with
 * AddressSanitizer that costs about 35 ms, far more than what most cases do in it. A file of unit
 * tests has CASE(suite, name) { ... } in the place of Test(suite, name), and as its last line
 * CASES_RUN(suite, setup, finish), which runs them all in one process, in the order of the file,
 * each between setup() and finish() (NULL: nothing to do).
 *
 * Rules:
 * - setup() begins anew with all that a case may change; statics of the file survive a case.
 * - What must hold after each case is asserted in finish(). Never in Criterion's .fini, whose
 *   failures Criterion forgives.
 * - A failed cr_expect() lets the other cases run; a failed cr_assert() or a crash is the end of
 *   the file's cases, as their state cannot be trusted then.
 * - What ends the process on purpose (.signal, .exit_code) stays a Test() of its own.
 *
 * malloc()ed memory that leaked fails the test after the last case, where LeakSanitizer is there.
 *
 * Each case is announced by cr_log_info(), which --verbose shows, and ctest always passes that: the
 * last announcement before a failure names its case, however the process ended. With CASE=name in
 * the environment only the case of this name runs.
 */
#ifndef TESTS_CASES_H
#define TESTS_CASES_H

#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifdef __has_feature /* clang; gcc has the other one */
#if __has_feature(address_sanitizer)
#define CASES_LEAK_CHECK
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define CASES_LEAK_CHECK
#endif

#ifdef CASES_LEAK_CHECK
#include <sanitizer/lsan_interface.h>
#endif

struct test_case {
    const char *suite;
    const char *name;
    void (*run)(void);
    struct test_case *next;
};

static struct test_case *cases_first;
static struct test_case **cases_end = &cases_first;

/* Called before main(), by constructors in the order of the file. */
static inline void cases_add(struct test_case *c)
{
    *cases_end = c;
    cases_end = &c->next;
}

/* LeakSanitizer looks by itself at the end of the process: too late for Criterion, which passes. */
static inline void cases_expect_no_leak(void)
{
#ifdef CASES_LEAK_CHECK
    cr_expect_eq(__lsan_do_recoverable_leak_check(), 0, "memory of malloc() leaked");
#endif
}

/* Fails if no case ran: a suite without cases, or a CASE that does not exist. */
static inline void cases_run(void (*setup)(void), void (*finish)(void))
{
    const char *only = getenv("CASE");
    unsigned run = 0;

    for (const struct test_case *c = cases_first; c != NULL; c = c->next) {
        if (only != NULL && strcmp(only, c->name) != 0)
            continue;
        cr_log_info("case %s/%s", c->suite, c->name);
        if (setup != NULL)
            setup();
        c->run();
        if (finish != NULL)
            finish();
        run++;
    }
    cr_assert_gt(run, 0, "no case is named %s", only != NULL ? only : "anything");
    cases_expect_no_leak();
}

#define CASE(suite, name)                                                                          \
    static void case_##suite##_##name(void);                                                       \
    __attribute__((constructor)) static void case_##suite##_##name##_add(void)                     \
    {                                                                                              \
        static struct test_case self = {#suite, #name, case_##suite##_##name, NULL};               \
        cases_add(&self);                                                                          \
    }                                                                                              \
    static void case_##suite##_##name(void)

#define CASES_RUN(suite, setup, finish)                                                            \
    Test(suite, cases)                                                                             \
    {                                                                                              \
        cases_run(setup, finish);                                                                  \
    }

#endif
