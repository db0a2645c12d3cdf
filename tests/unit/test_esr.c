/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "arch/esr.h"
#include "arch/sysreg.h"
#include "cases.h"
#include "prng.h"
#include <stdio.h>
#include <string.h>

static uint64_t syndrome(unsigned ec, uint64_t iss)
{
    return ((uint64_t)ec << 26) | (UINT64_C(1) << 25) | iss;
}

/* DDI 0487, D17.2.37, "EC, bits [31:26]". All other values are reserved. */
static const struct {
    unsigned ec;
    const char *name;
} classes[] = {
    {0x00, "unknown reason"},
    {0x01, "trapped WFI or WFE"},
    {0x03, "trapped MCR or MRC, coproc 15"},
    {0x04, "trapped MCRR or MRRC, coproc 15"},
    {0x05, "trapped MCR or MRC, coproc 14"},
    {0x06, "trapped LDC or STC, coproc 14"},
    {0x07, "trapped SVE, Advanced SIMD or floating-point access"},
    {0x08, "trapped VMRS, coproc 10"},
    {0x09, "trapped pointer authentication instruction"},
    {0x0a, "trapped LD64B, ST64B or other instruction"},
    {0x0c, "trapped MRRC, coproc 14"},
    {0x0d, "branch target exception"},
    {0x0e, "illegal execution state"},
    {0x11, "SVC from AArch32"},
    {0x12, "HVC from AArch32"},
    {0x13, "SMC from AArch32"},
    {0x14, "trapped MSRR, MRRS or 128-bit System instruction"},
    {0x15, "SVC from AArch64"},
    {0x16, "HVC from AArch64"},
    {0x17, "SMC from AArch64"},
    {0x18, "trapped MSR, MRS or System instruction"},
    {0x19, "trapped SVE access"},
    {0x1a, "trapped ERET"},
    {0x1b, "trapped TSTART"},
    {0x1c, "pointer authentication failure"},
    {0x1d, "trapped SME access"},
    {0x1e, "granule protection check"},
    {0x1f, "implementation defined exception to EL3"},
    {0x20, "instruction abort from a lower EL"},
    {0x21, "instruction abort from the same EL"},
    {0x22, "PC alignment fault"},
    {0x24, "data abort from a lower EL"},
    {0x25, "data abort from the same EL"},
    {0x26, "SP alignment fault"},
    {0x27, "memory copy or set exception"},
    {0x28, "floating-point exception from AArch32"},
    {0x2c, "floating-point exception from AArch64"},
    {0x2d, "guarded control stack exception"},
    {0x2f, "SError"},
    {0x30, "breakpoint from a lower EL"},
    {0x31, "breakpoint from the same EL"},
    {0x32, "software step from a lower EL"},
    {0x33, "software step from the same EL"},
    {0x34, "watchpoint from a lower EL"},
    {0x35, "watchpoint from the same EL"},
    {0x38, "BKPT from AArch32"},
    {0x3a, "vector catch from AArch32"},
    {0x3c, "BRK from AArch64"},
    {0x3d, "PMU exception"},
};

static const char *class_name(unsigned ec)
{
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (classes[i].ec == ec)
            return classes[i].name;
    }
    return NULL;
}

static void expect_name(const char *got, const char *expect, unsigned value)
{
    if (expect == NULL)
        cr_assert_null(got, "0x%02x is reserved", value);
    else
        cr_assert(got != NULL && strcmp(got, expect) == 0, "0x%02x: %s", value,
                  got != NULL ? got : "(none)");
}

CASE(esr, all_exception_classes)
{
    for (unsigned ec = 0; ec < 64; ec++) {
        expect_name(esr_ec_str(ec), class_name(ec), ec);
        cr_assert_eq(esr_ec(syndrome(ec, 0x1ffffff)), ec);
        cr_assert_eq(esr_ec(UINT64_C(0xffffffff00000000) | ((uint64_t)ec << 26)), ec);
    }
    cr_assert_null(esr_ec_str(64));
    cr_assert_null(esr_ec_str(~0u));
}

/* DDI 0487, D17.2.37, "DFSC, bits [5:0]": codes with a level are the first code plus the level. */
static void fault_name(char name[80], unsigned fsc)
{
    static const struct {
        unsigned first;
        int level; /* of the first code */
        unsigned count;
        const char *text;
    } levels[] = {
        {0x00, 0, 4, "address size fault"},
        {0x04, 0, 4, "translation fault"},
        {0x08, 0, 4, "access flag fault"},
        {0x0c, 0, 4, "permission fault"},
        {0x12, -2, 6, "synchronous external abort on a table walk"},
        {0x1b, -1, 5, "synchronous parity or ECC error on a table walk"},
        {0x22, -2, 6, "granule protection fault on a table walk"},
        {0x29, -1, 1, "address size fault"},
        {0x2a, -2, 2, "translation fault"},
        {0x2c, -2, 1, "address size fault"},
    };
    static const struct {
        unsigned fsc;
        const char *text;
    } others[] = {
        {0x10, "synchronous external abort"},
        {0x11, "synchronous tag check fault"},
        {0x18, "synchronous parity or ECC error"},
        {0x21, "alignment fault"},
        {0x28, "granule protection fault"},
        {0x30, "TLB conflict abort"},
        {0x31, "unsupported atomic hardware update"},
        {0x34, "implementation defined fault (lockdown)"},
        {0x35, "implementation defined fault (unsupported exclusive or atomic)"},
    };

    name[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (fsc >= levels[i].first && fsc < levels[i].first + levels[i].count)
            snprintf(name, 80, "%s, level %d", levels[i].text,
                     levels[i].level + (int)(fsc - levels[i].first));
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (fsc == others[i].fsc)
            snprintf(name, 80, "%s", others[i].text);
    }
}

CASE(esr, all_fault_status_codes)
{
    unsigned named = 0;

    for (unsigned fsc = 0; fsc < 64; fsc++) {
        char name[80];
        fault_name(name, fsc);
        expect_name(esr_fsc_str(fsc), name[0] != '\0' ? name : NULL, fsc);
        named += name[0] != '\0';
    }
    cr_assert_eq(named, 16 + 6 + 5 + 6 + 4 + 9);
    cr_assert_null(esr_fsc_str(64));
    cr_assert_null(esr_fsc_str(~0u));
}

CASE(esr, fault_status_constants)
{
    cr_assert_eq(ESR_FSC_MASK, 0x3f);
    cr_assert_eq(ESR_FSC_ADDRESS, 0x00);
    cr_assert_eq(ESR_FSC_TRANSLATION, 0x04);
    cr_assert_eq(ESR_FSC_ACCESS_FLAG, 0x08);
    cr_assert_eq(ESR_FSC_PERMISSION, 0x0c);
    cr_assert_eq(ESR_FSC_EXTERNAL, 0x10);
    cr_assert_eq(ESR_FSC_EXTERNAL_TTW, 0x14);
    cr_assert_eq(ESR_FSC_ALIGNMENT, 0x21);
}

/* A field is what the bits of the ISS say, whatever stands around them. */
static void expect_data_abort(uint64_t esr)
{
    struct esr_abort abort = esr_decode_abort(esr);
    bool isv = (esr >> 24) & 1;

    cr_assert_eq(abort.isv, isv);
    cr_assert_eq(abort.size, isv ? 1 << ((esr >> 22) & 3) : 0);
    cr_assert_eq(abort.sign_extend, isv && ((esr >> 21) & 1));
    cr_assert_eq(abort.reg, isv ? (esr >> 16) & 31 : 0);
    cr_assert_eq(abort.reg64, isv && ((esr >> 15) & 1));
    cr_assert_eq(abort.acqrel, isv && ((esr >> 14) & 1));
    cr_assert_eq(abort.fnv, (esr >> 10) & 1);
    cr_assert_eq(abort.cm, (esr >> 8) & 1);
    cr_assert_eq(abort.s1ptw, (esr >> 7) & 1);
    cr_assert_eq(abort.write, (esr >> 6) & 1);
    cr_assert_eq(abort.fsc, esr & 63);
}

CASE(esr, data_aborts)
{
    uint64_t seed = 7;
    for (int i = 0; i < 20000; i++) {
        uint64_t iss = prng_next(&seed) & 0x1ffffff;
        expect_data_abort(syndrome(0x24, iss));
        expect_data_abort(syndrome(0x25, iss) | (prng_next(&seed) << 32));
    }
}

CASE(esr, a_known_data_abort)
{
    /* str w5, [x6] to unmapped IPA: ISV, SAS word, SRT 5, WnR, translation fault level 3 */
    struct esr_abort abort = esr_decode_abort(0x93850047);

    cr_assert(abort.isv && abort.write);
    cr_assert_not(abort.reg64 || abort.sign_extend || abort.s1ptw || abort.fnv || abort.cm);
    cr_assert_eq(abort.size, 4);
    cr_assert_eq(abort.reg, 5);
    cr_assert_eq(abort.fsc, 0x07);
}

CASE(esr, instruction_aborts_have_no_access)
{
    struct esr_abort abort = esr_decode_abort(syndrome(0x20, 0x1ffffff));

    cr_assert_not(abort.isv || abort.cm || abort.write || abort.sign_extend || abort.reg64);
    cr_assert_eq(abort.size, 0);
    cr_assert_eq(abort.reg, 0);
    cr_assert(abort.fnv && abort.s1ptw);
    cr_assert_eq(abort.fsc, 0x3f);
    abort = esr_decode_abort(syndrome(0x21, 0x07));
    cr_assert_not(abort.fnv || abort.s1ptw);
    cr_assert_eq(abort.fsc, 0x07);
}

CASE(esr, sysreg_fields)
{
    uint64_t seed = 8;
    for (int i = 0; i < 20000; i++) {
        uint64_t esr = syndrome(0x18, prng_next(&seed) & 0x1ffffff) | (prng_next(&seed) << 32);
        struct esr_sysreg access = esr_decode_sysreg(esr);
        cr_assert_eq(sysreg_op0(access.encoding), (esr >> 20) & 3);
        cr_assert_eq(sysreg_op2(access.encoding), (esr >> 17) & 7);
        cr_assert_eq(sysreg_op1(access.encoding), (esr >> 14) & 7);
        cr_assert_eq(sysreg_crn(access.encoding), (esr >> 10) & 15);
        cr_assert_eq(sysreg_crm(access.encoding), (esr >> 1) & 15);
        cr_assert_eq(access.rt, (esr >> 5) & 31);
        cr_assert_eq(access.read, esr & 1);
        cr_assert_eq(access.encoding, SYSREG((esr >> 20) & 3, (esr >> 14) & 7, (esr >> 10) & 15,
                                             (esr >> 1) & 15, (esr >> 17) & 7));
    }
}

CASE(esr, a_known_sysreg_access)
{
    /* mrs x7, CNTP_CTL_EL0: S3_3_C14_C2_1 */
    struct esr_sysreg access = esr_decode_sysreg(0x6232f8e5);

    cr_assert_eq(access.encoding, SYSREG_CNTP_CTL_EL0);
    cr_assert_eq(access.rt, 7);
    cr_assert(access.read);
}

CASE(esr, sysreg_constants)
{
    /* op0, op1, CRn, CRm, op2 of each name (DDI 0487, D17; IHI 0069, 12.2) */
    cr_assert_eq(SYSREG_ISS_MASK, 0x3ffc1e);
    cr_assert_eq(SYSREG_ACTLR_EL1, 0x320400);
    cr_assert_eq(SYSREG_CNTP_TVAL_EL0, 0x30f804);
    cr_assert_eq(SYSREG_CNTP_CTL_EL0, 0x32f804);
    cr_assert_eq(SYSREG_CNTP_CVAL_EL0, 0x34f804);
    cr_assert_eq(SYSREG_ICC_SGI1R_EL1, 0x3a3016);
    cr_assert_eq(SYSREG_ICC_ASGI1R_EL1, 0x3c3016);
    cr_assert_eq(SYSREG_ICC_SGI0R_EL1, 0x3e3016);
    cr_assert_eq(SYSREG_ICC_SRE_EL1, 0x3a3018);
}

CASE(esr, wfx)
{
    for (unsigned ti = 0; ti < 4; ti++)
        cr_assert_eq((unsigned)esr_decode_wfx(syndrome(0x01, 0x1fffffc | ti)), ti);
    cr_assert_eq(ESR_WFI, 0);
    cr_assert_eq(ESR_WFE, 1);
    cr_assert_eq(ESR_WFIT, 2);
    cr_assert_eq(ESR_WFET, 3);
}

CASE(esr, fault_ipa)
{
    const uint64_t esr = syndrome(0x24, 0x07);
    const uint64_t far = UINT64_C(0xffff800012345678);

    cr_assert_eq(esr_fault_ipa(esr, far, 0x90000), 0x9000678);
    /* FIPA is bits [43:4]: NS (63), RES0 and bits [3:0] take no part. */
    cr_assert_eq(esr_fault_ipa(esr, 0, UINT64_MAX), UINT64_C(0xffffffffff000));
    cr_assert_eq(esr_fault_ipa(esr, far, 0xf), 0x678);
    /* FnV */
    cr_assert_eq(esr_fault_ipa(esr | (1 << 10), far, 0x90000), 0x9000000);
    /* S1PTW: the FAR is what was to be translated, not where the descriptor is. */
    cr_assert_eq(esr_fault_ipa(esr | (1 << 7), far, 0x90000), 0x9000000);
}

CASE(esr, instruction_length)
{
    cr_assert_eq(esr_insn_len(UINT64_C(0x56000000)), 4);
    cr_assert_eq(esr_insn_len(UINT64_C(0x54000000)), 2);
}

/* ISS and the words that follow the name of the class. */
static const struct {
    unsigned ec;
    uint32_t iss;
    const char *detail;
} descriptions[] = {
    {0x00, 0, ""},
    {0x00, 0x12, ": ISS 0x12"},
    {0x01, 0x0, ": WFI"},
    {0x01, 0x1, ": WFE"},
    {0x01, 0x2, ": WFIT"},
    {0x01, 0x87, ": WFET with timeout in x4"},
    {0x01, 0x3e6, ": WFIT with timeout in xzr"},
    {0x01, 0x85, ": WFE"},
    {0x03, 0x1f23a2 | 1, ": MRC r29, opc1 4, CRn 8, CRm 1, opc2 7"},
    {0x05, 0x0e0000, ": MCR r0, opc1 0, CRn 0, CRm 0, opc2 7"},
    {0x08, 0x1c000 | 0x21, ": MRC r1, opc1 7, CRn 0, CRm 0, opc2 0"},
    {0x04, 0xa1444, ": MCRR r2, r5, opc1 10, CRm 2"},
    {0x0c, 0x00001, ": MRRC r0, r0, opc1 0, CRm 0"},
    {0x06, 0x05071, ": LDC, base r3, offset +20"},
    {0x06, 0xff3e0, ": STC, base r31, offset -1020"},
    {0x07, 0, ""},
    {0x09, 0, ""},
    {0x0a, 0, ": ST64BV"},
    {0x0a, 1, ": ST64BV0"},
    {0x0a, 2, ": LD64B or ST64B"},
    {0x0a, 3, ": ISS 0x3"},
    {0x0d, 2, ": BTYPE 2"},
    {0x0e, 0, ""},
    {0x11, 0x12, ": immediate 0x0012"},
    {0x12, 0xffff, ": immediate 0xffff"},
    {0x13, 0, ""},
    {0x13, 0x1e80000, ": ISS 0x1e80000"},
    {0x14, 0x202001, ": read of S2_0_C8_C0_0 to x0 and x1"},
    {0x14, 0x300b80, ": write of S3_0_C2_C0_0 from x28 and x29"},
    {0x14, 0x300bc0, ": write of S3_0_C2_C0_0 from x30 and xzr"},
    {0x15, 0x0, ": immediate 0x0000"},
    {0x16, 0x4a48, ": immediate 0x4a48"},
    {0x17, 0x1, ": immediate 0x0001"},
    {0x18, 0x32f8e5, ": read of S3_3_C14_C2_1 to x7"},
    {0x18, 0x3a33f6, ": write of S3_0_C12_C11_5 from xzr"},
    {0x18, 0x1f3fde | 0x0, ": write of S1_4_C15_C15_7 from x30"},
    {0x19, 0, ""},
    {0x1a, 0, ": ERET"},
    {0x1a, 1, ": ERET"},
    {0x1a, 2, ": ERETAA"},
    {0x1a, 3, ": ERETAB"},
    {0x1b, 0x60, ": destination x3"},
    {0x1c, 0, ": instruction key A"},
    {0x1c, 1, ": instruction key B"},
    {0x1c, 2, ": data key A"},
    {0x1c, 3, ": data key B"},
    {0x1d, 0, ": access trapped"},
    {0x1d, 1, ": illegal in Streaming SVE mode"},
    {0x1d, 2, ": illegal outside Streaming SVE mode"},
    {0x1d, 3, ": ZA is inactive"},
    {0x1d, 4, ": ZT0 access trapped"},
    {0x1d, 5, ": reserved SMTC 5"},
    {0x1e, 0x028, ": granule protection fault, GPCSC 0x00, data"},
    {0x1e, 0x1fc025,
     ": granule protection fault on a table walk, level 1, GPCSC 0x3f, instruction"},
    {0x1f, 0x5, ": ISS 0x5"},
    {0x20, 0x06, ": translation fault, level 2"},
    {0x21, 0x490, ": synchronous external abort, on a stage-1 table walk, FAR not valid"},
    {0x20, 0x3f, ": reserved fault status code 0x3f"},
    {0x22, 0, ""},
    {0x24, 0x1830046, ": translation fault, level 2, write of 4 bytes from w3"},
    {0x24, 0x1c3804f, ": permission fault, level 3, write of 8 bytes from x3"},
    {0x24, 0x1008007, ": translation fault, level 3, read of 1 byte to x0"},
    {0x25, 0x17fc007,
     ": translation fault, level 3, read of 2 bytes to xzr, sign-extended, acquire/release"},
    {0x24, 0x19f0047, ": translation fault, level 3, write of 4 bytes from wzr"},
    {0x24, 0x004f, ": permission fault, level 3, write"},
    {0x24, 0x0005, ": translation fault, level 1, read"},
    {0x24, 0x0145, ": translation fault, level 1, cache maintenance or address translation"},
    {0x25, 0x0410, ": synchronous external abort, read, FAR not valid"},
    {0x24, 0x0087, ": translation fault, level 3, read, on a stage-1 table walk"},
    {0x25, 0x0061, ": alignment fault, write"},
    {0x25, 0x0036, ": reserved fault status code 0x36, read"},
    {0x26, 0, ""},
    {0x27, 0x0003 | 2 << 5 | 1 << 10, ": copy, Rd x1, Rs x2, Rn x3"},
    {0x27, 0x1000003 | 2 << 5 | 1 << 10, ": set, Rd x1, Rs x2, Rn x3"},
    {0x28, 0x1f, ""},
    {0x28, 0x800001, ": invalid operation"},
    {0x2c, 0x80009f,
     ": invalid operation, divide by zero, overflow, underflow, inexact, input denormal"},
    {0x2c, 0x800000, ""},
    {0x2d, 0x3, ": ISS 0x3"},
    {0x2f, 0x0, ": uncategorized"},
    {0x2f, 0x1000abc, ": implementation defined syndrome 0xabc"},
    {0x2f, 0x0c11, ": asynchronous, AET 3"},
    {0x2f, 0x0211, ": asynchronous, AET 0, external abort type 1"},
    {0x2f, 0x0012, ": reserved fault status code 0x12"},
    {0x30, 0x22, ": ISS 0x22"},
    {0x31, 0, ""},
    {0x32, 0x22, ""},
    {0x32, 0x62, ""},
    {0x33, 0x1000062, ": after a load-exclusive"},
    {0x33, 0x1000022, ""},
    {0x34, 0x0e0062, ": number 3, write"},
    {0x35, 0x0022, ", read"},
    {0x35, 0x0562, ", cache maintenance, FAR not valid"},
    {0x38, 0xab, ": immediate 0x00ab"},
    {0x3a, 0x22, ": ISS 0x22"},
    {0x3c, 0xf000, ": immediate 0xf000"},
    {0x3d, 0, ": asynchronous"},
    {0x3d, 1, ": synchronous"},
};

CASE(esr, descriptions)
{
    unsigned long long seen = 0;

    for (size_t i = 0; i < ARRAY_LEN(descriptions); i++) {
        unsigned ec = descriptions[i].ec;
        char expect[ESR_DESCRIBE_MAX];
        char got[ESR_DESCRIBE_MAX];
        snprintf(expect, sizeof(expect), "%s%s", class_name(ec), descriptions[i].detail);
        cr_assert_eq(esr_describe(syndrome(ec, descriptions[i].iss), got, sizeof(got)), got);
        cr_assert_str_eq(got, expect, "class 0x%02x ISS 0x%x: [%s]", ec, descriptions[i].iss, got);
        seen |= 1ull << ec;
    }
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        cr_assert((seen >> classes[i].ec) & 1, "class 0x%02x has no case", classes[i].ec);
}

CASE(esr, undefined_classes_are_numbers)
{
    for (unsigned ec = 0; ec < 64; ec++) {
        char expect[ESR_DESCRIBE_MAX];
        char got[ESR_DESCRIBE_MAX];
        if (class_name(ec) != NULL)
            continue;
        snprintf(expect, sizeof(expect), "undefined exception class 0x%02x: ISS 0x1abcdef", ec);
        cr_assert_str_eq(esr_describe(syndrome(ec, 0x1abcdef), got, sizeof(got)), expect);
        snprintf(expect, sizeof(expect), "undefined exception class 0x%02x", ec);
        cr_assert_str_eq(esr_describe(syndrome(ec, 0), got, sizeof(got)), expect);
    }
}

/* Any syndrome in any buffer: the beginning of the whole text, terminated, printable, within the
 * announced length. */
CASE(esr, random_descriptions_fit)
{
    uint64_t seed = 9;
    for (int i = 0; i < 50000; i++) {
        uint64_t esr = prng_next(&seed);
        char full[512];
        char cut[512];
        size_t size = prng_next(&seed) % ESR_DESCRIBE_MAX;
        esr_describe(esr, full, sizeof(full));
        cr_assert_lt(strlen(full), ESR_DESCRIBE_MAX);
        for (const char *c = full; *c != '\0'; c++)
            cr_assert(*c >= 0x20 && *c <= 0x7e);
        memset(cut, '#', sizeof(cut));
        cr_assert_eq(esr_describe(esr, cut, size), cut);
        for (size_t n = size; n < sizeof(cut); n++)
            cr_assert_eq(cut[n], '#');
        if (size == 0)
            continue;
        size_t shown = strlen(full) < size - 1 ? strlen(full) : size - 1;
        cr_assert_eq(strlen(cut), shown);
        cr_assert_eq(memcmp(cut, full, shown), 0);
    }
}

CASES_RUN(esr, NULL, NULL)
