/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Encodings of System registers in the layout of the ISS of EC 0x18 (Arm ARM DDI 0487, D17.2.37),
 * without Rt and direction. */
#ifndef ARCH_SYSREG_H
#define ARCH_SYSREG_H

#include "base/bits.h"

#define SYSREG(op0, op1, crn, crm, op2)                                                            \
    (((uint32_t)(op0) << 20) | ((uint32_t)(op2) << 17) | ((uint32_t)(op1) << 14) |                 \
     ((uint32_t)(crn) << 10) | ((uint32_t)(crm) << 1))
/* The bits of the ISS that make up the encoding. */
#define SYSREG_ISS_MASK UINT32_C(0x3ffc1e)

static inline unsigned sysreg_op0(uint32_t enc)
{
    return (enc >> 20) & 3u;
}

static inline unsigned sysreg_op2(uint32_t enc)
{
    return (enc >> 17) & 7u;
}

static inline unsigned sysreg_op1(uint32_t enc)
{
    return (enc >> 14) & 7u;
}

static inline unsigned sysreg_crn(uint32_t enc)
{
    return (enc >> 10) & 15u;
}

static inline unsigned sysreg_crm(uint32_t enc)
{
    return (enc >> 1) & 15u;
}

#define SYSREG_ACTLR_EL1      SYSREG(3, 0, 1, 0, 1)
#define SYSREG_CNTP_TVAL_EL0  SYSREG(3, 3, 14, 2, 0)
#define SYSREG_CNTP_CTL_EL0   SYSREG(3, 3, 14, 2, 1)
#define SYSREG_CNTP_CVAL_EL0  SYSREG(3, 3, 14, 2, 2)
#define SYSREG_ICC_DIR_EL1    SYSREG(3, 0, 12, 11, 1)
#define SYSREG_ICC_SGI1R_EL1  SYSREG(3, 0, 12, 11, 5)
#define SYSREG_ICC_ASGI1R_EL1 SYSREG(3, 0, 12, 11, 6)
#define SYSREG_ICC_SGI0R_EL1  SYSREG(3, 0, 12, 11, 7)
#define SYSREG_ICC_SRE_EL1    SYSREG(3, 0, 12, 12, 5)

#endif
