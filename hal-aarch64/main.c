/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Start of the machine, and the small services: CPUs, EL3, the end. */
#include "abi/psci.h"
#include "arch/idreg.h"
#include "base/bits.h"
#include "base/lock.h"
#include "hal/hal.h"
#include "internal.h"

/* What core may use before its page pool exists: struct hv and the configuration. */
#define ARENA_SIZE KIB(128)

struct percpu percpu[PLATFORM_MAX_CPUS];
static _Alignas(64) unsigned char arena[ARENA_SIZE];
static struct hal_boot boot; /* not on the boot CPU's stack, which begins anew if that CPU does */

#define MPIDR_AFFINITY (BITS(39, 32) | BITS(23, 0))

/* The fallback that was chosen at build time, if it is what it should be: on another board it may
 * be RAM. */
static void init_early_console(void)
{
    if (HALCYON_EARLY_PL011 == 0 || mmu_map(HALCYON_EARLY_PL011, PAGE_SIZE, MMU_DEVICE) != HV_OK)
        return;
    if (uart_is_pl011(HALCYON_EARLY_PL011))
        uart_init(HALCYON_EARLY_PL011);
    else
        mmu_unmap_page(HALCYON_EARLY_PL011);
}

_Noreturn void boot_main(uint64_t dtb)
{
    boot = (struct hal_boot){
        .dtb = pa(dtb),
        .image = pa((uint64_t)__image_start),
        .image_size = (uint64_t)(__image_end - __image_start),
        .arena = arena,
        .arena_size = sizeof(arena),
    };

    percpu[0].mpidr = sysreg_read(mpidr_el1) & MPIDR_AFFINITY;
    percpu[0].power = CPU_ON;
    cpu_init_self(&percpu[0]);
    init_early_console();
    core_main(&boot);
}

hv_err hal_init(const struct hal_platform *platform)
{
    hv_err err = HV_OK;

    uart_init(0);
    if (platform->uart.size != 0)
        err = mmu_map(platform->uart.base, platform->uart.size, MMU_DEVICE);
    if (err == HV_OK && platform->uart.size != 0)
        uart_init(platform->uart.base);
    if (err == HV_OK)
        err = rtc_init(platform);
    if (err == HV_OK)
        err = mmu_map_ram(platform);
    if (err == HV_OK)
        err = trace_init(platform);
    if (err == HV_OK)
        err = disk_init(platform);
    if (err == HV_OK)
        err = cpus_init(platform);
    if (err == HV_OK)
        err = gic_init(platform);
    if (err != HV_OK)
        return err;
    cpu_init_interrupts();
    entropy_init(platform);
    if (platform->uart.size != 0 && platform->uart_intid != HAL_INTID_NONE)
        err = hal_irq_enable(platform->uart_intid, true);
    return err;
}

unsigned hal_cpu_self(void)
{
    return percpu_self()->index;
}

void hal_cpu_idle(void)
{
    dsb(sy);
    __asm__ volatile("wfi" ::: "memory");
}

void hal_cpu_relax(void)
{
    __asm__ volatile("yield" ::: "memory");
}

void lock_relax(void)
{
    hal_cpu_relax();
}

/* ICC_SGI1R_EL1 (IHI 0069, 12.2.16): Aff3.Aff2.Aff1, and one bit of the target list for Aff0. INTID
 * is HAL_INTID_KICK. */
void hal_cpu_kick(unsigned cpu)
{
    uint64_t mpidr = percpu[cpu].mpidr;
    uint64_t aff0 = bits_get(mpidr, 7, 0);
    uint64_t value = (bits_get(mpidr, 39, 32) << 48) | ((aff0 >> 4) << 44) |
                     (bits_get(mpidr, 23, 16) << 32) | (bits_get(mpidr, 15, 8) << 16) |
                     BIT(aff0 & 15);

    dsb(ishst);
    sysreg_write(icc_sgi1r_el1, value);
    isb();
}

/* The numbered encodings also reach registers that the assembler of armv8.0 cannot name. */
#define ID_ROW(crm)                                                                                \
    do {                                                                                           \
        out->reg[IDREG_INDEX(crm, 0)] = sysreg_read(S3_0_C0_C##crm##_0);                           \
        out->reg[IDREG_INDEX(crm, 1)] = sysreg_read(S3_0_C0_C##crm##_1);                           \
        out->reg[IDREG_INDEX(crm, 2)] = sysreg_read(S3_0_C0_C##crm##_2);                           \
        out->reg[IDREG_INDEX(crm, 3)] = sysreg_read(S3_0_C0_C##crm##_3);                           \
        out->reg[IDREG_INDEX(crm, 4)] = sysreg_read(S3_0_C0_C##crm##_4);                           \
        out->reg[IDREG_INDEX(crm, 5)] = sysreg_read(S3_0_C0_C##crm##_5);                           \
        out->reg[IDREG_INDEX(crm, 6)] = sysreg_read(S3_0_C0_C##crm##_6);                           \
        out->reg[IDREG_INDEX(crm, 7)] = sysreg_read(S3_0_C0_C##crm##_7);                           \
    } while (0)

void cpu_read_id_regs(struct arch_idregs *out)
{
    out->midr = sysreg_read(midr_el1);
    out->ctr = sysreg_read(ctr_el0);
    ID_ROW(1);
    ID_ROW(2);
    ID_ROW(3);
    ID_ROW(4);
    ID_ROW(5);
    ID_ROW(6);
    ID_ROW(7);
}

void hal_id_regs(struct arch_idregs *out)
{
    *out = percpu_self()->idregs;
}

uint64_t hal_cpu_mpidr(void)
{
    return percpu_self()->mpidr;
}

void hal_smc(struct smc_regs *regs)
{
    register uint64_t x0 __asm__("x0") = regs->x[0];
    register uint64_t x1 __asm__("x1") = regs->x[1];
    register uint64_t x2 __asm__("x2") = regs->x[2];
    register uint64_t x3 __asm__("x3") = regs->x[3];
    register uint64_t x4 __asm__("x4") = regs->x[4];
    register uint64_t x5 __asm__("x5") = regs->x[5];
    register uint64_t x6 __asm__("x6") = regs->x[6];
    register uint64_t x7 __asm__("x7") = regs->x[7];

    __asm__ volatile(
        "smc #0"
        : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6), "+r"(x7)
        :
        : "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");
    regs->x[0] = x0;
    regs->x[1] = x1;
    regs->x[2] = x2;
    regs->x[3] = x3;
    regs->x[4] = x4;
    regs->x[5] = x5;
    regs->x[6] = x6;
    regs->x[7] = x7;
}

/* After a panic the machine is powered off too: that is what whoever watches it notices. A report
 * that another CPU is printing is not cut off. */
_Noreturn void hal_halt(enum hal_halt_reason reason)
{
    struct smc_regs regs = {.x = {reason == HAL_HALT_RESET ? PSCI_SYSTEM_RESET : PSCI_SYSTEM_OFF}};

    if (panic_is_elsewhere())
        panic_await_end();
    hal_smc(&regs);
    for (;;)
        __asm__ volatile("wfi");
}
