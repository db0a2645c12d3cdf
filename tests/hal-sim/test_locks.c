/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the simulator says of a core that takes its locks out of order, or waits with one held. */
#include "base/check.h"
#include "base/lock.h"
#include "rig.h"
#include <string.h>

static struct spinlock vm, pool;
static struct guest guest;

static const uint32_t code_hvc[] = {0xd4000022}; /* hvc #1 */

/* Runs core to its end: in a panic whose report has `why`, or, with NULL, in order. */
static void ends(void (*core)(void), unsigned nr_cpus, const char *why)
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, nr_cpus);
    struct sim_machine *machine;

    spinlock_init(&vm, LOCK_RANK_VM);
    spinlock_init(&pool, LOCK_RANK_POOL);
    machine = rig_create(&config, core);
    cr_assert_eq(rig_finish(machine), SIM_STOP_HALTED, "%s", sim_machine_failure(machine));
    cr_expect_eq(sim_machine_halt_reason(machine), why != NULL ? HAL_HALT_PANIC : HAL_HALT_OFF,
                 "%s", rig_console);
    if (why != NULL)
        cr_expect_not_null(strstr(rig_console, why), "%s", rig_console);
    sim_machine_destroy(machine);
}

static void in_order(void)
{
    spinlock_lock(&vm);
    spinlock_lock(&pool);
    spinlock_unlock(&vm);
    spinlock_unlock(&pool);
    cr_expect(spinlock_trylock(&vm));
    spinlock_unlock(&vm);
}

static void out_of_order(void)
{
    spinlock_lock(&pool);
    spinlock_lock(&vm);
}

static void try_out_of_order(void)
{
    spinlock_lock(&pool);
    (void)spinlock_trylock(&vm);
}

static void let_go_twice(void)
{
    spinlock_lock(&pool);
    spinlock_unlock(&pool);
    spinlock_unlock(&pool);
}

static void idle(void)
{
    spinlock_lock(&pool);
    hal_cpu_idle();
}

static void stop(void)
{
    spinlock_lock(&pool);
    hal_cpu_stop();
}

static void run(void)
{
    struct arch_exit exit;

    cr_expect_eq(rig_init(1), HV_OK);
    GUEST_INIT(&guest, code_hvc);
    guest_init_vcpu(&guest);
    hal_vcpu_load(&guest.vcpu);
    spinlock_lock(&pool);
    hal_vcpu_run(&guest.vcpu, &exit);
}

/* rig_core's end is hal_halt(OFF). */
static void leave_held(void)
{
    spinlock_lock(&pool);
}

static void fail_with_lock(void)
{
    spinlock_lock(&pool);
    HV_CHECK(rig_boot == NULL);
}

CASE(locks, each_breach_is_told)
{
    ends(in_order, 1, NULL);
    ends(out_of_order, 1,
         "halcyon PANIC: check failed on CPU 0: a lock of rank vm (2) is taken while one of rank "
         "pool (13) is held");
    ends(try_out_of_order, 1, "a lock of rank vm (2) is taken while one of rank pool (13) is held");
    ends(let_go_twice, 1, "a lock of rank pool is let go that is not held");
    ends(idle, 1, "hal_cpu_idle() with a lock of rank pool held");
    ends(stop, 1, "hal_cpu_stop() with a lock of rank pool held");
    ends(run, 1, "hal_vcpu_run() with a lock of rank pool held");
    ends(leave_held, 1, "hal_halt() with a lock of rank pool held");
    ends(fail_with_lock, 1, "rig_boot == NULL");
}

/* --- Several CPUs --- */

#define CPUS   3u
#define ROUNDS 50u

static unsigned counter, done;

/* Others come to the lock while it is held, and wait by giving their turns away. */
static void count(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        spinlock_lock(&vm);
        unsigned before = counter;
        hal_cpu_relax();
        counter = before + 1;
        spinlock_unlock(&vm);
    }
    spinlock_lock(&pool);
    done++;
    spinlock_unlock(&pool);
}

static void count_on_all(void)
{
    cr_expect_eq(rig_init(CPUS), HV_OK);
    counter = done = 0;
    for (unsigned cpu = 1; cpu < CPUS; cpu++)
        cr_expect_eq(hal_cpu_start(cpu, count, NULL), HV_OK);
    count(NULL);
    while (done < CPUS)
        hal_cpu_relax();
    cr_expect_eq(counter, CPUS * ROUNDS);
}

static void let_go_anothers(void *arg)
{
    (void)arg;
    spinlock_unlock(&vm);
}

static void lend(void)
{
    cr_expect_eq(rig_init(2), HV_OK);
    spinlock_lock(&vm);
    cr_expect_eq(hal_cpu_start(1, let_go_anothers, NULL), HV_OK);
    for (;;)
        hal_cpu_relax();
}

CASE(locks, cpus_hold_their_own)
{
    ends(count_on_all, CPUS, NULL);
    ends(lend, 2, "check failed on CPU 1: a lock of rank vm is let go that is not held");
}

CASES_RUN(locks, NULL, NULL)
