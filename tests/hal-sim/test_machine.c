/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A machine's life: what cannot be made, how it ends, its console, and hal_phys_map(). */
#include "base/check.h"
#include "rig.h"
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* Refused, with words that name it. */
static void expect_refused(const struct sim_machine_config *config, const char *word)
{
    char reason[SIM_REASON_MAX] = "";
    struct sim_machine *machine = sim_machine_create(config, reason);

    cr_expect_null(machine);
    cr_expect_not_null(strstr(reason, word), "no '%s' in: %s", word, reason);
    if (machine != NULL)
        sim_machine_destroy(machine);
}

CASE(machine, configurations_that_there_are_not)
{
    static const struct {
        uint64_t ram_size;
        uint64_t dtb;
        unsigned nr_cpus;
        unsigned model;
        const char *word;
    } rows[] = {
        {0, SIM_RAM_BASE, 1, 0, "RAM of 0"},
        {MIB(2), SIM_RAM_BASE, 1, 0, "RAM"},
        {MIB(16) + 4096, SIM_RAM_BASE, 1, 0, "RAM"},
        {SIM_RAM_MAX + MIB(2), SIM_RAM_BASE, 1, 0, "RAM"},
        {UINT64_MAX, SIM_RAM_BASE, 1, 0, "RAM"},
        {MIB(16), SIM_RAM_BASE, 0, 0, "0 CPUs"},
        {MIB(16), SIM_RAM_BASE, SIM_MAX_CPUS + 1, 0, "65 CPUs"},
        {MIB(16), SIM_RAM_BASE, 1, 2, "model 2"},
        {MIB(16), SIM_RAM_BASE - 1, 1, 0, "devicetree"},
        {MIB(16), SIM_RAM_BASE + MIB(16), 1, 0, "devicetree"},
        {MIB(16), 0, 1, 0, "devicetree"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim_machine_config config =
            rig_config((enum sim_cpu_model)rows[i].model, rows[i].nr_cpus);
        config.ram_size = rows[i].ram_size;
        config.dtb = pa(rows[i].dtb);
        expect_refused(&config, rows[i].word);
    }
}

static void nothing(void)
{
}

CASE(machine, one_at_a_time)
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, 1);
    struct sim_machine *machine = rig_create(&config, nothing);

    expect_refused(&config, "already");
    EXPECT_EQ((uint64_t)rig_finish(machine), SIM_STOP_HALTED);
    sim_machine_destroy(machine);
    machine = rig_create(&config, nothing);
    EXPECT_EQ((uint64_t)rig_finish(machine), SIM_STOP_HALTED);
    sim_machine_destroy(machine);
}

/* Memory at a machine's addresses belongs to somebody: it stays as it is. */
CASE(machine, addresses_that_are_taken)
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, 2);
    struct sim_machine *machine = rig_create(&config, nothing);
    struct sim_region regions[SIM_REGIONS_MAX];
    unsigned count = sim_machine_freeze(machine, regions);

    EXPECT_EQ(count, 4);
    sim_machine_destroy(machine);
    for (unsigned i = 0; i < count; i++) {
        volatile char *taken = mmap(regions[i].base, PAGE_SIZE, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        cr_assert_eq(taken, regions[i].base);
        *taken = 7;
        expect_refused(&config, "no memory");
        cr_expect_eq(*taken, 7);
        munmap(regions[i].base, PAGE_SIZE);
    }
    machine = rig_create(&config, nothing);
    sim_machine_destroy(machine);
}

#ifndef CASES_LEAK_CHECK /* AddressSanitizer needs more addresses than any limit leaves */
CASE(machine, no_room_for_it)
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, 1);
    struct rlimit before, limit;

    getrlimit(RLIMIT_AS, &before);
    for (rlim_t room = MIB(8); room < MIB(100); room += MIB(4)) {
        char reason[SIM_REASON_MAX] = "";
        limit = before;
        limit.rlim_cur = room;
        setrlimit(RLIMIT_AS, &limit);
        struct sim_machine *machine = sim_machine_create(&config, reason);
        setrlimit(RLIMIT_AS, &before);
        cr_expect(machine != NULL || strstr(reason, "no memory") != NULL, "%s", reason);
        if (machine != NULL)
            sim_machine_destroy(machine);
    }
}
#endif

CASE(machine, memory_for_loading_is_ram_alone)
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, 1);
    struct sim_machine *machine = rig_create(&config, nothing);
    const unsigned char *ram = sim_machine_ram(machine, pa(SIM_RAM_BASE), RIG_RAM);

    cr_assert_not_null(ram);
    cr_expect_eq(ram[0] | ram[RIG_RAM - 1], 0);
    cr_expect_eq(sim_machine_ram(machine, pa(SIM_RAM_BASE + 5), 1), ram + 5);
    cr_expect_null(sim_machine_ram(machine, pa(SIM_RAM_BASE), RIG_RAM + 1));
    cr_expect_null(sim_machine_ram(machine, pa(SIM_RAM_BASE + 1), RIG_RAM));
    cr_expect_null(sim_machine_ram(machine, pa(SIM_RAM_BASE - 1), 1));
    cr_expect_null(sim_machine_ram(machine, pa(SIM_RAM_BASE + 1), UINT64_MAX));
    cr_expect_null(sim_machine_ram(machine, pa(UINT64_MAX), 2));
    sim_machine_destroy(machine);
}

/* --- Ends --- */

static enum sim_stop run_to_end(void (*core)(void), enum hal_halt_reason *reason, char *failure)
{
    struct sim_machine_config config = rig_config(SIM_CPU_MAX, 2);
    struct sim_machine *machine = rig_create(&config, core);
    enum sim_stop stop = rig_finish(machine);

    if (stop == SIM_STOP_HALTED)
        *reason = sim_machine_halt_reason(machine);
    if (stop == SIM_STOP_BROKEN)
        memcpy(failure, sim_machine_failure(machine), SIM_REASON_MAX);
    sim_machine_destroy(machine);
    return stop;
}

static void fail_check(void)
{
    HV_CHECK(rig_boot == NULL);
}

static void reset(void)
{
    hal_halt(HAL_HALT_RESET);
}

static void stop_all(void)
{
    hal_cpu_stop();
}

CASE(machine, halts_for_a_reason)
{
    enum hal_halt_reason reason = HAL_HALT_OFF;

    EXPECT_EQ((uint64_t)run_to_end(fail_check, &reason, NULL), SIM_STOP_HALTED);
    cr_expect_eq(reason, HAL_HALT_PANIC);
    cr_expect_not_null(strstr(rig_console, "rig_boot == NULL"), "%s", rig_console);
    cr_expect_not_null(strstr(rig_console, "test_machine.c"), "%s", rig_console);
    EXPECT_EQ((uint64_t)run_to_end(reset, &reason, NULL), SIM_STOP_HALTED);
    cr_expect_eq(reason, HAL_HALT_RESET);
    /* No CPU is on: nothing will ever happen. */
    EXPECT_EQ((uint64_t)run_to_end(stop_all, &reason, NULL), SIM_STOP_IDLE);
}

/* Stage 2 lets the guest reach what is no RAM: a mistake of core's that no guest can cause. */
#define NO_RAM UINT64_C(0x80001000)

static unsigned way;

static void reach_outside(void)
{
    static const uint32_t code[] = {
        0xf9400020, /* 00 ldr x0, [x1] */
        0xf9000020, /* 04 str x0, [x1] */
        0xd61f0020, /* 08 br x1 */
        0xd50b7421, /* 0c dc zva, x1 */
        0xc85f7c20, /* 10 ldxr x0, [x1] */
    };
    struct guest guest;

    EXPECT_EQ((uint64_t)rig_init(1), HV_OK);
    GUEST_INIT(&guest, code);
    guest_map_device(NO_RAM);
    guest.vcpu.pc = CODE + 4 * way;
    guest.vcpu.x[1] = NO_RAM;
    hal_vcpu_load(&guest.vcpu);
    (void)guest_run(&guest);
}

CASE(machine, breaks_with_words)
{
    char failure[SIM_REASON_MAX] = "";
    enum hal_halt_reason reason;

    for (way = 0; way < 5; way++) {
        EXPECT_EQ((uint64_t)run_to_end(reach_outside, &reason, failure), SIM_STOP_BROKEN);
        cr_expect_not_null(strstr(failure, "CPU 0: "), "%s", failure);
        cr_expect_gt(strlen(failure), 20, "%s", failure);
    }
}

/* A table of stage 1 there: the walk reads it as nothing, or the machine breaks; no crash. */
static void walk_outside(void)
{
    static const uint32_t code[] = {0xd4000022 /* hvc #1 */};
    struct guest guest;

    EXPECT_EQ((uint64_t)rig_init(1), HV_OK);
    GUEST_INIT(&guest, code);
    guest_map_device(NO_RAM);
    guest_enable_mmu(&guest);
    guest.vcpu.sys[ARCH_TTBR0_EL1] = NO_RAM;
    hal_vcpu_load(&guest.vcpu);
    hal_timer_arm(hal_time_now() + 1000);
    (void)guest_run(&guest);
}

CASE(machine, tables_outside_of_ram_do_no_harm)
{
    char failure[SIM_REASON_MAX] = "";
    enum hal_halt_reason reason;
    enum sim_stop stop = run_to_end(walk_outside, &reason, failure);

    cr_expect(stop == SIM_STOP_HALTED || stop == SIM_STOP_BROKEN);
}

/* Unicorn 2.1.1 fails an assertion of its own on this one with CPU model max (a newer one may not):
 * the machine ends, and not the process. */
static void execute_unknown(void)
{
    static const uint32_t code[] = {
        0x6ef80ab6, /* 00 unallocated: SIMD two-register miscellaneous of half precision */
        0xd4000022, /* 04 hvc #1 */
    };
    struct guest guest;

    EXPECT_EQ((uint64_t)rig_init(1), HV_OK);
    GUEST_INIT(&guest, code);
    hal_vcpu_load(&guest.vcpu);
    (void)guest_run(&guest);
}

CASE(machine, survives_what_unicorn_does_not)
{
    char failure[SIM_REASON_MAX] = "failed assertion";
    enum hal_halt_reason reason;
    struct sigaction before, after;

    sigaction(SIGABRT, NULL, &before);
    for (unsigned n = 0; n < 3; n++) {
        enum sim_stop stop = run_to_end(execute_unknown, &reason, failure);
        cr_expect(stop == SIM_STOP_HALTED || stop == SIM_STOP_BROKEN);
        cr_expect_not_null(strstr(failure, "failed assertion"), "%s", failure);
    }
    sigaction(SIGABRT, NULL, &after);
    cr_expect_eq(before.sa_handler, after.sa_handler);
}

static void abort_in_core(void)
{
    abort();
}

Test(machine, other_aborts_end_the_process, .signal = SIGABRT)
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, 1);

    (void)rig_finish(rig_create(&config, abort_in_core));
}

/* The outside's mistakes, which have no core to panic in. */
Test(machine, does_not_run_on_after_its_end, .signal = SIGABRT)
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, 1);
    struct sim_machine *machine = rig_create(&config, nothing);

    (void)rig_finish(machine);
    (void)sim_machine_run(machine, UINT64_MAX);
}

/* --- The console --- */

static char received[3 * SIM_INPUT_MAX];
static size_t nr_received;

static void receive(void)
{
    EXPECT_EQ((uint64_t)rig_init(1), HV_OK);
    for (;;) {
        size_t chunk = nr_received % 37 + 1;
        hal_cpu_idle();
        EXPECT_EQ(hal_irq_ack(), SIM_UART_INTID);
        nr_received += hal_console_read(received + nr_received, chunk);
        hal_irq_end(SIM_UART_INTID, true);
    }
}

CASE(machine, console_input_waits_for_room)
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, 1);
    struct sim_machine *machine = rig_create(&config, receive);
    static char sent[2 * SIM_INPUT_MAX];
    size_t first;

    nr_received = 0;
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 7 + i / 256);
    cr_expect_eq(sim_machine_run(machine, UINT64_MAX), SIM_STOP_IDLE);
    EXPECT_EQ(sim_machine_input(machine, sent, 100), 100);
    cr_expect_eq(sim_machine_run(machine, UINT64_MAX), SIM_STOP_IDLE);
    EXPECT_EQ(nr_received, 100);
    first = sim_machine_input(machine, sent + 100, sizeof(sent) - 100);
    EXPECT_EQ(first, SIM_INPUT_MAX);
    EXPECT_EQ(sim_machine_input(machine, sent, 1), 0);
    cr_expect_eq(sim_machine_run(machine, UINT64_MAX), SIM_STOP_IDLE);
    EXPECT_EQ(sim_machine_input(machine, sent + 100 + first, sizeof(sent) - 100 - first),
              sizeof(sent) - 100 - first);
    cr_expect_eq(sim_machine_run(machine, UINT64_MAX), SIM_STOP_IDLE);
    EXPECT_EQ(nr_received, sizeof(sent));
    cr_expect_arr_eq(received, sent, sizeof(sent));
    sim_machine_destroy(machine);
}

/* --- hal_phys_map() and hal_init() --- */

static bool maps(uint64_t base, uint64_t len)
{
    return hal_phys_map(pa(base), len) != NULL;
}

#define HOLE_1 (SIM_RAM_BASE + MIB(8))  /* 1 MiB */
#define HOLE_2 (SIM_RAM_BASE + MIB(12)) /* a page, in it the initrd */

static void map_boot(void)
{
    cr_expect(maps(rig_boot->dtb.v, 1));
    cr_expect(maps(rig_boot->dtb.v, MIB(2)));
    cr_expect_not(maps(rig_boot->dtb.v - 1, 1));
    cr_expect_not(maps(SIM_RAM_BASE + MIB(8), 1));
}

static void map_pieces(void)
{
    struct hal_platform platform = rig_platform(1);

    map_boot();
    platform.reserved[0] = (struct platform_range){HOLE_2, PAGE_SIZE};
    platform.reserved[1] = (struct platform_range){HOLE_1, MIB(1)};
    platform.reserved[2] = (struct platform_range){HOLE_1 + PAGE_SIZE, PAGE_SIZE};
    platform.reserved[3] = (struct platform_range){0, MIB(1)};
    platform.nr_reserved = 4;
    platform.initrd = (struct platform_range){HOLE_2 + 8, 16};
    EXPECT_EQ((uint64_t)hal_init(&platform), HV_OK);
    cr_expect(maps(SIM_RAM_BASE, MIB(8)));
    cr_expect_not(maps(SIM_RAM_BASE, MIB(8) + 1));
    cr_expect_not(maps(HOLE_1, 1));
    cr_expect_not(maps(HOLE_1 + MIB(1) - 1, 1));
    cr_expect(maps(HOLE_1 + MIB(1), MIB(3)));
    cr_expect_not(maps(HOLE_1 + MIB(1), MIB(3) + 1));
    cr_expect_not(maps(SIM_RAM_BASE, RIG_RAM));
    cr_expect_not(maps(HOLE_2, 1));
    cr_expect(maps(HOLE_2 + 8, 16));
    cr_expect_not(maps(HOLE_2 + 8, 17));
    cr_expect(maps(SIM_RAM_BASE + RIG_RAM - 1, 1));
    cr_expect_not(maps(SIM_RAM_BASE + RIG_RAM - 1, 2));
    cr_expect_not(maps(SIM_RAM_BASE + RIG_RAM, 1));
    cr_expect_not(maps(0, 1));
    cr_expect_not(maps(SIM_UART_BASE, 4));
    cr_expect_not(maps(SIM_RAM_BASE, UINT64_MAX));
    cr_expect_not(maps(UINT64_MAX, UINT64_MAX));
    EXPECT_EQ((uint64_t)((char *)hal_phys_map(pa(SIM_RAM_BASE + 77), 1) -
                         (char *)hal_phys_map(pa(SIM_RAM_BASE), 100)),
              77);
}

CASE(machine, physical_memory_is_known_piece_by_piece)
{
    enum hal_halt_reason reason = HAL_HALT_RESET;

    EXPECT_EQ((uint64_t)run_to_end(map_pieces, &reason, NULL), SIM_STOP_HALTED);
    cr_expect_eq(reason, HAL_HALT_OFF);
}

/* Ranges that overlap would be more pieces than there is room for. */
static void fill(struct hal_platform *platform)
{
    platform->nr_ram = PLATFORM_MAX_RAM;
    platform->nr_reserved = PLATFORM_MAX_RESERVED;
    for (unsigned i = 0; i < PLATFORM_MAX_RAM; i++)
        platform->ram[i] = (struct platform_range){SIM_RAM_BASE, RIG_RAM};
    for (unsigned i = 0; i < PLATFORM_MAX_RESERVED; i++)
        platform->reserved[i] =
            (struct platform_range){SIM_RAM_BASE + 2 * i * PAGE_SIZE, PAGE_SIZE};
}

static void refuse_platforms(void)
{
    struct hal_platform platform = rig_platform(1);

    platform.ram[0].size += PAGE_SIZE;
    EXPECT_EQ((uint64_t)hal_init(&platform), (uint64_t)HV_ERR_RANGE);
    platform = rig_platform(1);
    platform.ram[0].base = 0;
    EXPECT_EQ((uint64_t)hal_init(&platform), (uint64_t)HV_ERR_RANGE);
    platform = rig_platform(1);
    platform.initrd = (struct platform_range){SIM_RAM_BASE + RIG_RAM - 1, 2};
    EXPECT_EQ((uint64_t)hal_init(&platform), (uint64_t)HV_ERR_RANGE);
    platform = rig_platform(1);
    platform.nr_reserved = 1;
    platform.reserved[0] = (struct platform_range){SIM_RAM_BASE + 1, UINT64_MAX};
    EXPECT_EQ((uint64_t)hal_init(&platform), (uint64_t)HV_ERR_RANGE);
    platform = rig_platform(1);
    platform.uart_intid = SIM_UART_INTID + 1;
    EXPECT_EQ((uint64_t)hal_init(&platform), (uint64_t)HV_ERR_UNSUPPORTED);
    platform = rig_platform(1);
    platform.timer_virt_intid = 28;
    EXPECT_EQ((uint64_t)hal_init(&platform), (uint64_t)HV_ERR_UNSUPPORTED);
    platform = rig_platform(1);
    fill(&platform);
    EXPECT_EQ((uint64_t)hal_init(&platform), (uint64_t)HV_ERR_RANGE);
    map_boot(); /* as if nothing had been tried */
    cr_expect_eq(rig_init(1), HV_OK);
    cr_expect(maps(SIM_RAM_BASE, RIG_RAM));
}

CASE(machine, platforms_that_it_is_not)
{
    enum hal_halt_reason reason = HAL_HALT_RESET;

    EXPECT_EQ((uint64_t)run_to_end(refuse_platforms, &reason, NULL), SIM_STOP_HALTED);
    cr_expect_eq(reason, HAL_HALT_OFF);
}

CASES_RUN(machine, NULL, NULL)
