/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "arch/idreg.h"
#include "arch/sysreg.h"
#include "cases.h"
#include <string.h>

/* What a guest sees for each value 0..15 of the CPU's field, one hexadecimal digit each. */
#define NONE     "0000000000000000" /* hidden */
#define UP_TO_1  "0111111111111111"
#define UP_TO_2  "0122222222222222"
#define UP_TO_3  "0123333333333333"
#define UP_TO_5  "0123455555555555"
#define UP_TO_8  "0123456788888888"
#define ALL      "0123456789abcdef"
#define ONE      "1111111111111111"
#define SIGNED_0 "0000000089abcdef" /* 0 means implemented, 15 not */
#define SIGNED_1 "0111111189abcdef"

/* Field positions: DDI 0487, D17.2. CRm and op2 of the register, then the field's lowest bit. */
static const struct {
    unsigned crm;
    unsigned op2;
    unsigned lsb;
    const char *seen;
} fields[] = {
    /* ID_AA64PFR0_EL1: EL0, EL1, FP, AdvSIMD, GIC, DIT, CSV2, CSV3 */
    {4, 0, 0, UP_TO_1},
    {4, 0, 4, UP_TO_1},
    {4, 0, 16, SIGNED_1},
    {4, 0, 20, SIGNED_1},
    {4, 0, 24, ONE},
    {4, 0, 48, UP_TO_1},
    {4, 0, 56, UP_TO_1},
    {4, 0, 60, UP_TO_1},
    /* ID_AA64PFR1_EL1: BT, SSBS */
    {4, 1, 0, UP_TO_1},
    {4, 1, 4, UP_TO_2},
    /* ID_AA64DFR0_EL1: DebugVer, BRPs, WRPs, CTX_CMPs, DoubleLock */
    {5, 0, 0, UP_TO_8},
    {5, 0, 12, ALL},
    {5, 0, 20, ALL},
    {5, 0, 28, ALL},
    {5, 0, 36, SIGNED_0},
    /* ID_AA64ISAR0_EL1: AES, SHA1, SHA2, CRC32, Atomic, RDM, SHA3, SM3, SM4, DP, FHM, TS, TLB, RNDR
     */
    {6, 0, 4, UP_TO_2},
    {6, 0, 8, UP_TO_1},
    {6, 0, 12, UP_TO_2},
    {6, 0, 16, UP_TO_1},
    {6, 0, 20, UP_TO_2},
    {6, 0, 28, UP_TO_1},
    {6, 0, 32, UP_TO_1},
    {6, 0, 36, UP_TO_1},
    {6, 0, 40, UP_TO_1},
    {6, 0, 44, UP_TO_1},
    {6, 0, 48, UP_TO_1},
    {6, 0, 52, UP_TO_2},
    {6, 0, 56, UP_TO_2},
    {6, 0, 60, UP_TO_1},
    /* ID_AA64ISAR1_EL1: DPB, APA, API, JSCVT, FCMA, LRCPC, GPA, GPI, FRINTTS, SB, SPECRES, BF16,
       DGH, I8MM */
    {6, 1, 0, UP_TO_2},
    {6, 1, 4, UP_TO_5},
    {6, 1, 8, UP_TO_5},
    {6, 1, 12, UP_TO_1},
    {6, 1, 16, UP_TO_1},
    {6, 1, 20, UP_TO_3},
    {6, 1, 24, UP_TO_1},
    {6, 1, 28, UP_TO_1},
    {6, 1, 32, UP_TO_1},
    {6, 1, 36, UP_TO_1},
    {6, 1, 40, UP_TO_2},
    {6, 1, 44, UP_TO_2},
    {6, 1, 48, UP_TO_1},
    {6, 1, 52, UP_TO_1},
    /* ID_AA64ISAR2_EL1: RPRES, GPA3, APA3, BC, PAC_frac, CLRBHB, RPRFM, CSSC */
    {6, 2, 4, UP_TO_1},
    {6, 2, 8, UP_TO_1},
    {6, 2, 12, UP_TO_5},
    {6, 2, 20, UP_TO_1},
    {6, 2, 24, UP_TO_1},
    {6, 2, 28, UP_TO_1},
    {6, 2, 48, UP_TO_1},
    {6, 2, 52, UP_TO_1},
    /* ID_AA64MMFR0_EL1: PARange (48 bits below), ASIDBits, BigEnd, BigEndEL0, TGran16, TGran64,
       TGran4 */
    {7, 0, 0, "5555555555555555"},
    {7, 0, 4, UP_TO_2},
    {7, 0, 8, UP_TO_1},
    {7, 0, 16, UP_TO_1},
    {7, 0, 20, UP_TO_2},
    {7, 0, 24, SIGNED_0},
    {7, 0, 28, SIGNED_1},
    /* ID_AA64MMFR1_EL1: HAFDBS, HPDS, PAN, ETS, AFP, nTLBPA, ECBHB */
    {7, 1, 0, UP_TO_2},
    {7, 1, 12, UP_TO_2},
    {7, 1, 20, UP_TO_3},
    {7, 1, 36, UP_TO_3},
    {7, 1, 44, UP_TO_1},
    {7, 1, 48, UP_TO_1},
    {7, 1, 60, UP_TO_1},
    /* ID_AA64MMFR2_EL1: CnP, UAO, VARange, CCIDX, ST, AT, IDS, TTL, BBM, E0PD */
    {7, 2, 0, UP_TO_1},
    {7, 2, 4, UP_TO_1},
    {7, 2, 16, UP_TO_1},
    {7, 2, 20, UP_TO_1},
    {7, 2, 28, UP_TO_1},
    {7, 2, 32, UP_TO_1},
    {7, 2, 36, UP_TO_1},
    {7, 2, 48, UP_TO_1},
    {7, 2, 52, UP_TO_2},
    {7, 2, 60, UP_TO_1},
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static const char *field_seen(unsigned index, unsigned lsb)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if ((fields[i].crm - 1) * 8 + fields[i].op2 == index && fields[i].lsb == lsb)
            return fields[i].seen;
    }
    return NONE;
}

static uint64_t digit(char c)
{
    return (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Every field of every register with every value, before a background of zeros and of ones. */
CASE(idreg, every_field_with_every_value)
{
    for (unsigned index = 0; index < 56; index++) {
        for (unsigned lsb = 0; lsb < 64; lsb += 4) {
            const char *seen = field_seen(index, lsb);
            for (unsigned value = 0; value < 32; value++) {
                struct arch_idregs raw, guest;
                memset(&raw, value < 16 ? 0 : 0xff, sizeof(raw));
                raw.reg[index] &= ~(UINT64_C(15) << lsb);
                raw.reg[index] |= (uint64_t)(value % 16) << lsb;
                idreg_virtualise(&raw, 48, &guest);
                cr_assert_eq((guest.reg[index] >> lsb) & 15, digit(seen[value % 16]),
                             "index %u bit %u value %u: 0x%lx", index, lsb, value,
                             guest.reg[index]);
            }
        }
    }
}

CASE(idreg, aarch32_is_hidden)
{
    struct arch_idregs raw, guest;

    memset(&raw, 0xff, sizeof(raw));
    idreg_virtualise(&raw, 40, &guest);
    for (unsigned i = 0; i < 24; i++)
        cr_assert_eq(guest.reg[i], 0, "CRm %u op2 %u", 1 + i / 8, i % 8);
}

CASE(idreg, midr_and_ctr_pass)
{
    struct arch_idregs raw = {.midr = 0x411fd070, .ctr = 0x8444c004};
    struct arch_idregs guest;

    idreg_virtualise(&raw, 40, &guest);
    cr_assert_eq(guest.midr, 0x411fd070);
    cr_assert_eq(guest.ctr, 0x8444c004);
}

CASE(idreg, cortex_a57)
{
    /* From its Technical Reference Manual (DDI 0488), revision r1p0 with the Cryptographic
     * Extension. */
    struct arch_idregs raw = {.midr = 0x411fd070};
    struct arch_idregs guest;

    raw.reg[(4 - 1) * 8 + 0] = 0x2222;
    raw.reg[(5 - 1) * 8 + 0] = 0x10305106;
    raw.reg[(6 - 1) * 8 + 0] = 0x11120;
    raw.reg[(7 - 1) * 8 + 0] = 0x1124;
    raw.reg[(1 - 1) * 8 + 0] = 0x131;
    idreg_virtualise(&raw, 40, &guest);
    cr_assert_eq(guest.reg[24], 0x01000011, "PFR0 0x%lx", guest.reg[24]);
    cr_assert_eq(guest.reg[32], 0x10305006, "DFR0 0x%lx", guest.reg[32]);
    cr_assert_eq(guest.reg[40], 0x11120, "ISAR0 0x%lx", guest.reg[40]);
    cr_assert_eq(guest.reg[48], 0x0122, "MMFR0 0x%lx", guest.reg[48]);
    cr_assert_eq(guest.reg[0], 0);
    cr_assert_eq(idreg_breakpoints(&guest), 6);
    cr_assert_eq(idreg_watchpoints(&guest), 4);
    cr_assert_not(idreg_has_pauth(&guest));
    cr_assert_eq(idreg_pa_bits(&raw), 44);
    cr_assert_eq(idreg_pa_bits(&guest), 40);
}

CASE(idreg, the_guest_may_be_written_over_garbage)
{
    struct arch_idregs raw = {0};
    struct arch_idregs a, b;

    memset(&a, 0xff, sizeof(a));
    memset(&b, 0x00, sizeof(b));
    idreg_virtualise(&raw, 40, &a);
    idreg_virtualise(&raw, 40, &b);
    cr_assert_eq(memcmp(&a, &b, sizeof(a)), 0);
}

/* DDI 0487, D17.2: ID_AA64MMFR0_EL1.PARange 0..7 */
static const unsigned pa_ranges[] = {32, 36, 40, 42, 44, 48, 52, 56};

CASE(idreg, pa_range_is_rounded_down)
{
    struct arch_idregs raw = {0};
    struct arch_idregs guest;

    for (unsigned bits = 32; bits <= 48; bits++) {
        unsigned expect = 32;
        for (unsigned i = 0; i < 8; i++) {
            if (pa_ranges[i] <= bits)
                expect = pa_ranges[i];
        }
        idreg_virtualise(&raw, bits, &guest);
        cr_assert_eq(pa_ranges[guest.reg[48] & 15], expect, "%u bits", bits);
        cr_assert_eq(idreg_pa_bits(&guest), expect, "%u bits", bits);
    }
    /* Outside of the contract, but never a value that the field does not have. */
    idreg_virtualise(&raw, 0, &guest);
    cr_assert_eq(guest.reg[48] & 15, 0);
    idreg_virtualise(&raw, 64, &guest);
    cr_assert_eq(guest.reg[48] & 15, 7);
}

CASE(idreg, pa_bits)
{
    for (unsigned range = 0; range < 16; range++) {
        struct arch_idregs regs = {0};
        regs.reg[48] = UINT64_C(0xfffffffffffffff0) | range;
        cr_assert_eq(idreg_pa_bits(&regs), range < 8 ? pa_ranges[range] : 0, "PARange %u", range);
    }
}

CASE(idreg, index_of_every_encoding)
{
    for (uint32_t encoding = 0; encoding < UINT32_C(1) << 22; encoding++) {
        unsigned index = 1000;
        unsigned crm = (encoding >> 1) & 15;
        unsigned op2 = (encoding >> 17) & 7;
        /* op0 = 3, op1 = 0, CRn = 0, no bit outside of the encoding */
        bool inside = (encoding & ~UINT32_C(0x0e001e)) == 0x300000 && crm >= 1 && crm <= 7;
        if (idreg_index(encoding, &index) != inside)
            cr_assert_fail("encoding 0x%x", encoding);
        if (index != (inside ? (crm - 1) * 8 + op2 : 1000))
            cr_assert_fail("encoding 0x%x has index %u", encoding, index);
    }
    unsigned index = 1000;
    cr_assert_not(idreg_index(UINT32_C(0x80300002), &index));
}

CASE(idreg, names_of_indices)
{
    cr_assert_eq(IDREG_PFR0, 24);
    cr_assert_eq(IDREG_PFR1, 25);
    cr_assert_eq(IDREG_ZFR0, 28);
    cr_assert_eq(IDREG_SMFR0, 29);
    cr_assert_eq(IDREG_DFR0, 32);
    cr_assert_eq(IDREG_DFR1, 33);
    cr_assert_eq(IDREG_ISAR0, 40);
    cr_assert_eq(IDREG_ISAR1, 41);
    cr_assert_eq(IDREG_ISAR2, 42);
    cr_assert_eq(IDREG_MMFR0, 48);
    cr_assert_eq(IDREG_MMFR1, 49);
    cr_assert_eq(IDREG_MMFR2, 50);
    cr_assert_eq(IDREG_COUNT, 56);
}

CASE(idreg, debug_register_counts)
{
    for (unsigned n = 0; n < 16; n++) {
        struct arch_idregs regs = {0};
        regs.reg[32] = UINT64_C(0xffffffffff0f0fff) | ((uint64_t)n << 12) | ((15ull - n) << 20);
        cr_assert_eq(idreg_breakpoints(&regs), n + 1);
        regs.reg[32] &= ~(UINT64_C(15) << 20);
        regs.reg[32] |= (15ull - n) << 20;
        cr_assert_eq(idreg_watchpoints(&regs), 16 - n);
    }
}

CASE(idreg, pauth_in_any_form)
{
    for (unsigned index = 0; index < 56; index++) {
        for (unsigned bit = 0; bit < 64; bit++) {
            struct arch_idregs regs = {0};
            /* ISAR1: APA 4, API 8, GPA 24, GPI 28; ISAR2: GPA3 8, APA3 12 */
            unsigned lsb = bit & ~3u;
            bool expect = (index == 41 && (lsb == 4 || lsb == 8 || lsb == 24 || lsb == 28)) ||
                          (index == 42 && (lsb == 8 || lsb == 12));
            regs.reg[index] = UINT64_C(1) << bit;
            cr_assert_eq(idreg_has_pauth(&regs), expect, "index %u bit %u", index, bit);
        }
    }
}

CASE(idreg, vmid_size)
{
    for (unsigned value = 0; value < 16; value++) {
        struct arch_idregs regs = {0};
        regs.reg[49] = UINT64_C(0xffffffffffffff0f) | ((uint64_t)value << 4);
        cr_assert_eq(idreg_vmid16(&regs), value == 2, "VMIDBits %u", value);
    }
}

/* --- Two CPUs --- */

static const struct {
    unsigned index;
    const char *name;
} names[] = {
    {24, "ID_AA64PFR0_EL1"},  {25, "ID_AA64PFR1_EL1"},  {32, "ID_AA64DFR0_EL1"},
    {40, "ID_AA64ISAR0_EL1"}, {41, "ID_AA64ISAR1_EL1"}, {42, "ID_AA64ISAR2_EL1"},
    {48, "ID_AA64MMFR0_EL1"}, {49, "ID_AA64MMFR1_EL1"}, {50, "ID_AA64MMFR2_EL1"},
};

static const char *name_of(unsigned index)
{
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].index == index)
            return names[i].name;
    return NULL;
}

/* Whether a boot CPU with `boot` in a field and another with `other` must not share guests. */
static bool must_differ(unsigned index, unsigned lsb, unsigned boot, unsigned other)
{
    static const unsigned bits[16] = {32, 36, 40, 42, 44, 48, 52, 56};

    if (index == 48 && lsb == 0) /* PARange: stage 2 is made for the boot CPU's */
        return bits[other] < bits[boot];
    if (index == 49 && lsb == 4) /* VMIDBits */
        return boot == 2 && other != 2;
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if ((fields[i].crm - 1) * 8 + fields[i].op2 == index && fields[i].lsb == lsb)
            return fields[i].seen[boot] != fields[i].seen[other];
    return false;
}

/* Each two values of each field of each register, in both directions. */
CASE(idreg, cpus_that_differ_in_a_field)
{
    for (unsigned n = 0; n < 56u * 16 * 256; n++) {
        unsigned index = n / (16 * 256), lsb = n / 256 % 16 * 4, boot = n / 16 % 16, other = n % 16;
        struct arch_idregs a = {.midr = 1, .ctr = 2, .ich_vtr = 3}, b = a;
        struct idreg_difference what;
        a.reg[index] = (uint64_t)boot << lsb;
        b.reg[index] = (uint64_t)other << lsb;
        bool differ = idreg_differs(&a, &b, &what);
        if (differ != must_differ(index, lsb, boot, other))
            cr_assert_fail("index %u lsb %u: %x, %x", index, lsb, boot, other);
        if (!differ)
            continue;
        cr_assert_str_eq(what.name, name_of(index));
        cr_assert_eq(what.boot, (uint64_t)boot << lsb);
        cr_assert_eq(what.other, (uint64_t)other << lsb);
    }
}

/* ICH_VTR_EL2: nV4 (20), TDS (19) and DVIM (18) are nobody's business, bits 17..5 and up reserved.
 */
CASE(idreg, cpus_that_differ_elsewhere)
{
    struct idreg_difference what;

    for (unsigned bit = 0; bit < 64; bit++) {
        struct arch_idregs boot = {.midr = 0x411fd070, .ctr = 0x8444c004, .ich_vtr = 0x90b00003};
        struct arch_idregs other = boot;
        other.ich_vtr ^= UINT64_C(1) << bit;
        cr_assert_eq(idreg_differs(&boot, &other, &what), bit < 5 || (bit > 20 && bit < 32),
                     "bit %u", bit);
        cr_assert_str_eq(what.name, "ICH_VTR_EL2");
        cr_assert_eq(what.boot, 0x90b00003);
        cr_assert_eq(what.other, other.ich_vtr);
        other.ctr ^= UINT64_C(1) << bit;
        cr_assert(idreg_differs(&boot, &other, &what));
        cr_assert_str_eq(what.name, "CTR_EL0");
        cr_assert(what.boot == boot.ctr && what.other == other.ctr);
        other.midr ^= UINT64_C(1) << bit;
        cr_assert(idreg_differs(&boot, &other, &what));
        cr_assert_str_eq(what.name, "MIDR_EL1");
        cr_assert(what.boot == boot.midr && what.other == other.midr);
    }
}

CASES_RUN(idreg, NULL, NULL)
