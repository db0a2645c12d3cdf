/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "arch/el1_entry.h"
#include "cases.h"
#include "prng.h"

/* Vector offsets of the modes that an exception to EL1 can come from (DDI 0487, table D1-5). */
static const struct {
    uint64_t mode; /* SPSR.M[4:0] */
    uint64_t offset;
} modes[] = {
    {0x00, 0x400}, /* EL0t */
    {0x04, 0x000}, /* EL1t */
    {0x05, 0x200}, /* EL1h */
    {0x10, 0x600}, /* AArch32 User */
};

static const enum el1_vector vectors[] = {EL1_VECTOR_SYNC, EL1_VECTOR_IRQ, EL1_VECTOR_FIQ,
                                          EL1_VECTOR_SERROR};

CASE(el1_entry, vector_address)
{
    for (unsigned m = 0; m < 4; m++) {
        for (unsigned v = 0; v < 4; v++) {
            struct el1_entry_from from = {
                .pc = 0x40081234,
                .pstate = modes[m].mode,
                .vbar = UINT64_C(0xffff800010010800),
            };
            struct el1_entry_to to = el1_entry(&from, vectors[v]);
            cr_assert_eq(to.pc, UINT64_C(0xffff800010010800) + modes[m].offset + v * 0x80,
                         "mode 0x%lx vector %u", modes[m].mode, v);
            cr_assert_eq(to.elr, 0x40081234);
            cr_assert_eq(to.spsr, modes[m].mode);
        }
    }
}

CASE(el1_entry, low_bits_of_vbar_are_ignored)
{
    struct el1_entry_from from = {.pstate = 0x5, .vbar = UINT64_C(0x12345fff)};

    cr_assert_eq(el1_entry(&from, EL1_VECTOR_IRQ).pc, UINT64_C(0x12345a80));
}

/* What becomes of each bit of PSTATE, in the format of SPSR: 0, 1, kept, or by the rule of its
 * feature. */
static uint64_t expect_bit(const struct el1_entry_from *from, unsigned bit)
{
    uint64_t old = (from->pstate >> bit) & 1;

    switch (bit) {
    case 0: /* SP: EL1h */
    case 2: /* EL */
    case 6: /* F */
    case 7: /* I */
    case 8: /* A */
    case 9: /* D */
        return 1;
    case 24: /* DIT */
    case 28: /* V */
    case 29: /* C */
    case 30: /* Z */
    case 31: /* N */
        return old;
    case 12: /* SSBS: SCTLR_EL1.DSSBS */
        return from->has_ssbs ? (from->sctlr >> 44) & 1 : 0;
    case 22: /* PAN: set unless SCTLR_EL1.SPAN */
        if (!from->has_pan)
            return 0;
        return ((from->sctlr >> 23) & 1) == 0 ? 1 : old;
    case 25: /* TCO */
        return from->has_mte ? 1 : 0;
    default: /* M[4:1] but EL1, BTYPE, IL, SS, UAO, AArch32's T, E, IT, GE, Q, J; RES0 */
        return 0;
    }
}

CASE(el1_entry, every_bit_of_pstate)
{
    uint64_t seed = 6;
    for (int i = 0; i < 20000; i++) {
        struct el1_entry_from from = {
            .pc = prng_next(&seed),
            .pstate = (prng_next(&seed) & ~UINT64_C(0x1f)) | modes[prng_next(&seed) % 4].mode,
            .vbar = prng_next(&seed),
            .sctlr = prng_next(&seed),
            .has_pan = prng_next(&seed) % 2 == 0,
            .has_ssbs = prng_next(&seed) % 2 == 0,
            .has_mte = prng_next(&seed) % 2 == 0,
        };
        struct el1_entry_to to = el1_entry(&from, vectors[prng_next(&seed) % 4]);
        for (unsigned bit = 0; bit < 64; bit++)
            cr_assert_eq((to.pstate >> bit) & 1, expect_bit(&from, bit), "bit %u of 0x%lx", bit,
                         from.pstate);
        cr_assert_eq(to.spsr, from.pstate);
        cr_assert_eq(to.elr, from.pc);
        cr_assert_eq(to.pc & 0x7f, 0);
    }
}

/* Whole values, as Linux sees them on a CPU with PAN and SSBS. */
CASE(el1_entry, known_states)
{
    struct el1_entry_from from = {
        .pstate = 0x60000000, /* EL0t, nZCv, unmasked */
        .has_pan = true,
        .has_ssbs = true,
        .sctlr = UINT64_C(1) << 44,
    };

    cr_assert_eq(el1_entry(&from, EL1_VECTOR_SYNC).pstate, 0x604013c5);
    from.sctlr = UINT64_C(1) << 23;
    cr_assert_eq(el1_entry(&from, EL1_VECTOR_SYNC).pstate, 0x600003c5);
    from.pstate = 0x80b00c05; /* EL1h, N, UAO, SS, IL, BTYPE */
    cr_assert_eq(el1_entry(&from, EL1_VECTOR_SYNC).pstate, 0x800003c5);
}

CASE(el1_entry, esr_undefined)
{
    cr_assert_eq(el1_esr_undefined(), 0x02000000);
}

CASE(el1_entry, esr_external_abort)
{
    /* EC << 26 | IL | CM << 8 | WnR << 6 | FSC */
    cr_assert_eq(el1_esr_external_abort(false, false, false, -1, false), 0x92000010);
    cr_assert_eq(el1_esr_external_abort(true, false, false, -1, false), 0x96000010);
    cr_assert_eq(el1_esr_external_abort(true, false, true, -1, false), 0x96000050);
    cr_assert_eq(el1_esr_external_abort(false, true, false, -1, false), 0x82000010);
    cr_assert_eq(el1_esr_external_abort(true, true, false, -1, false), 0x86000010);
    for (int level = 0; level < 4; level++) {
        cr_assert_eq(el1_esr_external_abort(true, false, false, level, false),
                     0x96000014u + (unsigned)level);
        cr_assert_eq(el1_esr_external_abort(false, true, false, level, false),
                     0x82000014u + (unsigned)level);
    }
}

CASE(el1_entry, cache_maintenance_reports_a_write)
{
    cr_assert_eq(el1_esr_external_abort(true, false, false, -1, true), 0x96000150);
    cr_assert_eq(el1_esr_external_abort(true, false, true, -1, true), 0x96000150);
}

CASE(el1_entry, an_instruction_abort_has_no_direction)
{
    cr_assert_eq(el1_esr_external_abort(true, true, true, -1, true), 0x86000010);
}

CASES_RUN(el1_entry, NULL, NULL)
