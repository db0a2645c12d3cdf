/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A virtual CPU interface for unit tests: its registers and list registers in numbers of IHI 0069.
 */
#ifndef TESTS_VCPUIF_FIXTURE_H
#define TESTS_VCPUIF_FIXTURE_H

#include "cases.h"
#include "hal-sim/vcpuif.h"
#include <stdint.h>

/* op0 3, op1 0: CRn, CRm, op2 where the ISS of EC 0x18 has them. */
#define ENC(crn, crm, op2) (3u << 20 | (op2) << 17 | (crn) << 10 | (crm) << 1)
#define PMR                ENC(4u, 6u, 0u)
#define IAR0               ENC(12u, 8u, 0u)
#define EOIR0              ENC(12u, 8u, 1u)
#define HPPIR0             ENC(12u, 8u, 2u)
#define BPR0               ENC(12u, 8u, 3u)
#define AP0R(n)            ENC(12u, 8u, 4u + (n))
#define AP1R(n)            ENC(12u, 9u, (n))
#define DIR                ENC(12u, 11u, 1u)
#define RPR                ENC(12u, 11u, 3u)
#define SGI1R              ENC(12u, 11u, 5u)
#define ASGI1R             ENC(12u, 11u, 6u)
#define SGI0R              ENC(12u, 11u, 7u)
#define IAR1               ENC(12u, 12u, 0u)
#define EOIR1              ENC(12u, 12u, 1u)
#define HPPIR1             ENC(12u, 12u, 2u)
#define BPR1               ENC(12u, 12u, 3u)
#define CTLR               ENC(12u, 12u, 4u)
#define SRE                ENC(12u, 12u, 5u)
#define IGRPEN0            ENC(12u, 12u, 6u)
#define IGRPEN1            ENC(12u, 12u, 7u)

#define PEND      UINT64_C(0x4000000000000000)
#define ACT       UINT64_C(0x8000000000000000)
#define HW        UINT64_C(0x2000000000000000)
#define G1        UINT64_C(0x1000000000000000)
#define EOI       UINT64_C(0x0000020000000000)
#define PRIO(p)   ((uint64_t)(p) << 48)
#define PINTID(p) ((uint64_t)(p) << 32)

static struct arch_vcpu_gic gic;
static struct vcpuif_effect effect;

/* On, both groups enabled, nothing masked, binary points at their least. */
static inline void setup(void)
{
    gic = (struct arch_vcpu_gic){.vmcr = 0xf84c000b, .hcr = 1};
    effect.deactivate = 0;
}

static inline uint64_t rd(uint32_t enc)
{
    uint64_t value = 0x5a5a;
    cr_assert(vcpuif_read(&gic, enc, &value, &effect), "read of %#x", enc);
    cr_assert_eq(effect.deactivate, 0xffffffff);
    return value;
}

/* Returns the physical INTID that it deactivated. */
static inline uint32_t wr(uint32_t enc, uint64_t value)
{
    cr_assert(vcpuif_write(&gic, enc, value, &effect), "write of %#x", enc);
    return effect.deactivate;
}

#endif
