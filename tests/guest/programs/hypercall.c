/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* PSCI and SMCCC over HVC. Only W0 is looked at where the call is a 32-bit one (DEN 0028, 2.7). */
#include "lib/regs.h"
#include "lib/sys.h"
#include "lib/tap.h"

static int32_t call(uint32_t function, uint64_t argument)
{
    return (int32_t)sys_hvc(function, argument);
}

static void test_known(void)
{
    int32_t version = call(PSCI_VERSION, 0);

    tap_ok(version > 0 && (version >> 16) >= 1, "PSCI_VERSION is 1.0 or later");
    tap_ok(call(PSCI_FEATURES, PSCI_VERSION) == 0, "PSCI_FEATURES knows PSCI_VERSION");
    tap_ok(call(PSCI_FEATURES, PSCI_FEATURES) == 0, "PSCI_FEATURES knows itself");
    tap_ok(call(PSCI_FEATURES, PSCI_SYSTEM_OFF) == 0, "PSCI_FEATURES knows SYSTEM_OFF");
    tap_ok(call(PSCI_FEATURES, PSCI_SYSTEM_RESET) == 0, "PSCI_FEATURES knows SYSTEM_RESET");

    /* SMCCC_VERSION may be missing, but then nothing may announce it. */
    int32_t smccc = call(SMCCC_VERSION, 0);
    bool announced = call(PSCI_FEATURES, SMCCC_VERSION) >= 0;
    tap_ok(announced ? smccc >= 0x10001 : smccc == SMCCC_NOT_SUPPORTED || smccc >= 0x10000,
           "SMCCC_VERSION agrees with PSCI_FEATURES");
}

static void test_unknown(void)
{
    static const uint32_t unknown[] = {
        0x8400001f, 0xc400001f, 0x840000ff, 0x84ff0000,
        0xc4ff0001, 0xffffffff, 0x00000000, 0x7fffffff,
    };
    bool features = true;
    bool calls = true;

    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        features = features && call(PSCI_FEATURES, unknown[i]) == SMCCC_NOT_SUPPORTED;
        calls = calls && call(unknown[i], 0) == SMCCC_NOT_SUPPORTED;
    }
    tap_ok(features, "PSCI_FEATURES of unknown functions is NOT_SUPPORTED");
    tap_ok(calls, "unknown functions are NOT_SUPPORTED");
    tap_eq(sys_hvc(0xc4ff0001, 0), ~0UL, "NOT_SUPPORTED of a 64-bit call is 64 bits wide");
}

static void test_widths(void)
{
    tap_ok(call(PSCI_VERSION | SMCCC_FN64, 0) == SMCCC_NOT_SUPPORTED,
           "there is no 64-bit PSCI_VERSION");
    tap_ok(call(PSCI_FEATURES | SMCCC_FN64, PSCI_VERSION) == SMCCC_NOT_SUPPORTED,
           "there is no 64-bit PSCI_FEATURES");
    tap_ok(call(PSCI_SYSTEM_OFF | SMCCC_FN64, 0) == SMCCC_NOT_SUPPORTED,
           "there is no 64-bit SYSTEM_OFF");
    tap_ok(call(PSCI_FEATURES, PSCI_VERSION | SMCCC_FN64) == SMCCC_NOT_SUPPORTED,
           "PSCI_FEATURES knows no 64-bit PSCI_VERSION");
}

/* A random function of an owner (bits 29:24) to which nobody here answers: OEM, secure OS and
 * applications. */
static uint32_t random_function(uint64_t *random)
{
    uint64_t value = sys_random(random);
    uint32_t owner = (value & 1) != 0 ? 3u : 48u + (uint32_t)(value >> 1) % 16u;

    return (uint32_t)(value & 0xc000ffffu) | owner << 24;
}

static void test_random(void)
{
    uint64_t random = 0x68616c63796f6e31UL;
    unsigned wrong = 0;
    unsigned moved = 0;

    for (unsigned i = 0; i < 500; i++) {
        struct regs_io in;
        struct regs_io out;
        regs_fill(&in, &random);
        in.x[0] = random_function(&random);
        regs_run_hvc(&in, &out);
        wrong += (int32_t)out.x[0] != SMCCC_NOT_SUPPORTED;
        moved += !regs_same(&in, &out, 4, 31);
    }
    tap_eq(wrong, 0, "500 random functions are NOT_SUPPORTED");
    tap_eq(moved, 0, "500 random functions preserve x4-x30, SP and NZCV");
}

static void test_preserved(void)
{
    static const uint32_t functions[] = {PSCI_VERSION, PSCI_FEATURES, SMCCC_VERSION, 0x84ff1234};
    uint64_t random = 0x68616c63796f6e32UL;
    unsigned moved = 0;

    for (unsigned i = 0; i < 200; i++) {
        struct regs_io in;
        struct regs_io out;
        regs_fill(&in, &random);
        in.x[0] = functions[i % 4];
        regs_run_hvc(&in, &out);
        moved += !regs_same(&in, &out, 4, 31);
    }
    tap_eq(moved, 0, "200 calls preserve x4-x30, SP and NZCV");
}

void guest_main(void)
{
    test_known();
    test_unknown();
    test_widths();
    test_preserved();
    test_random();
}
