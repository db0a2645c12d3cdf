/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/regs.h"

#include "lib/sys.h"

extern uint32_t regs_run_slot_slot[];
void regs_run_slot(const struct regs_io *in, struct regs_io *out);

void regs_fill(struct regs_io *regs, uint64_t *random)
{
    for (unsigned i = 0; i < 31; i++) {
        regs->x[i] = sys_random(random);
    }
    regs->nzcv = (sys_random(random) & 0xf) << 28;
    regs->sp_moved = 0;
}

void regs_run_insn(uint32_t insn, const struct regs_io *in, struct regs_io *out)
{
    volatile uint32_t *slot = regs_run_slot_slot;

    if (*slot != insn) {
        *slot = insn;
        sys_sync_code((uint64_t)slot, 4);
    }
    regs_run_slot(in, out);
}

uint64_t regs_insn_address(void)
{
    return (uint64_t)regs_run_slot_slot;
}

bool regs_same(const struct regs_io *in, const struct regs_io *out, unsigned first, unsigned except)
{
    bool same = in->nzcv == out->nzcv && out->sp_moved == 0;

    for (unsigned i = first; i < 31; i++) {
        same = same && (i == except || in->x[i] == out->x[i]);
    }
    return same;
}
