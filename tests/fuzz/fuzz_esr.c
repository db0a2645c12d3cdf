/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Decoding of syndromes, and exception entry, over any words. */
#include "arch/el1_entry.h"
#include "arch/esr.h"
#include "arch/pstate.h"
#include "arch/sysreg.h"
#include "fuzz.h"

static void check_text(uint64_t esr)
{
    char full[ESR_DESCRIBE_MAX];

    memset(full, 'x', sizeof(full));
    FUZZ_ASSERT(esr_describe(esr, full, sizeof(full)) == full);
    size_t len = strnlen(full, sizeof(full));
    FUZZ_ASSERT(len > 0 && len < sizeof(full));
    for (size_t i = 0; i < len; i++)
        FUZZ_ASSERT(full[i] >= ' ' && full[i] <= '~');

    size_t cut = (esr >> 3) % (len + 2);
    char *small = malloc(cut + 1);
    FUZZ_ASSERT(small != NULL);
    small[cut] = 'x';
    (void)esr_describe(esr, small, cut);
    FUZZ_ASSERT(small[cut] == 'x');
    if (cut > 0)
        FUZZ_ASSERT(strlen(small) == (cut - 1 < len ? cut - 1 : len) &&
                    strncmp(small, full, strlen(small)) == 0);
    free(small);
}

static void check_abort(uint64_t esr, uint64_t far, uint64_t hpfar)
{
    struct esr_abort abort_info = esr_decode_abort(esr);
    uint64_t at = esr_fault_ipa(esr, far, hpfar);

    if (abort_info.isv)
        FUZZ_ASSERT(abort_info.size == 1 || abort_info.size == 2 || abort_info.size == 4 ||
                    abort_info.size == 8);
    else
        FUZZ_ASSERT(abort_info.size == 0 && abort_info.reg == 0 && !abort_info.reg64);
    FUZZ_ASSERT(abort_info.reg < 32 && abort_info.fsc < 64);
    /* HPFAR_EL2.FIPA is bits [43:4] or [47:4]: 52 bits of address at most, whatever the rest holds
     */
    FUZZ_ASSERT(at >> 56 == 0);
    FUZZ_ASSERT((at & 0xfff) == 0 || (at & 0xfff) == (far & 0xfff));
}

static void check_entry(struct fuzz_input *in)
{
    struct el1_entry_from from = {
        .pc = fuzz_take(in, 8),
        .pstate = fuzz_take(in, 8),
        .vbar = fuzz_take(in, 8),
        .sctlr = fuzz_take(in, 8),
        .has_pan = (fuzz_take(in, 1) & 1) != 0,
        .has_ssbs = (fuzz_take(in, 1) & 1) != 0,
        .has_mte = (fuzz_take(in, 1) & 1) != 0,
    };
    struct el1_entry_to to = el1_entry(&from, EL1_VECTOR_SYNC);

    FUZZ_ASSERT(to.elr == from.pc);
    FUZZ_ASSERT((to.pstate & 0x1f) == 0x5);    /* EL1h, AArch64 */
    FUZZ_ASSERT((to.pstate & 0x3c0) == 0x3c0); /* DAIF */
    FUZZ_ASSERT((to.pstate & 0x300000) == 0);  /* IL, SS */
    FUZZ_ASSERT(to.pc - (from.vbar & ~UINT64_C(0x7ff)) < 0x800 && (to.pc & 0x7f) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    do {
        uint64_t esr = fuzz_take(&in, 8);
        uint64_t far = fuzz_take(&in, 8);
        uint64_t hpfar = fuzz_take(&in, 8);
        struct esr_sysreg insn = esr_decode_sysreg(esr);

        check_text(esr);
        check_text(esr & 0xffffffff);
        check_abort(esr, far, hpfar);
        FUZZ_ASSERT((insn.encoding & ~SYSREG_ISS_MASK) == 0 && insn.rt < 32);
        FUZZ_ASSERT((unsigned)esr_decode_wfx(esr) < 4);
        FUZZ_ASSERT(esr_ec(esr) < ESR_EC_COUNT);
        check_entry(&in);
    } while (in.left > 0);
    return 0;
}
