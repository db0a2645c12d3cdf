/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A VM that tries to get out: all its CPUs access the GIC's registers, addresses at which nothing
 * is, System registers that trap, PSCI and SMCCC, all at random, with interrupts masked and each
 * exception skipped. Nothing of what it sees is checked: it is the hypervisor and its other VMs
 * that have to be as before. Command line: seed=N, steps=N (of the first CPU).
 */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/psci.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"
#include "lib/trap.h"

#define DEFAULT_STEPS 20000u
#define REVIVE_EVERY  256u
#define GITS_BASE     0x08080000UL
#define GITS_SIZE     0x20000u
#define GICD_SIZE     0x10000u
#define UART_PAGE     0x09000000UL
#define REVIVAL       0u /* the SGI that ends a sleep */
#define SCRATCH_SIZE  0x10000u

static struct {
    uint64_t random;
    uint64_t padding[7];
} state[SMP_MAX] __attribute__((aligned(64)));
static uint32_t code[SMP_MAX][16] __attribute__((aligned(64)));
/* Tables of the ITS and of LPIs, as far as it has any. */
static uint8_t scratch[SCRATCH_SIZE] __attribute__((aligned(SCRATCH_SIZE)));
static unsigned cpus;

static uint64_t next(unsigned cpu)
{
    return sys_random(&state[cpu].random);
}

/* --- Values and addresses --- */

static uint64_t pick_value(unsigned cpu)
{
    uint64_t random = next(cpu);

    switch (random & 7) {
    case 0:
        return 0;
    case 1:
        return ~0UL;
    case 2:
        return random >> 56;
    case 3:
        return 1UL << (random >> 58);
    case 4: /* a table, valid, with some attributes */
        return ((uint64_t)scratch + (random >> 16 & (SCRATCH_SIZE - 1))) | 1UL << 63 |
               (random >> 32 & 0xfff);
    default:
        return next(cpu);
    }
}

/* Not the console's, for the sake of what the program has to say at the end, and not RAM. */
static uint64_t pick_address(unsigned cpu)
{
    uint64_t random = next(cpu);
    uint64_t address;

    switch (random >> 60) {
    case 0:
    case 1:
        return GITS_BASE + random % GITS_SIZE;
    case 2:
    case 3:
    case 4:
        return GICD_BASE + random % GICD_SIZE;
    case 5:
    case 6:
    case 7:
    case 8:
        return gic_redistributor(random >> 32 & 7) + random % GICR_STRIDE;
    case 9: /* below and above RAM, within what a stage-1 entry of ours maps */
        address = random % (512 * MMU_GIB);
        break;
    case 10:
        address = sys_ram_end() + (random & 0xffffff);
        break;
    default:
        address = random % RAM_BASE;
        break;
    }
    if (address >= RAM_BASE && address < sys_ram_end()) {
        address = 0;
    }
    return (address & ~0xfffUL) == UART_PAGE ? 0 : address;
}

/* --- What a step does --- */

static void run_code(unsigned cpu, uint32_t insn, uint64_t x0, uint64_t x1)
{
    code[cpu][0] = insn;
    code[cpu][1] = 0xd65f03c0; /* RET */
    sys_sync_code((uint64_t)code[cpu], 8);
    register uint64_t r0 __asm__("x0") = x0;
    register uint64_t r1 __asm__("x1") = x1;
    register uint64_t r16 __asm__("x16") = (uint64_t)code[cpu];
    __asm__ volatile("blr x16"
                     : "+r"(r0), "+r"(r1), "+r"(r16)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x17", "x30", "cc", "memory");
}

/* Loads and stores that leave no register but x0 to x3 changed: [x1]. */
static const uint32_t accesses[] = {
    0x39400020, 0x79400020, 0xb9400020, 0xf9400020, /* LDRB, LDRH, LDR w0, LDR x0 */
    0x39000020, 0x79000020, 0xb9000020, 0xf9000020, /* STRB, STRH, STR w0, STR x0 */
    0x39800020, 0x79c00020, 0xb9800020,             /* LDRSB x0, LDRSH w0, LDRSW */
    0xa9400820, 0xa9000820, 0x29400820,             /* LDP x0, x2; STP; LDP w0, w2 */
    0xf8408420, 0xb8004420,                         /* LDR x0, [x1], #8; STR w0, [x1], #4 */
    0xc85f7c20, 0xc8037c20,                         /* LDXR x0; STXR w3, x0 */
    0x08dffc20, 0x889ffc20,                         /* LDARB w0; STLR w0 */
    0xd50b7421, 0xd50b7e21, 0xd5087621,             /* DC ZVA; DC CIVAC; DC IVAC */
    0xd5087801,                                     /* AT S1E1R */
};

static void access_memory(unsigned cpu)
{
    uint64_t random = next(cpu);
    uint32_t insn = accesses[random % (sizeof(accesses) / sizeof(accesses[0]))];
    uint64_t address = pick_address(cpu);

    /* Most are aligned, to get further. */
    run_code(cpu, insn, pick_value(cpu), (random >> 60) != 0 ? address & ~7UL : address);
}

/* Those registers that a word of the GIC has; in most cases one that takes its size. */
static void access_gic(unsigned cpu)
{
    uint64_t address = pick_address(cpu) & ~3UL;

    if ((next(cpu) & 1) != 0) {
        run_code(cpu, 0xb9000020, pick_value(cpu), address);
    } else {
        run_code(cpu, 0xf9000020, pick_value(cpu), address & ~7UL);
    }
}

static void send_sgi(unsigned cpu)
{
    uint64_t value = (next(cpu) & 1) != 0 ? next(cpu) : (next(cpu) & 0x100f00ffff);

    switch (next(cpu) % 3) {
    case 0:
        SYS_WRITE("S3_0_C12_C11_5", value);
        break;
    case 1:
        SYS_WRITE("S3_0_C12_C11_6", value);
        break;
    default:
        SYS_WRITE("S3_0_C12_C11_7", value);
        break;
    }
}

/* MRS or MSR of op0, op1, CRn, CRm and op2 with x0. */
#define SYSTEM_REGISTER(op0, op1, crn, crm, op2)                                                   \
    (0xd5100000u | ((op0)-2u) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)

/* Spaces in which a write does not take from the program what it runs on. */
static const struct {
    uint8_t op0, op1, crn, crm_first, crm_last;
} spaces[] = {
    {3, 0, 0, 0, 15},  /* identification */
    {3, 1, 0, 0, 15},  /* CCSIDR and so on */
    {3, 3, 0, 0, 15},  /* CTR and so on */
    {3, 0, 12, 8, 12}, /* ICC_* */
    {3, 0, 4, 6, 6},   /* ICC_PMR */
    {3, 3, 14, 0, 15}, /* timers, event counters */
    {3, 3, 9, 12, 14}, /* PMU */
    {3, 0, 9, 12, 14}, /* PMINTEN */
    {3, 0, 10, 4, 4},  /* LORegions, MPAM */
    {3, 0, 5, 3, 5},   /* RAS */
    {3, 0, 11, 0, 15}, /* implementation defined */
    {3, 0, 15, 0, 15}, /* implementation defined */
    {3, 4, 1, 0, 15},  /* EL2's */
    {3, 4, 2, 0, 15},  /* EL2's */
    {3, 4, 12, 8, 15}, /* ICH_* */
    {3, 5, 1, 0, 3},   /* EL12 */
    {3, 6, 1, 0, 3},   /* EL3's */
    {2, 0, 0, 0, 15},  /* debug */
    {2, 0, 1, 0, 7},   /* OS lock */
    {2, 3, 0, 0, 15},  /* debug communication */
};

static void access_register(unsigned cpu)
{
    uint64_t random = next(cpu);
    unsigned space = (unsigned)(random % (sizeof(spaces) / sizeof(spaces[0])));
    uint32_t span = spaces[space].crm_last - spaces[space].crm_first + 1u;
    uint32_t crm = spaces[space].crm_first + (uint32_t)(random >> 8 & 15) % span;
    uint32_t insn = SYSTEM_REGISTER((uint32_t)spaces[space].op0, (uint32_t)spaces[space].op1,
                                    (uint32_t)spaces[space].crn, crm, (uint32_t)(random >> 16 & 7));

    run_code(cpu, insn | (uint32_t)(random >> 20 & 1) << 21, pick_value(cpu), 0);
}

/* --- Calls --- */

/* Those that end the VM or may never return. */
static bool is_final(uint32_t function)
{
    switch (function & ~SMCCC_FN64) {
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case PSCI_SYSTEM_RESET2:
    case PSCI_SYSTEM_SUSPEND:
    case 0x84000015: /* SYSTEM_OFF2 */
        return true;
    case PSCI_CPU_OFF:
    case PSCI_CPU_SUSPEND:
    case PSCI_CPU_FREEZE:
    case PSCI_CPU_DEFAULT_SUSPEND:
    case PSCI_CPU_ON & ~SMCCC_FN64: /* those have steps of their own */
        return true;
    default:
        return false;
    }
}

static void call(unsigned cpu, uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3)
{
    if ((next(cpu) & 1) != 0) {
        psci_call(function, a1, a2, a3);
        return;
    }
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a1;
    register uint64_t x2 __asm__("x2") = a2;
    register uint64_t x3 __asm__("x3") = a3;
    __asm__ volatile("smc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                       "x16", "x17", "memory");
}

static void call_any(unsigned cpu)
{
    uint64_t random = next(cpu);
    uint32_t function = (uint32_t)random;

    if ((random >> 63) != 0) {
        function = 0x84000000u | (function & (SMCCC_FN64 | 0x1f));
    }
    if (!is_final(function)) {
        call(cpu, function, pick_value(cpu), pick_value(cpu), pick_value(cpu));
    }
}

/* Of one that is there or not; where it starts is here, or nowhere. */
static void power_on(unsigned cpu)
{
    uint64_t random = next(cpu);
    unsigned target = 1 + (unsigned)(random >> 8) % (cpus - 1);
    uint64_t affinity = (random & 7) == 0 ? pick_value(cpu) | 1UL << 31 : smp_affinity(target);
    uint64_t entry = (random >> 32 & 3) == 0 ? random >> 34 | 1 : smp_entry_point();

    call(cpu, PSCI_CPU_ON, affinity, entry, smp_context(target));
}

static void open_interface(void)
{
    SYS_WRITE("S3_0_C12_C9_0", 0); /* ICC_AP1R0 */
    SYS_WRITE(ICC_PMR, 0xff);
    SYS_WRITE(ICC_IGRPEN1, 1);
    sys_isb();
}

static void power_down(unsigned cpu)
{
    uint64_t random = next(cpu);

    if (cpu == 0) {
        return;
    }
    open_interface();
    timer_set_cval(TIMER_VIRTUAL, timer_now() + timer_us(20));
    timer_set_ctl(TIMER_VIRTUAL, TIMER_ENABLE);
    switch (random & 3) {
    case 0:
        psci_call(PSCI_CPU_OFF, 0, 0, 0);
        break;
    case 1:
        call(cpu, PSCI_64(PSCI_CPU_SUSPEND), 0, 0, 0);
        break;
    case 2:
        call(cpu, PSCI_64(PSCI_CPU_SUSPEND), 1UL << 16, smp_entry_point(), smp_context(cpu));
        break;
    default:
        call(cpu, PSCI_64(PSCI_CPU_SUSPEND), random >> 32 | 1u << 31, random, random);
        break;
    }
}

static void step(unsigned cpu)
{
    static void (*const steps[])(unsigned cpu) = {
        access_memory,   access_memory,   access_memory, access_gic, access_gic, access_gic,
        send_sgi,        send_sgi,        call_any,      call_any,   power_on,   access_register,
        access_register, access_register, access_gic,    power_down,
    };
    uint64_t random = next(cpu);

    trap_expect(TRAP_NEXT);
    /* One in sixteen of the last is enough: what sleeps does nothing else. */
    if ((random & 15) == 15 && (random >> 8 & 15) != 0) {
        return;
    }
    steps[random & 15](cpu);
}

static void step_for_ever(unsigned cpu)
{
    for (;;) {
        step(cpu);
    }
}

/* Whoever is off or sleeps goes on. */
static void revive(void)
{
    trap_expect(TRAP_NEXT);
    mmio_write32(GICD_BASE + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1);
    for (unsigned cpu = 1; cpu < cpus; cpu++) {
        uint64_t frame = gic_redistributor(cpu) + GICR_SGI_FRAME;
        smp_power_on(cpu);
        mmio_write32(gic_redistributor(cpu) + GICR_WAKER, 0);
        mmio_write32(frame + GIC_ICACTIVER, ~0u);
        mmio_write32(frame + GIC_IGROUPR, ~0u);
        mmio_write8(frame + GIC_IPRIORITYR + REVIVAL, 0);
        mmio_write32(frame + GIC_ISENABLER, 1u << REVIVAL);
        gic_send(cpu, REVIVAL);
    }
}

void guest_main(void)
{
    uint64_t seed = sys_argument("seed", 1);
    uint64_t steps = sys_argument("steps", DEFAULT_STEPS);

    cpus = smp_count();
    if (!tap_ok(cpus >= 2, "there are CPUs enough")) {
        return;
    }
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        state[cpu].random = (seed + 1) * 0x9e3779b97f4a7c15UL + cpu;
    }
    for (unsigned i = 4; i < 512; i++) {
        mmu_set_top(i, MMU_VA(i) | PTE_BLOCK | PTE_AF | PTE_ATTR_DEVICE | PTE_XN);
    }
    mmu_on();
    smp_start(cpus);
    for (unsigned cpu = 1; cpu < cpus; cpu++) {
        smp_post(cpu, step_for_ever);
    }
    for (uint64_t i = 0; i < steps; i++) {
        step(0);
        if (i % REVIVE_EVERY == 0) {
            revive();
        }
    }
    (void)trap_done();
    con_init();
    tap_ok(true, "still here, and nowhere else");
}
