/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs tests in the simulator, each run under a seed of its own and in a process of its own. One
 * line a test on standard output; for a failure what happened, with its seed, on standard error.
 */
#include "explore/driver.h"
#include "base/addr.h"
#include "base/bits.h"
#include "sim/machine_dtb.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A run in which no time passes is ended by the detector of deadlocks, or by this many seconds. */
#define RUN_SECONDS 60u
/* No test waits for so long. */
#define TIME_LIMIT UINT64_C(3000000000000)

#define CONSOLE_MAX KIB(256)

struct console_text {
    char text[CONSOLE_MAX];
    size_t len;
};

static struct console_text output;

static void keep_text(void *ctx, const char *text, size_t len)
{
    struct console_text *console = ctx;
    size_t room = CONSOLE_MAX - 1 - console->len;

    len = len < room ? len : room;
    memcpy(console->text + console->len, text, len);
    console->len += len;
}

/* All orders of magnitude: from a change at every point to a few in a run. */
static uint32_t one_in(uint64_t seed)
{
    return UINT32_C(1) << (seed % 8);
}

/* --- One run --- */

/* All that a replay has to do again. */
static void tell(const char *test, uint64_t seed, const struct sim_machine *machine)
{
    struct sim_stats stats;

    sim_machine_stats(machine, &stats);
    (void)fprintf(stderr,
                  "%s%s: seed %llu: a change of CPU at one in %u points: %llu changes, %llu "
                  "ticks\n",
                  output.text, test, (unsigned long long)seed, one_in(seed),
                  (unsigned long long)stats.switches, (unsigned long long)sim_machine_now(machine));
}

static _Noreturn void fail(const struct driver *driver, const char *test, uint64_t seed,
                           const struct sim_machine *machine, const char *what)
{
    tell(test, seed, machine);
    (void)fprintf(stderr, "%s: seed %llu: %s\n", test, (unsigned long long)seed, what);
    (void)fprintf(stderr, "%s: replay: ci/explore --test %s --seed %llu\n", driver->program, test,
                  (unsigned long long)seed);
    _exit(1);
}

/* Runs the machine to its end. What went wrong, or NULL. */
static const char *run_machine(struct sim_machine *machine)
{
    for (;;) {
        switch (sim_machine_run(machine, TIME_LIMIT)) {
        case SIM_STOP_TIME:
            return "it does not come to an end";
        case SIM_STOP_IDLE:
            if (sim_machine_next_event(machine) == UINT64_MAX)
                return "deadlock: all CPUs wait for ever";
            sim_machine_advance(machine, sim_machine_next_event(machine));
            break;
        case SIM_STOP_BROKEN:
            return sim_machine_failure(machine);
        case SIM_STOP_HALTED:
            return sim_machine_halt_reason(machine) == HAL_HALT_OFF ? NULL : "the machine panicked";
        }
    }
}

static _Noreturn void run(const struct driver *driver, const char *test, uint64_t seed,
                          struct sim_machine *machine)
{
    const char *failure;

    (void)alarm(RUN_SECONDS);
    sim_machine_explore(machine, seed, one_in(seed));
    failure = run_machine(machine);
    output.text[output.len] = '\0';
    if (failure == NULL)
        failure = driver->judge(output.text);
    if (driver->finds != NULL && (failure == NULL || strstr(failure, driver->finds) == NULL)) {
        (void)fprintf(stderr, "%s: has to fail by '%s'\n", test, driver->finds);
        fail(driver, test, seed, machine, failure != NULL ? failure : "it passes");
    }
    if (driver->finds == NULL && failure != NULL)
        fail(driver, test, seed, machine, failure);
    if (driver->verbose)
        tell(test, seed, machine);
    _exit(0);
}

/* --- Many --- */

static struct sim_machine *make_machine(const struct driver *driver, char *reason)
{
    const struct sim_machine_config config = {
        .ram_size = driver->ram_size,
        .nr_cpus = driver->nr_cpus,
        .cpu_model = SIM_CPU_CORTEX_A57,
        .dtb = pa(SIM_RAM_BASE + SIM_IMAGE_SIZE),
        .console_write = keep_text,
        .ctx = &output,
    };
    const struct machine_dtb_facts facts = {
        .ram_size = config.ram_size,
        .nr_cpus = config.nr_cpus,
        .cpu = config.cpu_model,
        .initrd = driver->initrd_size != 0 ? SIM_RAM_BASE + DRIVER_INITRD : 0,
        .initrd_size = driver->initrd_size,
    };
    struct sim_machine *machine = sim_machine_create(&config, reason);
    void *dtb, *initrd;

    if (machine == NULL)
        return NULL;
    dtb = sim_machine_ram(machine, config.dtb, MACHINE_DTB_SIZE);
    if (!machine_dtb_write(&facts, dtb, reason)) {
        sim_machine_destroy(machine);
        return NULL;
    }
    initrd = sim_machine_ram(machine, pa(facts.initrd), facts.initrd_size);
    if (facts.initrd_size != 0 && initrd != NULL)
        memcpy(initrd, driver->initrd, facts.initrd_size);
    return machine;
}

/* False if the run failed, which has been told. */
static bool run_seed(const struct driver *driver, const char *test, uint64_t seed,
                     struct sim_machine *machine)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        driver->set_seed(seed);
        run(driver, test, seed, machine);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        (void)fprintf(stderr, "%s: no process: %s\n", driver->program, strerror(errno));
        return false;
    }
    if (WIFSIGNALED(status)) {
        (void)fprintf(stderr, "%s: seed %llu: ended by signal %d%s\n", test,
                      (unsigned long long)seed, WTERMSIG(status),
                      WTERMSIG(status) == SIGALRM ? ": no end in sight" : "");
        (void)fprintf(stderr, "%s: replay: ci/explore --test %s --seed %llu\n", driver->program,
                      test, (unsigned long long)seed);
    }
    return status == 0;
}

bool driver_run(const struct driver *driver, const char *test, uint64_t first, uint64_t runs)
{
    char reason[MACHINE_DTB_REASON_MAX];
    struct timespec begin, done;
    struct sim_machine *machine = make_machine(driver, reason);
    double seconds;

    if (machine == NULL) {
        (void)fprintf(stderr, "%s: error: %s\n", driver->program, reason);
        return false;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (uint64_t seed = first; seed - first < runs; seed++)
        if (!run_seed(driver, test, seed, machine)) {
            (void)printf("%s: FAILED, seed %llu\n", test, (unsigned long long)seed);
            (void)fflush(stdout);
            sim_machine_destroy(machine);
            return false;
        }
    (void)clock_gettime(CLOCK_MONOTONIC, &done);
    sim_machine_destroy(machine);
    seconds = (double)(done.tv_sec - begin.tv_sec) + (double)(done.tv_nsec - begin.tv_nsec) / 1e9;
    (void)printf("%s: passed, %llu runs from seed %llu, %.0f a second\n", test,
                 (unsigned long long)runs, (unsigned long long)first,
                 seconds > 0 ? (double)runs / seconds : 0.0);
    (void)fflush(stdout); /* a run's process has a copy of what is not written */
    return true;
}
