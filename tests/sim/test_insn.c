/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Words as aarch64-linux-gnu-as assembled them, beside what the Arm ARM's ESR_EL2 (D17.2.37) says
 * of ISV for them. */
#include "cases.h"
#include "hal-sim/insn.h"
#include <stdbool.h>
#include <stdint.h>

struct syndrome_row {
    uint32_t word;
    bool valid;
    const char *text;
};

static const struct syndrome_row syndrome_rows[] = {
    /* literal */
    {0x18000041, true, "ldr w1, .+8"},
    {0x58000041, true, "ldr x1, .+8"},
    {0x58800001, true, "ldr x1, .-0x100000"},
    {0x98000041, true, "ldrsw x1, .+8"},
    {0xd8000040, false, "prfm pldl1keep, .+8"},
    {0x1c000041, false, "ldr s1, .+8"},
    {0x5c000041, false, "ldr d1, .+8"},
    {0x9c000041, false, "ldr q1, .+8"},
    /* unsigned offset */
    {0x39000041, true, "strb w1, [x2]"},
    {0x397ffc41, true, "ldrb w1, [x2, #4095]"},
    {0x39800441, true, "ldrsb x1, [x2, #1]"},
    {0x39c007e1, true, "ldrsb w1, [sp, #1]"},
    {0x79000441, true, "strh w1, [x2, #2]"},
    {0x797ffc41, true, "ldrh w1, [x2, #8190]"},
    {0x79800441, true, "ldrsh x1, [x2, #2]"},
    {0x79c00441, true, "ldrsh w1, [x2, #2]"},
    {0xb9000441, true, "str w1, [x2, #4]"},
    {0xb93ffc5f, true, "str wzr, [x2, #16380]"},
    {0xb9400441, true, "ldr w1, [x2, #4]"},
    {0xb9800441, true, "ldrsw x1, [x2, #4]"},
    {0xf9000441, true, "str x1, [x2, #8]"},
    {0xf90003ff, true, "str xzr, [sp]"},
    {0xf97ffc41, true, "ldr x1, [x2, #32760]"},
    {0xf940005f, true, "ldr xzr, [x2]"},
    {0xf9800440, false, "prfm pldl1keep, [x2, #8]"},
    {0xf9800055, false, "prfm pstl3strm, [x2]"},
    {0x3d000441, false, "str b1, [x2, #1]"},
    {0x3d400441, false, "ldr b1, [x2, #1]"},
    {0x7d000441, false, "str h1, [x2, #2]"},
    {0x7d400441, false, "ldr h1, [x2, #2]"},
    {0xbd000441, false, "str s1, [x2, #4]"},
    {0xbd400441, false, "ldr s1, [x2, #4]"},
    {0xfd000441, false, "str d1, [x2, #8]"},
    {0xfd400441, false, "ldr d1, [x2, #8]"},
    {0x3d800441, false, "str q1, [x2, #16]"},
    {0x3dc00441, false, "ldr q1, [x2, #16]"},
    /* unscaled */
    {0x381ff041, true, "sturb w1, [x2, #-1]"},
    {0x384ff041, true, "ldurb w1, [x2, #255]"},
    {0x38900041, true, "ldursb x1, [x2, #-256]"},
    {0x38c01041, true, "ldursb w1, [x2, #1]"},
    {0x78001041, true, "sturh w1, [x2, #1]"},
    {0x78401041, true, "ldurh w1, [x2, #1]"},
    {0x78801041, true, "ldursh x1, [x2, #1]"},
    {0x78c01041, true, "ldursh w1, [x2, #1]"},
    {0xb8001041, true, "stur w1, [x2, #1]"},
    {0xb8401041, true, "ldur w1, [x2, #1]"},
    {0xb8801041, true, "ldursw x1, [x2, #1]"},
    {0xf8001041, true, "stur x1, [x2, #1]"},
    {0xf8401041, true, "ldur x1, [x2, #1]"},
    {0xf8801040, false, "prfum pldl1keep, [x2, #1]"},
    {0x3c001041, false, "stur b1, [x2, #1]"},
    {0x7c401041, false, "ldur h1, [x2, #1]"},
    {0xbc001041, false, "stur s1, [x2, #1]"},
    {0xfc401041, false, "ldur d1, [x2, #1]"},
    {0x3c801041, false, "stur q1, [x2, #1]"},
    {0x3cc01041, false, "ldur q1, [x2, #1]"},
    /* unprivileged */
    {0x38001841, true, "sttrb w1, [x2, #1]"},
    {0x38401841, true, "ldtrb w1, [x2, #1]"},
    {0x38801841, true, "ldtrsb x1, [x2, #1]"},
    {0x38c01841, true, "ldtrsb w1, [x2, #1]"},
    {0x78001841, true, "sttrh w1, [x2, #1]"},
    {0x78401841, true, "ldtrh w1, [x2, #1]"},
    {0x78801841, true, "ldtrsh x1, [x2, #1]"},
    {0x78c01841, true, "ldtrsh w1, [x2, #1]"},
    {0xb8001841, true, "sttr w1, [x2, #1]"},
    {0xb8401841, true, "ldtr w1, [x2, #1]"},
    {0xb8801841, true, "ldtrsw x1, [x2, #1]"},
    {0xf8001841, true, "sttr x1, [x2, #1]"},
    {0xf8401841, true, "ldtr x1, [x2, #1]"},
    /* register offset */
    {0x38236841, true, "strb w1, [x2, x3]"},
    {0x38634841, true, "ldrb w1, [x2, w3, uxtw]"},
    {0x38a3e841, true, "ldrsb x1, [x2, x3, sxtx]"},
    {0x38e3c841, true, "ldrsb w1, [x2, w3, sxtw]"},
    {0x78237841, true, "strh w1, [x2, x3, lsl #1]"},
    {0x78636841, true, "ldrh w1, [x2, x3]"},
    {0x78a37841, true, "ldrsh x1, [x2, x3, lsl #1]"},
    {0x78e3d841, true, "ldrsh w1, [x2, w3, sxtw #1]"},
    {0xb8237841, true, "str w1, [x2, x3, lsl #2]"},
    {0xb8635841, true, "ldr w1, [x2, w3, uxtw #2]"},
    {0xb8a36841, true, "ldrsw x1, [x2, x3]"},
    {0xf8237841, true, "str x1, [x2, x3, lsl #3]"},
    {0xf863d841, true, "ldr x1, [x2, w3, sxtw #3]"},
    {0xf8a37840, false, "prfm pldl1keep, [x2, x3, lsl #3]"},
    {0x3c236841, false, "str b1, [x2, x3]"},
    {0x7c637841, false, "ldr h1, [x2, x3, lsl #1]"},
    {0xbc236841, false, "str s1, [x2, x3]"},
    {0xfc635841, false, "ldr d1, [x2, w3, uxtw #3]"},
    {0x3ca37841, false, "str q1, [x2, x3, lsl #4]"},
    {0x3ce36841, false, "ldr q1, [x2, x3]"},
    /* pre-indexed */
    {0x38001c41, false, "strb w1, [x2, #1]!"},
    {0x38401c41, false, "ldrb w1, [x2, #1]!"},
    {0x38801c41, false, "ldrsb x1, [x2, #1]!"},
    {0x38c01c41, false, "ldrsb w1, [x2, #1]!"},
    {0x78002c41, false, "strh w1, [x2, #2]!"},
    {0x78402c41, false, "ldrh w1, [x2, #2]!"},
    {0x78802c41, false, "ldrsh x1, [x2, #2]!"},
    {0x78c02c41, false, "ldrsh w1, [x2, #2]!"},
    {0xb8004c41, false, "str w1, [x2, #4]!"},
    {0xb8404c41, false, "ldr w1, [x2, #4]!"},
    {0xb8804c41, false, "ldrsw x1, [x2, #4]!"},
    {0xf81f0fe1, false, "str x1, [sp, #-16]!"},
    {0xf8408c41, false, "ldr x1, [x2, #8]!"},
    {0x3c810c41, false, "str q1, [x2, #16]!"},
    {0xfc408c41, false, "ldr d1, [x2, #8]!"},
    /* post-indexed */
    {0x38001441, false, "strb w1, [x2], #1"},
    {0x38401441, false, "ldrb w1, [x2], #1"},
    {0x38801441, false, "ldrsb x1, [x2], #1"},
    {0x38c01441, false, "ldrsb w1, [x2], #1"},
    {0x78002441, false, "strh w1, [x2], #2"},
    {0x78402441, false, "ldrh w1, [x2], #2"},
    {0x78802441, false, "ldrsh x1, [x2], #2"},
    {0x78c02441, false, "ldrsh w1, [x2], #2"},
    {0xb8004441, false, "str w1, [x2], #4"},
    {0xb8404441, false, "ldr w1, [x2], #4"},
    {0xb8804441, false, "ldrsw x1, [x2], #4"},
    {0xf8008441, false, "str x1, [x2], #8"},
    {0xf84107e1, false, "ldr x1, [sp], #16"},
    {0x3c810441, false, "str q1, [x2], #16"},
    {0xbc404441, false, "ldr s1, [x2], #4"},
    /* pairs */
    {0x29000c41, false, "stp w1, w3, [x2]"},
    {0x29410c41, false, "ldp w1, w3, [x2, #8]"},
    {0x69400c41, false, "ldpsw x1, x3, [x2]"},
    {0xa9010c41, false, "stp x1, x3, [x2, #16]"},
    {0xa9400c41, false, "ldp x1, x3, [x2]"},
    {0xa9bf0fe1, false, "stp x1, x3, [sp, #-16]!"},
    {0xa8c10fe1, false, "ldp x1, x3, [sp], #16"},
    {0x68c10c41, false, "ldpsw x1, x3, [x2], #8"},
    {0x2d000c41, false, "stp s1, s3, [x2]"},
    {0x6d400c41, false, "ldp d1, d3, [x2]"},
    {0xad810c41, false, "stp q1, q3, [x2, #32]!"},
    {0xad400c41, false, "ldp q1, q3, [x2]"},
    {0xa8000c41, false, "stnp x1, x3, [x2]"},
    {0x28400c41, false, "ldnp w1, w3, [x2]"},
    {0xac400c41, false, "ldnp q1, q3, [x2]"},
    {0x69000c41, false, "stgp x1, x3, [x2]"},
    /* exclusives */
    {0x08047c41, false, "stxrb w4, w1, [x2]"},
    {0x085f7c41, false, "ldxrb w1, [x2]"},
    {0x48047c41, false, "stxrh w4, w1, [x2]"},
    {0x485f7c41, false, "ldxrh w1, [x2]"},
    {0x88047c41, false, "stxr w4, w1, [x2]"},
    {0x885f7c41, false, "ldxr w1, [x2]"},
    {0xc8047c41, false, "stxr w4, x1, [x2]"},
    {0xc85f7c41, false, "ldxr x1, [x2]"},
    {0x0804fc41, false, "stlxrb w4, w1, [x2]"},
    {0x085ffc41, false, "ldaxrb w1, [x2]"},
    {0xc804fc41, false, "stlxr w4, x1, [x2]"},
    {0xc85ffc41, false, "ldaxr x1, [x2]"},
    {0xc8240c41, false, "stxp w4, x1, x3, [x2]"},
    {0x887f0c41, false, "ldxp w1, w3, [x2]"},
    {0x88248c41, false, "stlxp w4, w1, w3, [x2]"},
    {0xc87f8c41, false, "ldaxp x1, x3, [x2]"},
    /* ordered */
    {0x089ffc41, true, "stlrb w1, [x2]"},
    {0x08dffc41, true, "ldarb w1, [x2]"},
    {0x489ffc41, true, "stlrh w1, [x2]"},
    {0x48dffc41, true, "ldarh w1, [x2]"},
    {0x889ffc41, true, "stlr w1, [x2]"},
    {0x88dffc41, true, "ldar w1, [x2]"},
    {0xc89ffc41, true, "stlr x1, [x2]"},
    {0xc8dfffe1, true, "ldar x1, [sp]"},
    {0x089f7c41, true, "stllrb w1, [x2]"},
    {0x08df7c41, true, "ldlarb w1, [x2]"},
    {0x489f7c41, true, "stllrh w1, [x2]"},
    {0x48df7c41, true, "ldlarh w1, [x2]"},
    {0x889f7c41, true, "stllr w1, [x2]"},
    {0x88df7c41, true, "ldlar w1, [x2]"},
    {0xc89f7c41, true, "stllr x1, [x2]"},
    {0xc8df7c41, true, "ldlar x1, [x2]"},
    /* RCpc */
    {0x38bfc041, true, "ldaprb w1, [x2]"},
    {0x78bfc041, true, "ldaprh w1, [x2]"},
    {0xb8bfc041, true, "ldapr w1, [x2]"},
    {0xf8bfc041, true, "ldapr x1, [x2]"},
    {0x19001041, true, "stlurb w1, [x2, #1]"},
    {0x19500041, true, "ldapurb w1, [x2, #-256]"},
    {0x19801041, true, "ldapursb x1, [x2, #1]"},
    {0x19c01041, true, "ldapursb w1, [x2, #1]"},
    {0x59002041, true, "stlurh w1, [x2, #2]"},
    {0x59402041, true, "ldapurh w1, [x2, #2]"},
    {0x59802041, true, "ldapursh x1, [x2, #2]"},
    {0x59c02041, true, "ldapursh w1, [x2, #2]"},
    {0x99004041, true, "stlur w1, [x2, #4]"},
    {0x99404041, true, "ldapur w1, [x2, #4]"},
    {0x99804041, true, "ldapursw x1, [x2, #4]"},
    {0xd9008041, true, "stlur x1, [x2, #8]"},
    {0xd94ff041, true, "ldapur x1, [x2, #255]"},
    /* pointer authentication */
    {0xf8200441, true, "ldraa x1, [x2]"},
    {0xf8600441, true, "ldraa x1, [x2, #-4096]"},
    {0xf8a01441, true, "ldrab x1, [x2, #8]"},
    {0xf8201c41, false, "ldraa x1, [x2, #8]!"},
    {0xf8fffc41, false, "ldrab x1, [x2, #-8]!"},
    /* atomics */
    {0x88a47c41, false, "cas w4, w1, [x2]"},
    {0xc8e4fc41, false, "casal x4, x1, [x2]"},
    {0x08a47c41, false, "casb w4, w1, [x2]"},
    {0x48a4fc41, false, "caslh w4, w1, [x2]"},
    {0x48247c46, false, "casp x4, x5, x6, x7, [x2]"},
    {0x0864fc46, false, "caspal w4, w5, w6, w7, [x2]"},
    {0xb8248041, false, "swp w4, w1, [x2]"},
    {0xf8e48041, false, "swpal x4, x1, [x2]"},
    {0x38248041, false, "swpb w4, w1, [x2]"},
    {0xb8240041, false, "ldadd w4, w1, [x2]"},
    {0xf8e40041, false, "ldaddal x4, x1, [x2]"},
    {0x38241041, false, "ldclrb w4, w1, [x2]"},
    {0x78242041, false, "ldeorh w4, w1, [x2]"},
    {0xf8243041, false, "ldset x4, x1, [x2]"},
    {0xb8244041, false, "ldsmax w4, w1, [x2]"},
    {0xf8245041, false, "ldsmin x4, x1, [x2]"},
    {0xb8246041, false, "ldumax w4, w1, [x2]"},
    {0xf8247041, false, "ldumin x4, x1, [x2]"},
    {0xb824005f, false, "stadd w4, [x2]"},
    {0xf824305f, false, "stset x4, [x2]"},
    {0xf83fd048, false, "ld64b x8, [x2]"},
    {0xf83f9048, false, "st64b x8, [x2]"},
    {0xf824b048, false, "st64bv x4, x8, [x2]"},
    /* tags */
    {0xd9200841, false, "stg x1, [x2]"},
    {0xd9201c41, false, "stg x1, [x2, #16]!"},
    {0xd9601441, false, "stzg x1, [x2], #16"},
    {0xd9a00841, false, "st2g x1, [x2]"},
    {0xd9600041, false, "ldg x1, [x2]"},
    {0xd9a00041, false, "stgm x1, [x2]"},
    {0xd9e00041, false, "ldgm x1, [x2]"},
    /* memory copy and set */
    {0x19010462, false, "cpyfp [x2]!, [x1]!, x3!"},
    {0x19c10462, false, "setp [x2]!, x3!, x1"},
    /* vectors */
    {0x4c407041, false, "ld1 {v1.16b}, [x2]"},
    {0x4c007041, false, "st1 {v1.16b}, [x2]"},
    {0x0d400c41, false, "ld1 {v1.b}[3], [x2]"},
    {0x4d9f8441, false, "st1 {v1.d}[1], [x2], #8"},
    {0x4d40c841, false, "ld1r {v1.4s}, [x2]"},
    {0x4c408441, false, "ld2 {v1.8h, v2.8h}, [x2]"},
    {0x0cdf4041, false, "ld3 {v1.8b, v2.8b, v3.8b}, [x2], #24"},
    {0x4c000c41, false, "st4 {v1.2d, v2.2d, v3.2d, v4.2d}, [x2]"},
    {0x85804041, false, "ldr z1, [x2]"},
    {0xe5800041, false, "str p1, [x2]"},
    {0xa400a041, false, "ld1b {z1.b}, p0/z, [x2]"},
    /* others */
    {0xd50b7421, false, "dc zva, x1"},
    {0xd50b7e21, false, "dc civac, x1"},
    {0xd50b7521, false, "ic ivau, x1"},
    {0xd5088321, false, "tlbi vae1is, x1"},
    {0xd5087801, false, "at s1e1r, x1"},
    {0xd518c001, false, "msr vbar_el1, x1"},
    {0xd538c001, false, "mrs x1, vbar_el1"},
    {0xd5033f5f, false, "clrex"},
    {0xd503201f, false, "nop"},
    {0xd4000001, false, "svc #0"},
    {0xd4000002, false, "hvc #0"},
    {0x14000000, false, "b ."},
    {0x94000001, false, "bl .+4"},
    {0xd63f0020, false, "blr x1"},
    {0xd65f03c0, false, "ret"},
    {0xb4000001, false, "cbz x1, ."},
    {0x8b030041, false, "add x1, x2, x3"},
    {0xaa0203e1, false, "mov x1, x2"},
    {0xd2800021, false, "movz x1, #1"},
    {0x90000001, false, "adrp x1, ."},
    {0x1e632841, false, "fadd d1, d2, d3"},
    {0x00000000, false, "udf #0"},
};

CASE(insn, syndrome_of_each_form)
{
    for (unsigned i = 0; i < sizeof(syndrome_rows) / sizeof(syndrome_rows[0]); i++) {
        const struct syndrome_row *row = &syndrome_rows[i];
        cr_expect_eq(insn_has_valid_syndrome(row->word), row->valid, "%s", row->text);
    }
}

/*
 * All values of bits [31:21] and [15:10], which tell loads and stores apart (C4.1); Rs 31, Rn 2, Rt
 * 1. A size and opc that load or store one register: 4 + 4 + 3 + 2 = 13. Of the free bits among
 * those that change, the forms have: LDR (literal) 2 * 8 * 64, LDRSW (literal) 8 * 64; LDAR and its
 * like 4 sizes * 4 * 32; LDAPR 4 sizes; LDRAA 4 * 16; LDAPUR, LDUR, LDTR 13 * 16 each; register
 * offset 13 * 8; unsigned offset 13 * 2 * 64.
 */
CASE(insn, no_form_but_these)
{
    unsigned expected = 1024 + 512 + 512 + 4 + 64 + 3 * 208 + 104 + 1664;
    unsigned valid = 0;

    for (uint32_t high = 0; high < 1u << 11; high++)
        for (uint32_t low = 0; low < 1u << 6; low++)
            valid += insn_has_valid_syndrome(high << 21 | low << 10 | 0x1f0041) ? 1u : 0u;
    cr_assert_eq(valid, expected, "%u, not %u", valid, expected);
}

/* SIMD&FP (bit 26) never has one, nor has a word that is no load or store. */
CASE(insn, never_outside_the_class)
{
    for (uint32_t high = 0; high < 1u << 11; high++) {
        for (uint32_t low = 0; low < 1u << 6; low++) {
            uint32_t word = high << 21 | low << 10 | 0x030041;
            bool load_store = (word & 0x0a000000) == 0x08000000;
            if (!load_store || (word & 0x04000000) != 0)
                cr_assert_not(insn_has_valid_syndrome(word), "%08x", word);
        }
    }
}

struct sysreg_row {
    uint32_t word;
    uint32_t enc; /* op0 [21:20], op2 [19:17], op1 [16:14], CRn [13:10], CRm [4:1] */
    unsigned rt;
    bool read;
    const char *text;
};

static const struct sysreg_row sysreg_rows[] = {
    {0xd538c001, 0x303000, 1, true, "mrs x1, vbar_el1"},
    {0xd518c01e, 0x303000, 30, false, "msr vbar_el1, x30"},
    {0xd53be05f, 0x34f800, 31, true, "mrs xzr, cntvct_el0"},
    {0xd518cbbf, 0x3a3016, 31, false, "msr icc_sgi1r_el1, xzr"},
    {0xd538cc07, 0x303018, 7, true, "mrs x7, icc_iar1_el1"},
    {0xd51fffe5, 0x3ffc1e, 5, false, "msr s3_7_c15_c15_7, x5"},
    {0xd5300242, 0x240004, 2, true, "mrs x2, mdscr_el1"},
    {0xd5101083, 0x280400, 3, false, "msr oslar_el1, x3"},
    {0xd537ffe0, 0x2ffc1e, 0, true, "mrs x0, s2_7_c15_c15_7"},
};

CASE(insn, sysreg_fields)
{
    for (unsigned i = 0; i < sizeof(sysreg_rows) / sizeof(sysreg_rows[0]); i++) {
        const struct sysreg_row *row = &sysreg_rows[i];
        struct insn_sysreg got = {.enc = ~0u, .rt = 0xff, .read = !row->read};
        cr_expect(insn_decode_sysreg(row->word, &got), "%s", row->text);
        cr_expect_eq(got.enc, row->enc, "%s: %x", row->text, got.enc);
        cr_expect_eq(got.rt, row->rt, "%s: %u", row->text, got.rt);
        cr_expect_eq(got.read, row->read, "%s", row->text);
    }
}

CASE(insn, no_sysreg)
{
    static const struct {
        uint32_t word;
        const char *text;
    } rows[] = {
        {0xd50342df, "msr daifset, #2"},
        {0xd50041bf, "msr spsel, #1"},
        {0xd50b7421, "dc zva, x1"},
        {0xd5287421, "sysl x1, #0, c7, c4, #1"},
        {0xd503245f, "bti c"},
        {0xd5033f9f, "dsb sy"},
        {0xd503207f, "wfi"},
        {0xd4000002, "hvc #0"},
        {0x00000000, "udf #0"},
        {0xffffffff, "all ones"},
    };
    struct insn_sysreg got;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_not(insn_decode_sysreg(rows[i].word, &got), "%s", rows[i].text);
}

/* Bits [31:19] decide: MSR and MRS, with op0 2 and 3. */
CASE(insn, sysreg_class_is_four_of_8192)
{
    unsigned found = 0;
    struct insn_sysreg got;

    for (uint32_t high = 0; high < 1u << 13; high++)
        found += insn_decode_sysreg(high << 19 | 0x5a5a5, &got) ? 1u : 0u;
    cr_assert_eq(found, 4);
}

CASES_RUN(insn, NULL, NULL)
