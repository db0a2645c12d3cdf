/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The double itself: a test that leans on it should not lean on an error of it. */
#include "base/check.h"
#include "cases.h"
#include "fakehal/fakehal.h"
#include <signal.h>
#include <string.h>

static struct arch_vcpu vcpu;
static struct arch_exit got;

static void setup(void)
{
    fakehal_reset();
    memset(&vcpu, 0, sizeof(vcpu));
}

/* --- Ends --- */

static void halt(void *ctx)
{
    hal_halt(*(enum hal_halt_reason *)ctx);
}

static void check_one_is_two(void *ctx)
{
    (void)ctx;
    HV_CHECK(1 == 2);
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void nested(void *ctx)
{
    cr_expect(fakehal_expect_check(check_one_is_two, NULL));
    halt(ctx);
}

CASE(fakehal, ends_are_caught)
{
    enum hal_halt_reason reset = HAL_HALT_RESET;
    cr_expect(fakehal_expect_halt(HAL_HALT_RESET, halt, &reset));
    cr_expect_not(fakehal_expect_halt(HAL_HALT_OFF, halt, &reset));
    cr_expect_not(fakehal_expect_check(halt, &reset));
    cr_expect(fakehal_expect_check(check_one_is_two, NULL));
    cr_expect_str_eq(fakehal()->check_expr, "1 == 2");
    cr_expect_not(fakehal_expect_check(nothing, NULL));
    cr_expect_eq(fakehal_catch(nothing, NULL), FAKEHAL_RETURNED);
    cr_expect(fakehal_expect_halt(HAL_HALT_RESET, nested, &reset));
}

/* --- Memory --- */

CASE(fakehal, memory_is_in_arenas)
{
    fakehal_add_ram(pa(0x1000), 0x2000);
    fakehal_add_ram(pa(UINT64_C(0x100000000)), UINT64_C(64) << 30);
    unsigned char *mem = hal_phys_map(pa(0x1000), 0x2000);
    cr_assert_not_null(mem);
    cr_expect_eq(mem[0x1fff], 0);
    cr_expect_eq(hal_phys_map(pa(0x2fff), 1), mem + 0x1fff);
    cr_expect_null(hal_phys_map(pa(0x2fff), 2));
    cr_expect_null(hal_phys_map(pa(0xfff), 1));
    cr_expect_null(hal_phys_map(pa(0x1000), 0));
    cr_expect_null(hal_phys_map(pa(0x2000), UINT64_MAX));
    cr_expect_not_null(hal_phys_map(pa(UINT64_C(0x1000000000)), 4096));
    hal_phys_unmap(mem, 0x2000);
    cr_expect(fakehal()->maps == 3 && fakehal()->unmaps == 1);
    hal_cache_op(mem + 5, 7, HAL_CACHE_SYNC_ICACHE);
    cr_expect(fakehal_log(0)->addr == 0x1005 && fakehal_log(0)->len == 7);
    fakehal_reset();
    cr_expect_null(hal_phys_map(pa(0x1000), 1));
}

static void unmap_of_a_stranger_fails(void *ctx)
{
    (void)ctx;
    fakehal_add_ram(pa(0x1000), 0x1000);
    char own = 0;
    hal_phys_unmap(&own, 1);
}

static void overlapping_ram_fails(void *ctx)
{
    (void)ctx;
    fakehal_add_ram(pa(0x1000), 0x2000);
    fakehal_add_ram(pa(0x2000), 0x1000);
}

CASE(fakehal, records_are_a_ring)
{
    for (uint64_t i = 0; i < 65536 + 10; i++)
        fakehal_note(i, 0);
    cr_expect_eq(fakehal_log(10)->addr, 10);
    cr_expect_eq(fakehal_log(65545)->addr, 65545);
    cr_expect_eq(fakehal()->count[FAKEHAL_NOTE], 65546);
    fakehal_log_clear();
    cr_expect_eq(fakehal()->count[FAKEHAL_NOTE], 0);
}

static void overwritten_records_are_gone(void *ctx)
{
    (void)ctx;
    for (uint64_t i = 0; i < 65537; i++)
        fakehal_note(i, 0);
    fakehal_log(0);
}

/* --- vCPUs --- */

static void set_x0(void *ctx, struct arch_vcpu *v, struct arch_exit *exit)
{
    v->x[0] = *(uint64_t *)ctx;
    exit->far = v->x[0] + 1;
}

static void expect_x1(void *ctx, struct arch_vcpu *v, struct arch_exit *exit)
{
    (void)exit;
    cr_expect_eq(v->x[1], *(uint64_t *)ctx);
}

static void by_default(void *ctx, struct arch_vcpu *v, struct arch_exit *exit)
{
    (void)ctx;
    (void)v;
    exit->kind = ARCH_EXIT_SERROR;
}

CASE(fakehal, script_is_played_in_order)
{
    uint64_t value = 42;
    fakehal_push_exit((struct arch_exit){.esr = 1}, set_x0, expect_x1, &value);
    fakehal_push_sync(2, 3, 4);
    fakehal_push_irq();
    fakehal_set_run(by_default, NULL);
    hal_vcpu_load(&vcpu);
    hal_vcpu_run(&vcpu, &got);
    cr_expect(got.esr == 1 && got.far == 43 && vcpu.x[0] == 42 && got.kind == ARCH_EXIT_SYNC);
    vcpu.x[1] = 42;
    hal_vcpu_run(&vcpu, &got);
    cr_expect(got.esr == 2 && got.far == 3 && got.hpfar == 4);
    cr_expect_eq(fakehal_script_left(), 1);
    hal_vcpu_run(&vcpu, &got);
    cr_expect_eq(got.kind, ARCH_EXIT_IRQ);
    hal_vcpu_run(&vcpu, &got);
    cr_expect_eq(got.kind, ARCH_EXIT_SERROR);
    cr_expect_eq(fakehal()->runs, 4);
}

static void run_without_script_fails(void *ctx)
{
    (void)ctx;
    hal_vcpu_load(&vcpu);
    hal_vcpu_run(&vcpu, &got);
}

static void run_of_unloaded_vcpu_fails(void *ctx)
{
    (void)ctx;
    fakehal_push_irq();
    hal_vcpu_run(&vcpu, &got);
}

static void run_with_unsynced_config_fails(void *ctx)
{
    (void)ctx;
    fakehal_push_irq();
    hal_vcpu_load(&vcpu);
    vcpu.config.hcr_el2 = 1;
    hal_vcpu_run(&vcpu, &got);
}

CASE(fakehal, registers_move_with_load_and_put)
{
    vcpu.sys[ARCH_VBAR_EL1] = 0x1000;
    cr_expect_eq(hal_vcpu_sysreg_get(&vcpu, ARCH_VBAR_EL1), 0x1000);
    hal_vcpu_load(&vcpu);
    cr_expect_eq(hal_vcpu_sysreg_get(&vcpu, ARCH_VBAR_EL1), 0x1000);
    cr_expect_eq(vcpu.sys[ARCH_VBAR_EL1], FAKEHAL_POISON_SYS, "memory is stale while loaded");
    hal_vcpu_sysreg_set(&vcpu, ARCH_VBAR_EL1, 0x2000);
    vcpu.config.hcr_el2 = 5;
    hal_vcpu_config_sync(&vcpu);
    cr_expect_eq(fakehal()->cpu[0].config.hcr_el2, 5);
    hal_vcpu_put(&vcpu);
    cr_expect_eq(vcpu.sys[ARCH_VBAR_EL1], 0x2000);
    hal_vcpu_sysreg_set(&vcpu, ARCH_VBAR_EL1, 0x3000);
    cr_expect_eq(vcpu.sys[ARCH_VBAR_EL1], 0x3000);
}

static void load_on_two_cpus_fails(void *ctx)
{
    (void)ctx;
    hal_vcpu_load(&vcpu);
    fakehal()->self = 1;
    hal_vcpu_load(&vcpu);
}

static void access_from_another_cpu_fails(void *ctx)
{
    (void)ctx;
    hal_vcpu_load(&vcpu);
    fakehal()->self = 1;
    hal_gic_lr_set(&vcpu, 0, 0);
}

/* --- List registers (IHI 0069, 12.4) --- */

#define PENDING   (UINT64_C(1) << 62)
#define ACTIVE    (UINT64_C(1) << 63)
#define HARDWARE  (UINT64_C(1) << 61)
#define GROUP1    (UINT64_C(1) << 60)
#define EOI       (UINT64_C(1) << 41)
#define PRIO(p)   ((uint64_t)(p) << 48)
#define PINTID(i) ((uint64_t)(i) << 32)

CASE(fakehal, elrsr)
{
    cr_expect_eq(hal_gic_lr_count(), 4);
    cr_expect_eq(hal_gic_lr_empty(&vcpu), 0xf);
    hal_gic_lr_set(&vcpu, 0, PENDING | 40);
    hal_gic_lr_set(&vcpu, 1, ACTIVE | HARDWARE | 41);
    hal_gic_lr_set(&vcpu, 2, EOI | 42);
    /* With HW set bit 41 is part of the physical INTID. */
    hal_gic_lr_set(&vcpu, 3, HARDWARE | EOI | 43);
    cr_expect_eq(hal_gic_lr_empty(&vcpu), 0x8);
    cr_expect_eq(hal_gic_lr_get(&vcpu, 2), EOI | 42);
}

static void lr_out_of_range_fails(void *ctx)
{
    (void)ctx;
    hal_gic_lr_set(&vcpu, 4, 0);
}

CASE(fakehal, acknowledge_takes_the_most_important)
{
    hal_gic_lr_set(&vcpu, 0, PENDING | GROUP1 | PRIO(0xa0) | 40);
    hal_gic_lr_set(&vcpu, 1, PENDING | GROUP1 | PRIO(0x80) | 41);
    hal_gic_lr_set(&vcpu, 2, PENDING | PRIO(0x10) | 42); /* group 0, which is off */
    hal_gic_lr_set(&vcpu, 3, ACTIVE | PENDING | GROUP1 | PRIO(0x20) | 43);
    cr_expect_eq(fakehal_gic_ack(&vcpu), 1023, "the interface is off");
    hal_gic_hcr_set(&vcpu, 1);
    cr_expect_eq(fakehal_gic_ack(&vcpu), 1023, "the groups are off");
    fakehal_gic_enable(&vcpu, false, 0x80);
    cr_expect_eq(hal_gic_vmcr_get(&vcpu), UINT64_C(0x80000002));
    cr_expect_not(fakehal_gic_signals(&vcpu), "the mask excludes equal priority");
    fakehal_gic_enable(&vcpu, false, 0xf0);
    cr_expect(fakehal_gic_signals(&vcpu));
    cr_expect_eq(fakehal_gic_ack(&vcpu), 41);
    cr_expect_eq(hal_gic_lr_get(&vcpu, 1), ACTIVE | GROUP1 | PRIO(0x80) | 41);
    cr_expect_eq(fakehal_gic_ack(&vcpu), 1023, "0xa0 does not preempt 0x80");
    fakehal_gic_enable(&vcpu, true, 0xf0);
    cr_expect_eq(fakehal_gic_ack(&vcpu), 42, "0x10 does");
    fakehal_gic_eoi(&vcpu, 42);
    fakehal_gic_eoi(&vcpu, 41);
    cr_expect_eq(fakehal_gic_ack(&vcpu), 40);
}

CASE(fakehal, end_of_interrupt)
{
    hal_gic_hcr_set(&vcpu, 1);
    fakehal_gic_enable(&vcpu, false, 0xff);
    hal_gic_lr_set(&vcpu, 0, PENDING | GROUP1 | HARDWARE | PINTID(27) | 30);
    cr_expect_eq(fakehal_gic_ack(&vcpu), 30);
    fakehal_gic_eoi(&vcpu, 30);
    cr_expect_eq(fakehal_log(0)->kind, FAKEHAL_IRQ_DEACTIVATE);
    cr_expect_eq(fakehal_log(0)->addr, 27);
    cr_expect_eq(hal_gic_lr_empty(&vcpu), 0xf);

    hal_gic_lr_set(&vcpu, 1, PENDING | GROUP1 | EOI | 33);
    cr_expect_eq(fakehal_gic_ack(&vcpu), 33);
    cr_expect_eq(fakehal_gic_misr(&vcpu), 0);
    fakehal_gic_eoi(&vcpu, 33);
    cr_expect_eq(fakehal_gic_misr(&vcpu), 1, "EOI maintenance");
    cr_expect_eq(hal_gic_lr_empty(&vcpu), 0xd);

    fakehal_gic_eoi(&vcpu, 1023);
    fakehal_gic_eoi(&vcpu, 50);
    fakehal_gic_eoi(&vcpu, 51);
    cr_expect_eq(hal_gic_hcr_get(&vcpu), 1 | 2u << 27, "EOIcount");
    hal_gic_hcr_set(&vcpu, hal_gic_hcr_get(&vcpu) | 0xe);
    cr_expect_eq(fakehal_gic_misr(&vcpu), 0xf);
}

CASE(fakehal, split_priority_drop_and_deactivation)
{
    hal_gic_hcr_set(&vcpu, 1);
    fakehal_gic_enable(&vcpu, false, 0xff);
    vcpu.gic.vmcr |= 1u << 9; /* VEOIM */
    hal_gic_lr_set(&vcpu, 0, PENDING | GROUP1 | PRIO(0x80) | 40);
    hal_gic_lr_set(&vcpu, 1, PENDING | GROUP1 | PRIO(0x90) | 41);
    cr_expect_eq(fakehal_gic_ack(&vcpu), 40);
    fakehal_gic_eoi(&vcpu, 40);
    cr_expect_eq(hal_gic_lr_empty(&vcpu), 0xc, "still active");
    cr_expect_eq(fakehal_gic_ack(&vcpu), 41, "but the priority has dropped");
    hal_gic_hcr_set(&vcpu, 1 | 1u << 14); /* TDIR */
    cr_expect_not(fakehal_gic_dir(&vcpu, 40));
    cr_expect_eq(hal_gic_lr_empty(&vcpu), 0xc, "it traps");
    hal_gic_hcr_set(&vcpu, 1);
    cr_expect(fakehal_gic_dir(&vcpu, 40));
    cr_expect_eq(hal_gic_lr_empty(&vcpu), 0xd);
}

/* --- Interrupts, time --- */

CASE(fakehal, interrupts)
{
    cr_expect_eq(hal_irq_ack(), HAL_INTID_NONE);
    fakehal_irq_pend(0, 40);
    cr_expect_eq(hal_irq_ack(), HAL_INTID_NONE, "not enabled");
    cr_expect_eq(hal_irq_enable(40, true), HV_OK);
    cr_expect_eq(hal_irq_enable(1020, true), HV_ERR_RANGE);
    cr_expect(fakehal_irq_deliverable(0));
    cr_expect_eq(hal_irq_ack(), 40);
    hal_cpu_kick(0);
    cr_expect_eq(hal_irq_ack(), HAL_INTID_NONE, "equal priority does not preempt");
    hal_irq_end(40, false);
    fakehal_irq_pend(0, 40);
    cr_expect_eq(hal_irq_ack(), HAL_INTID_KICK);
    hal_irq_end(HAL_INTID_KICK, true);
    cr_expect_eq(hal_irq_ack(), HAL_INTID_NONE, "40 is still active");
    hal_irq_deactivate(40);
    cr_expect_eq(hal_irq_ack(), 40);
    cr_expect(fakehal()->count[FAKEHAL_IRQ_ACK] == 3 && fakehal()->cpu[0].kicks == 1);
}

static void end_of_another_interrupt_fails(void *ctx)
{
    (void)ctx;
    hal_cpu_kick(0);
    cr_expect_eq(hal_irq_ack(), HAL_INTID_KICK);
    hal_irq_end(5, true);
}

CASE(fakehal, timer_and_idle)
{
    cr_expect_eq(hal_time_hz(), 62500000);
    hal_timer_arm(100);
    fakehal_advance(99);
    cr_expect_not(fakehal_irq_deliverable(0));
    hal_cpu_idle();
    cr_expect_eq(hal_time_now(), 100);
    cr_expect_eq(hal_irq_ack(), 26);
    hal_irq_end(26, true);
    cr_expect(fakehal_irq_deliverable(0), "a level: until the timer is armed anew");
    hal_timer_arm(HAL_TIMER_NEVER);
    cr_expect_not(fakehal_irq_deliverable(0));
    hal_cpu_kick(0);
    hal_cpu_idle();
    cr_expect_eq(hal_time_now(), 100);
    fakehal()->tick = 3;
    cr_expect_eq(hal_time_now(), 100);
    cr_expect_eq(hal_time_now(), 103);
}

static void idle_for_ever_fails(void *ctx)
{
    (void)ctx;
    hal_cpu_idle();
}

static void count_up(void *ctx)
{
    ++*(unsigned *)ctx;
}

CASE(fakehal, hooks)
{
    unsigned idle = 0;
    unsigned relax = 0;
    fakehal()->idle = count_up;
    fakehal()->idle_ctx = &idle;
    fakehal()->relax = count_up;
    fakehal()->relax_ctx = &relax;
    hal_cpu_idle();
    hal_cpu_relax();
    hal_cpu_relax();
    cr_expect(idle == 1 && relax == 2 && fakehal()->cpu[0].idles == 1);
}

/* --- The world around --- */

static void answer(void *ctx, struct smc_regs *regs)
{
    (void)ctx;
    regs->x[0] = 7;
}

CASE(fakehal, console_and_smc)
{
    char buf[4];
    hal_console_write("hello ", 6);
    hal_console_write("world", 5);
    cr_expect_str_eq(fakehal()->out, "hello world");
    cr_expect(fakehal_console_has("o w"));
    fakehal_console_clear();
    cr_expect_not(fakehal_console_has("o"));
    fakehal_console_type("abcdef", 6);
    cr_expect(fakehal_irq_deliverable(0));
    cr_expect_eq(hal_console_read(buf, 4), 4);
    cr_expect(fakehal_irq_deliverable(0), "there is more");
    cr_expect_eq(hal_console_read(buf, 4), 2);
    cr_expect_eq(memcmp(buf, "efcd", 4), 0);
    cr_expect_not(fakehal_irq_deliverable(0));

    struct smc_regs regs = {.x = {0x84000008}};
    hal_smc(&regs);
    cr_expect_eq(regs.x[0], UINT64_MAX);
    fakehal()->smc_handler = answer;
    hal_smc(&regs);
    cr_expect_eq(regs.x[0], 7);
    cr_expect(fakehal()->nr_smcs == 2 && fakehal()->smc[0].x[0] == 0x84000008);
}

CASE(fakehal, init_is_recorded)
{
    struct hal_platform platform = {.nr_cpus = 2, .timer_hyp_intid = 29};
    struct arch_idregs regs;
    cr_expect_eq(hal_init(&platform), HV_OK);
    cr_expect(fakehal()->inits == 1 && fakehal()->platform.timer_hyp_intid == 29);
    fakehal()->init_result = HV_ERR_UNSUPPORTED;
    cr_expect_eq(hal_init(&platform), HV_ERR_UNSUPPORTED);
    hal_id_regs(&regs);
    cr_expect_eq(regs.midr, 0x411fd070);
    cr_expect_eq(regs.reg[8 * 6], 0x1124, "ID_AA64MMFR0_EL1");
}

/* --- What breaks the contract --- */

CASE(fakehal, misuse_fails_the_test)
{
    static void (*const misuse[])(void *ctx) = {
        unmap_of_a_stranger_fails,    overlapping_ram_fails,
        overwritten_records_are_gone, run_without_script_fails,
        run_of_unloaded_vcpu_fails,   run_with_unsynced_config_fails,
        load_on_two_cpus_fails,       access_from_another_cpu_fails,
        lr_out_of_range_fails,        end_of_another_interrupt_fails,
        idle_for_ever_fails,
    };
    for (size_t i = 0; i < sizeof(misuse) / sizeof(misuse[0]); i++) {
        setup();
        cr_expect(fakehal_expect_fail(misuse[i], NULL), "misuse %zu went through", i);
    }
    setup();
    cr_expect_not(fakehal_expect_fail(nothing, NULL));
    cr_expect_not(fakehal_expect_fail(check_one_is_two, NULL));
}

/* What no test expects is the end of the process. */
Test(fakehal, unexpected_halt_aborts, .signal = SIGABRT)
{
    hal_halt(HAL_HALT_OFF);
}

Test(fakehal, unexpected_check_aborts, .signal = SIGABRT)
{
    HV_CHECK(1 == 2);
}

CASES_RUN(fakehal, setup, NULL)
