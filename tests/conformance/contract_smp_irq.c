/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Interrupts that go from one CPU to another: an SPI that is routed, and one that a guest has taken
 * on one CPU and ends on another. */
#include "conformance/contract_smp_guests.h"

/* IHI 0069, 12.4.6: pending, HW, group 1, priority 0xa0, pINTID and vINTID. */
#define LR_STATE(lr)  ((lr) >> 62)
#define LR_HW(intid)  (UINT64_C(0x70a0000000000000) | (uint64_t)(intid) << 32 | (intid))
#define STATE_ACTIVE  2u
#define STATE_INVALID 0u
#define HCR_EN        1u                               /* ICH_HCR_EL2, 12.4.4 */
#define VMCR          (UINT64_C(0xff) << 24 | 1u << 1) /* 12.4.8: VPMR, VENG1 */

/* Its virtual timer has gone off, and stays so. It goes on to another CPU with the interrupt
 * active. */
static void job_take(struct smp_worker *w)
{
    struct arch_vcpu *v = &guests.mobile;
    uint32_t timer = w->smp->ct->platform.timer_virt_intid;

    hal_vcpu_load(v);
    if (smp_expect(w, contract_wait_irq() == timer, "the virtual timer goes off"))
        hal_irq_end(timer, false);
    hal_gic_lr_set(v, 0, LR_HW(timer));
    smp_expect(w, guests_run_to_hvc(v, 6) && v->x[1] == timer, "the guest acknowledges it");
    hal_vcpu_put(v);
    hal_irq_deactivate(timer);
    smp_expect(w, contract_is_quiet(), "nothing of it stays behind");
}

static void job_end(struct smp_worker *w)
{
    struct arch_vcpu *v = &guests.mobile;
    uint32_t timer = w->smp->ct->platform.timer_virt_intid;
    struct arch_exit exit;

    hal_irq_activate(timer);
    hal_irq_activate(timer); /* it may be active already */
    hal_vcpu_load(v);
    smp_expect(w, contract_is_quiet(),
               "made active: it is not delivered, though its level is high");
    smp_expect(w, LR_STATE(hal_gic_lr_get(v, 0)) == STATE_ACTIVE, "the guest has it active");
    smp_expect(w, guests_run(v, &exit) == timer,
               "the guest's end of it deactivates it here: it comes again");
    smp_expect(w, LR_STATE(hal_gic_lr_get(v, 0)) == STATE_INVALID, "the guest has it no more");
    hal_vcpu_put(v);
    smp_expect(w, contract_is_quiet(), "and goes with the vCPU");
}

void smp_check_active(struct smp *smp)
{
    const char *failure = NULL;

    for (unsigned cpu = 0; cpu < smp->nr_cpus && failure == NULL; cpu++) {
        guests_init_vcpu(&guests.mobile, WORD_ACK);
        guests.mobile.sys[ARCH_CNTV_CTL_EL0] = 1; /* ENABLE */
        guests.mobile.gic.hcr = HCR_EN;
        guests.mobile.gic.vmcr = VMCR;
        smp->worker[cpu].next = job_take;
        failure = smp_go(smp);
        smp->worker[(cpu + 1) % smp->nr_cpus].next = job_end;
        failure = failure != NULL ? failure : smp_go(smp);
    }
    smp_result(smp, failure, "a guest ends on one CPU the interrupt that it took on another");
}

/* --- The console's interrupt --- */

#define DELIVERIES 3u

/* The byte stays where it is, so that the interrupt comes again. */
static void job_enable(struct smp_worker *w)
{
    uint32_t uart = w->smp->ct->platform.uart_intid;

    smp_expect(w, hal_irq_enable(uart, true) == HV_OK, "an SPI can be enabled on each CPU");
    for (unsigned i = 0; i < DELIVERIES; i++)
        smp_take(w, uart, "an SPI comes to the CPU that enabled it last");
}

static void job_quiet(struct smp_worker *w)
{
    smp_expect(w, contract_is_quiet(), "and to no other CPU");
}

static void job_disable(struct smp_worker *w)
{
    smp_expect(w, hal_irq_enable(w->smp->ct->platform.uart_intid, false) == HV_OK,
               "an SPI can be disabled");
    smp_expect(w, contract_is_quiet(), "and does not come any more");
}

static void await_input(struct contract *ct)
{
    contract_say("waiting for a key");
    while (contract_wait_irq() != ct->platform.uart_intid) {
    }
    hal_irq_end(ct->platform.uart_intid, true);
}

/* One CPU enables it, then nobody else has it. */
static const char *give_to(struct smp *smp, unsigned owner)
{
    const char *failure;

    smp->worker[owner].next = job_enable;
    failure = smp_go(smp);
    for (unsigned cpu = 0; cpu < smp->nr_cpus; cpu++)
        smp->worker[cpu].next = cpu == owner ? NULL : job_quiet;
    return failure != NULL ? failure : smp_go(smp);
}

static const char *take_from(struct smp *smp, unsigned owner)
{
    smp->worker[owner].next = job_disable;
    return smp_go(smp);
}

void smp_check_spi(struct smp *smp)
{
    const char *failure = NULL;
    char key = 0;

    if (smp->ct->platform.uart.size == 0)
        return;
    await_input(smp->ct);
    for (unsigned cpu = smp->nr_cpus; cpu-- > 0 && failure == NULL;)
        failure = give_to(smp, cpu);
    smp_result(smp, failure, "an SPI goes from CPU to CPU while it is pending");
    for (unsigned cpu = 0; cpu < smp->nr_cpus && failure == NULL; cpu++) {
        failure = take_from(smp, cpu);
        failure = failure != NULL ? failure : give_to(smp, (cpu + 1) % smp->nr_cpus);
    }
    smp_result(smp, failure, "and while it is off");
    contract_eq(smp->ct, hal_console_read(&key, 1), 1, "the console has a key");
    contract_eq(smp->ct, (unsigned char)key, 'k', "the one that was typed");
    smp_result(smp, smp_go_all(smp, 0, job_quiet), "and its interrupt is gone");
}
