/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "exit/exit.h"
#include "abi/machine.h"
#include "arch/esr.h"
#include "dev/console.h"
#include "dev/disk.h"
#include "dev/switches.h"
#include "exit/abort.h"
#include "exit/sysreg_trap.h"
#include "exit/trace.h"
#include "hal/hal.h"
#include "psci/smccc.h"
#include "vm/sched.h"

/* Longest description of a syndrome in a stop reason. */
#define EXIT_WORDS 128u
/* exit_run_turn(): 2 ms, a round of the scheduler's. */
#define EXIT_TURN_HZ 500u

typedef void exit_handler(struct vcpu *vcpu, const struct arch_exit *exit);

void exit_end_vm(struct vcpu *vcpu, uint64_t esr)
{
    char words[EXIT_WORDS];

    vm_end(vcpu->vm, VM_CRASHED, "vCPU %u, PC 0x%llx: %s", vcpu->index,
           (unsigned long long)vcpu->arch.pc, esr_describe(esr, words, sizeof(words)));
}

/* --- Synchronous exceptions --- */

/* Classes that do not reach EL2 with the configuration that vm_create() makes, and undefined ones.
 */
static void exit_unexpected(struct vcpu *vcpu, const struct arch_exit *exit)
{
    exit_end_vm(vcpu, exit->esr);
}

/* Uses of what the guest's ID registers say is not there: undefined, as on a CPU without it. */
static void exit_undefined(struct vcpu *vcpu, const struct arch_exit *exit)
{
    (void)exit;
    vcpu_inject_undefined(vcpu);
}

/* WFI and WFE are hints (D1.5): with nothing to wait for WFI goes on. WFE traps only while others
 * wait for the pCPU, one of which may make the event that it waits for. */
static void exit_wfx(struct vcpu *vcpu, const struct arch_exit *exit)
{
    enum esr_wfx kind = esr_decode_wfx(exit->esr);

    vcpu_skip_trapped(vcpu, exit->esr);
    if (kind == ESR_WFE || kind == ESR_WFET)
        sched_give_way(vcpu);
    else
        sched_wait(vcpu);
}

static void exit_hvc(struct vcpu *vcpu, const struct arch_exit *exit)
{
    smccc_dispatch(vcpu, (uint32_t)bits_get(exit->esr, 15, 0));
}

/* Trapped by HCR_EL2.TSC before it executes, so that the PC is still at it (D17.2.37, EC 0x17). */
static void exit_smc(struct vcpu *vcpu, const struct arch_exit *exit)
{
    vcpu_skip_insn(vcpu);
    smccc_dispatch(vcpu, (uint32_t)bits_get(exit->esr, 15, 0));
}

static exit_handler *const exit_handlers[ESR_EC_COUNT] = {
    [ESR_EC_UNKNOWN] = exit_unexpected,
    [ESR_EC_WFX] = exit_wfx,
    [0x02] = exit_unexpected,
    [ESR_EC_CP15_RT] = exit_undefined,
    [ESR_EC_CP15_RRT] = exit_undefined,
    [ESR_EC_CP14_RT] = exit_undefined,
    [ESR_EC_CP14_LS] = exit_undefined,
    [ESR_EC_FP_ASIMD] = exit_undefined,
    [ESR_EC_CP10_ID] = exit_undefined,
    [ESR_EC_PAUTH] = exit_undefined,
    [ESR_EC_LS64] = exit_undefined,
    [0x0b] = exit_unexpected,
    [ESR_EC_CP14_RRT] = exit_undefined,
    [ESR_EC_BTI] = exit_unexpected,
    [ESR_EC_ILLEGAL_STATE] = exit_unexpected,
    [0x0f] = exit_unexpected,
    [0x10] = exit_unexpected,
    [ESR_EC_SVC32] = exit_unexpected,
    [ESR_EC_HVC32] = exit_unexpected,
    [ESR_EC_SMC32] = exit_unexpected,
    [ESR_EC_SYSREG128] = exit_undefined,
    [ESR_EC_SVC64] = exit_unexpected,
    [ESR_EC_HVC64] = exit_hvc,
    [ESR_EC_SMC64] = exit_smc,
    [ESR_EC_SYSREG] = sysreg_trap,
    [ESR_EC_SVE] = exit_undefined,
    [ESR_EC_ERET] = exit_unexpected,
    [ESR_EC_TSTART] = exit_undefined,
    [ESR_EC_PAC_FAIL] = exit_unexpected,
    [ESR_EC_SME] = exit_undefined,
    [ESR_EC_GPC] = exit_unexpected,
    [ESR_EC_IMPDEF_EL3] = exit_unexpected,
    [ESR_EC_IABT_LOWER] = abort_instruction,
    [ESR_EC_IABT_SAME] = exit_unexpected,
    [ESR_EC_PC_ALIGN] = exit_unexpected,
    [0x23] = exit_unexpected,
    [ESR_EC_DABT_LOWER] = abort_data,
    [ESR_EC_DABT_SAME] = exit_unexpected,
    [ESR_EC_SP_ALIGN] = exit_unexpected,
    [ESR_EC_MOPS] = exit_unexpected,
    [ESR_EC_FP_TRAP32] = exit_unexpected,
    [0x29] = exit_unexpected,
    [0x2a] = exit_unexpected,
    [0x2b] = exit_unexpected,
    [ESR_EC_FP_TRAP64] = exit_unexpected,
    [ESR_EC_GCS] = exit_unexpected,
    [0x2e] = exit_unexpected,
    [ESR_EC_SERROR] = exit_unexpected,
    [ESR_EC_BRK_LOWER] = exit_unexpected,
    [ESR_EC_BRK_SAME] = exit_unexpected,
    [ESR_EC_STEP_LOWER] = exit_unexpected,
    [ESR_EC_STEP_SAME] = exit_unexpected,
    [ESR_EC_WATCH_LOWER] = exit_unexpected,
    [ESR_EC_WATCH_SAME] = exit_unexpected,
    [0x36] = exit_unexpected,
    [0x37] = exit_unexpected,
    [ESR_EC_BKPT32] = exit_unexpected,
    [0x39] = exit_unexpected,
    [ESR_EC_VECTOR32] = exit_unexpected,
    [0x3b] = exit_unexpected,
    [ESR_EC_BRK64] = exit_unexpected,
    [ESR_EC_PMU] = exit_unexpected,
    [0x3e] = exit_unexpected,
    [0x3f] = exit_unexpected,
};

/* --- Interrupts --- */

/* Inlined where it is handled with a record and where it is without, so that the one does not make
 * the other dearer. */
__attribute__((always_inline)) static inline void exit_vtimer_irq(struct pcpu *pcpu, uint32_t intid)
{
    struct vcpu *vcpu = pcpu->loaded;

    if (vcpu != NULL) {
        vgic_raise_hw(&vcpu->vm->vgic, vcpu->index, MACHINE_INTID_VTIMER);
        vcpu->vtimer_raised = true;
        if (pcpu->current != vcpu)
            sched_wake(vcpu);
    }
    /* It stays active until the guest deactivates it through its list register. */
    hal_irq_end(intid, vcpu == NULL);
}

/*
 * The guest may have reprogrammed the timer, which traps nothing, before it took the interrupt: its
 * line is looked at again at each other exit until it is low. What it did and took between two
 * exits stays unseen: docs/vgic.md.
 */
static __attribute__((noinline)) void exit_sample_vtimer(struct vcpu *vcpu)
{
    uint64_t ctl = hal_vcpu_sysreg_get(&vcpu->arch, ARCH_CNTV_CTL_EL0);

    if ((ctl & (CNT_CTL_ENABLE | CNT_CTL_IMASK | CNT_CTL_ISTATUS)) ==
        (CNT_CTL_ENABLE | CNT_CTL_ISTATUS))
        return;
    vcpu->vtimer_raised = false;
    vgic_lower_hw(&vcpu->vm->vgic, vcpu->index, MACHINE_INTID_VTIMER);
    /* Not only before it runs: if it waits, an interrupt left active would not wake it. */
    vgic_flush(&vcpu->vm->vgic, vcpu->index);
}

/* Those of the machine's devices, and what is nobody's. */
static __attribute__((noinline)) void exit_irq_other(struct pcpu *pcpu, uint32_t intid)
{
    hv_err err;

    if (disks_interrupt(pcpu->hv->disks, intid) || switches_interrupt(pcpu->hv->switches, intid)) {
        hal_irq_end(intid, true);
        return;
    }
    err = hal_irq_enable(intid, false);
    hal_irq_end(intid, true);
    log_write(&pcpu->hv->log, LOG_MOD_EXIT, LOG_WARN, "interrupt %u is nobody's: %s", intid,
              err == HV_OK ? "disabled" : "and cannot be disabled");
}

__attribute__((always_inline)) static inline void exit_irq(struct pcpu *pcpu, uint32_t intid)
{
    const struct hal_platform *platform = &pcpu->hv->platform;

    if (intid == platform->timer_virt_intid) {
        exit_vtimer_irq(pcpu, intid);
        return;
    }
    if (pcpu->loaded != NULL && pcpu->loaded->vtimer_raised)
        exit_sample_vtimer(pcpu->loaded);
    if (intid == HAL_INTID_KICK) {
        pcpu->resched = true;
    } else if (intid == platform->timer_hyp_intid) {
        timer_queue_run(&pcpu->timers);
    } else if (intid == platform->gic_maintenance_intid) {
        if (pcpu->loaded != NULL)
            vgic_maintenance(&pcpu->loaded->vm->vgic, pcpu->loaded->index);
    } else if (intid == platform->uart_intid && platform->uart.size != 0) {
        console_interrupt(pcpu->hv->console);
    } else {
        exit_irq_other(pcpu, intid);
        return;
    }
    hal_irq_end(intid, true);
}

void exit_interrupt(struct pcpu *pcpu)
{
    uint32_t intid = hal_irq_ack();

    if (intid != HAL_INTID_NONE)
        exit_irq(pcpu, intid);
}

/* --- The loop --- */

/* An exit that only a broken machine makes. */
static void exit_broken(struct vcpu *vcpu, const struct arch_exit *exit)
{
    char words[EXIT_WORDS];

    if (exit->kind == ARCH_EXIT_SERROR)
        vm_end(vcpu->vm, VM_CRASHED, "vCPU %u, PC 0x%llx: SError of the machine: %s", vcpu->index,
               (unsigned long long)vcpu->arch.pc, esr_describe(exit->esr, words, sizeof(words)));
    else
        vm_end(vcpu->vm, VM_CRASHED, "vCPU %u, PC 0x%llx: exit of kind %u, which nothing asks for",
               vcpu->index, (unsigned long long)vcpu->arch.pc, exit->kind);
}

/* exit_dispatch() within the loop, where a call would be a tenth of the cheapest exit. */
__attribute__((always_inline)) static inline void exit_handle(struct pcpu *pcpu, struct vcpu *vcpu,
                                                              const struct arch_exit *exit)
{
    if (exit->kind == ARCH_EXIT_SYNC) {
        if (vcpu->vtimer_raised)
            exit_sample_vtimer(vcpu);
        exit_handlers[esr_ec(exit->esr)](vcpu, exit);
    } else if (exit->kind == ARCH_EXIT_IRQ || exit->kind == ARCH_EXIT_FIQ) {
        exit_interrupt(pcpu);
    } else {
        exit_broken(vcpu, exit);
    }
}

void exit_dispatch(struct vcpu *vcpu, const struct arch_exit *exit)
{
    exit_handle(vcpu->pcpu, vcpu, exit);
}

/* exit_interrupt(), which says what it was. */
static uint32_t exit_interrupt_traced(struct pcpu *pcpu)
{
    uint32_t intid = hal_irq_ack();

    if (intid != HAL_INTID_NONE)
        exit_irq(pcpu, intid);
    return intid;
}

static void exit_dispatch_traced(struct vcpu *vcpu, const struct arch_exit *exit)
{
    struct trace_record record;

    trace_begin_exit(&record, vcpu, exit);
    if (exit->kind == ARCH_EXIT_IRQ || exit->kind == ARCH_EXIT_FIQ)
        trace_set_intid(&record, exit_interrupt_traced(vcpu->pcpu));
    else
        exit_dispatch(vcpu, exit);
    trace_end_exit(&record, vcpu);
}

/* Whatever stops the vCPU sets resched: the one thing to look at between two runs. `traced`, here
 * and below: a constant, so that there are two loops, and the one without records is as if there
 * were no other. */
__attribute__((always_inline)) static inline void exit_run_vcpu(struct pcpu *pcpu,
                                                                struct vcpu *vcpu, bool traced)
{
    struct vgic *vgic = &vcpu->vm->vgic;
    uint32_t index = vcpu->index;
    struct arch_exit exit;

    do {
        if (vgic_needs_flush(vgic, index))
            vgic_flush(vgic, index);
        hal_vcpu_run(&vcpu->arch, &exit);
        if (traced)
            exit_dispatch_traced(vcpu, &exit);
        else
            exit_handle(pcpu, vcpu, &exit);
    } while (!pcpu->resched);
}

__attribute__((always_inline)) static inline void exit_run_all(struct pcpu *pcpu, bool traced)
{
    while (!hv_start_managing(pcpu)) {
        /* sched_wake() lets one that waited here alone go on by itself. */
        struct vcpu *vcpu =
            pcpu->current != NULL && !pcpu->resched ? pcpu->current : sched_next(pcpu);
        /* Letting go of the last vCPU of a VM is work for the manager, which does not wait until
         * the next one happens to exit. */
        if (pcpu->resched) {
            /* Nor do interrupts wait until a vCPU has no more work for its devices. */
            exit_interrupt(pcpu);
            continue;
        }
        if (vcpu != NULL) {
            exit_run_vcpu(pcpu, vcpu, traced);
        } else {
            hal_cpu_idle();
            exit_interrupt(pcpu);
        }
    }
}

static __attribute__((noinline)) void exit_run_traced(struct pcpu *pcpu)
{
    exit_run_all(pcpu, true);
}

void exit_run(struct pcpu *pcpu)
{
    if (hal_trace_enabled())
        exit_run_traced(pcpu);
    else
        exit_run_all(pcpu, false);
    sched_unload(pcpu);
}

struct exit_turn {
    struct timer end;
    struct pcpu *pcpu;
};

static void turn_ends(struct timer *timer)
{
    list_entry(timer, struct exit_turn, end)->pcpu->resched = true;
}

void exit_run_turn(struct pcpu *pcpu)
{
    uint64_t end = hal_time_now() + hal_time_hz() / EXIT_TURN_HZ;
    struct exit_turn turn = {.pcpu = pcpu};

    timer_init(&turn.end, turn_ends);
    timer_start(&pcpu->timers, &turn.end, end);
    while (hal_time_now() < end) {
        struct vcpu *vcpu = sched_next(pcpu);
        if (vcpu != NULL && !pcpu->resched)
            exit_run_vcpu(pcpu, vcpu, hal_trace_enabled());
        else if (exit_interrupt_traced(pcpu) == HAL_INTID_NONE && !pcpu->resched)
            break;
    }
    timer_cancel(&turn.end);
    sched_unload(pcpu);
}
