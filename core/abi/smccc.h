/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* SMC Calling Convention (DEN 0028, 1.1 and later). */
#ifndef ABI_SMCCC_H
#define ABI_SMCCC_H

#include <stdint.h>

#define SMCCC_FAST        UINT32_C(0x80000000)
#define SMCCC_64          UINT32_C(0x40000000)
#define SMCCC_OWNER_SHIFT 24u
#define SMCCC_OWNER(fid)  (((fid) >> SMCCC_OWNER_SHIFT) & 0x3fu)

#define SMCCC_OWNER_ARCH     0u
#define SMCCC_OWNER_STANDARD 4u
#define SMCCC_OWNER_VENDOR   6u

#define SMCCC_VERSION       UINT32_C(0x80000000)
#define SMCCC_ARCH_FEATURES UINT32_C(0x80000001)

#define SMCCC_VERSION_1_1 UINT32_C(0x10001)

#define SMCCC_SUCCESS       INT64_C(0)
#define SMCCC_NOT_SUPPORTED INT64_C(-1)

/* Arguments and results of a call: x0 is the function identifier, then the first result. */
struct smc_regs {
    uint64_t x[18];
};

#endif
