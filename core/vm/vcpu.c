/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/vcpu.h"
#include "arch/el1_entry.h"
#include "hal/hal.h"
#include "vm/hv.h"
#include <string.h>

/* SCTLR_EL1 out of reset (D17.2.118): MMU, caches and alignment checks off, little-endian, and the
 * bits that are RES1 where the feature behind them is missing: LSMAOE, nTLSMD, SPAN, EIS, TSCXT,
 * EOS. */
#define SCTLR_EL1_RESET UINT64_C(0x30d00800)

void vcpu_reset(struct vcpu *vcpu, ipa_t entry, uint64_t arg)
{
    struct arch_vcpu *arch = &vcpu->arch;

    memset(arch->x, 0, sizeof(arch->x));
    memset(arch->sys, 0, sizeof(arch->sys));
    memset(arch->pauth, 0, sizeof(arch->pauth));
    memset(&arch->debug, 0, sizeof(arch->debug));
    memset(&arch->fp, 0, sizeof(arch->fp));
    memset(arch->gic.ap0r, 0, sizeof(arch->gic.ap0r));
    memset(arch->gic.ap1r, 0, sizeof(arch->gic.ap1r));
    arch->gic.vmcr = 0;
    arch->x[0] = arg;
    arch->pc = entry.v;
    arch->pstate = PSTATE_DAIF | PSTATE_M_EL1H;
    arch->sys[ARCH_SCTLR_EL1] = SCTLR_EL1_RESET;
    vcpu->os_lock = true; /* D17.3.17: it resets to locked */
    vcpu->stuck_count = 0;
    vcpu->sleep.kind = VCPU_AWAKE;
}

void vcpu_skip_insn32(struct vcpu *vcpu, unsigned len)
{
    uint64_t pstate = vcpu->arch.pstate & ~PSTATE_SS;
    uint64_t it = bits_get(pstate, 15, 10) << 2 | bits_get(pstate, 26, 25);

    /* IT[7:5] is the base condition, IT[4:0] what is left of the block; its last instruction ends
     * it. */
    it = (it & 7) == 0 ? 0 : (it & 0xe0) | (it << 1 & 0x1f);
    pstate = bits_set(pstate, 15, 10, it >> 2);
    vcpu->arch.pstate = bits_set(pstate, 26, 25, it & 3);
    vcpu->arch.pc = (uint32_t)(vcpu->arch.pc + len);
}

/* Fields of the CPU's own identification, since PSTATE is the CPU's: MMFR1.PAN, PFR1.SSBS,
 * PFR1.MTE. */
static struct el1_entry_from vcpu_entry_from(struct vcpu *vcpu)
{
    const struct arch_idregs *cpu = &vcpu->vm->hv->idregs;
    struct arch_vcpu *arch = &vcpu->arch;

    return (struct el1_entry_from){
        .pc = arch->pc,
        .pstate = arch->pstate,
        .vbar = hal_vcpu_sysreg_get(arch, ARCH_VBAR_EL1),
        .sctlr = hal_vcpu_sysreg_get(arch, ARCH_SCTLR_EL1),
        .has_pan = bits_get(cpu->reg[IDREG_MMFR1], 23, 20) != 0,
        .has_ssbs = bits_get(cpu->reg[IDREG_PFR1], 7, 4) != 0,
        .has_mte = bits_get(cpu->reg[IDREG_PFR1], 11, 8) != 0,
    };
}

/*
 * An exception at the very instruction that the last injected one went to: nothing has been
 * executed, and the same will happen again. Entry masks interrupts, so no interrupt of the guest's
 * can change that.
 */
static bool vcpu_is_stuck(struct vcpu *vcpu)
{
    if (vcpu->arch.pc == vcpu->stuck_pc)
        return ++vcpu->stuck_count >= VCPU_STUCK_LIMIT;
    vcpu->stuck_count = 0;
    return false;
}

/* False if the vCPU did not take it, because it is stuck. */
static bool vcpu_enter_el1(struct vcpu *vcpu, uint64_t esr)
{
    struct arch_vcpu *arch = &vcpu->arch;

    if (vcpu_is_stuck(vcpu)) {
        vm_end(vcpu->vm, VM_CRASHED,
               "vCPU %u takes an exception at its own exception vector 0x%llx for ever",
               vcpu->index, (unsigned long long)arch->pc);
        return false;
    }
    struct el1_entry_from from = vcpu_entry_from(vcpu);
    struct el1_entry_to to = el1_entry(&from, EL1_VECTOR_SYNC);
    hal_vcpu_sysreg_set(arch, ARCH_ELR_EL1, to.elr);
    hal_vcpu_sysreg_set(arch, ARCH_SPSR_EL1, to.spsr);
    hal_vcpu_sysreg_set(arch, ARCH_ESR_EL1, esr);
    arch->pc = to.pc;
    arch->pstate = to.pstate;
    vcpu->stuck_pc = to.pc;
    vcpu->injected = true;
    return true;
}

void vcpu_inject_undefined(struct vcpu *vcpu)
{
    (void)vcpu_enter_el1(vcpu, el1_esr_undefined());
}

void vcpu_inject_external_abort(struct vcpu *vcpu, va_t fault_va, bool instruction, bool write,
                                int walk_level, bool cm)
{
    bool same_el = (vcpu->arch.pstate & (PSTATE_NRW | PSTATE_EL(3))) == PSTATE_EL(1);
    uint64_t esr = el1_esr_external_abort(same_el, instruction, write, walk_level, cm);

    if (vcpu_enter_el1(vcpu, esr))
        hal_vcpu_sysreg_set(&vcpu->arch, ARCH_FAR_EL1, fault_va.v);
}
