/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Syndromes in words, for reports. Field layouts: Arm ARM DDI 0487, D17.2.37 and D17.2.38, "ISS
 * encoding for ...". */
#include "arch/esr.h"
#include "arch/sysreg.h"
#include "base/fmt.h"
#include <stdarg.h>

struct text {
    char *buf;
    size_t size;
    size_t len; /* < size, unless both are 0 */
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *format,
                                                           ...)
{
    va_list args;

    va_start(args, format);
    size_t room = text->size - text->len;
    size_t len = (size_t)fmt_vsnprintf(text->buf + text->len, room, format, args);
    va_end(args);
    if (room > 0)
        text->len += len < room ? len : room - 1;
}

/* A general-purpose register of AArch64 in a field of 5 bits. */
static void add_register(struct text *text, unsigned reg, bool wide)
{
    if (reg == 31)
        text_add(text, "%s", wide ? "xzr" : "wzr");
    else
        text_add(text, "%c%u", wide ? 'x' : 'w', reg);
}

static unsigned field(uint64_t esr, unsigned hi, unsigned lo)
{
    return (unsigned)bits_get(esr, hi, lo);
}

static void add_fsc(struct text *text, unsigned fsc)
{
    const char *name = esr_fsc_str(fsc);

    if (name != NULL)
        text_add(text, ": %s", name);
    else
        text_add(text, ": reserved fault status code 0x%02x", fsc);
}

static void describe_wfx(struct text *text, uint64_t esr)
{
    static const char *const names[] = {"WFI", "WFE", "WFIT", "WFET"};
    enum esr_wfx kind = esr_decode_wfx(esr);

    text_add(text, ": %s", names[kind]);
    /* The register with the timeout: RN, valid if RV is set. */
    if (kind >= ESR_WFIT && (esr & BIT(2)) != 0) {
        text_add(text, " with timeout in ");
        add_register(text, field(esr, 9, 5), true);
    }
}

static void describe_mcr(struct text *text, uint64_t esr)
{
    text_add(text, ": %s r%u, opc1 %u, CRn %u, CRm %u, opc2 %u", (esr & 1) != 0 ? "MRC" : "MCR",
             field(esr, 9, 5), field(esr, 16, 14), field(esr, 13, 10), field(esr, 4, 1),
             field(esr, 19, 17));
}

static void describe_mcrr(struct text *text, uint64_t esr)
{
    text_add(text, ": %s r%u, r%u, opc1 %u, CRm %u", (esr & 1) != 0 ? "MRRC" : "MCRR",
             field(esr, 9, 5), field(esr, 14, 10), field(esr, 19, 16), field(esr, 4, 1));
}

static void describe_ldc(struct text *text, uint64_t esr)
{
    text_add(text, ": %s, base r%u, offset %c%u", (esr & 1) != 0 ? "LDC" : "STC", field(esr, 9, 5),
             (esr & BIT(4)) != 0 ? '+' : '-', field(esr, 19, 12) * 4);
}

static void describe_ls64(struct text *text, uint64_t esr)
{
    unsigned iss = field(esr, 24, 0);

    if (iss == 0)
        text_add(text, ": ST64BV");
    else if (iss == 1)
        text_add(text, ": ST64BV0");
    else if (iss == 2)
        text_add(text, ": LD64B or ST64B");
    else
        text_add(text, ": ISS 0x%x", iss);
}

static void describe_bti(struct text *text, uint64_t esr)
{
    text_add(text, ": BTYPE %u", field(esr, 1, 0));
}

static void describe_imm16(struct text *text, uint64_t esr)
{
    text_add(text, ": immediate 0x%04x", field(esr, 15, 0));
}

static void add_sysreg(struct text *text, uint32_t encoding)
{
    text_add(text, "S%u_%u_C%u_C%u_%u", sysreg_op0(encoding), sysreg_op1(encoding),
             sysreg_crn(encoding), sysreg_crm(encoding), sysreg_op2(encoding));
}

static void describe_sysreg(struct text *text, uint64_t esr)
{
    struct esr_sysreg access = esr_decode_sysreg(esr);

    text_add(text, ": %s of ", access.read ? "read" : "write");
    add_sysreg(text, access.encoding);
    text_add(text, " %s ", access.read ? "to" : "from");
    add_register(text, access.rt, true);
}

/* Rt is the even one of a pair of registers, ISS[9:6] without its lowest bit. */
static void describe_sysreg128(struct text *text, uint64_t esr)
{
    struct esr_sysreg access = esr_decode_sysreg(esr);
    unsigned rt = field(esr, 9, 6) * 2;

    text_add(text, ": %s of ", access.read ? "read" : "write");
    add_sysreg(text, access.encoding);
    text_add(text, " %s ", access.read ? "to" : "from");
    add_register(text, rt, true);
    text_add(text, " and ");
    add_register(text, rt + 1, true);
}

static void describe_eret(struct text *text, uint64_t esr)
{
    static const char *const names[] = {"ERET", "ERET", "ERETAA", "ERETAB"};

    text_add(text, ": %s", names[field(esr, 1, 0)]);
}

static void describe_tstart(struct text *text, uint64_t esr)
{
    text_add(text, ": destination ");
    add_register(text, field(esr, 9, 5), true);
}

static void describe_pac_fail(struct text *text, uint64_t esr)
{
    text_add(text, ": %s key %c", (esr & BIT(1)) != 0 ? "data" : "instruction",
             (esr & BIT(0)) != 0 ? 'B' : 'A');
}

static void describe_sme(struct text *text, uint64_t esr)
{
    static const char *const reasons[] = {
        "access trapped",
        "illegal in Streaming SVE mode",
        "illegal outside Streaming SVE mode",
        "ZA is inactive",
        "ZT0 access trapped",
    };
    unsigned smtc = field(esr, 2, 0);

    if (smtc < ARRAY_LEN(reasons))
        text_add(text, ": %s", reasons[smtc]);
    else
        text_add(text, ": reserved SMTC %u", smtc);
}

/* What aborts of all kinds have in common after the access. */
static void add_abort_flags(struct text *text, const struct esr_abort *abort)
{
    if (abort->s1ptw)
        text_add(text, ", on a stage-1 table walk");
    if (abort->fnv)
        text_add(text, ", FAR not valid");
}

static void describe_iabt(struct text *text, uint64_t esr)
{
    struct esr_abort abort = esr_decode_abort(esr);

    add_fsc(text, abort.fsc);
    add_abort_flags(text, &abort);
}

static void describe_dabt(struct text *text, uint64_t esr)
{
    struct esr_abort abort = esr_decode_abort(esr);

    add_fsc(text, abort.fsc);
    /* WnR always reads 1 for these instructions: it tells nothing. */
    if (abort.cm)
        text_add(text, ", cache maintenance or address translation");
    else
        text_add(text, ", %s", abort.write ? "write" : "read");
    if (abort.isv) {
        text_add(text, " of %u byte%s", abort.size, abort.size == 1 ? "" : "s");
        text_add(text, " %s ", abort.write ? "from" : "to");
        add_register(text, abort.reg, abort.reg64);
        text_add(text, "%s%s", abort.sign_extend ? ", sign-extended" : "",
                 abort.acqrel ? ", acquire/release" : "");
    }
    add_abort_flags(text, &abort);
}

static void describe_gpc(struct text *text, uint64_t esr)
{
    add_fsc(text, field(esr, 5, 0));
    text_add(text, ", GPCSC 0x%02x, %s", field(esr, 19, 14),
             (esr & BIT(20)) != 0 ? "instruction" : "data");
}

static void describe_mops(struct text *text, uint64_t esr)
{
    text_add(text, ": %s, Rd x%u, Rs x%u, Rn x%u", (esr & BIT(24)) != 0 ? "set" : "copy",
             field(esr, 14, 10), field(esr, 9, 5), field(esr, 4, 0));
}

static void describe_fp(struct text *text, uint64_t esr)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } flags[] = {
        {0, "invalid operation"}, {1, "divide by zero"}, {2, "overflow"},
        {3, "underflow"},         {4, "inexact"},        {7, "input denormal"},
    };
    const char *separator = ": ";

    /* TFV: the flags below hold valid information. */
    if ((esr & BIT(23)) == 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if ((esr & BIT(flags[i].bit)) == 0)
            continue;
        text_add(text, "%s%s", separator, flags[i].name);
        separator = ", ";
    }
}

static void describe_serror(struct text *text, uint64_t esr)
{
    unsigned fsc = field(esr, 5, 0);

    if ((esr & BIT(24)) != 0)
        text_add(text, ": implementation defined syndrome 0x%x", field(esr, 23, 0));
    else if (fsc == 0)
        text_add(text, ": uncategorized");
    else if (fsc == 0x11)
        text_add(text, ": asynchronous, AET %u%s", field(esr, 12, 10),
                 (esr & BIT(9)) != 0 ? ", external abort type 1" : "");
    else
        text_add(text, ": reserved fault status code 0x%02x", fsc);
}

static void describe_step(struct text *text, uint64_t esr)
{
    if ((esr & BIT(24)) != 0 && (esr & BIT(6)) != 0)
        text_add(text, ": after a load-exclusive");
}

static void describe_watchpoint(struct text *text, uint64_t esr)
{
    if ((esr & BIT(17)) != 0)
        text_add(text, ": number %u", field(esr, 23, 18));
    if ((esr & BIT(8)) != 0)
        text_add(text, ", cache maintenance");
    else
        text_add(text, ", %s", (esr & BIT(6)) != 0 ? "write" : "read");
    if ((esr & BIT(10)) != 0)
        text_add(text, ", FAR not valid");
}

static void describe_pmu(struct text *text, uint64_t esr)
{
    text_add(text, ": %s", (esr & BIT(0)) != 0 ? "synchronous" : "asynchronous");
}

/* A class without a row has an ISS of no fields, or of fields that only a number can tell. */
static void (*const describe_iss[ESR_EC_COUNT])(struct text *text, uint64_t esr) = {
    [ESR_EC_WFX] = describe_wfx,
    [ESR_EC_CP15_RT] = describe_mcr,
    [ESR_EC_CP15_RRT] = describe_mcrr,
    [ESR_EC_CP14_RT] = describe_mcr,
    [ESR_EC_CP14_LS] = describe_ldc,
    [ESR_EC_CP10_ID] = describe_mcr,
    [ESR_EC_LS64] = describe_ls64,
    [ESR_EC_CP14_RRT] = describe_mcrr,
    [ESR_EC_BTI] = describe_bti,
    [ESR_EC_SVC32] = describe_imm16,
    [ESR_EC_HVC32] = describe_imm16,
    [ESR_EC_SYSREG128] = describe_sysreg128,
    [ESR_EC_SVC64] = describe_imm16,
    [ESR_EC_HVC64] = describe_imm16,
    [ESR_EC_SMC64] = describe_imm16,
    [ESR_EC_SYSREG] = describe_sysreg,
    [ESR_EC_ERET] = describe_eret,
    [ESR_EC_TSTART] = describe_tstart,
    [ESR_EC_PAC_FAIL] = describe_pac_fail,
    [ESR_EC_SME] = describe_sme,
    [ESR_EC_GPC] = describe_gpc,
    [ESR_EC_IABT_LOWER] = describe_iabt,
    [ESR_EC_IABT_SAME] = describe_iabt,
    [ESR_EC_DABT_LOWER] = describe_dabt,
    [ESR_EC_DABT_SAME] = describe_dabt,
    [ESR_EC_MOPS] = describe_mops,
    [ESR_EC_FP_TRAP32] = describe_fp,
    [ESR_EC_FP_TRAP64] = describe_fp,
    [ESR_EC_SERROR] = describe_serror,
    [ESR_EC_STEP_LOWER] = describe_step,
    [ESR_EC_STEP_SAME] = describe_step,
    [ESR_EC_WATCH_LOWER] = describe_watchpoint,
    [ESR_EC_WATCH_SAME] = describe_watchpoint,
    [ESR_EC_BKPT32] = describe_imm16,
    [ESR_EC_BRK64] = describe_imm16,
    [ESR_EC_PMU] = describe_pmu,
};

const char *esr_describe(uint64_t esr, char *buf, size_t size)
{
    struct text text = {.buf = buf, .size = size, .len = 0};
    unsigned ec = esr_ec(esr);
    const char *name = esr_ec_str(ec);

    if (name != NULL)
        text_add(&text, "%s", name);
    else
        text_add(&text, "undefined exception class 0x%02x", ec);
    if (describe_iss[ec] != NULL)
        describe_iss[ec](&text, esr);
    else if ((esr & ESR_ISS_MASK) != 0)
        text_add(&text, ": ISS 0x%x", field(esr, 24, 0));
    return buf;
}
