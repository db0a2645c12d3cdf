/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One instruction with all registers chosen before and captured after. */
#ifndef GUEST_REGS_H
#define GUEST_REGS_H

#include <stdbool.h>
#include <stdint.h>

/* Layout known to regs.S. */
struct regs_io {
    uint64_t x[31];
    uint64_t nzcv;
    uint64_t sp_moved; /* out: how far SP moved; ignored on the way in */
};

/** Fills *regs with random values (NZCV included). */
void regs_fill(struct regs_io *regs, uint64_t *random);

/** HVC #0 with every register from *in, captured into *out. */
void regs_run_hvc(const struct regs_io *in, struct regs_io *out);

/** SMC #0 likewise. */
void regs_run_smc(const struct regs_io *in, struct regs_io *out);

/** Any instruction that falls through; it must not need SP and not branch. */
void regs_run_insn(uint32_t insn, const struct regs_io *in, struct regs_io *out);

/** Address at which regs_run_insn executes its instruction. */
uint64_t regs_insn_address(void);

/** True when x[first..30], NZCV and SP are as before, but for register `except` (31: none). */
bool regs_same(const struct regs_io *in, const struct regs_io *out, unsigned first,
               unsigned except);

#endif
