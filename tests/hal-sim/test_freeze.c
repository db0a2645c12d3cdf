/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A machine as memory: taken out of the engines, written over another one's, it goes on as it would
 * have. Core's state is on its CPUs' stacks and in its arena, as here. */
#include "rig.h"
#include "sim/unguard.h"
#include <stdio.h>
#include <string.h>

#define CPUS  2u
#define LINES 30u

/* All that a vCPU has changes as it goes: X, FP, SP, System registers, memory, the monitor. */
static const uint32_t code[] = {
    0x91000400, /* 00 add x0, x0, #1 */
    0xc85ffc22, /* 04 ldaxr x2, [x1] */
    0x8b000042, /* 08 add x2, x2, x0 */
    0xc803fc22, /* 0c stlxr w3, x2, [x1] */
    0x9e670000, /* 10 fmov d0, x0 */
    0x1e602821, /* 14 fadd d1, d1, d0 */
    0x910043ff, /* 18 add sp, sp, #16 */
    0xf1000484, /* 1c subs x4, x4, #1 */
    0x54ffff01, /* 20 b.ne 00 */
    0xd53be045, /* 24 mrs x5, cntvct_el0 */
    0x9e660026, /* 28 fmov x6, d1 */
    0xd538d088, /* 2c mrs x8, tpidr_el1 */
    0x8b050108, /* 30 add x8, x8, x5 */
    0xd518d088, /* 34 msr tpidr_el1, x8 */
    0xd2803e84, /* 38 mov x4, #500 */
    0xd4000022, /* 3c hvc #1 */
    0x17fffff0, /* 40 b 00 */
};

struct shared {
    _Atomic(unsigned) done;
};

static void print_state(const struct guest *guest, unsigned line)
{
    const uint64_t *x = guest->vcpu.x;
    char text[200];

    int len =
        snprintf(text, sizeof(text), "%u.%u %lx %lx %lx %lx %lx %lx %lx %lx\n", hal_cpu_self(),
                 line, x[0], x[2], x[3], x[5], x[6], x[8], guest->vcpu.pstate, hal_time_now());
    hal_console_write(text, (size_t)len);
}

/* A virtual interrupt now and then, which the guest takes to its vector. */
static void take_irq(struct guest *guest)
{
    uint32_t intid = hal_irq_ack();

    if (intid == HAL_INTID_NONE)
        return;
    hal_timer_arm(hal_time_now() + 777);
    hal_irq_end(intid, true);
    hal_gic_lr_set(&guest->vcpu, 1, UINT64_C(0x5080000000000028));
}

static void work(struct guest *guest)
{
    guest->vcpu.x[1] = DATA;
    guest->vcpu.x[4] = 100;
    guest->vcpu.pstate = MODE_EL1H;
    guest->vcpu.gic.vmcr = UINT64_C(0xf8000003);
    guest->vcpu.sys[ARCH_TPIDR_EL1] = hal_cpu_self();
    hal_vcpu_load(&guest->vcpu);
    hal_timer_arm(hal_time_now() + 777);
    for (unsigned line = 0; line < LINES;) {
        unsigned ec = guest_run(guest);
        if (ec == EC_IRQ) {
            take_irq(guest);
        } else if ((guest->exit.esr & 0xffff) != 1) {
            hal_gic_lr_set(&guest->vcpu, 1, 0);
        } else {
            print_state(guest, line++);
            if (line % 4 == 0)
                hal_cpu_idle();
        }
    }
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_vcpu_put(&guest->vcpu);
}

static void work_too(void *arg)
{
    struct shared *shared = arg;
    struct guest guest;

    guest_init_vcpu(&guest);
    work(&guest);
    shared->done++;
}

static void work_all(void)
{
    struct shared *shared = rig_boot->arena;
    struct guest guest;

    if (rig_init(CPUS) != HV_OK)
        hal_halt(HAL_HALT_PANIC);
    GUEST_INIT(&guest, code);
    for (unsigned cpu = 1; cpu < CPUS; cpu++)
        if (hal_cpu_start(cpu, work_too, shared) != HV_OK)
            hal_halt(HAL_HALT_PANIC);
    work(&guest);
    while (shared->done < CPUS - 1)
        hal_cpu_relax();
}

/* Other code at the same addresses. */
static void work_otherwise(void)
{
    static const uint32_t loop[] = {
        0x91000800, /* 00 add x0, x0, #2 */
        0xf9000020, /* 04 str x0, [x1] */
        0x17fffffe, /* 08 b 00 */
    };
    struct guest guest;

    if (rig_init(CPUS) != HV_OK)
        hal_halt(HAL_HALT_PANIC);
    GUEST_INIT(&guest, loop);
    guest.vcpu.x[1] = DATA;
    *guest_stage2(DATA) += PAGE_SIZE;
    hal_vcpu_load(&guest.vcpu);
    (void)guest_run(&guest);
}

/* What a run leaves. */
struct outcome {
    char console[sizeof(rig_console)];
    struct sim_stats stats;
    uint64_t now;
};

static void finish(struct sim_machine *machine, struct outcome *out)
{
    memset(rig_console, 0, sizeof(rig_console));
    EXPECT_EQ((uint64_t)rig_finish(machine), SIM_STOP_HALTED);
    memcpy(out->console, rig_console, sizeof(rig_console));
    sim_machine_stats(machine, &out->stats);
    out->now = sim_machine_now(machine);
    sim_machine_destroy(machine);
}

struct copy {
    struct sim_region regions[SIM_REGIONS_MAX];
    void *bytes[SIM_REGIONS_MAX];
    unsigned count;
};

static void keep(struct sim_machine *machine, struct copy *copy)
{
    copy->count = sim_machine_freeze(machine, copy->regions);
    EXPECT_EQ(copy->count, 2 + CPUS);
    unguard_regions(copy->regions, copy->count);
    for (unsigned i = 0; i < copy->count; i++) {
        copy->bytes[i] = malloc(copy->regions[i].len);
        cr_assert_not_null(copy->bytes[i]);
        memcpy(copy->bytes[i], copy->regions[i].base, copy->regions[i].len);
    }
}

static void write_back(struct copy *copy)
{
    unguard_regions(copy->regions, copy->count);
    for (unsigned i = 0; i < copy->count; i++) {
        memcpy(copy->regions[i].base, copy->bytes[i], copy->regions[i].len);
        free(copy->bytes[i]);
    }
}

static bool run_to(struct sim_machine *machine, uint64_t until)
{
    for (;;) {
        enum sim_stop stop = sim_machine_run(machine, until);
        uint64_t next = sim_machine_next_event(machine);

        if (stop != SIM_STOP_IDLE)
            return stop == SIM_STOP_TIME;
        sim_machine_advance(machine, next < until ? next : until);
    }
}

static void freeze_at(const struct sim_machine_config *config, uint64_t when, bool used)
{
    static struct outcome there, here;
    char reason[SIM_REASON_MAX] = "";
    struct copy copy;
    struct sim_machine *machine = rig_create(config, work_all);

    cr_expect(run_to(machine, when));
    keep(machine, &copy);
    finish(machine, &there);
    machine = rig_create(config, work_otherwise);
    if (used) /* the one that is overwritten has run, too */
        cr_expect(run_to(machine, when / 2 + 1));
    write_back(&copy);
    cr_expect(sim_machine_thaw(machine, reason), "%s", reason);
    finish(machine, &here);
    cr_expect_str_eq(here.console, there.console);
    cr_expect_gt(strlen(there.console), 100);
    EXPECT_EQ(here.now, there.now);
    cr_expect_eq(memcmp(&here.stats, &there.stats, sizeof(here.stats)), 0);
}

CASE(freeze, goes_on_as_it_would_have)
{
    for (unsigned i = 0; i < 6; i++) {
        struct sim_machine_config config =
            rig_config(i % 2 == 0 ? SIM_CPU_CORTEX_A57 : SIM_CPU_MAX, CPUS);
        config.seed = i;
        freeze_at(&config, 3000 + 20011 * i, i >= 3);
    }
}

/* Before it has run at all. */
CASE(freeze, from_the_start)
{
    static struct outcome there, here;
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, CPUS);
    struct sim_machine *machine = rig_create(&config, work_all);
    char reason[SIM_REASON_MAX] = "";
    struct copy copy;

    keep(machine, &copy);
    finish(machine, &there);
    machine = rig_create(&config, work_all);
    write_back(&copy);
    cr_expect(sim_machine_thaw(machine, reason), "%s", reason);
    finish(machine, &here);
    cr_expect_str_eq(here.console, there.console);
    EXPECT_EQ(here.now, there.now);
}

CASE(freeze, is_of_a_machine_that_is_equal)
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, CPUS);
    const struct sim_machine_config same = config;
    char reason[SIM_REASON_MAX];
    struct copy copy;

    for (unsigned i = 0; i < 4; i++) {
        struct sim_machine *machine = rig_create(&same, work_all);
        cr_expect(run_to(machine, 5000));
        keep(machine, &copy);
        sim_machine_destroy(machine);
        config = same;
        config.ram_size += i == 0 ? MIB(2) : 0;
        config.nr_cpus += i == 1 ? 1 : 0;
        config.cpu_model = i == 2 ? SIM_CPU_MAX : config.cpu_model;
        if (i == 3) /* not a machine at all */
            memset(copy.bytes[0], 0, copy.regions[0].len);
        machine = rig_create(&config, work_all);
        write_back(&copy);
        reason[0] = '\0';
        cr_expect_not(sim_machine_thaw(machine, reason));
        cr_expect_gt(strlen(reason), 10);
        sim_machine_destroy(machine);
        machine = rig_create(&same, work_all); /* nothing is left behind */
        sim_machine_destroy(machine);
    }
}

CASE(freeze, the_program_has_a_name)
{
    uint8_t id[2][SIM_BUILD_ID_SIZE];
    unsigned bits = 0;

    sim_build_id(id[0]);
    sim_build_id(id[1]);
    cr_expect_arr_eq(id[0], id[1], SIM_BUILD_ID_SIZE);
    for (unsigned i = 0; i < SIM_BUILD_ID_SIZE; i++)
        bits |= id[0][i];
    cr_expect_neq(bits, 0);
}

CASES_RUN(freeze, NULL, NULL)
