/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Exception syndromes (Arm ARM DDI 0487, D17.2.37 ESR_EL1 and D17.2.38 ESR_EL2). */
#ifndef ARCH_ESR_H
#define ARCH_ESR_H

#include "arch/sysreg.h"
#include "base/bits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ESR_EC_SHIFT 26u
#define ESR_IL       BIT(25)
#define ESR_ISS_MASK BITS(24, 0)

/* Every exception class that the architecture defines for AArch64 state, and for AArch32 state
 * below EL2. */
enum esr_ec {
    ESR_EC_UNKNOWN = 0x00,
    ESR_EC_WFX = 0x01,
    ESR_EC_CP15_RT = 0x03,
    ESR_EC_CP15_RRT = 0x04,
    ESR_EC_CP14_RT = 0x05,
    ESR_EC_CP14_LS = 0x06,
    ESR_EC_FP_ASIMD = 0x07,
    ESR_EC_CP10_ID = 0x08,
    ESR_EC_PAUTH = 0x09,
    ESR_EC_LS64 = 0x0a,
    ESR_EC_CP14_RRT = 0x0c,
    ESR_EC_BTI = 0x0d,
    ESR_EC_ILLEGAL_STATE = 0x0e,
    ESR_EC_SVC32 = 0x11,
    ESR_EC_HVC32 = 0x12,
    ESR_EC_SMC32 = 0x13,
    ESR_EC_SYSREG128 = 0x14,
    ESR_EC_SVC64 = 0x15,
    ESR_EC_HVC64 = 0x16,
    ESR_EC_SMC64 = 0x17,
    ESR_EC_SYSREG = 0x18,
    ESR_EC_SVE = 0x19,
    ESR_EC_ERET = 0x1a,
    ESR_EC_TSTART = 0x1b,
    ESR_EC_PAC_FAIL = 0x1c,
    ESR_EC_SME = 0x1d,
    ESR_EC_GPC = 0x1e,
    ESR_EC_IMPDEF_EL3 = 0x1f,
    ESR_EC_IABT_LOWER = 0x20,
    ESR_EC_IABT_SAME = 0x21,
    ESR_EC_PC_ALIGN = 0x22,
    ESR_EC_DABT_LOWER = 0x24,
    ESR_EC_DABT_SAME = 0x25,
    ESR_EC_SP_ALIGN = 0x26,
    ESR_EC_MOPS = 0x27,
    ESR_EC_FP_TRAP32 = 0x28,
    ESR_EC_FP_TRAP64 = 0x2c,
    ESR_EC_GCS = 0x2d,
    ESR_EC_SERROR = 0x2f,
    ESR_EC_BRK_LOWER = 0x30,
    ESR_EC_BRK_SAME = 0x31,
    ESR_EC_STEP_LOWER = 0x32,
    ESR_EC_STEP_SAME = 0x33,
    ESR_EC_WATCH_LOWER = 0x34,
    ESR_EC_WATCH_SAME = 0x35,
    ESR_EC_BKPT32 = 0x38,
    ESR_EC_VECTOR32 = 0x3a,
    ESR_EC_BRK64 = 0x3c,
    ESR_EC_PMU = 0x3d,
    ESR_EC_COUNT = 0x40, /* size of a table over all 6-bit classes */
};

static inline unsigned esr_ec(uint64_t esr)
{
    return (unsigned)bits_get(esr, 31, 26);
}

/* Name and meaning of a class; NULL for a class that the architecture does not define. */
const char *esr_ec_str(unsigned ec);

/* Fault status codes, DFSC and IFSC: bits [5:0] of an abort's ISS. The low two bits are the level
 * where there is one. */
#define ESR_FSC_MASK         BITS(5, 0)
#define ESR_FSC_ADDRESS      0x00u
#define ESR_FSC_TRANSLATION  0x04u
#define ESR_FSC_ACCESS_FLAG  0x08u
#define ESR_FSC_PERMISSION   0x0cu
#define ESR_FSC_EXTERNAL     0x10u /* synchronous external abort, not on a walk */
#define ESR_FSC_EXTERNAL_TTW 0x14u /* synchronous external abort on a walk; low bits: level */
#define ESR_FSC_ALIGNMENT    0x21u

/* Name of a fault status code; NULL for a reserved one. */
const char *esr_fsc_str(unsigned fsc);

/* The ISS of a data or instruction abort, decoded. */
struct esr_abort {
    bool isv;     /* the fields down to `acqrel` are valid */
    uint8_t size; /* bytes: 1, 2, 4, 8 (SAS) */
    bool sign_extend;
    uint8_t reg; /* SRT: 31 is XZR */
    bool reg64;  /* SF: the register is 64 bits wide */
    bool acqrel;
    bool fnv;   /* FAR is not valid */
    bool cm;    /* cache maintenance or address translation instruction */
    bool s1ptw; /* stage-2 fault on a stage-1 table walk */
    bool write; /* WnR; false for an instruction abort */
    uint8_t fsc;
};

/*
 * Decodes the ISS of EC 0x20, 0x21, 0x24 and 0x25. For an instruction abort isv, cm and write are
 * false. Without isv, the fields that it covers are 0. If cm is true, write is so too, and does not
 * mean a write.
 */
static inline struct esr_abort esr_decode_abort(uint64_t esr)
{
    /* EC bit 2 tells data aborts from instruction aborts, which have none of isv, cm and WnR. */
    bool data = (esr & BIT(28)) != 0;
    bool isv = data && (esr & BIT(24)) != 0;

    /* Without ISV, its bits are RES0 or mean something else (FEAT_LS64 and FEAT_RAS). */
    return (struct esr_abort){
        .isv = isv,
        .size = (uint8_t)(isv ? 1u << bits_get(esr, 23, 22) : 0),
        .sign_extend = isv && (esr & BIT(21)) != 0,
        .reg = (uint8_t)(isv ? bits_get(esr, 20, 16) : 0),
        .reg64 = isv && (esr & BIT(15)) != 0,
        .acqrel = isv && (esr & BIT(14)) != 0,
        .fnv = (esr & BIT(10)) != 0,
        .cm = data && (esr & BIT(8)) != 0,
        .s1ptw = (esr & BIT(7)) != 0,
        .write = data && (esr & BIT(6)) != 0,
        .fsc = (uint8_t)(esr & ESR_FSC_MASK),
    };
}

/* The ISS of a trapped MSR, MRS or System instruction (EC 0x18). */
struct esr_sysreg {
    uint32_t encoding; /* as SYSREG() of arch/sysreg.h makes it */
    uint8_t rt;
    bool read; /* MRS */
};

static inline struct esr_sysreg esr_decode_sysreg(uint64_t esr)
{
    return (struct esr_sysreg){
        .encoding = (uint32_t)esr & SYSREG_ISS_MASK,
        .rt = (uint8_t)bits_get(esr, 9, 5),
        .read = (esr & BIT(0)) != 0,
    };
}

/* ISS.TI of EC 0x01. */
enum esr_wfx { ESR_WFI = 0, ESR_WFE = 1, ESR_WFIT = 2, ESR_WFET = 3 };

static inline enum esr_wfx esr_decode_wfx(uint64_t esr)
{
    return (enum esr_wfx)bits_get(esr, 1, 0);
}

/*
 * The faulting IPA of a stage-2 abort: HPFAR_EL2.FIPA with the page offset of FAR_EL2 (D17.2.66).
 * Bits [11:0] are 0 if the FAR is not valid, and for a fault on a stage-1 table walk: there the FAR
 * is not the address of the descriptor.
 */
static inline uint64_t esr_fault_ipa(uint64_t esr, uint64_t far, uint64_t hpfar)
{
    /* FIPA is HPFAR_EL2[43:4] and holds IPA[51:12]. */
    uint64_t page = bits_get(hpfar, 43, 4) << 12;
    bool offset_known = (esr & (BIT(10) | BIT(7))) == 0;

    return offset_known ? page | (far & BITS(11, 0)) : page;
}

/*
 * True if HPFAR_EL2 holds an address: for a stage-2 address size, translation or access flag fault,
 * and for any stage-2 fault on a stage-1 table walk (D17.2.66). esr: of an abort.
 */
static inline bool esr_hpfar_valid(uint64_t esr)
{
    unsigned type = (unsigned)(esr & ESR_FSC_MASK) & ~3u;

    return type < ESR_FSC_PERMISSION || (type == ESR_FSC_PERMISSION && (esr & BIT(7)) != 0);
}

/* The instruction's length by ESR.IL: 4 or 2 bytes. */
static inline unsigned esr_insn_len(uint64_t esr)
{
    return (esr & ESR_IL) != 0 ? 4 : 2;
}

/*
 * Writes the syndrome in words ("data abort from a lower EL: translation fault, level 2, write of 4
 * bytes from x3"), for reports. An undefined class or code is named with its number, never guessed.
 * Returns `buf`, terminated unless size is 0; the longest text is below ESR_DESCRIBE_MAX bytes, and
 * is cut if the buffer is shorter.
 */
#define ESR_DESCRIBE_MAX 256u
const char *esr_describe(uint64_t esr, char *buf, size_t size);

#endif
