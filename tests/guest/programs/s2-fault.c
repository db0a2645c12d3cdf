/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where stage 2 maps nothing, and where a device cannot say what was meant, EL1 sees a synchronous
 * External abort: DFSC/IFSC 0x10, or 0x14-0x17 on a table walk (DDI 0487, ISS encoding for aborts).
 * HOLE_BASE is in no region.
 */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/regs.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/trap.h"

enum { FSC_EXTERNAL = 0x10, FSC_EXTERNAL_WALK_FIRST = 0x14, FSC_EXTERNAL_WALK_LAST = 0x17 };

#define BASE_REGISTER 3u

static uint64_t random = 0x68616c63796f6e37UL;

/* Runs an instruction whose base register x3 is `address`; *same tells whether any register
 * changed. */
static struct trap_record run(uint32_t insn, uint64_t address, bool *same)
{
    struct regs_io in;
    struct regs_io out;

    regs_fill(&in, &random);
    in.x[BASE_REGISTER] = address;
    trap_expect(TRAP_NEXT);
    regs_run_insn(insn, &in, &out);
    *same = regs_same(&in, &out, 0, 31);
    return trap_done();
}

static bool is_data_abort(const struct trap_record *trap, uint64_t far, bool write)
{
    return trap->count == 1 && trap->vector == TRAP_VECTOR_SYNC_SPX &&
           ESR_EC(trap->esr) == EC_DABORT && (trap->esr & ESR_IL) != 0 &&
           ESR_FSC(trap->esr) == FSC_EXTERNAL && (trap->esr & ESR_FNV) == 0 && trap->far == far &&
           trap->elr == regs_insn_address() && ((trap->esr & ESR_WNR) != 0) == write;
}

static void report(bool good, const struct trap_record *trap, bool same, const char *name)
{
    if (good && same) {
        tap_ok(true, name);
    } else {
        tap_fail(name, "count %u, esr 0x%lx, far 0x%lx, elr 0x%lx (insn at 0x%lx), registers %s",
                 trap->count, trap->esr, trap->far, trap->elr, regs_insn_address(),
                 same ? "same" : "changed");
    }
}

static void check_data(uint32_t insn, uint64_t address, bool write, const char *name)
{
    bool same;
    struct trap_record trap = run(insn, address, &same);

    report(is_data_abort(&trap, address, write), &trap, same, name);
}

/* rt = x5, base = x3 */
static void test_sizes(void)
{
    static const struct {
        uint32_t insn;
        bool write;
        const char *name;
    } accesses[] = {
        {0x39400065, false, "hole: ldrb"},
        {0x79400065, false, "hole: ldrh"},
        {0xb9400065, false, "hole: ldr w"},
        {0xf9400065, false, "hole: ldr x"},
        {0x39800065, false, "hole: ldrsb x"},
        {0x79c00065, false, "hole: ldrsh w"},
        {0xb9800065, false, "hole: ldrsw"},
        {0xf940007f, false, "hole: ldr xzr"},
        {0x39000065, true, "hole: strb"},
        {0x79000065, true, "hole: strh"},
        {0xb9000065, true, "hole: str w"},
        {0xf9000065, true, "hole: str x"},
        {0xf900007f, true, "hole: str xzr"},
        {0xa9401865, false, "hole: ldp"},
        {0xa9001865, true, "hole: stp"},
        {0xf8408465, false, "hole: ldr x, post-indexed"},
        {0xf8008465, true, "hole: str x, post-indexed"},
    };

    for (unsigned i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
        check_data(accesses[i].insn, HOLE_BASE + 0x1238, accesses[i].write, accesses[i].name);
    }
}

static void test_places(void)
{
    uint64_t end = sys_ram_end();

    tap_ok(end > RAM_BASE, "the devicetree says where RAM ends");
    check_data(0xf9400065, end, false, "first byte after RAM: ldr");
    check_data(0xf9000065, end, true, "first byte after RAM: str");
    mmio_write64(end - 8, 0x1122334455667788UL);
    tap_eq(mmio_read64(end - 8), 0x1122334455667788UL, "last bytes of RAM hold what is written");
    check_data(0xf9400065, RAM_BASE - 8, false, "last bytes before RAM: ldr");
    check_data(0xb9400065, PL011_BASE + 0x1000, false, "first word after the UART: ldr");
    check_data(0xb9000065, PL011_BASE - 4, true, "last word before the UART: str");
}

static void check_fetch(uint64_t address, const char *name)
{
    trap_expect(TRAP_LINK);
    __asm__ volatile("blr %0" ::"r"(address) : "x30", "memory");
    struct trap_record trap = trap_done();

    report(trap.count == 1 && ESR_EC(trap.esr) == EC_IABORT && (trap.esr & ESR_IL) != 0 &&
               ESR_FSC(trap.esr) == FSC_EXTERNAL && trap.far == address && trap.elr == address,
           &trap, true, name);
}

static void test_fetches(void)
{
    check_fetch(HOLE_BASE + 0x40, "hole: instruction fetch");
    check_fetch(sys_ram_end() + 0x1000, "after RAM: instruction fetch");
    check_fetch(PL011_BASE, "UART: instruction fetch");
    check_fetch(PL011_BASE + UART_FR, "UARTFR: instruction fetch");
    check_fetch(GICD_BASE + 4, "GICD: instruction fetch");
    check_fetch(GICR_BASE + 8, "GICR: instruction fetch");
}

/* Instructions whose syndrome says nothing of register and size (ISV = 0): a device cannot serve
 * them. */
static void test_no_syndrome(void)
{
    static const struct {
        uint32_t insn;
        bool write;
        const char *name;
    } accesses[] = {
        {0xa9401865, false, "UART: ldp x5, x6, [x3]"},
        {0x29401865, false, "UART: ldp w5, w6, [x3]"},
        {0xa9001865, true, "UART: stp x5, x6, [x3]"},
        {0xb8404465, false, "UART: ldr w5, [x3], #4"},
        {0xb8404c65, false, "UART: ldr w5, [x3, #4]!"},
        {0xb8004465, true, "UART: str w5, [x3], #4"},
        {0xb81fcc65, true, "UART: str w5, [x3, #-4]!"},
    };

    for (unsigned i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
        /* Pre-indexed ones access 4 bytes further or before. */
        uint64_t base = PL011_BASE + UART_IBRD;
        uint64_t far = (accesses[i].insn & 0xc00) == 0xc00 && (accesses[i].insn >> 24) == 0xb8
                           ? base + ((accesses[i].insn & 0x100000) != 0 ? -4UL : 4UL)
                           : base;
        bool same;
        struct trap_record trap = run(accesses[i].insn, base, &same);
        report(is_data_abort(&trap, far, accesses[i].write), &trap, same, accesses[i].name);
    }
    con_init();
}

/* Not an access of data: ignored, or refused, but survived. */
static void test_maintenance(void)
{
    bool same;
    bool kept = true;

    run(0xd50b7a23, HOLE_BASE, &same); /* dc cvac, x3 */
    kept = kept && same;
    run(0xd50b7e23, HOLE_BASE, &same); /* dc civac, x3 */
    kept = kept && same;
    run(0xd5087623, HOLE_BASE, &same); /* dc ivac, x3 */
    kept = kept && same;
    run(0xd50b7523, HOLE_BASE, &same); /* ic ivau, x3 */
    kept = kept && same;
    run(0xd50b7423, HOLE_BASE, &same); /* dc zva, x3 */
    kept = kept && same;
    run(0xd50b7e23, PL011_BASE, &same);
    kept = kept && same;
    tap_ok(kept, "cache maintenance of what is no memory is survived");
}

/* With the MMU on FAR holds the virtual address, which is made to differ from the physical one. */
static void test_translated(void)
{
    const unsigned index = 8;
    bool same;
    struct trap_record trap;

    mmu_set_top(index, PTE_BLOCK | PTE_AF | PTE_ATTR_DEVICE); /* VA 8 GiB.. -> IPA 0.. */
    trap = run(0xb9400065, MMU_VA(index) + HOLE_BASE + 0x5674, &same);
    report(is_data_abort(&trap, MMU_VA(index) + HOLE_BASE + 0x5674, false), &trap, same,
           "MMU on, hole: ldr w");
    trap = run(0xf9000065, MMU_VA(index) + HOLE_BASE + 0xff8, &same);
    report(is_data_abort(&trap, MMU_VA(index) + HOLE_BASE + 0xff8, true), &trap, same,
           "MMU on, hole: str x");
    tap_eq(mmio_read32(MMU_VA(index) + PL011_BASE + UART_PCELLID0 + 12), 0xb1,
           "MMU on, UART elsewhere: ldr w");
    check_fetch(MMU_VA(index) + HOLE_BASE + 0x80, "MMU on, hole: instruction fetch");
    check_fetch(MMU_VA(index) + PL011_BASE, "MMU on, UART: instruction fetch");
    mmu_set_top(index, 0);
}

static void check_walk(uint64_t address, const char *name)
{
    bool same;
    struct trap_record trap = run(0xf9400065, address, &same);
    uint64_t fsc = ESR_FSC(trap.esr);

    /* FAR is valid, the level is the table's: either is given, the access is named precisely. */
    report(trap.count == 1 && ESR_EC(trap.esr) == EC_DABORT && fsc >= FSC_EXTERNAL_WALK_FIRST &&
               fsc <= FSC_EXTERNAL_WALK_LAST && trap.far == address &&
               trap.elr == regs_insn_address(),
           &trap, same, name);
}

static void check_walk_fetch(uint64_t address, const char *name)
{
    trap_expect(TRAP_LINK);
    __asm__ volatile("blr %0" ::"r"(address) : "x30", "memory");
    struct trap_record trap = trap_done();
    uint64_t fsc = ESR_FSC(trap.esr);

    report(trap.count == 1 && ESR_EC(trap.esr) == EC_IABORT && fsc >= FSC_EXTERNAL_WALK_FIRST &&
               fsc <= FSC_EXTERNAL_WALK_LAST && trap.far == address && trap.elr == address,
           &trap, true, name);
}

static void test_walks(void)
{
    const unsigned index = 9;

    mmu_set_top(index, HOLE_BASE | PTE_TABLE);
    check_walk(MMU_VA(index) + 0x1008, "level 2 table in a hole: ldr");
    check_walk_fetch(MMU_VA(index) + 0x1008, "level 2 table in a hole: instruction fetch");
    mmu_set_top(index, sys_ram_end() | PTE_TABLE);
    check_walk(MMU_VA(index) + 0x2008, "level 2 table after RAM: ldr");
    mmu_set_top(index, PL011_BASE | PTE_TABLE);
    check_walk(MMU_VA(index) + 0x3008, "level 2 table in the UART: ldr");
    check_walk_fetch(MMU_VA(index) + 0x3008, "level 2 table in the UART: instruction fetch");
    mmu_set_top(index, GICD_BASE | PTE_TABLE);
    check_walk(MMU_VA(index) + 0x4008, "level 2 table in the GIC: ldr");
    mmu_set_top(index, 0);
    mmu_set_ttbr1(HOLE_BASE);
    check_walk(0xffffff8000001000UL, "TTBR1_EL1 in a hole: ldr");
    mmu_set_ttbr1(PL011_BASE);
    check_walk(0xffffff8000001000UL, "TTBR1_EL1 in the UART: ldr");
}

extern const char el0_load[], el0_store[];
__asm__(".pushsection .text.el0, \"ax\"\n"
        "el0_load: ldr x1, [x0]\n"
        "el0_store: str w1, [x0]\n"
        ".popsection");

static void check_el0(const char *entry, uint64_t argument, uint64_t ec, uint64_t elr,
                      const char *name)
{
    trap_expect(TRAP_HERE);
    trap_run_el0((uint64_t)entry, argument);
    struct trap_record trap = trap_done();

    report(trap.count == 1 && trap.vector == TRAP_VECTOR_SYNC_LOWER && ESR_EC(trap.esr) == ec &&
               ESR_FSC(trap.esr) == FSC_EXTERNAL && trap.elr == elr && (trap.spsr & 0x1f) == 0,
           &trap, true, name);
}

static void test_el0(void)
{
    check_el0(el0_load, HOLE_BASE + 8, EC_DABORT_LOWER, (uint64_t)el0_load, "EL0, hole: ldr");
    check_el0(el0_store, HOLE_BASE + 8, EC_DABORT_LOWER, (uint64_t)el0_store, "EL0, hole: str");
    check_el0((const char *)HOLE_BASE, 0, EC_IABORT_LOWER, HOLE_BASE,
              "EL0, hole: instruction fetch");
}

void guest_main(void)
{
    con_init();
    test_sizes();
    test_places();
    test_fetches();
    test_no_syndrome();
    test_maintenance();
    test_el0();
    mmu_on();
    test_translated();
    test_walks();
    mmu_off();
    tap_ok((int32_t)sys_hvc(PSCI_VERSION, 0) > 0, "the hypervisor still answers");
}
