/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The register state of a virtual CPU, and why it came back. Shared by core and both HALs; knows no
 * VM. */
#ifndef ARCH_VCPU_H
#define ARCH_VCPU_H

#include <stdint.h>

/* EL1 and EL0 system registers that belong to a vCPU. The order is that of arch_vcpu.sys[]. */
enum arch_sysreg {
    ARCH_SP_EL0,
    ARCH_SP_EL1,
    ARCH_ELR_EL1,
    ARCH_SPSR_EL1,
    ARCH_SCTLR_EL1,
    ARCH_CPACR_EL1,
    ARCH_TTBR0_EL1,
    ARCH_TTBR1_EL1,
    ARCH_TCR_EL1,
    ARCH_MAIR_EL1,
    ARCH_AMAIR_EL1,
    ARCH_VBAR_EL1,
    ARCH_ESR_EL1,
    ARCH_FAR_EL1,
    ARCH_AFSR0_EL1,
    ARCH_AFSR1_EL1,
    ARCH_CONTEXTIDR_EL1,
    ARCH_TPIDR_EL0,
    ARCH_TPIDRRO_EL0,
    ARCH_TPIDR_EL1,
    ARCH_CNTKCTL_EL1,
    ARCH_PAR_EL1,
    ARCH_CSSELR_EL1,
    ARCH_MDSCR_EL1,
    ARCH_CNTV_CTL_EL0,
    ARCH_CNTV_CVAL_EL0,
    ARCH_SYSREG_COUNT
};

/* FEAT_PAuth keys: APIA, APIB, APDA, APDB, APGA, each low and high half. */
#define ARCH_PAUTH_KEYS 10u
/* Breakpoints and watchpoints that the architecture allows at most. */
#define ARCH_DEBUG_MAX 16u
/* List registers that the architecture allows at most (GICv3 IHI 0069, ICH_LR<n>_EL2). */
#define ARCH_LR_MAX 16u

/* How the CPU behaves while this vCPU is loaded; written by core before the first hal_vcpu_load().
 */
struct arch_vcpu_config {
    uint64_t hcr_el2;
    uint64_t cptr_el2;
    uint64_t mdcr_el2;
    uint64_t hstr_el2;
    uint64_t cnthctl_el2;
    uint64_t cntvoff_el2;
    uint64_t vtcr_el2;
    uint64_t vttbr_el2;
    uint64_t vmpidr_el2;
    uint64_t vpidr_el2;
};

/* GIC virtual CPU interface, in the formats of ICH_*_EL2. */
struct arch_vcpu_gic {
    uint64_t lr[ARCH_LR_MAX];
    uint32_t ap0r[4];
    uint32_t ap1r[4];
    uint64_t vmcr;
    uint64_t hcr;
};

struct arch_vcpu_debug {
    uint64_t bvr[ARCH_DEBUG_MAX];
    uint64_t bcr[ARCH_DEBUG_MAX];
    uint64_t wvr[ARCH_DEBUG_MAX];
    uint64_t wcr[ARCH_DEBUG_MAX];
};

/* AdvSIMD and floating-point state; q[2n] and q[2n+1] are the low and high half of Vn. */
struct arch_vcpu_fp {
    _Alignas(16) uint64_t q[64];
    uint64_t fpcr;
    uint64_t fpsr;
};

/*
 * x, pc and pstate are always valid outside hal_vcpu_run(). Everything from `sys` on is valid only
 * while the vCPU is not loaded; for a loaded one use hal_vcpu_sysreg_get/set and
 * hal_gic_lr_get/set, which work in both states. pstate is in the format of SPSR_EL2. The offsets
 * of the first members are known to assembly (static asserts there).
 */
struct arch_vcpu {
    uint64_t x[31];
    uint64_t pc;
    uint64_t pstate;
    struct arch_vcpu_config config;
    uint64_t sys[ARCH_SYSREG_COUNT];
    uint64_t pauth[ARCH_PAUTH_KEYS];
    struct arch_vcpu_gic gic;
    struct arch_vcpu_debug debug;
    struct arch_vcpu_fp fp;
};

enum arch_exit_kind {
    ARCH_EXIT_SYNC, /* synchronous exception to EL2: esr, and far/hpfar where the class defines them
                     */
    ARCH_EXIT_IRQ, /* a physical IRQ is pending or hal_cpu_kick() was called: ack with hal_irq_ack()
                    */
    ARCH_EXIT_FIQ, /* a physical interrupt of group 0, which nobody enables, is pending: as IRQ. The
                      HAL's hal_irq_ack() deals with it */
    ARCH_EXIT_SERROR, /* esr is the SError syndrome */
};

/* Why hal_vcpu_run() returned. ESR_EL2, FAR_EL2 and HPFAR_EL2 as the CPU wrote them. */
struct arch_exit {
    uint64_t esr;
    uint64_t far;
    uint64_t hpfar;
    uint32_t kind; /* enum arch_exit_kind */
};

/* Value of a general-purpose register as a source: 31 is XZR. */
static inline uint64_t arch_vcpu_x(const struct arch_vcpu *vcpu, unsigned n)
{
    return n < 31 ? vcpu->x[n] : 0;
}

/* Writes a general-purpose register: 31 is XZR, writes to it vanish. */
static inline void arch_vcpu_set_x(struct arch_vcpu *vcpu, unsigned n, uint64_t value)
{
    if (n < 31)
        vcpu->x[n] = value;
}

#endif
