/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Synchronous exceptions that belong to EL1: the hypervisor must neither swallow nor change them.
 */
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/trap.h"

#define SPSR_CHECKED 0xf00003dfUL /* NZCV, DAIF, M */
#define SPSR_EL1H    5UL
#define SPSR_EL0T    0UL

/* Runs `insn` at EL1 with NZCV = 1010 and DAIF = 1111, catching what it raises, between two labels.
 */
#define CATCH(resume, insn)                                                                        \
    __extension__({                                                                                \
        uint64_t at_;                                                                              \
        trap_expect(resume);                                                                       \
        __asm__ volatile("msr daifset, #0xf\n\t"                                                   \
                         "mov x9, #0xa0000000\n\t"                                                 \
                         "msr nzcv, x9\n\t"                                                        \
                         "adr %0, 1f\n\t"                                                          \
                         "1: " insn                                                                \
                         : "=&r"(at_)                                                              \
                         :                                                                         \
                         : "x9", "x10", "x30", "cc", "memory");                                    \
        (struct caught){trap_done(), at_};                                                         \
    })

struct caught {
    struct trap_record trap;
    uint64_t at;
};

/* One exception with exactly this syndrome, from EL1, returning `offset` bytes after the
 * instruction. */
static void check(struct caught caught, uint64_t esr, uint64_t offset, const char *name)
{
    if (caught.trap.count != 1 || caught.trap.esr != esr || caught.trap.elr != caught.at + offset ||
        (caught.trap.spsr & SPSR_CHECKED) != (0xa0000000UL | 0x3c0 | SPSR_EL1H) ||
        caught.trap.vector != TRAP_VECTOR_SYNC_SPX) {
        tap_fail(name, "count %u, esr 0x%lx, elr + 0x%lx, spsr 0x%lx, vector %u", caught.trap.count,
                 caught.trap.esr, caught.trap.elr - caught.at, caught.trap.spsr,
                 caught.trap.vector);
    } else {
        tap_ok(true, name);
    }
}

static void test_undefined(void)
{
    check(CATCH(TRAP_NEXT, "udf #0"), ESR_IL, 0, "udf #0");
    check(CATCH(TRAP_NEXT, ".inst 0x0000ffff"), ESR_IL, 0, "udf #0xffff");
    check(CATCH(TRAP_NEXT, ".inst 0xee000000"), ESR_IL, 0, "an unallocated encoding");
    check(CATCH(TRAP_NEXT, "mrs x9, S3_2_C4_C5_6"), ESR_IL, 0,
          "mrs of an unallocated system register");
    check(CATCH(TRAP_NEXT, "msr S3_2_C4_C5_6, x9"), ESR_IL, 0,
          "msr of an unallocated system register");
    check(CATCH(TRAP_NEXT, "mrs x9, S3_0_C15_C14_7"), ESR_IL, 0,
          "mrs of an IMPLEMENTATION DEFINED register");
    check(CATCH(TRAP_NEXT, "mrs x9, S3_4_C1_C1_0"), ESR_IL, 0, "mrs of HCR_EL2");
    check(CATCH(TRAP_NEXT, "msr S3_4_C12_C0_0, x9"), ESR_IL, 0, "msr of VBAR_EL2");
    check(CATCH(TRAP_NEXT, "mrs x9, S3_6_C1_C1_0"), ESR_IL, 0, "mrs of SCR_EL3");
    check(CATCH(TRAP_NEXT, "hlt #0"), ESR_IL, 0, "hlt without halting debug");
    check(CATCH(TRAP_NEXT, "dcps1"), ESR_IL, 0, "dcps1 outside Debug state");
}

static void test_calls(void)
{
    check(CATCH(TRAP_HERE, "svc #0"), (uint64_t)EC_SVC64 << 26 | ESR_IL, 4, "svc #0");
    check(CATCH(TRAP_HERE, "svc #0xbeef"), (uint64_t)EC_SVC64 << 26 | ESR_IL | 0xbeef, 4,
          "svc #0xbeef");
    check(CATCH(TRAP_NEXT, "brk #0"), (uint64_t)EC_BRK64 << 26 | ESR_IL, 0, "brk #0");
    check(CATCH(TRAP_NEXT, "brk #0xcafe"), (uint64_t)EC_BRK64 << 26 | ESR_IL | 0xcafe, 0,
          "brk #0xcafe");
}

static void test_traps(void)
{
    struct caught caught;

    /* CV = 1, COND = 0b1110. */
    check(CATCH(TRAP_NEXT, ".inst 0x1e270000"), (uint64_t)EC_FP << 26 | ESR_IL | 0x1e00000, 0,
          "FP instruction with CPACR_EL1.FPEN = 0");

    caught = CATCH(TRAP_LINK, "adr x30, 2f\n\tadr x9, 1b + 2\n\tbr x9\n2:");
    tap_ok(caught.trap.count == 1 && ESR_EC(caught.trap.esr) == EC_PC_ALIGN &&
               caught.trap.elr == caught.at + 2 && caught.trap.far == caught.at + 2,
           "misaligned PC");
    caught =
        CATCH(TRAP_LINK,
              "adr x30, 2f\n\tmsr elr_el1, x30\n\tmov x9, #0x3c9\n\tmsr spsr_el1, x9\n\teret\n2:");
    tap_ok(caught.trap.count == 1 && ESR_EC(caught.trap.esr) == EC_ILLEGAL,
           "illegal return to EL2");
}

extern const char el0_udf[], el0_svc[], el0_hvc[], el0_smc[], el0_sctlr[], el0_ctr[], el0_wfi[],
    el0_brk[];
__asm__(".pushsection .text.el0, \"ax\"\n"
        "el0_udf: udf #0\n"
        "el0_svc: svc #0x1234\n"
        "el0_hvc: hvc #0\n"
        "el0_smc: smc #0\n"
        "el0_sctlr: mrs x0, sctlr_el1\n"
        "el0_ctr: mrs x7, ctr_el0\n"
        "el0_wfi: wfi\n"
        "el0_brk: brk #7\n"
        ".popsection");

static void check_el0(const char *entry, uint64_t esr, uint64_t offset, const char *name)
{
    trap_expect(TRAP_HERE);
    trap_run_el0((uint64_t)entry, 0);
    struct trap_record trap = trap_done();

    if (trap.count != 1 || trap.vector != TRAP_VECTOR_SYNC_LOWER || trap.esr != esr ||
        trap.elr != (uint64_t)entry + offset || (trap.spsr & 0x1f) != SPSR_EL0T) {
        tap_fail(name, "count %u, esr 0x%lx, elr + 0x%lx, spsr 0x%lx, vector %u", trap.count,
                 trap.esr, trap.elr - (uint64_t)entry, trap.spsr, trap.vector);
    } else {
        tap_ok(true, name);
    }
}

static void test_el0(void)
{
    uint64_t sctlr = SYS_READ("sctlr_el1");

    check_el0(el0_udf, ESR_IL, 0, "EL0: udf");
    check_el0(el0_svc, (uint64_t)EC_SVC64 << 26 | ESR_IL | 0x1234, 4, "EL0: svc");
    check_el0(el0_brk, (uint64_t)EC_BRK64 << 26 | ESR_IL | 7, 0, "EL0: brk");
    check_el0(el0_hvc, ESR_IL, 0, "EL0: hvc is UNDEFINED");
    check_el0(el0_smc, ESR_IL, 0, "EL0: smc is UNDEFINED");
    check_el0(el0_sctlr, ESR_IL, 0, "EL0: mrs of SCTLR_EL1 is UNDEFINED");
    /* CTR_EL0 (3, 3, 0, 0, 1) into x7: Op0, Op2, Op1, CRn, Rt, CRm, read (DDI 0487, ISS for MSR/MRS
     * traps). */
    SYS_WRITE("sctlr_el1", sctlr & ~(1UL << 15));
    sys_isb();
    check_el0(el0_ctr,
              (uint64_t)EC_SYSREG << 26 | ESR_IL | 3u << 20 | 1u << 17 | 3u << 14 | 7u << 5 | 1, 0,
              "EL0: mrs of CTR_EL0 with SCTLR_EL1.UCT = 0 traps to EL1");
    SYS_WRITE("sctlr_el1", sctlr & ~(1UL << 16));
    sys_isb();
    /* EC 0x01, CV = 1, COND = 0b1110, TI = 0. */
    check_el0(el0_wfi, 1UL << 26 | ESR_IL | 0x1e00000, 0,
              "EL0: wfi with SCTLR_EL1.nTWI = 0 traps to EL1");
    SYS_WRITE("sctlr_el1", sctlr);
    sys_isb();
}

void guest_main(void)
{
    test_undefined();
    test_calls();
    test_traps();
    test_el0();
}
