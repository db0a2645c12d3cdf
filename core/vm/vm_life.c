/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From power-on to the end of a VM. */
#include "base/check.h"
#include "base/fmt.h"
#include "hal/hal.h"
#include "vm/hv.h"
#include "vm/sched.h"
#include "vm/vm.h"
#include <stdarg.h>

/* How the log tells each end; scripts look for these words. */
static const struct vm_end_row {
    enum log_level level;
    const char *word;
} vm_end_rows[] = {
    [VM_OFF] = {LOG_NOTICE, "off"},
    [VM_RESET] = {LOG_NOTICE, "reset"},
    [VM_CRASHED] = {LOG_ERROR, "stopped"},
};

hv_err vm_vcpu_on(struct vcpu *vcpu, ipa_t entry, uint64_t arg)
{
    struct vm *vm = vcpu->vm;
    hv_err err = HV_OK;

    spinlock_lock(&vm->lock);
    if (vcpu->power == VCPU_POWER_ON) {
        err = HV_ERR_EXIST;
    } else if (vcpu->power == VCPU_POWER_PENDING) {
        err = HV_ERR_BUSY;
    } else {
        vcpu_reset(vcpu, entry, arg);
        vcpu->power = VCPU_POWER_PENDING;
        vm->nr_on++;
    }
    spinlock_unlock(&vm->lock);
    if (err == HV_OK)
        sched_wake(vcpu);
    return err;
}

void vm_vcpu_off(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    spinlock_lock(&vm->lock);
    bool last = --vm->nr_on == 0;
    spinlock_unlock(&vm->lock);
    ptimer_write_ctl(&vcpu->ptimer, 0);
    sched_remove(vcpu);
    if (last)
        vm_end(vm, VM_OFF, "its last CPU powered off");
}

void vm_start(struct vm *vm, ipa_t entry, uint64_t arg)
{
    HV_CHECK(vm->state == VM_CREATED);
    atomic_fetch_add(&vm->hv->nr_running, 1);
    vm->state = VM_RUNNING;
    hv_err err = vm_vcpu_on(&vm->vcpu[0], entry, arg);
    HV_CHECK(err == HV_OK);
}

/* True for the one call that ends the VM. */
__attribute__((format(printf, 3, 0))) static bool vm_end_once(struct vm *vm, enum vm_state state,
                                                              const char *format, va_list args)
{
    spinlock_lock(&vm->lock);
    bool first = vm->state == VM_RUNNING;
    if (first) {
        (void)fmt_vsnprintf(vm->stop_reason, sizeof(vm->stop_reason), format, args);
        vm->state = state;
    }
    spinlock_unlock(&vm->lock);
    return first;
}

/* Each pCPU takes its own vCPUs out. Those elsewhere are woken: their pCPU looks at the VM's state
 * before it runs them, and lets them go. */
static void vm_stop_vcpus(struct vm *vm)
{
    unsigned self = hal_cpu_self();

    for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
        struct vcpu *vcpu = &vm->vcpu[i];
        if (vcpu->pcpu->cpu == self)
            sched_remove(vcpu);
        else
            sched_wake(vcpu);
    }
}

/* Nothing is left to run: every pCPU must come to know it. */
static void vm_kick_pcpus(const struct hv *hv)
{
    unsigned self = hal_cpu_self();

    for (uint32_t i = 0; i < PLATFORM_MAX_CPUS; i++)
        if (i != self && hv->pcpu[i].running)
            hal_cpu_kick(i);
}

void vm_end(struct vm *vm, enum vm_state state, const char *format, ...)
{
    struct hv *hv = vm->hv;
    va_list args;

    va_start(args, format);
    bool first = vm_end_once(vm, state, format, args);
    va_end(args);
    if (!first)
        return;
    log_write(&hv->log, LOG_MOD_VM, vm_end_rows[state].level, "%s %s: %s", vm->config->name,
              vm_end_rows[state].word, vm->stop_reason);
    vm_stop_vcpus(vm);
    if (atomic_fetch_sub(&hv->nr_running, 1) == 1)
        vm_kick_pcpus(hv);
}
