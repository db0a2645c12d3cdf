/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* SMCCC calls use immediate 0 (DEN 0028, 2.9); HVC with any other returns NOT_SUPPORTED and changes
 * nothing else. */
#include "lib/regs.h"
#include "lib/sys.h"
#include "lib/tap.h"

#define INSN_HVC 0xd4000002u

void guest_main(void)
{
    static const struct {
        uint32_t immediate;
        const char *name;
    } cases[] = {
        {1, "hvc #1 is NOT_SUPPORTED"},           {0x4a48, "hvc #0x4a48 is NOT_SUPPORTED"},
        {0x8000, "hvc #0x8000 is NOT_SUPPORTED"}, {0xea1, "hvc #0xea1 is NOT_SUPPORTED"},
        {0xffff, "hvc #0xffff is NOT_SUPPORTED"},
    };
    uint64_t random = 0x68616c63796f6e33UL;
    bool same = true;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regs_io in;
        struct regs_io out;
        regs_fill(&in, &random);
        /* Were the immediate ignored, this would answer with a version, or power off. */
        in.x[0] = i % 2 == 0 ? PSCI_VERSION : PSCI_SYSTEM_OFF;
        regs_run_insn(INSN_HVC | cases[i].immediate << 5, &in, &out);
        tap_ok((int32_t)out.x[0] == SMCCC_NOT_SUPPORTED, cases[i].name);
        same = same && regs_same(&in, &out, 4, 31);
    }
    tap_ok(same, "x4-x30, SP and NZCV are preserved");
    tap_ok((int32_t)sys_hvc(PSCI_VERSION, 0) > 0, "hvc #0 still works");
}
