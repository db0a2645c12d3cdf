/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* 20,000 HVC and SMC calls with random functions and arguments: all return and leave what SMCCC 1.1
 * says alone. */
#include "lib/regs.h"
#include "lib/sys.h"
#include "lib/tap.h"

static uint64_t random = 0x68616c63796f6e39UL;

/* Functions that end, suspend or start something, in 32 and 64 bits; PSCI 0.1's in QEMU's
 * numbering. */
static bool is_final(uint32_t function)
{
    uint32_t narrow = function & ~SMCCC_FN64;

    switch (narrow) {
    case PSCI_CPU_SUSPEND:
    case 0x84000002: /* CPU_OFF */
    case 0x84000003: /* CPU_ON */
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case 0x8400000b: /* CPU_FREEZE */
    case 0x8400000c: /* CPU_DEFAULT_SUSPEND */
    case 0x8400000e: /* SYSTEM_SUSPEND */
    case 0x84000012: /* SYSTEM_RESET2 */
    case 0x84000015: /* SYSTEM_OFF2 */
        return true;
    default:
        return function >= 0x95c1ba5e && function <= 0x95c1ba61;
    }
}

static uint32_t pick_function(void)
{
    for (;;) {
        uint64_t value = sys_random(&random);
        uint32_t function = (uint32_t)value;
        switch (value >> 61) {
        case 0: /* PSCI's range */
            function = 0x84000000u | (function & (SMCCC_FN64 | 0x1f));
            break;
        case 1: /* the architecture's */
            function = 0x80000000u | (function & (SMCCC_FN64 | 0xffff));
            break;
        case 2: /* each owner's first and last functions */
            function = (function & 0xff00003fu) | ((value >> 32 & 1) != 0 ? 0xffc0u : 0);
            break;
        case 3: /* SMCCC's general queries of each owner */
            function = (function & 0xff000003u) | 0xff00u;
            break;
        default:
            break;
        }
        if (!is_final(function)) {
            return function;
        }
    }
}

/* Arguments: random, small, another function's number, or an address of RAM. */
static uint64_t pick_argument(void)
{
    uint64_t value = sys_random(&random);

    switch (value >> 62) {
    case 0:
        return value & 0xff;
    case 1:
        return pick_function();
    case 2:
        return RAM_BASE + (value & 0xffffff8);
    default:
        return value;
    }
}

static unsigned fuzz(void (*run)(const struct regs_io *, struct regs_io *), unsigned count)
{
    unsigned moved = 0;

    for (unsigned i = 0; i < count; i++) {
        struct regs_io in;
        struct regs_io out;
        regs_fill(&in, &random);
        in.x[0] = pick_function();
        for (unsigned argument = 1; argument < 8; argument++) {
            in.x[argument] = pick_argument();
        }
        run(&in, &out);
        moved += !regs_same(&in, &out, 4, 31);
    }
    return moved;
}

void guest_main(void)
{
    tap_eq(fuzz(regs_run_hvc, 10000), 0, "10000 HVCs return, x4-x30, SP and NZCV preserved");
    tap_eq(fuzz(regs_run_smc, 10000), 0, "10000 SMCs return, x4-x30, SP and NZCV preserved");
    tap_ok((int32_t)sys_hvc(PSCI_VERSION, 0) >= 0x10000, "PSCI_VERSION is still there");
}
