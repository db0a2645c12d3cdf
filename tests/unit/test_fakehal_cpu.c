/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The double: hal_cpu_start(), hal_cpu_stop(), and what moves with a vCPU. */
#include "base/check.h"
#include "cases.h"
#include "fakehal/fakehal.h"
#include <string.h>

static unsigned entered; /* 1 + the CPU that ran entry() last */
static struct arch_vcpu vcpu;

static void setup(void)
{
    fakehal_reset();
    fakehal()->platform.nr_cpus = 3;
    for (unsigned cpu = 0; cpu < 3; cpu++)
        fakehal()->platform.cpu_mpidr[cpu] = 0x100 + cpu;
    memset(&vcpu, 0, sizeof(vcpu));
    entered = 0;
}

static void enter(void *arg)
{
    *(unsigned *)arg = 1 + hal_cpu_self();
    cr_expect_eq(hal_cpu_mpidr(), 0x100 + hal_cpu_self());
}

static void enter_and_stop(void *arg)
{
    enter(arg);
    hal_cpu_stop();
}

static void enter_and_check(void *arg)
{
    enter(arg);
    HV_CHECK(arg == NULL);
}

CASE(fakehal_cpu, start_has_the_errors_of_the_contract)
{
    cr_expect_eq(hal_cpu_start(3, enter, &entered), HV_ERR_RANGE);
    cr_expect_eq(hal_cpu_start(~0u, enter, &entered), HV_ERR_RANGE);
    cr_expect_eq(hal_cpu_start(0, enter, &entered), HV_ERR_BUSY);
    fakehal()->start_result = HV_ERR_UNSUPPORTED;
    cr_expect_eq(hal_cpu_start(1, enter, &entered), HV_ERR_UNSUPPORTED);
    cr_expect_eq(hal_cpu_start(0, enter, &entered), HV_ERR_BUSY);
    cr_expect_eq(fakehal()->count[FAKEHAL_CPU_START], 0);
    fakehal()->start_result = HV_OK;
    cr_expect_eq(hal_cpu_start(1, enter, &entered), HV_OK);
    cr_expect_eq(hal_cpu_start(1, enter, &entered), HV_ERR_BUSY);
    cr_expect_eq(fakehal()->count[FAKEHAL_CPU_START], 1);
    cr_expect_eq(fakehal_log(0)->addr, 1);
}

CASE(fakehal_cpu, entry_runs_when_the_test_says_so)
{
    cr_expect_eq(hal_cpu_start(2, enter, &entered), HV_OK);
    cr_expect_eq(entered, 0);
    cr_expect_eq(fakehal_cpu_enter(2), FAKEHAL_RETURNED);
    cr_expect_eq(entered, 3);
    cr_expect_eq(fakehal()->self, 0);
    cr_expect_not(fakehal()->cpu[2].on);
    cr_expect_eq(fakehal_log(fakehal()->log_len - 1)->kind, FAKEHAL_CPU_STOP);
    cr_expect_eq(fakehal_log(fakehal()->log_len - 1)->cpu, 2);

    cr_expect_eq(hal_cpu_start(2, enter_and_stop, &entered), HV_OK);
    cr_expect_eq(fakehal_cpu_enter(2), FAKEHAL_STOPPED);
    cr_expect_eq(fakehal()->count[FAKEHAL_CPU_STOP], 2);
    cr_expect_eq(hal_cpu_start(2, enter_and_check, &entered), HV_OK);
    cr_expect_eq(fakehal_cpu_enter(2), FAKEHAL_CHECK_FAILED);
    cr_expect_eq(fakehal()->self, 0);
}

CASE(fakehal_cpu, start_brings_interrupts_in_order)
{
    struct fakehal_cpu *cpu = &fakehal()->cpu[1];

    fakehal()->self = 1;
    fakehal()->now = 100;
    hal_timer_arm(50);
    cr_expect_eq(hal_irq_enable(26, true), HV_OK);
    cr_expect_eq(hal_irq_ack(), 26);
    fakehal_irq_pend(1, HAL_INTID_KICK);
    fakehal()->self = 0;
    cr_expect_eq(hal_cpu_start(1, enter, &entered), HV_OK);
    cr_expect_not(fakehal_irq_deliverable(1));
    cr_expect_eq(cpu->running, HAL_INTID_NONE);
    cr_expect_eq(cpu->deadline, HAL_TIMER_NEVER);
    for (uint32_t intid = 25; intid <= 27; intid++) { /* maintenance and both timers */
        fakehal_irq_pend(1, intid);
        cr_expect(fakehal_irq_deliverable(1));
        cpu->pending[intid] = false;
    }
    fakehal_irq_pend(1, 33);
    cr_expect_not(fakehal_irq_deliverable(1), "an SPI is not the started CPU's");
    hal_cpu_kick(1);
    cr_expect(fakehal_irq_deliverable(1));
}

static void start_without_entry(void *ctx)
{
    (void)ctx;
    cr_expect_neq(hal_cpu_start(1, NULL, NULL), HV_OK);
}

static void stop_when_off(void *ctx)
{
    (void)ctx;
    fakehal()->self = 1;
    hal_cpu_stop();
}

static void stop_with_a_vcpu(void *ctx)
{
    (void)ctx;
    hal_vcpu_load(&vcpu);
    hal_cpu_stop();
}

static void stop_within_an_interrupt(void *ctx)
{
    (void)ctx;
    hal_cpu_kick(0);
    cr_expect_eq(hal_irq_ack(), HAL_INTID_KICK);
    hal_cpu_stop();
}

static void enter_without_start(void *ctx)
{
    (void)ctx;
    (void)fakehal_cpu_enter(1);
}

static void stop(void *ctx)
{
    (void)ctx;
    hal_cpu_stop();
}

CASE(fakehal_cpu, breaking_the_contract_fails_the_test)
{
    void (*const crimes[])(void *) = {start_without_entry, stop_when_off, stop_with_a_vcpu,
                                      stop_within_an_interrupt, enter_without_start};

    for (unsigned i = 0; i < sizeof(crimes) / sizeof(crimes[0]); i++) {
        setup();
        cr_expect(fakehal_expect_fail(crimes[i], NULL), "crime %u", i);
    }
    setup();
    cr_expect_eq(fakehal_catch(stop, NULL), FAKEHAL_STOPPED);
}

/* --- For vCPUs that move --- */

static void activate(void *ctx)
{
    hal_irq_activate(*(const uint32_t *)ctx);
}

CASE(fakehal_cpu, interrupt_made_active)
{
    uint32_t none[] = {15, 32, 1023}, timer = 27;

    hal_irq_activate(timer);
    fakehal_irq_pend(0, timer);
    cr_expect_eq(hal_irq_ack(), HAL_INTID_NONE);
    hal_cpu_kick(0);
    cr_expect_eq(hal_irq_ack(), HAL_INTID_KICK, "no priority runs for it");
    hal_irq_end(HAL_INTID_KICK, true);
    hal_irq_deactivate(timer);
    cr_expect_eq(hal_irq_ack(), timer);
    cr_expect(fakehal_expect_fail(activate, &timer), "acknowledged, and not ended");
    hal_irq_end(timer, false);
    hal_irq_activate(timer);
    cr_expect_eq(fakehal()->count[FAKEHAL_IRQ_ACTIVATE], 2);
    for (unsigned i = 0; i < 3; i++)
        cr_expect(fakehal_expect_fail(activate, &none[i]), "%u is no PPI", none[i]);
    cr_expect(fakehal()->cpu[0].active[timer] && !fakehal()->cpu[1].active[timer]);
}

CASE(fakehal_cpu, translations_of_this_cpu_and_of_all)
{
    const struct s2_tag tag = {.vttbr = UINT64_C(7) << 48, .vtcr = 5};

    fakehal()->self = 1;
    hal_tlbi_local(&tag);
    hal_tlbi_all();
    cr_assert_eq(fakehal()->log_len, 2);
    cr_expect_eq(fakehal_log(0)->kind, FAKEHAL_TLBI_LOCAL);
    cr_expect_eq(fakehal_log(0)->cpu, 1);
    cr_expect_eq(fakehal_log(0)->tag.vttbr, tag.vttbr);
    cr_expect_eq(fakehal_log(1)->kind, FAKEHAL_TLBI_ALL);
}

CASES_RUN(fakehal_cpu, setup, NULL)
