/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Arm True Random Number Generator Firmware Interface (DEN 0098, 1.0). */
#ifndef ABI_TRNG_H
#define ABI_TRNG_H

#include <stdint.h>

#define TRNG_VERSION  UINT32_C(0x84000050)
#define TRNG_FEATURES UINT32_C(0x84000051)
#define TRNG_RND_64   UINT32_C(0xc4000053)

#define TRNG_VERSION_1_0 UINT32_C(0x10000)

/* Of one call of TRNG_RND_64: x1 has bits 191:128, x2 bits 127:64, x3 bits 63:0. */
#define TRNG_BITS_MAX 192u

#define TRNG_SUCCESS            INT64_C(0)
#define TRNG_NOT_SUPPORTED      INT64_C(-1)
#define TRNG_INVALID_PARAMETERS INT64_C(-2)
#define TRNG_NO_ENTROPY         INT64_C(-3)

#endif
