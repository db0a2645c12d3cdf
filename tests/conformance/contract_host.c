/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* hal.h but for vCPUs: boot, CPU, memory, time, interrupts. */
#include "conformance/contract.h"
#include <string.h>

/* CONTRACT.md names these; GICv3 IHI 0069, 2.2.1: 1020-1023 are special, and no SPI. */
#define INTID_NONE    1023u
#define INTID_KICK    0u
#define INTID_SPECIAL 1020u
#define ARENA_MIN     65536u
#define MPIDR_OTHER   (~UINT64_C(0xff00ffffff))
#define PAGE          UINT64_C(4096)

void contract_check_boot(struct contract *ct)
{
    const struct hal_boot *boot = ct->boot;
    uint64_t image = boot->image.v;
    uint64_t here = (uint64_t)(uintptr_t)&contract_check_boot;
    const unsigned char *arena = boot->arena;
    bool zeroed = true;

    for (size_t i = sizeof(*ct); i < boot->arena_size; i++)
        zeroed = zeroed && arena[i] == 0;
    contract_ok(ct, zeroed, "the arena is zeroed");
    contract_ok(ct, ((uintptr_t)arena & 63) == 0, "the arena is 64-byte aligned");
    contract_ok(ct, boot->arena_size >= ARENA_MIN, "the arena has 64 KiB or more");
    contract_ok(ct, here >= image && here - image < boot->image_size,
                "the image's extent holds the code");
    contract_ok(ct, hal_phys_map(boot->dtb, 40) != NULL, "the devicetree's header can be mapped");
    contract_eq(ct, hal_cpu_self(), 0, "this is CPU 0");
}

void contract_check_cpu(struct contract *ct)
{
    struct arch_idregs idregs;
    struct smc_regs regs = {.x = {UINT64_C(0x84000000)}}; /* PSCI_VERSION, DEN 0022 5.1.1 */

    contract_eq(ct, hal_cpu_mpidr() & MPIDR_OTHER, 0, "hal_cpu_mpidr has affinity fields only");
    contract_eq(ct, hal_cpu_mpidr(), ct->platform.cpu_mpidr[0], "the boot CPU is platform CPU 0");
    memset(&idregs, 0xa5, sizeof(idregs));
    hal_id_regs(&idregs);
    contract_eq(ct, (idregs.midr >> 16) & 0xf, 0xf, "MIDR_EL1.Architecture: by ID registers");
    contract_eq(ct, (idregs.ctr >> 31) & 1, 1, "CTR_EL0 bit 31 is RES1");
    contract_ok(ct, hal_gic_lr_count() >= 1 && hal_gic_lr_count() <= 16, "1 to 16 list registers");
    hal_smc(&regs);
    contract_ok(ct, regs.x[0] >= 0x10000 && regs.x[0] < 0x20000, "PSCI by SMC is version 1.x");
}

void contract_check_phys(struct contract *ct)
{
    const struct platform_range *ram = &ct->platform.ram[0];
    uint64_t end = ram->base + ram->size;
    volatile uint64_t *last = hal_phys_map(pa(end - PAGE), PAGE);

    contract_ok(ct, hal_phys_map(pa(ram->base), 1) != NULL, "the first byte of RAM can be mapped");
    if (contract_ok(ct, last != NULL, "the last page of RAM can be mapped") && last != NULL) {
        last[0] = UINT64_C(0x0123456789abcdef);
        contract_eq(ct, last[0], UINT64_C(0x0123456789abcdef), "the last page of RAM is writable");
        hal_phys_unmap((void *)(uintptr_t)last, PAGE);
    }
    contract_ok(ct, hal_phys_map(pa(end - PAGE), PAGE + 1) == NULL, "not one byte past RAM");
    contract_ok(ct, hal_phys_map(pa(end), 1) == NULL, "not the byte after RAM");
    contract_ok(ct, hal_phys_map(pa(ram->base), UINT64_MAX) == NULL, "not a length that wraps");
    contract_ok(ct, hal_phys_map(pa(UINT64_MAX), 2) == NULL, "not an address that wraps");
    contract_ok(ct, hal_phys_map(pa(ct->platform.gicd.base), 4) == NULL, "not a device");
}

void contract_check_time(struct contract *ct)
{
    uint64_t first = hal_time_now();
    uint64_t before = first;
    bool back = false;

    for (unsigned i = 0; i < 10000; i++) {
        uint64_t now = hal_time_now();
        back = back || now < before;
        before = now;
    }
    contract_ok(ct, !back, "10,000 readings of the time never go back");
    contract_ok(ct, before > first, "time goes on");
    contract_ok(ct, hal_time_hz() > 0, "the frequency is not 0");
    contract_eq(ct, hal_time_hz(), hal_time_hz(), "the frequency is constant");
}

/* Both machines have a clock, which nobody has set to the past. */
static void check_wall_time(struct contract *ct)
{
    uint64_t first = hal_wall_time();
    uint64_t second = hal_wall_time();

    contract_ok(ct, first >= UINT64_C(1577836800), "the clock says a year from 2020 on");
    contract_ok(ct, second - first <= 60, "and does not jump");
}

/* Both machines have random numbers. 64 bytes that are alike come by chance once in 2^512. */
static void check_entropy(struct contract *ct)
{
    uint8_t a[HAL_ENTROPY_MAX + 1];
    uint8_t b[HAL_ENTROPY_MAX + 1];
    bool given = true;
    bool kept = true;

    contract_ok(ct, hal_entropy(a, HAL_ENTROPY_MAX) == HV_OK, "there are random bytes");
    contract_ok(ct, hal_entropy(b, HAL_ENTROPY_MAX) == HV_OK, "and more of them");
    contract_ok(ct, memcmp(a, b, HAL_ENTROPY_MAX) != 0, "no two pieces are the same");
    contract_ok(ct, memcmp(a, a + 8, HAL_ENTROPY_MAX - 8) != 0, "nor is all of a piece");
    for (size_t len = 1; len <= HAL_ENTROPY_MAX; len++) {
        b[len] = 0xa5;
        given = given && hal_entropy(b, len) == HV_OK;
        kept = kept && b[len] == 0xa5;
    }
    contract_ok(ct, given, "any number of bytes up to 64");
    contract_ok(ct, kept, "and not one more");
}

uint32_t contract_wait_irq(void)
{
    uint64_t limit = hal_time_now() + hal_time_hz() / 10;
    uint32_t intid;

    do {
        hal_cpu_relax();
        intid = hal_irq_ack();
    } while (intid == INTID_NONE && hal_time_now() < limit);
    return intid;
}

bool contract_is_quiet(void)
{
    uint64_t limit = hal_time_now() + hal_time_hz() / 1000;
    uint32_t intid;

    do {
        intid = hal_irq_ack();
        if (intid != INTID_NONE)
            hal_irq_end(intid, true);
    } while (intid == INTID_NONE && hal_time_now() < limit);
    return intid == INTID_NONE;
}

static void check_timer(struct contract *ct)
{
    uint32_t timer = ct->platform.timer_hyp_intid;
    uint64_t deadline = hal_time_now() + hal_time_hz() / 100;

    hal_timer_arm(deadline);
    contract_eq(ct, contract_wait_irq(), timer, "the timer's interrupt comes");
    contract_ok(ct, hal_time_now() >= deadline, "not before its deadline");
    hal_irq_end(timer, true);
    contract_eq(ct, contract_wait_irq(), timer,
                "it is a level: it comes again while the deadline has passed");
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(timer, true);
    contract_ok(ct, contract_is_quiet(), "never means never");
    hal_timer_arm(0);
    contract_eq(ct, contract_wait_irq(), timer, "a deadline in the past is due at once");
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(timer, true);

    deadline = hal_time_now() + hal_time_hz() / 100;
    hal_timer_arm(deadline);
    while (hal_time_now() < deadline)
        hal_cpu_idle();
    contract_eq(ct, contract_wait_irq(), timer, "idling ends with the timer");
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(timer, true);
}

static void check_deactivation(struct contract *ct)
{
    uint32_t timer = ct->platform.timer_hyp_intid;

    hal_timer_arm(0);
    contract_eq(ct, contract_wait_irq(), timer, "an interrupt to leave active");
    hal_irq_end(timer, false);
    contract_ok(ct, contract_is_quiet(),
                "active: it does not come again, though its level is high");
    hal_cpu_kick(0);
    contract_eq(ct, contract_wait_irq(), INTID_KICK, "its priority is dropped: another comes");
    hal_irq_end(INTID_KICK, true);
    hal_irq_deactivate(timer);
    contract_eq(ct, contract_wait_irq(), timer, "deactivated: it comes again");
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(timer, true);
    contract_ok(ct, contract_is_quiet(), "and then no more");
}

/* As a CPU finds it that a vCPU comes to with an interrupt active. */
static void check_activation(struct contract *ct)
{
    uint32_t timer = ct->platform.timer_hyp_intid;

    hal_irq_activate(timer);
    hal_timer_arm(0);
    contract_ok(ct, contract_is_quiet(), "made active: it does not come, though its level is high");
    hal_cpu_kick(0);
    contract_eq(ct, contract_wait_irq(), INTID_KICK,
                "no priority is running for it: another comes");
    hal_irq_end(INTID_KICK, true);
    hal_irq_deactivate(timer);
    contract_eq(ct, contract_wait_irq(), timer, "deactivated: it comes");
    hal_irq_end(timer, false);
    hal_irq_activate(timer);
    contract_ok(ct, contract_is_quiet(), "one that is active stays so");
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_deactivate(timer);
    contract_ok(ct, contract_is_quiet(), "and leaves nothing behind");
}

static void check_enable(struct contract *ct)
{
    uint32_t timer = ct->platform.timer_hyp_intid;

    contract_ok(ct, hal_irq_enable(timer, false) == HV_OK, "a PPI can be disabled");
    hal_timer_arm(0);
    contract_ok(ct, contract_is_quiet(), "disabled: it does not come");
    contract_ok(ct, hal_irq_enable(timer, true) == HV_OK, "a PPI can be enabled");
    contract_eq(ct, contract_wait_irq(), timer, "enabled: what was pending comes");
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(timer, true);
    contract_ok(ct, hal_irq_enable(INTID_SPECIAL, true) == HV_ERR_RANGE, "1020 is no interrupt");
    contract_ok(ct, hal_irq_enable(UINT32_MAX, true) == HV_ERR_RANGE, "UINT32_MAX is none");
}

void contract_check_irq(struct contract *ct)
{
    contract_eq(ct, hal_irq_ack(), INTID_NONE, "nothing is pending at first");
    check_wall_time(ct);
    check_entropy(ct);
    check_timer(ct);
    check_deactivation(ct);
    check_activation(ct);
    check_enable(ct);
    hal_cpu_kick(0);
    hal_cpu_idle();
    contract_eq(ct, contract_wait_irq(), INTID_KICK, "a kick of oneself arrives");
    hal_irq_end(INTID_KICK, true);
    hal_cpu_kick(0);
    hal_cpu_kick(0);
    contract_eq(ct, contract_wait_irq(), INTID_KICK, "two kicks arrive");
    hal_irq_end(INTID_KICK, true);
    (void)contract_is_quiet();
    contract_ok(ct, contract_is_quiet(), "and do not stay");
}
