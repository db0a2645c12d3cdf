/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * PSCI 1.1 (DEN 0022) from several CPUs: what is expected is what the specification demands of a
 * machine without a Trusted OS that has SYSTEM_SUSPEND, SYSTEM_RESET2 and PSCI_STAT.
 */
#include "lib/psci.h"

#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/probe.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define CYCLES        100u
#define SLEEP_RESUMED 1000

#define POWER_STANDBY  0u
#define POWER_DOWN     (1u << 16)
#define POWER_RESERVED (1u << 31)

#define SCTLR_M    (1UL << 0)
#define DAIF_ALL   0x3c0u
#define EL1_NUMBER 4u
#define NO_CPU     0x0f00u /* an affinity that no CPU of the machine has */

/* Layout known to psci.S. */
struct sleeper {
    uint64_t saved[18];
    uint64_t sctlr; /* as found on resuming */
    uint64_t daif;
    uint64_t padding[4];
} __attribute__((aligned(64)));

extern const char sleep_entry[];
int64_t sleep_call(struct sleeper *, uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3);

static struct sleeper sleeper;
static int32_t call(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3)
{
    return (int32_t)psci_call(function, a1, a2, a3);
}

static int32_t affinity_info(unsigned cpu)
{
    return call(PSCI_AFFINITY_INFO, smp_affinity(cpu), 0, 0);
}

static void expect(int32_t got, int32_t want, const char *name)
{
    tap_eq((uint64_t)got, (uint64_t)want, name);
}

static void expect_either(int32_t got, int32_t one, int32_t other, const char *name)
{
    if (got == one || got == other) {
        tap_ok(true, name);
    } else {
        tap_fail(name, "got 0x%lx", (uint64_t)got);
    }
}

/* --- What there is --- */

static const struct {
    uint32_t function;
    int32_t features; /* what PSCI_FEATURES has to say */
    const char *name;
} functions[] = {
    {PSCI_VERSION, 0, "PSCI_FEATURES: PSCI_VERSION"},
    {PSCI_CPU_SUSPEND, 0, "PSCI_FEATURES: CPU_SUSPEND, original format, platform-coordinated"},
    {PSCI_64(PSCI_CPU_SUSPEND), 0, "PSCI_FEATURES: CPU_SUSPEND, 64 bits"},
    {PSCI_CPU_OFF, 0, "PSCI_FEATURES: CPU_OFF"},
    {PSCI_64(PSCI_CPU_OFF), -1, "PSCI_FEATURES: CPU_OFF, 64 bits, which is none"},
    {PSCI_CPU_ON & ~SMCCC_FN64, 0, "PSCI_FEATURES: CPU_ON"},
    {PSCI_CPU_ON, 0, "PSCI_FEATURES: CPU_ON, 64 bits"},
    {PSCI_AFFINITY_INFO & ~SMCCC_FN64, 0, "PSCI_FEATURES: AFFINITY_INFO"},
    {PSCI_AFFINITY_INFO, 0, "PSCI_FEATURES: AFFINITY_INFO, 64 bits"},
    {PSCI_MIGRATE, -1, "PSCI_FEATURES: MIGRATE, for which there is no Trusted OS"},
    {PSCI_64(PSCI_MIGRATE), -1, "PSCI_FEATURES: MIGRATE, 64 bits"},
    {PSCI_MIGRATE_INFO_TYPE, 0, "PSCI_FEATURES: MIGRATE_INFO_TYPE"},
    {PSCI_MIGRATE_INFO_UP_CPU, -1, "PSCI_FEATURES: MIGRATE_INFO_UP_CPU"},
    {PSCI_64(PSCI_MIGRATE_INFO_UP_CPU), -1, "PSCI_FEATURES: MIGRATE_INFO_UP_CPU, 64 bits"},
    {PSCI_SYSTEM_OFF, 0, "PSCI_FEATURES: SYSTEM_OFF"},
    {PSCI_SYSTEM_RESET, 0, "PSCI_FEATURES: SYSTEM_RESET"},
    {PSCI_FEATURES, 0, "PSCI_FEATURES: PSCI_FEATURES"},
    {PSCI_64(PSCI_FEATURES), -1, "PSCI_FEATURES: PSCI_FEATURES, 64 bits, which is none"},
    {PSCI_SYSTEM_SUSPEND, 0, "PSCI_FEATURES: SYSTEM_SUSPEND"},
    {PSCI_64(PSCI_SYSTEM_SUSPEND), 0, "PSCI_FEATURES: SYSTEM_SUSPEND, 64 bits"},
    {PSCI_SET_SUSPEND_MODE, -1, "PSCI_FEATURES: PSCI_SET_SUSPEND_MODE"},
    {PSCI_STAT_RESIDENCY, 0, "PSCI_FEATURES: PSCI_STAT_RESIDENCY"},
    {PSCI_64(PSCI_STAT_RESIDENCY), 0, "PSCI_FEATURES: PSCI_STAT_RESIDENCY, 64 bits"},
    {PSCI_STAT_COUNT, 0, "PSCI_FEATURES: PSCI_STAT_COUNT"},
    {PSCI_64(PSCI_STAT_COUNT), 0, "PSCI_FEATURES: PSCI_STAT_COUNT, 64 bits"},
    {PSCI_SYSTEM_RESET2, 0, "PSCI_FEATURES: SYSTEM_RESET2"},
    {PSCI_64(PSCI_SYSTEM_RESET2), 0, "PSCI_FEATURES: SYSTEM_RESET2, 64 bits"},
    {0x8400001fu, -1, "PSCI_FEATURES: a function that is not there"},
    {0x86000000u, -1, "PSCI_FEATURES: a function of another owner"},
};

/* Those that an implementation may lack: then FEATURES and the call agree. */
static const struct {
    uint32_t function;
    const char *name;
} optional[] = {
    {PSCI_CPU_FREEZE, "CPU_FREEZE is not there at all, or is there"},
    {PSCI_CPU_DEFAULT_SUSPEND, "CPU_DEFAULT_SUSPEND is not there at all, or is there"},
    {PSCI_NODE_HW_STATE, "NODE_HW_STATE is not there at all, or is there"},
    {PSCI_MEM_PROTECT, "MEM_PROTECT is not there at all, or is there"},
    {PSCI_MEM_PROTECT_RANGE, "MEM_PROTECT_CHECK_RANGE is not there at all, or is there"},
};

static void test_features(void)
{
    expect(call(PSCI_VERSION, 0, 0, 0), 0x10001, "PSCI_VERSION is 1.1");
    for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        expect(call(PSCI_FEATURES, functions[i].function, 0, 0), functions[i].features,
               functions[i].name);
    }
    for (unsigned i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
        bool there = call(PSCI_FEATURES, optional[i].function, 0, 0) != PSCI_NOT_SUPPORTED;
        /* With its first argument out of range none of them does anything. */
        tap_ok(there || call(optional[i].function, ~0UL, 0, 0) == PSCI_NOT_SUPPORTED,
               optional[i].name);
    }
}

static void test_migration(void)
{
    expect(call(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0), 2,
           "MIGRATE_INFO_TYPE: there is nothing to migrate");
    expect(call(PSCI_MIGRATE, 0, 0, 0), PSCI_NOT_SUPPORTED, "MIGRATE is not supported");
    expect(call(PSCI_64(PSCI_MIGRATE), 0, 0, 0), PSCI_NOT_SUPPORTED,
           "MIGRATE with 64 bits is not supported");
    expect(call(PSCI_MIGRATE_INFO_UP_CPU, 0, 0, 0), PSCI_NOT_SUPPORTED,
           "MIGRATE_INFO_UP_CPU is not supported");
    expect(call(PSCI_64(PSCI_CPU_OFF), 0, 0, 0), PSCI_NOT_SUPPORTED,
           "CPU_OFF has no variant of 64 bits");
    expect(call(PSCI_64(PSCI_SYSTEM_OFF), 0, 0, 0), PSCI_NOT_SUPPORTED,
           "SYSTEM_OFF has no variant of 64 bits");
    expect(call(PSCI_SYSTEM_RESET2, 1, 0, 0), PSCI_INVALID_PARAMETERS,
           "SYSTEM_RESET2 of a reserved type is an invalid parameter");
}

/* --- CPU_ON, CPU_OFF, AFFINITY_INFO --- */

static void test_affinity_info(void)
{
    expect(affinity_info(0), PSCI_AFF_ON, "AFFINITY_INFO: this CPU is on");
    expect(affinity_info(1), PSCI_AFF_OFF, "AFFINITY_INFO: the second is off");
    expect(affinity_info(3), PSCI_AFF_OFF, "AFFINITY_INFO: the fourth is off");
    expect(call(PSCI_AFFINITY_INFO & ~SMCCC_FN64, 1, 0, 0), PSCI_AFF_OFF,
           "AFFINITY_INFO with 32 bits");
    expect(call(PSCI_AFFINITY_INFO, NO_CPU, 0, 0), PSCI_INVALID_PARAMETERS,
           "AFFINITY_INFO: no such CPU");
    expect(call(PSCI_AFFINITY_INFO, 1UL << 31 | 1, 0, 0), PSCI_INVALID_PARAMETERS,
           "AFFINITY_INFO: a reserved bit");
    expect(call(PSCI_AFFINITY_INFO, 1UL << 63 | 1, 0, 0), PSCI_INVALID_PARAMETERS,
           "AFFINITY_INFO: another reserved bit");
    expect_either(call(PSCI_AFFINITY_INFO, 0, 1, 0), PSCI_AFF_ON, PSCI_INVALID_PARAMETERS,
                  "AFFINITY_INFO: level 1 is on or not implemented");
    expect(call(PSCI_AFFINITY_INFO, 0, 4, 0), PSCI_INVALID_PARAMETERS,
           "AFFINITY_INFO: there is no level 4");
}

static void test_cpu_on_errors(void)
{
    expect(call(PSCI_CPU_ON, NO_CPU, PROBE_ENTRY, 0), PSCI_INVALID_PARAMETERS,
           "CPU_ON: no such CPU");
    expect(call(PSCI_CPU_ON, 1UL << 31 | 1, PROBE_ENTRY, 0), PSCI_INVALID_PARAMETERS,
           "CPU_ON: a reserved bit");
    expect(call(PSCI_CPU_ON, 0, PROBE_ENTRY, 0), PSCI_ALREADY_ON, "CPU_ON of the caller");
}

static void test_cpu_on(uint64_t function, const char *name)
{
    const struct probe *probe = &probes[3];

    expect(probe_on(3, function), PSCI_SUCCESS, name);
    probe_await(3);
    expect(call(PSCI_CPU_ON, 3, PROBE_ENTRY, 0), PSCI_ALREADY_ON, "once it runs: already on");
    expect(affinity_info(3), PSCI_AFF_ON, "AFFINITY_INFO: on");
    tap_eq(probe->el, EL1_NUMBER, "it starts at EL1");
    tap_eq(probe->sctlr & SCTLR_M, 0, "with its MMU off");
    tap_eq(probe->daif, DAIF_ALL, "with all interrupts masked");
    tap_eq(probe->spsel, 1, "on SP_EL1");
    tap_eq(probe->mpidr & 0xff00ffffffUL, 3, "as the one that was named");
    probe_tell_off(3);
    probe_await_off(3);
    expect(affinity_info(3), PSCI_AFF_OFF, "and powers off");
}

static void test_cycles(void)
{
    bool good = true;

    for (unsigned cpu = 1; cpu < 4; cpu++) {
        probe_forget(cpu);
    }
    for (unsigned i = 0; i < CYCLES; i++) {
        for (unsigned cpu = 1; cpu < 4; cpu++) {
            good = good && probe_on(cpu, PSCI_CPU_ON) == PSCI_SUCCESS;
        }
        for (unsigned cpu = 1; good && cpu < 4; cpu++) {
            probe_await(cpu);
            probe_tell_off(cpu);
            probe_await_off(cpu);
        }
    }
    for (unsigned cpu = 1; cpu < 4; cpu++) {
        good = good && probe_starts(cpu) == CYCLES;
    }
    tap_ok(good, "three CPUs on and off 100 times each");
}

/* --- CPU_SUSPEND and SYSTEM_SUSPEND --- */

/* The CPU interface is lost in a power-down. */
static void arm_timer(void)
{
    gic_init_cpu();
    gic_enable(INTID_VTIMER);
    timer_set_cval(TIMER_VIRTUAL, timer_now() + timer_us(1000));
    timer_set_ctl(TIMER_VIRTUAL, TIMER_ENABLE);
}

static bool timer_has_fired(void)
{
    bool fired = timer_now() >= timer_get_cval(TIMER_VIRTUAL);

    timer_set_ctl(TIMER_VIRTUAL, 0);
    return fired;
}

static void test_standby(uint64_t function, const char *name)
{
    arm_timer();
    int32_t status = call(function, POWER_STANDBY, 0, 0);
    /* An implementation may end a standby early. */
    while ((timer_get_ctl(TIMER_VIRTUAL) & TIMER_ISTATUS) == 0 && status == PSCI_SUCCESS) {
        status = call(function, POWER_STANDBY, 0, 0);
    }
    (void)timer_has_fired();
    expect(status, PSCI_SUCCESS, name);
}

static void expect_resumed(int64_t status, const char *name)
{
    bool fired = timer_has_fired();

    if (status != SLEEP_RESUMED || !fired) {
        tap_fail(name, "returned 0x%lx, the timer has fired: %u", (uint64_t)status, fired);
        return;
    }
    tap_ok((sleeper.sctlr & SCTLR_M) == 0 && sleeper.daif == DAIF_ALL, name);
}

static uint64_t stat(uint64_t function, uint64_t state)
{
    return (uint64_t)psci_call(function, 0, state, 0);
}

static void test_suspend(void)
{
    uint64_t resume = (uint64_t)sleep_entry;
    uint64_t before;
    uint64_t residency;

    test_standby(PSCI_CPU_SUSPEND, "CPU_SUSPEND to standby returns when the timer fires");
    test_standby(PSCI_64(PSCI_CPU_SUSPEND), "CPU_SUSPEND to standby, 64 bits");
    expect(call(PSCI_CPU_SUSPEND, POWER_RESERVED, 0, 0), PSCI_INVALID_PARAMETERS,
           "CPU_SUSPEND: a reserved bit of power_state");
    expect(call(PSCI_64(PSCI_CPU_SUSPEND), POWER_RESERVED | POWER_DOWN, resume, 0),
           PSCI_INVALID_PARAMETERS, "CPU_SUSPEND: a reserved bit of power_state, 64 bits");
    before = stat(PSCI_64(PSCI_STAT_COUNT), POWER_DOWN);
    residency = stat(PSCI_64(PSCI_STAT_RESIDENCY), POWER_DOWN);
    arm_timer();
    expect_resumed(sleep_call(&sleeper, PSCI_CPU_SUSPEND, POWER_DOWN, resume, (uint64_t)&sleeper),
                   "CPU_SUSPEND to power-down resumes at its entry point with its context");
    arm_timer();
    expect_resumed(
        sleep_call(&sleeper, PSCI_64(PSCI_CPU_SUSPEND), POWER_DOWN, resume, (uint64_t)&sleeper),
        "CPU_SUSPEND to power-down, 64 bits");
    tap_eq(stat(PSCI_64(PSCI_STAT_COUNT), POWER_DOWN), before + 2, "PSCI_STAT_COUNT counts both");
    tap_ok((int64_t)residency >= 0 &&
               stat(PSCI_64(PSCI_STAT_RESIDENCY), POWER_DOWN) >= residency + 1000,
           "PSCI_STAT_RESIDENCY has a millisecond more at least");
}

static void turn_off(unsigned cpu)
{
    (void)cpu;
    smp_power_off();
}

static void test_system_suspend(void)
{
    uint64_t resume = (uint64_t)sleep_entry;

    expect(call(PSCI_64(PSCI_SYSTEM_SUSPEND), resume, (uint64_t)&sleeper, 0), PSCI_DENIED,
           "SYSTEM_SUSPEND is denied while another CPU is on");
    for (unsigned cpu = 1; cpu < 4; cpu++) {
        if (affinity_info(cpu) != PSCI_AFF_OFF) {
            smp_post(cpu, turn_off);
            probe_await_off(cpu);
        }
    }
    arm_timer();
    expect_resumed(
        sleep_call(&sleeper, PSCI_64(PSCI_SYSTEM_SUSPEND), resume, (uint64_t)&sleeper, 0),
        "SYSTEM_SUSPEND resumes at its entry point with its context");
    arm_timer();
    expect_resumed(sleep_call(&sleeper, PSCI_SYSTEM_SUSPEND, resume, (uint64_t)&sleeper, 0),
                   "SYSTEM_SUSPEND, 32 bits");
    tap_ok(affinity_info(1) == PSCI_AFF_OFF && affinity_info(2) == PSCI_AFF_OFF,
           "the others are still off");
    expect(call(PSCI_64(PSCI_SYSTEM_SUSPEND), 1, 0, 0), PSCI_INVALID_ADDRESS,
           "SYSTEM_SUSPEND: an address of nothing");
}

/* Last of all: where these are not refused the CPU is lost. */
static void test_addresses(void)
{
    arm_timer();
    expect(call(PSCI_64(PSCI_CPU_SUSPEND), POWER_DOWN, HOLE_BASE, 0), PSCI_INVALID_ADDRESS,
           "CPU_SUSPEND: an address of nothing");
    timer_set_ctl(TIMER_VIRTUAL, 0);
    expect(call(PSCI_CPU_ON, 3, HOLE_BASE, 0), PSCI_INVALID_ADDRESS,
           "CPU_ON: an address of nothing");
    expect(call(PSCI_CPU_ON, 3, PROBE_ENTRY + 1, 0), PSCI_INVALID_ADDRESS,
           "CPU_ON: an address between instructions");
    expect(call(PSCI_CPU_ON, 3, GICD_BASE, 0), PSCI_INVALID_ADDRESS, "CPU_ON: a device's address");
    expect(call(PSCI_CPU_ON, 3, ~3UL, 0), PSCI_INVALID_ADDRESS, "CPU_ON: an address beyond all");
    timer_delay_us(10000);
    expect(affinity_info(3), PSCI_AFF_OFF, "and it is still off");
}

void guest_main(void)
{
    mmu_on();
    gic_init();
    if (!tap_ok(smp_count() == 4, "there are four CPUs")) {
        return;
    }
    test_features();
    test_migration();
    test_affinity_info();
    test_cpu_on_errors();
    test_cpu_on(PSCI_CPU_ON, "CPU_ON");
    test_cpu_on(PSCI_CPU_ON & ~SMCCC_FN64, "CPU_ON with 32 bits");
    test_cycles();
    test_suspend();
    smp_start(3);
    test_system_suspend();
    test_addresses();
}
