/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* PSTATE as SPSR_ELx holds it (Arm ARM DDI 0487, C5.2.19). */
#ifndef ARCH_PSTATE_H
#define ARCH_PSTATE_H

#include "base/bits.h"

#define PSTATE_SP     BIT(0)
#define PSTATE_EL(n)  ((uint64_t)(n) << 2)
#define PSTATE_M_EL0T UINT64_C(0x0)
#define PSTATE_M_EL1T UINT64_C(0x4)
#define PSTATE_M_EL1H UINT64_C(0x5)
#define PSTATE_M_MASK UINT64_C(0x1f) /* M[4:0]; M[4] is AArch32 */
#define PSTATE_NRW    BIT(4)
#define PSTATE_F      BIT(6)
#define PSTATE_I      BIT(7)
#define PSTATE_A      BIT(8)
#define PSTATE_D      BIT(9)
#define PSTATE_E      BIT(9) /* AArch32: data accesses are big-endian */
#define PSTATE_DAIF   (PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F)
#define PSTATE_BTYPE  BITS(11, 10)
#define PSTATE_SSBS   BIT(12)
#define PSTATE_IL     BIT(20)
#define PSTATE_SS     BIT(21)
#define PSTATE_PAN    BIT(22)
#define PSTATE_UAO    BIT(23)
#define PSTATE_DIT    BIT(24)
#define PSTATE_TCO    BIT(25)
#define PSTATE_NZCV   BITS(31, 28)

#endif
