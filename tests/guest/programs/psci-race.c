/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * PSCI calls of several CPUs that meet (DEN 0022, 5.5 and 5.6). Not for bare QEMU 7.2: there a CPU
 * that was powered on is OFF, not ON_PENDING, until it runs, so that two callers are both told
 * SUCCESS.
 */
#include "lib/mmu.h"
#include "lib/probe.h"
#include "lib/psci.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"

#define ROUNDS 50u

static volatile int32_t outcome[SMP_MAX];

static int32_t power_on_third(void)
{
    return (int32_t)psci_call(PSCI_CPU_ON, 3, PROBE_ENTRY, (uint64_t)&probes[3]);
}

static bool is_refusal(int32_t status)
{
    return status == PSCI_ALREADY_ON || status == PSCI_ON_PENDING;
}

static void turn_off(void)
{
    probe_tell_off(3);
    probe_await_off(3);
}

static void test_twice(void)
{
    bool good = true;

    for (unsigned i = 0; good && i < ROUNDS; i++) {
        good = probe_on(3, PSCI_CPU_ON) == PSCI_SUCCESS && is_refusal(power_on_third());
        int32_t info = (int32_t)psci_call(PSCI_AFFINITY_INFO, 3, 0, 0);
        good = good && (info == PSCI_AFF_ON || info == PSCI_AFF_ON_PENDING);
        probe_await(3);
        turn_off();
    }
    tap_ok(good, "CPU_ON twice in a row: the second is refused, 50 times");
}

/* It may say ON_PENDING or, once the CPU runs, ALREADY_ON. */
static void race_on(unsigned cpu)
{
    smp_barrier(2);
    outcome[cpu] = power_on_third();
}

static void test_two_callers(void)
{
    bool good = true;

    probe_forget(3);
    for (unsigned i = 0; good && i < ROUNDS; i++) {
        probe_expect(3);
        smp_post(1, race_on);
        smp_post(2, race_on);
        smp_wait(1);
        smp_wait(2);
        good = (outcome[1] == PSCI_SUCCESS && is_refusal(outcome[2])) ||
               (outcome[2] == PSCI_SUCCESS && is_refusal(outcome[1]));
        probe_await(3);
        turn_off();
        good = good && probe_starts(3) == i + 1;
    }
    tap_ok(good, "two CPUs power on the same third: one does, 50 times");
}

static void power_on_until_done(unsigned cpu)
{
    smp_barrier(2);
    do {
        outcome[cpu] = power_on_third();
    } while (is_refusal(outcome[cpu]));
}

/* It is told to power off while another CPU tries to power it on; once that has happened, it still
 * has its order and powers off at once, or here. */
static void test_on_against_off(void)
{
    bool good = true;

    probe_forget(3);
    for (unsigned i = 0; good && i < ROUNDS; i++) {
        good = probe_on(3, PSCI_CPU_ON) == PSCI_SUCCESS;
        probe_await(3);
        smp_post(1, power_on_until_done);
        smp_barrier(2);
        probe_tell_off(3);
        smp_wait(1);
        good = good && outcome[1] == PSCI_SUCCESS;
        turn_off();
        good = good && probe_starts(3) == 2 * i + 2;
    }
    tap_ok(good, "CPU_ON against CPU_OFF: refused until it is off, then it starts, 50 times");
}

/* All CPUs call all that they may for a while: nothing but what the specification lets them return.
 */
static void mix(unsigned cpu)
{
    uint64_t random = cpu + 1;

    outcome[cpu] = 0;
    for (unsigned i = 0; i < 20 * ROUNDS; i++) {
        uint64_t target = sys_random(&random) % 3;
        int32_t info = (int32_t)psci_call(PSCI_AFFINITY_INFO, target, 0, 0);
        int32_t on = (int32_t)psci_call(PSCI_CPU_ON, target, PROBE_ENTRY, 0);
        if (info != PSCI_AFF_ON || on != PSCI_ALREADY_ON) {
            outcome[cpu]++;
        }
    }
}

static void test_mix(void)
{
    smp_run(3, mix);
    tap_ok(outcome[0] == 0 && outcome[1] == 0 && outcome[2] == 0,
           "three CPUs that are on are on, and cannot be powered on");
}

void guest_main(void)
{
    mmu_on();
    if (!tap_ok(smp_count() == 4, "there are four CPUs")) {
        return;
    }
    smp_start(3);
    test_twice();
    test_two_callers();
    test_on_against_off();
    test_mix();
}
