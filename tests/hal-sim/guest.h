/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A guest of a few words of A64 behind a stage 2 that is written here by hand, from the Arm ARM
 * (DDI 0487) and not with core's code. To be used on a CPU of hal-sim, after hal_init().
 */
#ifndef TESTS_HAL_SIM_GUEST_H
#define TESTS_HAL_SIM_GUEST_H

#include "hal-sim/machine.h"
#include "hal/hal.h"

#define RIG_RAM MIB(16)

/* The platform of a machine with that much RAM. */
struct hal_platform rig_platform(unsigned nr_cpus);

/* IPA and PA are the same; 2 MiB of RAM are mapped, by pages. */

#define GUEST_AT   UINT64_C(0x40800000)
#define GUEST_SIZE MIB(2)
#define CODE       GUEST_AT              /* where a guest starts */
#define VECTORS    (GUEST_AT + 0x2000u)  /* slot n: HVC #(0x100 + n); ERET */
#define DATA       (GUEST_AT + 0x4000u)  /* a page of zeroes */
#define ALIAS      UINT64_C(0x100000)    /* what stage 1 maps twice: VA + ALIAS is the page at VA */
#define HOLE       UINT64_C(0x60000abc0) /* an IPA that is not mapped */

/* Exception classes (D17.2.37). */
#define EC_UNKNOWN   0x00u
#define EC_WFX       0x01u
#define EC_FP        0x07u
#define EC_SVC64     0x15u
#define EC_HVC64     0x16u
#define EC_SMC64     0x17u
#define EC_SYSREG    0x18u
#define EC_IABT_LOW  0x20u
#define EC_IABT_SAME 0x21u
#define EC_PC_ALIGN  0x22u
#define EC_DABT_LOW  0x24u
#define EC_DABT_SAME 0x25u
#define EC_BRK64     0x3cu
#define EC_IRQ       0x100u /* none: the exit was an interrupt */

/* PSTATE (C5.2.19) */
#define MODE_EL0T 0x0u
#define MODE_EL1T 0x4u
#define MODE_EL1H 0x5u
#define MASKED    0x3c0u /* D, A, I, F */

struct guest {
    struct arch_vcpu vcpu;
    struct arch_exit exit;
};

/* Zeroes the guests' memory, makes stage 2, vectors, and a stage 1 that maps all of it at its own
 * address and once more ALIAS above; code is readable and executable from EL0 and EL1, the alias
 * readable and writable from both. The vCPU starts at CODE in EL1h, all masked, its MMU off. */
void guest_init(struct guest *guest, const uint32_t *code, size_t words);
#define GUEST_INIT(guest, code) guest_init(guest, code, sizeof(code) / sizeof((code)[0]))
/* Another vCPU of the same memory. */
void guest_init_vcpu(struct guest *guest);
/* Switches stage 1 on. Not loaded. */
void guest_enable_mmu(struct guest *guest);
/* The first exit that is not an interrupt: its class; EC_IRQ if one came before. */
unsigned guest_run(struct guest *guest);
/* Ticks that pass during it: the instructions that the guest executes. */
uint64_t guest_time_run(struct guest *guest);
/* The HVC at vector `offset`. */
#define GUEST_VECTOR_HVC(offset) (0x100u + (offset) / 0x80u)

void *guest_at(uint64_t ipa);
/* Descriptors of the page at that address: stage 2's, and stage 1's. */
uint64_t *guest_stage2(uint64_t ipa);
uint64_t *guest_stage1(uint64_t va);
struct s2_tag guest_tag(void);
/* Stage 2 of a gibibyte, identity: for what is no RAM. */
void guest_map_device(uint64_t ipa);

static inline uint64_t guest_sysreg(struct guest *guest, enum arch_sysreg reg)
{
    return hal_vcpu_sysreg_get(&guest->vcpu, reg);
}

#endif
