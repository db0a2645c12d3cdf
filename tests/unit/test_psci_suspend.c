/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* PSCI (DEN 0022): what ends with a wake-up, what is counted of it, and MEM_PROTECT. */
#include "psci/smccc.h"
#include "vm_fixture.h"

#define INVALID     UINT64_C(0xfffffffffffffffe)
#define DENIED      UINT64_C(0xfffffffffffffffd)
#define BAD_ADDRESS UINT64_C(0xfffffffffffffff7)

#define STANDBY    UINT64_C(0)
#define POWER_DOWN UINT64_C(0x10000)
#define RESUME     (GUEST_RAM + 0x2000)

#define SPI 40u

static struct fixture f;

static void setup(void)
{
    fixture_start(&f, 3);
}

static void finish(void)
{
    fixture_end(&f);
}

static uint64_t call(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    struct arch_vcpu *arch = &f.vcpu->arch;

    arch->x[0] = x0;
    arch->x[1] = x1;
    arch->x[2] = x2;
    arch->x[3] = x3;
    smccc_dispatch(f.vcpu, 0);
    return arch->x[0];
}

static struct vcpu *next(void)
{
    return sched_next(&f.hv->pcpu[0]);
}

static bool write_dist(uint64_t offset, uint64_t value)
{
    struct mmio_access access = {.offset = offset, .size = 4, .write = true, .value = value};

    return vgic_dist_access(&f.vm->vgic, &access);
}

/* SPI 40, in group 1 and enabled, to vCPU 0. */
static void enable_spi(void)
{
    cr_assert(write_dist(0x0000, 2));
    cr_assert(write_dist(0x0084, 1u << (SPI - 32)));
    cr_assert(write_dist(0x0104, 1u << (SPI - 32)));
}

CASE(psci_suspend, states_that_there_are_not)
{
    static const uint64_t bad[] = {0x80000000, 0x20000, 0x1000000, 0x3010001, 1, 0x10001};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(call(0xc4000001, bad[i], RESUME, 0), INVALID, "%#lx", (unsigned long)bad[i]);
        cr_assert_eq(call(0x84000001, bad[i], RESUME, 0), INVALID, "%#lx", (unsigned long)bad[i]);
    }
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
}

CASE(psci_suspend, standby)
{
    cr_assert_eq(call(0xc4000001, STANDBY, 0, 0), 0);
    f.vcpu->arch.x[5] = 0x55;
    f.vcpu->arch.pc = GUEST_RAM + 0x100;
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED);
    cr_assert_null(next());
    fakehal_advance(625000); /* 10 ms */
    sched_wake(f.vcpu);
    cr_assert_eq(next(), f.vcpu);
    cr_assert_eq(f.vcpu->arch.pc, GUEST_RAM + 0x100);
    cr_assert_eq(f.vcpu->arch.x[0], 0);
    cr_assert_eq(f.vcpu->arch.x[5], 0x55);
    cr_assert_eq(call(0xc4000010, 0, STANDBY, 0), 10000, "PSCI_STAT_RESIDENCY, microseconds");
    cr_assert_eq(call(0x84000011, 0, STANDBY, 0), 1, "PSCI_STAT_COUNT");
    cr_assert_eq(call(0xc4000011, 0, POWER_DOWN, 0), 0);
    cr_assert_eq(call(0xc4000011, 1, STANDBY, 0), 0, "of another CPU");
}

/* What there is not was never entered. */
CASE(psci_suspend, statistics_of_nothing)
{
    cr_assert_eq(call(0xc4000001, STANDBY, 0, 0), 0);
    sched_wake(f.vcpu);
    cr_assert_eq(next(), f.vcpu);
    cr_assert_eq(call(0xc4000011, 7, STANDBY, 0), 0, "no such CPU");
    cr_assert_eq(call(0xc4000010, 0, 5, 0), 0, "no such state");
    cr_assert_eq(call(0xc4000011, UINT64_C(0x100000000), STANDBY, 0), 0, "64 bits of affinity");
    cr_assert_eq(call(0x84000011, UINT64_C(0x100000000), STANDBY, 0), 1, "32 bits of it");
}

CASE(psci_suspend, power_down_comes_out_of_reset)
{
    f.vcpu->arch.x[5] = 0x55;
    f.vcpu->arch.pstate = 0x4;
    cr_assert_eq(call(0xc4000001, POWER_DOWN, RESUME, UINT64_C(0xabcdef0123456789)), 0);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED);
    cr_assert_null(f.hv->pcpu[0].loaded, "its registers are in no CPU");
    cr_assert_eq(call(0xc4000004, 0, 0, 0), 0, "AFFINITY_INFO of who sleeps is ON");
    cr_assert_null(next());
    sched_wake(f.vcpu);
    cr_assert_eq(next(), f.vcpu);
    cr_assert_eq(f.vcpu->arch.pc, RESUME);
    cr_assert_eq(f.vcpu->arch.x[0], UINT64_C(0xabcdef0123456789));
    cr_assert_eq(f.vcpu->arch.x[5], 0);
    cr_assert_eq(f.vcpu->arch.pstate, 0x3c5);
    cr_assert_eq(f.hv->pcpu[0].loaded, f.vcpu);
    cr_assert_eq(call(0xc4000011, 0, POWER_DOWN, 0), 1);
}

CASE(psci_suspend, arguments_of_32_bits)
{
    cr_assert_eq(call(0x84000001, POWER_DOWN | UINT64_C(0xff00000000),
                      RESUME | UINT64_C(0xff00000000), UINT64_C(0xf00000077)),
                 0);
    sched_wake(f.vcpu);
    cr_assert_eq(next(), f.vcpu);
    cr_assert_eq(f.vcpu->arch.pc, RESUME);
    cr_assert_eq(f.vcpu->arch.x[0], 0x77);
}

CASE(psci_suspend, entry_points)
{
    cr_assert_eq(call(0xc4000001, POWER_DOWN, RESUME + 2, 0), BAD_ADDRESS);
    cr_assert_eq(call(0xc4000001, POWER_DOWN, 0x1000, 0), BAD_ADDRESS);
    cr_assert_eq(call(0xc400000c, GUEST_RAM + GUEST_SIZE, 0, 0), BAD_ADDRESS);
    cr_assert_eq(call(0x8400000c, RESUME + 1, 0, 0), BAD_ADDRESS);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
    cr_assert_eq(call(0xc400000c, RESUME, 0x88, 0), 0, "CPU_DEFAULT_SUSPEND");
    sched_wake(f.vcpu);
    cr_assert_eq(next(), f.vcpu);
    cr_assert_eq(f.vcpu->arch.pc, RESUME);
    cr_assert_eq(f.vcpu->arch.x[0], 0x88);
    cr_assert_eq(call(0x8400000c, RESUME, UINT64_C(0x100000099), 0), 0);
    sched_wake(f.vcpu);
    cr_assert_eq(next(), f.vcpu);
    cr_assert_eq(f.vcpu->arch.x[0], 0x99);
}

/* Its CPU interface, with the group enables and the mask, is lost with the power. */
CASE(psci_suspend, an_interrupt_wakes_whatever_the_cpu_interface_says)
{
    enable_spi();
    cr_assert_eq(call(0xc4000001, POWER_DOWN, RESUME, 0), 0);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED);
    vgic_set_level(&f.vm->vgic, 0, SPI, true);
    cr_assert_eq(next(), f.vcpu);
    cr_assert_eq(f.vcpu->arch.pc, RESUME);
}

CASE(psci_suspend, a_pending_interrupt_ends_it_at_once)
{
    enable_spi();
    vgic_set_level(&f.vm->vgic, 0, SPI, true);
    (void)call(0xc4000001, POWER_DOWN, RESUME, 0x66);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
    cr_assert_eq(f.vcpu->arch.pc, RESUME);
    cr_assert_eq(f.vcpu->arch.x[0], 0x66);
    cr_assert_eq(next(), f.vcpu);
}

/* While nobody has its registers, its virtual timer is core's to watch. */
CASE(psci_suspend, the_virtual_timer_wakes)
{
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_CNTV_CVAL_EL0, 5000);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_CNTV_CTL_EL0, 1);
    cr_assert_eq(call(0xc4000001, POWER_DOWN, RESUME, 0), 0);
    cr_assert_null(next());
    cr_assert_eq(fakehal()->cpu[0].deadline, 5000);
    fakehal_advance(5000);
    timer_queue_run(&f.hv->pcpu[0].timers);
    cr_assert_eq(next(), f.vcpu);
    cr_assert_eq(f.vcpu->arch.pc, RESUME);
}

CASE(psci_suspend, system_suspend_is_for_the_last_cpu)
{
    cr_assert_eq(call(0xc4000003, 1, GUEST_RAM, 0), 0, "CPU_ON");
    cr_assert_eq(call(0xc400000e, RESUME, 0x11, 0), DENIED, "another is about to be on");
    sched_give_way(f.vcpu);
    f.vcpu = next();
    cr_assert_eq(f.vcpu, &f.vm->vcpu[1]);
    (void)call(0x84000002, 0, 0, 0);
    f.vcpu = next();
    cr_assert_eq(f.vcpu, &f.vm->vcpu[0]);
    cr_assert_eq(call(0xc400000e, RESUME + 2, 0, 0), BAD_ADDRESS);
    cr_assert_eq(call(0xc400000e, RESUME, 0x11, 0), 0);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED);
    sched_wake(f.vcpu);
    cr_assert_eq(next(), f.vcpu);
    cr_assert_eq(f.vcpu->arch.pc, RESUME);
    cr_assert_eq(f.vcpu->arch.x[0], 0x11);
    cr_assert_eq(call(0xc4000011, 0, POWER_DOWN, 0), 0, "not a state of a CPU");
    cr_assert_eq(call(0x8400000e, RESUME, UINT64_C(0x100000022), 0), 0);
    sched_wake(f.vcpu);
    cr_assert_eq(next(), f.vcpu);
    cr_assert_eq(f.vcpu->arch.x[0], 0x22);
}

CASE(psci_suspend, mem_protect)
{
    cr_assert_eq(call(0x84000013, 1, 0, 0), 0, "was off");
    cr_assert_eq(call(0x84000013, 1, 0, 0), 1, "was on");
    cr_assert_eq(call(0x84000013, 0, 0, 0), 1);
    cr_assert_eq(call(0x84000013, 0, 0, 0), 0);
    cr_assert_eq(call(0x84000013, 2, 0, 0), INVALID);
}

CASE(psci_suspend, mem_protect_check_range)
{
    cr_assert_eq(call(0xc4000014, GUEST_RAM, GUEST_SIZE, 0), 0);
    cr_assert_eq(call(0xc4000014, GUEST_RAM, GUEST_SIZE + 1, 0), DENIED);
    cr_assert_eq(call(0xc4000014, GUEST_RAM + 1, UINT64_MAX, 0), DENIED, "it wraps");
    cr_assert_eq(call(0xc4000014, GUEST_RAM - 1, 1, 0), DENIED);
    cr_assert_eq(call(0xc4000014, GUEST_RAM + GUEST_SIZE, 1, 0), DENIED);
    cr_assert_eq(call(0xc4000014, GUEST_RAM, 0, 0), DENIED);
    cr_assert_eq(call(0x84000014, GUEST_RAM | UINT64_C(0x100000000), UINT64_C(0x100001000), 0), 0);
}

CASES_RUN(psci_suspend, setup, finish)
