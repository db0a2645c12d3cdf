/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hal-sim/insn.h"
#include "arch/sysreg.h"
#include "base/bits.h"

/* C4.1, System register move: 1101010100 L 1 o0 op1 CRn CRm op2 Rt, with op0 = 2 + o0. */
#define SYSREG_MOVE_MASK  UINT32_C(0xffd00000)
#define SYSREG_MOVE_VALUE UINT32_C(0xd5100000)

bool insn_decode_sysreg(uint32_t word, struct insn_sysreg *out)
{
    if ((word & SYSREG_MOVE_MASK) != SYSREG_MOVE_VALUE)
        return false;
    out->enc = SYSREG(bits_get(word, 20, 19), bits_get(word, 18, 16), bits_get(word, 15, 12),
                      bits_get(word, 11, 8), bits_get(word, 7, 5));
    out->rt = (uint8_t)bits_get(word, 4, 0);
    out->read = (word & BIT(21)) != 0;
    return true;
}

/* A form of C4.1, Loads and Stores: a word is of it if its bits under mask are value. */
struct insn_form {
    uint32_t mask;
    uint32_t value;
    bool has_opc; /* size in bits [31:30] and opc in [23:22] say what it is */
};

/* Those of one general-purpose register without writeback. Bits that should be one, Rs and Rt2 of
 * LDAR and its like, are not looked at. */
static const struct insn_form forms_valid[] = {
    {0xbf000000, 0x18000000, false}, /* LDR (literal) */
    {0xff000000, 0x98000000, false}, /* LDRSW (literal) */
    {0x3fa00000, 0x08800000, false}, /* LDAR, LDLAR, STLR, STLLR */
    {0x3fe0fc00, 0x38a0c000, false}, /* LDAPR */
    {0xff200c00, 0xf8200400, false}, /* LDRAA, LDRAB, offset */
    {0x3f200c00, 0x19000000, true},  /* LDAPUR, STLUR */
    {0x3f200c00, 0x38000000, true},  /* LDUR, STUR */
    {0x3f200c00, 0x38000800, true},  /* LDTR, STTR */
    {0x3f204c00, 0x38204800, true},  /* LDR, STR, register offset; option<1> clear: unallocated */
    {0x3f000000, 0x39000000, true},  /* LDR, STR, unsigned offset */
};

/*
 * Bit size:opc is set where a single register is loaded or stored: opc 0 stores, 1 loads, 2 and 3
 * load with sign to 64 and 32 bits, of what is smaller than that. 3:2 is PRFM.
 */
#define SIZE_OPC_VALID UINT32_C(0x37ff)

bool insn_has_valid_syndrome(uint32_t word)
{
    unsigned size_opc = (unsigned)(bits_get(word, 31, 30) << 2 | bits_get(word, 23, 22));
    bool opc_is_valid = (SIZE_OPC_VALID >> size_opc & 1u) != 0;

    for (unsigned i = 0; i < ARRAY_LEN(forms_valid); i++)
        if ((word & forms_valid[i].mask) == forms_valid[i].value)
            return !forms_valid[i].has_opc || opc_is_valid;
    return false;
}

#define ENC_FPCR SYSREG(3, 3, 4, 4, 0)
#define ENC_FPSR SYSREG(3, 3, 4, 4, 1)

/* [31:28] of what is allocated in Scalar Floating-Point and Advanced SIMD (C4.1.96): SIMD is 0xx0
 * and 01x1, cryptographic 1100 and 0101, floating-point x0x1. */
#define SIMD_FP_ALLOCATED UINT32_C(0x1aff)

/* C4.1: op0 is [28:25]; x111 is Scalar Floating-Point and Advanced SIMD, x1x0 is loads and stores,
 * in which V, [26], says whose registers. */
bool insn_uses_fp(uint32_t word)
{
    struct insn_sysreg sysreg;
    uint64_t op0 = bits_get(word, 28, 25);

    if ((op0 & 7) == 7)
        return (SIMD_FP_ALLOCATED & (1u << (word >> 28))) != 0;
    if ((op0 & 5) == 4)
        return (word & BIT(26)) != 0;
    return insn_decode_sysreg(word, &sysreg) && (sysreg.enc == ENC_FPCR || sysreg.enc == ENC_FPSR);
}
