/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "exit/sysreg_trap.h"
#include "arch/esr.h"
#include "arch/sysreg.h"
#include "vm/hv.h"

/* Debug registers that MDCR_EL2.TDOSA and TDRA trap. */
#define SYSREG_MDRAR_EL1   SYSREG(2, 0, 1, 0, 0)
#define SYSREG_OSLAR_EL1   SYSREG(2, 0, 1, 0, 4)
#define SYSREG_OSLSR_EL1   SYSREG(2, 0, 1, 1, 4)
#define SYSREG_OSDLR_EL1   SYSREG(2, 0, 1, 3, 4)
#define SYSREG_DBGPRCR_EL1 SYSREG(2, 0, 1, 4, 4)

#define OSLSR_OSLM UINT64_C(8) /* the OS Lock is implemented */
#define OSLSR_OSLK UINT64_C(2)

static uint64_t sysreg_read_zero(struct vcpu *vcpu)
{
    (void)vcpu;
    return 0;
}

static void sysreg_write_ignore(struct vcpu *vcpu, uint64_t value)
{
    (void)vcpu;
    (void)value;
}

/* D17.3.16: bit 0 becomes OSLSR_EL1.OSLK. */
static void sysreg_write_oslar(struct vcpu *vcpu, uint64_t value)
{
    vcpu->os_lock = (value & 1) != 0;
}

static uint64_t sysreg_read_oslsr(struct vcpu *vcpu)
{
    return OSLSR_OSLM | (vcpu->os_lock ? OSLSR_OSLK : 0);
}

static uint64_t sysreg_read_cntp_ctl(struct vcpu *vcpu)
{
    return ptimer_read_ctl(&vcpu->ptimer);
}

static void sysreg_write_cntp_ctl(struct vcpu *vcpu, uint64_t value)
{
    ptimer_write_ctl(&vcpu->ptimer, value);
}

static uint64_t sysreg_read_cntp_cval(struct vcpu *vcpu)
{
    return ptimer_read_cval(&vcpu->ptimer);
}

static void sysreg_write_cntp_cval(struct vcpu *vcpu, uint64_t value)
{
    ptimer_write_cval(&vcpu->ptimer, value);
}

static uint64_t sysreg_read_cntp_tval(struct vcpu *vcpu)
{
    return ptimer_read_tval(&vcpu->ptimer);
}

static void sysreg_write_cntp_tval(struct vcpu *vcpu, uint64_t value)
{
    ptimer_write_tval(&vcpu->ptimer, value);
}

static void sysreg_write_sgi1r(struct vcpu *vcpu, uint64_t value)
{
    vgic_send_sgi(&vcpu->vm->vgic, vcpu->index, value, true);
}

/* ICC_SGI0R_EL1, and ICC_ASGI1R_EL1: the other Security state's group 1, which is group 0 where
 * there is one state (IHI 0069, 12.2.14). */
static void sysreg_write_sgi0r(struct vcpu *vcpu, uint64_t value)
{
    vgic_send_sgi(&vcpu->vm->vgic, vcpu->index, value, false);
}

static void sysreg_write_dir(struct vcpu *vcpu, uint64_t value)
{
    vgic_deactivate(&vcpu->vm->vgic, vcpu->index, (uint32_t)(value & ICC_DIR_INTID));
}

/* System registers are the only interface: SRE, DFB and DIB are RAO/WI (IHI 0069, 12.2.24). */
static uint64_t sysreg_read_sre(struct vcpu *vcpu)
{
    (void)vcpu;
    return 7;
}

const struct sysreg_row sysreg_rows[] = {
    {SYSREG_MDRAR_EL1, "MDRAR_EL1", sysreg_read_zero, NULL}, /* no debug ROM table */
    {SYSREG_OSLAR_EL1, "OSLAR_EL1", NULL, sysreg_write_oslar},
    {SYSREG_OSLSR_EL1, "OSLSR_EL1", sysreg_read_oslsr, NULL},
    /* There is no double lock and no debugger's power-down request. */
    {SYSREG_OSDLR_EL1, "OSDLR_EL1", sysreg_read_zero, sysreg_write_ignore},
    {SYSREG_DBGPRCR_EL1, "DBGPRCR_EL1", sysreg_read_zero, sysreg_write_ignore},
    {SYSREG_CNTP_TVAL_EL0, "CNTP_TVAL_EL0", sysreg_read_cntp_tval, sysreg_write_cntp_tval},
    /* IMPLEMENTATION DEFINED, and here without bits. */
    {SYSREG_ACTLR_EL1, "ACTLR_EL1", sysreg_read_zero, sysreg_write_ignore},
    {SYSREG_ICC_DIR_EL1, "ICC_DIR_EL1", NULL, sysreg_write_dir},
    {SYSREG_CNTP_CTL_EL0, "CNTP_CTL_EL0", sysreg_read_cntp_ctl, sysreg_write_cntp_ctl},
    {SYSREG_CNTP_CVAL_EL0, "CNTP_CVAL_EL0", sysreg_read_cntp_cval, sysreg_write_cntp_cval},
    {SYSREG_ICC_SGI1R_EL1, "ICC_SGI1R_EL1", NULL, sysreg_write_sgi1r},
    {SYSREG_ICC_SRE_EL1, "ICC_SRE_EL1", sysreg_read_sre, sysreg_write_ignore},
    {SYSREG_ICC_ASGI1R_EL1, "ICC_ASGI1R_EL1", NULL, sysreg_write_sgi0r},
    {SYSREG_ICC_SGI0R_EL1, "ICC_SGI0R_EL1", NULL, sysreg_write_sgi0r},
};
const size_t sysreg_row_count = ARRAY_LEN(sysreg_rows);

static const struct sysreg_row *sysreg_find(uint32_t encoding)
{
    size_t low = 0;
    size_t high = ARRAY_LEN(sysreg_rows);

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (sysreg_rows[mid].encoding == encoding)
            return &sysreg_rows[mid];
        if (sysreg_rows[mid].encoding < encoding)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* A guest mostly comes back for the register that it came for last. */
static inline const struct sysreg_row *sysreg_row_of(struct vcpu *vcpu, uint32_t encoding)
{
    const struct sysreg_row *row = vcpu->last_sysreg;

    if (row != NULL && row->encoding == encoding)
        return row;
    row = sysreg_find(encoding);
    vcpu->last_sysreg = row;
    return row;
}

static void sysreg_undefined(struct vcpu *vcpu, const struct esr_sysreg *insn)
{
    struct log *log = &vcpu->vm->hv->log;
    uint32_t enc = insn->encoding;

    if (log_enabled(log, LOG_MOD_EXIT, LOG_DEBUG))
        log_write(log, LOG_MOD_EXIT, LOG_DEBUG,
                  "%s: %s of S%u_%u_C%u_C%u_%u at PC 0x%llx is undefined", vcpu->vm->config->name,
                  insn->read ? "read" : "write", sysreg_op0(enc), sysreg_op1(enc), sysreg_crn(enc),
                  sysreg_crm(enc), sysreg_op2(enc), (unsigned long long)vcpu->arch.pc);
    vcpu_inject_undefined(vcpu);
}

void sysreg_trap(struct vcpu *vcpu, const struct arch_exit *exit)
{
    struct esr_sysreg insn = esr_decode_sysreg(exit->esr);
    const struct sysreg_row *row;
    unsigned index;

    if (insn.read && idreg_index(insn.encoding, &index)) {
        arch_vcpu_set_x(&vcpu->arch, insn.rt, vcpu->vm->hv->guest_idregs.reg[index]);
        vcpu_skip_insn(vcpu);
        return;
    }
    row = sysreg_row_of(vcpu, insn.encoding);
    if (row == NULL || (insn.read ? row->read == NULL : row->write == NULL)) {
        sysreg_undefined(vcpu, &insn);
        return;
    }
    /* First: a write may stop the vCPU. */
    vcpu_skip_insn(vcpu);
    if (insn.read)
        arch_vcpu_set_x(&vcpu->arch, insn.rt, row->read(vcpu));
    else
        row->write(vcpu, arch_vcpu_x(&vcpu->arch, insn.rt));
}
