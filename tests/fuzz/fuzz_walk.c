/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hal-sim's translation walk over any registers and any memory, and its decoder over any word. The
 * memory is a few words that repeat at all addresses below a limit: each read lies where one was
 * asked for, and there are at most as many as two stages of four levels need.
 */
#include "fuzz.h"
#include "hal-sim/insn.h"
#include "hal-sim/walk.h"

#define WORDS     32u
#define READS_MAX 24u /* 4 of stage 1, each with 4 of stage 2 before it, and 4 for the result */

struct memory {
    uint64_t words[WORDS];
    uint64_t limit;
    unsigned reads;
    bool missed; /* a read above the limit */
};

static const uint64_t *memory_at(void *ctx, pa_t at)
{
    struct memory *memory = ctx;

    FUZZ_ASSERT(!memory->missed);
    FUZZ_ASSERT((at.v & 7) == 0);
    FUZZ_ASSERT(at.v >> 48 == 0);
    FUZZ_ASSERT(++memory->reads <= READS_MAX);
    if (at.v >= memory->limit) {
        memory->missed = true;
        return NULL;
    }
    return &memory->words[(at.v >> 3) % WORDS];
}

/* Fields that are mostly wrong by chance are mostly made right: the walk then gets somewhere. */
static struct walk_regime take_regime(struct fuzz_input *in)
{
    unsigned sane = (unsigned)fuzz_take(in, 1);
    struct walk_regime regime = {
        .sctlr_el1 = fuzz_take(in, 4),
        .tcr_el1 = fuzz_take(in, 8),
        .ttbr0_el1 = fuzz_take(in, 8),
        .ttbr1_el1 = fuzz_take(in, 8),
        .hcr_el2 = fuzz_take(in, 8),
        .vtcr_el2 = fuzz_take(in, 4),
        .vttbr_el2 = fuzz_take(in, 8),
    };

    if ((sane & 1) != 0)
        regime.sctlr_el1 |= 1;
    if ((sane & 2) != 0)
        regime.tcr_el1 &= ~UINT64_C(0x800080); /* EPD1, EPD0 */
    if ((sane & 4) != 0)
        regime.hcr_el2 &= ~UINT64_C(0x8001000); /* TGE, DC */
    if ((sane & 8) != 0)
        regime.vtcr_el2 = (regime.vtcr_el2 & ~UINT64_C(0xc0ff)) | 0x58; /* 4 KiB, 40 bits */
    return regime;
}

static void check_walk(struct fuzz_input *in)
{
    struct walk_regime regime = take_regime(in);
    struct memory memory = {.limit = fuzz_take(in, 6)};
    uint64_t at = fuzz_take(in, 8);
    unsigned valid = (unsigned)fuzz_take(in, 1);
    pa_t out = {0};

    if ((valid & 1) != 0) /* 36 bits of one of the two ranges */
        at = (valid & 0x80) != 0 ? at >> 28 : at | UINT64_C(0xfffffff000000000);
    for (unsigned i = 0; i < WORDS; i++)
        memory.words[i] = fuzz_take(in, 8) | ((valid & 6) != 0 ? 3 : 0); /* mostly tables */
    bool mapped = walk_translate(&regime, va(at), memory_at, &memory, &out);
    if (mapped) {
        FUZZ_ASSERT(!memory.missed);
        FUZZ_ASSERT(out.v >> 48 == 0);
        FUZZ_ASSERT(((out.v ^ at) & 0xfff) == 0);
    }

    struct memory again = memory;
    pa_t second = {0};
    again.reads = 0;
    again.missed = false;
    FUZZ_ASSERT(walk_translate(&regime, va(at), memory_at, &again, &second) == mapped);
    FUZZ_ASSERT(again.reads == memory.reads && (!mapped || second.v == out.v));
}

static void check_insn(uint32_t word)
{
    struct insn_sysreg sysreg;

    if (insn_has_valid_syndrome(word)) /* of the class, and not SIMD&FP */
        FUZZ_ASSERT((word & 0x0e000000) == 0x08000000);
    if (insn_decode_sysreg(word, &sysreg))
        FUZZ_ASSERT(!insn_has_valid_syndrome(word) && sysreg.rt < 32 &&
                    (sysreg.enc & ~UINT32_C(0x3ffc1e)) == 0 && sysreg.enc >> 21 == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    do {
        check_walk(&in);
        uint32_t word = (uint32_t)fuzz_take(&in, 4);
        check_insn(word);
        check_insn((word & 0xf1ffffff) | 0x08000000); /* a load or store, not SIMD&FP */
        check_insn((word & 0x002fffff) | 0xd5100000); /* MRS or MSR */
    } while (in.left > 0);
    return 0;
}
