/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Several CPUs in one thread: turns, kicks, and what one CPU's guest does to the others'. */
#include "rig.h"
#include <string.h>

#define CPUS 3u

static struct guest guests[CPUS];
static bool done[CPUS];

/* Each of `entry` on a CPU of its own; the boot CPU is the first. Returns how it ended. */
static enum sim_stop run_cpus(uint64_t seed, void (*boot)(void))
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, CPUS);
    struct sim_machine *machine;
    enum sim_stop stop;

    memset(done, 0, sizeof(done));
    config.seed = seed;
    machine = rig_create(&config, boot);
    stop = rig_finish(machine);
    cr_expect_eq(stop, SIM_STOP_HALTED, "stopped with %d: %s %s", (int)stop,
                 sim_machine_failure(machine), rig_console);
    if (stop == SIM_STOP_HALTED)
        cr_expect_eq(sim_machine_halt_reason(machine), HAL_HALT_OFF, "%s", rig_console);
    sim_machine_destroy(machine);
    return stop;
}

static void start_others(void (*entry)(void *))
{
    for (unsigned cpu = 1; cpu < CPUS; cpu++)
        EXPECT_EQ((uint64_t)hal_cpu_start(cpu, entry, &guests[cpu]), HV_OK);
}

static void wait_others(void)
{
    for (unsigned cpu = 1; cpu < CPUS; cpu++)
        while (!done[cpu])
            hal_cpu_relax();
}

/* --- Turns --- */

/* Appends x5 to a list under a lock of LDAXR and STXR, with a pause, x6 times. */
static const uint32_t code_append[] = {
    0xc85ffc20, /* 00 ldaxr x0, [x1] */
    0x91000402, /* 04 add x2, x0, #1 */
    0xc8037c22, /* 08 stxr w3, x2, [x1] */
    0x35ffffa3, /* 0c cbnz w3, 00 */
    0x8b000024, /* 10 add x4, x1, x0 */
    0x39002085, /* 14 strb w5, [x4, #8] */
    0xd2807d07, /* 18 mov x7, #1000 */
    0xf10004e7, /* 1c subs x7, x7, #1 */
    0x54ffffe1, /* 20 b.ne 1c */
    0xf10004c6, /* 24 subs x6, x6, #1 */
    0x54fffec1, /* 28 b.ne 00 */
    0xd4000022, /* 2c hvc #1 */
};
#define APPENDS 100u

static char list[CPUS * APPENDS + 1];
static uint64_t list_time;

static void append(void *arg)
{
    struct guest *guest = arg;

    guest_init_vcpu(guest);
    guest->vcpu.x[1] = DATA;
    guest->vcpu.x[5] = 'a' + hal_cpu_self();
    guest->vcpu.x[6] = APPENDS;
    hal_vcpu_load(&guest->vcpu);
    guest_run_to_hvc(guest, 1);
    hal_vcpu_put(&guest->vcpu);
    done[hal_cpu_self()] = true;
}

static void append_all(void)
{
    EXPECT_EQ((uint64_t)rig_init(CPUS), HV_OK);
    GUEST_INIT(&guests[0], code_append);
    start_others(append);
    append(&guests[0]);
    wait_others();
    EXPECT_EQ(*(uint64_t *)guest_at(DATA), (uint64_t)CPUS * APPENDS);
    memcpy(list, (char *)guest_at(DATA) + 8, sizeof(list) - 1);
    list_time = hal_time_now();
}

static void check_list(void)
{
    unsigned count[CPUS] = {0};
    unsigned changes = 0;

    for (size_t i = 0; i < sizeof(list) - 1; i++) {
        cr_expect(list[i] >= 'a' && list[i] < 'a' + (char)CPUS);
        if (list[i] >= 'a' && list[i] < 'a' + (char)CPUS)
            count[list[i] - 'a']++;
        changes += i > 0 && list[i] != list[i - 1] ? 1 : 0;
    }
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        EXPECT_EQ(count[cpu], APPENDS);
    cr_expect_gt(changes, 10, "%u changes: %s", changes, list);
}

CASE(cpus, the_seed_decides_whose_turn_it_is)
{
    static char first[sizeof(list)];
    uint64_t first_time;

    run_cpus(1, append_all);
    check_list();
    memcpy(first, list, sizeof(list));
    first_time = list_time;
    run_cpus(1, append_all);
    cr_expect_str_eq(list, first);
    EXPECT_EQ(list_time, first_time);
    run_cpus(2, append_all);
    check_list();
    cr_expect_str_neq(list, first);
}

/* --- Events for a CPU whose turn it is not --- */

static const uint32_t code_spin[] = {
    0x91000400, /* 00 add x0, x0, #1 */
    0x17ffffff, /* 04 b 00 */
};

static uint64_t woken_at;
#define WAKE_AT 100000u

static void sleep_then_kick(void *arg)
{
    (void)arg;
    hal_timer_arm(WAKE_AT);
    hal_cpu_idle();
    woken_at = hal_time_now();
    EXPECT_EQ(hal_irq_ack(), SIM_INTID_HYPTIMER);
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(SIM_INTID_HYPTIMER, true);
    hal_cpu_kick(0);
    hal_cpu_stop();
}

/* The others sleep; the boot CPU's guest never gives up its turn by itself. */
static void spin_until_kicked(void)
{
    EXPECT_EQ((uint64_t)rig_init(CPUS), HV_OK);
    GUEST_INIT(&guests[0], code_spin);
    EXPECT_EQ((uint64_t)hal_cpu_start(1, sleep_then_kick, NULL), HV_OK);
    hal_cpu_relax();
    hal_vcpu_load(&guests[0].vcpu);
    cr_expect_eq(guest_run(&guests[0]), EC_IRQ);
    /* Turns are drawn by lot: it may take a few of them. */
    cr_expect(woken_at >= WAKE_AT && woken_at < 10 * WAKE_AT, "%lu", (unsigned long)woken_at);
    cr_expect(hal_time_now() < 20 * WAKE_AT, "%lu", (unsigned long)hal_time_now());
    EXPECT_EQ(hal_irq_ack(), HAL_INTID_KICK);
    hal_irq_end(HAL_INTID_KICK, true);
    hal_vcpu_put(&guests[0].vcpu);
}

CASE(cpus, a_sleeper_wakes_while_another_runs)
{
    for (uint64_t seed = 0; seed < 8; seed++)
        run_cpus(seed, spin_until_kicked);
}

static void count_kicks(void *arg)
{
    for (unsigned n = 0; n < 3; n++) {
        hal_cpu_idle();
        EXPECT_EQ(hal_irq_ack(), HAL_INTID_KICK);
        EXPECT_EQ(hal_irq_ack(), HAL_INTID_NONE);
        hal_irq_end(HAL_INTID_KICK, true);
        EXPECT_EQ(hal_irq_ack(), HAL_INTID_NONE);
        ++*(unsigned *)arg;
    }
}

static void kick(void)
{
    static unsigned count;

    count = 0;
    EXPECT_EQ((uint64_t)rig_init(CPUS), HV_OK);
    EXPECT_EQ((uint64_t)hal_cpu_start(0, count_kicks, NULL), (uint64_t)HV_ERR_BUSY);
    EXPECT_EQ((uint64_t)hal_cpu_start(CPUS, count_kicks, NULL), (uint64_t)HV_ERR_RANGE);
    EXPECT_EQ((uint64_t)hal_cpu_start(2, count_kicks, &count), HV_OK);
    for (unsigned n = 0; n < 3; n++) {
        hal_cpu_kick(2);
        hal_cpu_kick(2); /* the same one, unless it was taken in between */
        while (count == n)
            hal_cpu_relax();
    }
    /* Its entry has returned: it is off, and can be started again. */
    while (hal_cpu_start(2, count_kicks, &count) == HV_ERR_BUSY)
        hal_cpu_relax();
    hal_cpu_kick(0); /* oneself */
    hal_cpu_idle();
    EXPECT_EQ(hal_irq_ack(), HAL_INTID_KICK);
    hal_irq_end(HAL_INTID_KICK, true);
}

CASE(cpus, kicks_wake)
{
    for (uint64_t seed = 0; seed < 4; seed++)
        run_cpus(seed, kick);
}

/* A CPU that waits for the clock makes it move, whether it relaxes or not. */
static void wait_for_the_clock(void)
{
    uint64_t now;

    EXPECT_EQ((uint64_t)rig_init(CPUS), HV_OK);
    now = hal_time_now();
    for (unsigned n = 0; n < 100; n++)
        hal_cpu_relax();
    cr_expect(hal_time_now() >= now + 100);
    while (hal_time_now() < now + 1000000)
        ;
    EXPECT_EQ(hal_cpu_self(), 0);
}

CASE(cpus, time_passes_for_who_waits)
{
    run_cpus(1, wait_for_the_clock);
}

/* --- Maintenance reaches all --- */

#define FUNCTION (GUEST_AT + 0x20000u)
#define MOV_X0_1 0xd2800020u
#define MOV_X0_2 0xd2800040u
#define RET      0xd65f03c0u

static const uint32_t code_other[] = {
    0xd63f0020, /* 00 blr x1 */
    0xf9400082, /* 04 ldr x2, [x4] */
    0xd4000022, /* 08 hvc #1 */
};

static const uint32_t code_maintain[] = {
    0xb9000062, /* 00 str w2, [x3] */
    0xd50b7b23, /* 04 dc cvau, x3 */
    0xd5033b9f, /* 08 dsb ish */
    0xd50b7525, /* 0c ic ivau, x5 */
    0xf90000c7, /* 10 str x7, [x6] */
    0xd5033b9f, /* 14 dsb ish */
    0xd508831f, /* 18 tlbi vmalle1is */
    0xd5033b9f, /* 1c dsb ish */
    0xd4000042, /* 20 hvc #2 */
};
#define MAINTAIN (GUEST_AT + 0x30000u)

static unsigned phase;

static void call_twice(void *arg)
{
    struct guest *guest = arg;

    guest_init_vcpu(guest);
    guest_enable_mmu(guest);
    guest->vcpu.x[1] = FUNCTION;
    guest->vcpu.x[4] = DATA;
    hal_vcpu_load(&guest->vcpu);
    for (unsigned n = 1; n <= 2; n++) {
        guest->vcpu.pc = CODE;
        guest_run_to_hvc(guest, 1);
        EXPECT_EQ(guest->vcpu.x[0], n);
        EXPECT_EQ(guest->vcpu.x[2], 0x11 * n);
        done[hal_cpu_self()] = true;
        while (phase < n)
            hal_cpu_relax();
    }
    hal_vcpu_put(&guest->vcpu);
    done[hal_cpu_self()] = true;
}

static void maintain_others(void)
{
    uint32_t *function;
    struct arch_vcpu *vcpu = &guests[0].vcpu;

    phase = 0;
    EXPECT_EQ((uint64_t)rig_init(CPUS), HV_OK);
    GUEST_INIT(&guests[0], code_other);
    function = guest_at(FUNCTION);
    function[0] = MOV_X0_1;
    function[1] = RET;
    memcpy(guest_at(MAINTAIN), code_maintain, sizeof(code_maintain));
    *(uint64_t *)guest_at(DATA) = 0x11;
    *(uint64_t *)guest_at(DATA + 0x1000) = 0x22;
    start_others(call_twice);
    wait_others();
    guest_enable_mmu(&guests[0]);
    vcpu->pc = MAINTAIN;
    vcpu->x[2] = MOV_X0_2;
    vcpu->x[3] = FUNCTION + ALIAS;
    vcpu->x[5] = FUNCTION;
    vcpu->x[6] = GUEST_AT + 0xa000 + ALIAS + (DATA - GUEST_AT) / PAGE_SIZE * 8;
    vcpu->x[7] = *guest_stage1(DATA) + 0x1000;
    hal_vcpu_load(vcpu);
    guest_run_to_hvc(&guests[0], 2);
    hal_vcpu_put(vcpu);
    memset(done, 0, sizeof(done));
    phase = 1;
    wait_others();
    phase = 2;
}

CASE(cpus, code_and_translations_are_dropped_everywhere)
{
    for (uint64_t seed = 0; seed < 4; seed++)
        run_cpus(seed, maintain_others);
}

CASES_RUN(cpus, NULL, NULL)
