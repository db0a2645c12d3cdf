/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "exit/trace.h"
#include "arch/esr.h"
#include "hal/hal.h"
#include "vm/hv.h"

/* Classes of synchronous exceptions that are more than TRACE_SYNC. */
static const uint8_t trace_class_of_ec[ESR_EC_COUNT] = {
    [ESR_EC_WFX] = TRACE_WFX,         [ESR_EC_HVC64] = TRACE_HVC,
    [ESR_EC_SMC64] = TRACE_SMC,       [ESR_EC_SYSREG] = TRACE_SYSREG,
    [ESR_EC_DABT_LOWER] = TRACE_MMIO, [ESR_EC_IABT_LOWER] = TRACE_FETCH,
};

/* --- Before --- */

static void trace_begin_call(struct trace_record *record, struct vcpu *vcpu,
                             const struct arch_exit *exit)
{
    (void)exit;
    record->addr = vcpu->arch.x[0];
    record->arg = vcpu->arch.x[1];
}

static void trace_begin_sysreg(struct trace_record *record, struct vcpu *vcpu,
                               const struct arch_exit *exit)
{
    struct esr_sysreg insn = esr_decode_sysreg(exit->esr);

    record->addr = insn.encoding;
    record->value = insn.read ? 0 : arch_vcpu_x(&vcpu->arch, insn.rt);
}

static void trace_begin_abort(struct trace_record *record, struct vcpu *vcpu,
                              const struct arch_exit *exit)
{
    struct esr_abort abort = esr_decode_abort(exit->esr);

    if (esr_hpfar_valid(exit->esr))
        record->addr = esr_fault_ipa(exit->esr, exit->far, exit->hpfar);
    if (!abort.fnv)
        record->arg = exit->far;
    if (abort.isv && abort.write)
        record->value =
            arch_vcpu_x(&vcpu->arch, abort.reg) & (~UINT64_C(0) >> (64 - 8 * abort.size));
}

/* --- After an exit that the vCPU goes on from --- */

static void trace_end_call(struct trace_record *record, const struct vcpu *vcpu)
{
    record->value = vcpu->arch.x[0];
}

static void trace_end_sysreg(struct trace_record *record, const struct vcpu *vcpu)
{
    struct esr_sysreg insn = esr_decode_sysreg(record->esr);

    if (insn.read && record->outcome != TRACE_INJECTED)
        record->value = arch_vcpu_x(&vcpu->arch, insn.rt);
}

static void trace_end_abort(struct trace_record *record, const struct vcpu *vcpu)
{
    struct esr_abort abort = esr_decode_abort(record->esr);

    if (abort.isv && !abort.write && record->outcome != TRACE_INJECTED)
        record->value = arch_vcpu_x(&vcpu->arch, abort.reg);
}

/* How addr, arg and value of a class come to be: NULL for 0. */
static const struct trace_row {
    void (*begin)(struct trace_record *record, struct vcpu *vcpu, const struct arch_exit *exit);
    void (*end)(struct trace_record *record, const struct vcpu *vcpu);
} trace_rows[TRACE_CLASSES] = {
    [TRACE_HVC] = {trace_begin_call, trace_end_call},
    [TRACE_SMC] = {trace_begin_call, trace_end_call},
    [TRACE_SYSREG] = {trace_begin_sysreg, trace_end_sysreg},
    [TRACE_MMIO] = {trace_begin_abort, trace_end_abort},
    [TRACE_FETCH] = {trace_begin_abort, NULL},
};

static enum trace_class trace_classify(const struct arch_exit *exit)
{
    switch (exit->kind) {
    case ARCH_EXIT_SYNC:
        return (enum trace_class)trace_class_of_ec[esr_ec(exit->esr)];
    case ARCH_EXIT_IRQ:
    case ARCH_EXIT_FIQ:
        return TRACE_IRQ;
    default: /* a kind that there is not ends the VM as a broken machine, too: exit.c */
        return TRACE_SERROR;
    }
}

void trace_begin_exit(struct trace_record *record, struct vcpu *vcpu, const struct arch_exit *exit)
{
    enum trace_class kind = trace_classify(exit);

    *record = (struct trace_record){
        .pc = vcpu->arch.pc,
        .esr = kind == TRACE_IRQ ? 0 : (uint32_t)exit->esr,
        .pstate = (uint32_t)vcpu->arch.pstate,
        .vm = (uint16_t)(vcpu->vm->id - 1),
        .vcpu = (uint16_t)vcpu->index,
        .pcpu = (uint16_t)vcpu->pcpu->cpu,
        .class = (uint8_t)kind,
    };
    vcpu->injected = false;
    if (trace_rows[kind].begin != NULL)
        trace_rows[kind].begin(record, vcpu, exit);
}

/* The preferred return address of HVC is that of the next instruction (D1.3.1.1). */
static bool trace_is_retried(const struct trace_record *record, const struct vcpu *vcpu)
{
    return record->class != TRACE_IRQ && record->class != TRACE_HVC && vcpu->arch.pc == record->pc;
}

static enum trace_outcome trace_judge(const struct trace_record *record, const struct vcpu *vcpu)
{
    if (vcpu->vm->state != VM_RUNNING || vcpu->state == VCPU_OFF)
        return TRACE_STOPPED;
    if (vcpu->injected)
        return TRACE_INJECTED;
    if (vcpu->state == VCPU_BLOCKED)
        return TRACE_BLOCKED;
    return trace_is_retried(record, vcpu) ? TRACE_RETRIED : TRACE_RESUMED;
}

void trace_end_exit(struct trace_record *record, const struct vcpu *vcpu)
{
    /* One that PSCI has powered down may run elsewhere by now. */
    bool here = vcpu->vm->hv->pcpu[record->pcpu].loaded == vcpu;
    record->outcome = (uint8_t)(here ? trace_judge(record, vcpu) : TRACE_BLOCKED);
    if (here && trace_rows[record->class].end != NULL)
        trace_rows[record->class].end(record, vcpu);
    record->time = hal_time_now();
    hal_trace(record);
}
