/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the hypercall program checks over HVC, over SMC, and the SMCCC 1.1 discovery that both
 * conduits owe a guest. */
#include "lib/regs.h"
#include "lib/sys.h"
#include "lib/tap.h"

#define INSN_SMC 0xd4000003u

typedef void (*conduit)(const struct regs_io *in, struct regs_io *out);

static uint64_t call(conduit run, uint64_t function, uint64_t argument)
{
    struct regs_io in = {.x = {function, argument}};
    struct regs_io out;

    run(&in, &out);
    return out.x[0];
}

static bool same_answers(uint32_t function, uint64_t argument)
{
    return (int32_t)call(regs_run_smc, function, argument) ==
           (int32_t)call(regs_run_hvc, function, argument);
}

static void test_conduits_agree(void)
{
    tap_ok((int32_t)call(regs_run_smc, PSCI_VERSION, 0) >= 0x10000, "PSCI_VERSION is 1.0 or later");
    tap_ok(same_answers(PSCI_VERSION, 0), "PSCI_VERSION is the same over HVC and SMC");
    tap_ok(same_answers(SMCCC_VERSION, 0), "SMCCC_VERSION is the same over HVC and SMC");
    tap_ok(same_answers(SMCCC_ARCH_FEATURES, SMCCC_VERSION),
           "SMCCC_ARCH_FEATURES is the same over HVC and SMC");
    tap_ok(same_answers(PSCI_FEATURES, PSCI_SYSTEM_OFF),
           "PSCI_FEATURES is the same over HVC and SMC");
}

static void test_discovery(conduit run, const char *const names[4])
{
    tap_ok((int32_t)call(run, PSCI_FEATURES, SMCCC_VERSION) == 0, names[0]);
    tap_ok((int32_t)call(run, SMCCC_VERSION, 0) >= 0x10001, names[1]);
    tap_ok((int32_t)call(run, SMCCC_ARCH_FEATURES, SMCCC_ARCH_FEATURES) >= 0, names[2]);
    tap_ok((int32_t)call(run, SMCCC_ARCH_FEATURES, 0x80007abc) == SMCCC_NOT_SUPPORTED, names[3]);
}

static void test_unknown(void)
{
    uint64_t random = 0x68616c63796f6e34UL;
    unsigned wrong = 0;
    unsigned moved = 0;

    for (unsigned i = 0; i < 500; i++) {
        struct regs_io in;
        struct regs_io out;
        regs_fill(&in, &random);
        in.x[0] = (in.x[0] & 0xc000ffffu) | (48 + in.x[1] % 16) << 24;
        regs_run_smc(&in, &out);
        wrong += (int32_t)out.x[0] != SMCCC_NOT_SUPPORTED;
        moved += !regs_same(&in, &out, 4, 31);
    }
    tap_eq(wrong, 0, "500 random functions are NOT_SUPPORTED");
    tap_eq(moved, 0, "500 random functions preserve x4-x30, SP and NZCV");
}

static void test_immediate(void)
{
    struct regs_io in = {.x = {PSCI_VERSION}};
    struct regs_io out;

    regs_run_insn(INSN_SMC | 1u << 5, &in, &out);
    tap_ok((int32_t)out.x[0] == SMCCC_NOT_SUPPORTED, "smc #1 is NOT_SUPPORTED");
}

/* The SMC that SMCCC traps is the next instruction's business: ELR must have been moved past it
 * exactly once. */
static void test_resumes_after(void)
{
    register uint64_t x0 __asm__("x0") = 0x84ff0000;
    uint64_t steps;

    __asm__ volatile("mov %1, #0\n\t"
                     "smc #0\n\t"
                     "add %1, %1, #1\n\t"
                     "add %1, %1, #2\n\t"
                     "add %1, %1, #4"
                     : "+r"(x0), "=&r"(steps)
                     :
                     : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
                       "x13", "x14", "x15", "x16", "x17", "memory");
    tap_eq(steps, 7, "execution goes on after the SMC");
}

void guest_main(void)
{
    static const char *const hvc_names[] = {
        "hvc: PSCI_FEATURES announces SMCCC_VERSION",
        "hvc: SMCCC_VERSION is 1.1 or later",
        "hvc: SMCCC_ARCH_FEATURES knows itself",
        "hvc: SMCCC_ARCH_FEATURES of an unknown function is NOT_SUPPORTED",
    };
    static const char *const smc_names[] = {
        "smc: PSCI_FEATURES announces SMCCC_VERSION",
        "smc: SMCCC_VERSION is 1.1 or later",
        "smc: SMCCC_ARCH_FEATURES knows itself",
        "smc: SMCCC_ARCH_FEATURES of an unknown function is NOT_SUPPORTED",
    };

    test_conduits_agree();
    test_discovery(regs_run_hvc, hvc_names);
    test_discovery(regs_run_smc, smc_names);
    test_unknown();
    test_immediate();
    test_resumes_after();
    /* The function identifier is W0: the upper half of X0 is not part of it. */
    tap_ok((int32_t)call(regs_run_smc, 0xdeadbeef00000000UL | PSCI_VERSION, 0) >= 0x10000,
           "smc: only W0 identifies the function");
    tap_ok((int32_t)call(regs_run_hvc, 0xdeadbeef00000000UL | PSCI_VERSION, 0) >= 0x10000,
           "hvc: only W0 identifies the function");
}
