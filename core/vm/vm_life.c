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
    /* Once: its own pCPU makes PENDING ON without the lock. */
    uint32_t power = vcpu->power;
    if (vm->state != VM_RUNNING && vm->state != VM_PAUSED) {
        err = HV_ERR_INVAL;
    } else if (power == VCPU_POWER_ON) {
        err = HV_ERR_EXIST;
    } else if (power == VCPU_POWER_PENDING) {
        err = HV_ERR_BUSY;
    } else {
        vcpu_reset(vcpu, entry, arg);
        vcpu->power = VCPU_POWER_PENDING;
        vm->nr_on++;
        atomic_fetch_add(&vm->nr_live, 1);
    }
    spinlock_unlock(&vm->lock);
    if (err == HV_OK)
        sched_start(vcpu);
    return err;
}

void vm_vcpu_off(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    spinlock_lock(&vm->lock);
    bool last = --vm->nr_on == 0;
    spinlock_unlock(&vm->lock);
    if (last)
        vm_end(vm, VM_OFF, "its last CPU powered off");
    ptimer_write_ctl(&vcpu->ptimer, 0);
    sched_stop(vcpu);
    vm_hand_on_work(vm);
}

bool vm_is_alone(struct vcpu *vcpu)
{
    spinlock_lock(&vcpu->vm->lock);
    bool alone = vcpu->vm->nr_on == 1;
    spinlock_unlock(&vcpu->vm->lock);
    return alone;
}

/* Another pCPU may take it from here: nothing of the VM is touched after the last line but by what
 * sched_quiesce() waits for. */
void vcpu_gone(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    timer_cancel(&vcpu->ptimer.timer);
    timer_cancel(&vcpu->vtimer_watch);
    atomic_store(&vcpu->requests, 0);
    vcpu->budget = 0;
    atomic_store(&vcpu->power, VCPU_POWER_OFF);
    if (atomic_fetch_sub(&vm->nr_live, 1) == 1 && vm->state != VM_RUNNING)
        hv_post_work(vm->hv);
}

void vm_start(struct vm *vm, ipa_t entry, uint64_t arg)
{
    HV_CHECK(vm->state == VM_CREATED);
    vm->state = VM_RUNNING;
    hv_err err = vm_vcpu_on(&vm->vcpu[0], entry, arg);
    HV_CHECK(err == HV_OK);
}

/* --- Rest --- */

static hv_err vm_change(struct vm *vm, enum vm_state from, enum vm_state to)
{
    spinlock_lock(&vm->lock);
    hv_err err = vm->state == from ? HV_OK : HV_ERR_INVAL;
    if (err == HV_OK)
        vm->state = to;
    spinlock_unlock(&vm->lock);
    return err;
}

static void vm_each(struct vm *vm, void (*act)(struct vcpu *vcpu))
{
    for (uint32_t i = 0; i < vm->nr_vcpus; i++)
        act(&vm->vcpu[i]);
}

hv_err vm_pause(struct vm *vm)
{
    hv_err err = vm_change(vm, VM_RUNNING, VM_PAUSED);

    if (err == HV_OK)
        vm_each(vm, sched_rest);
    return err;
}

hv_err vm_resume(struct vm *vm)
{
    hv_err err = vm_change(vm, VM_PAUSED, VM_RUNNING);

    if (err == HV_OK)
        vm_each(vm, sched_unrest);
    return err;
}

/* --- The end --- */

/* True for the one call that ends the VM. */
__attribute__((format(printf, 3, 0))) static bool vm_end_once(struct vm *vm, enum vm_state state,
                                                              const char *format, va_list args)
{
    spinlock_lock(&vm->lock);
    bool first = vm->state == VM_RUNNING || vm->state == VM_PAUSED;
    if (first) {
        (void)fmt_vsnprintf(vm->stop_reason, sizeof(vm->stop_reason), format, args);
        vm->state = state;
    }
    spinlock_unlock(&vm->lock);
    return first;
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
    /* Its pCPUs let them go when they look at its state. */
    vm_each(vm, sched_rouse);
}

/* --- The manager --- */

void hv_post_work(struct hv *hv)
{
    atomic_store(&hv->work, true);
    hv->pcpu[hal_cpu_self()].resched = true;
}

bool hv_start_managing(struct pcpu *pcpu)
{
    struct hv *hv = pcpu->hv;

    if (!atomic_load_explicit(&hv->work, memory_order_relaxed) &&
        !atomic_load_explicit(&pcpu->leave, memory_order_relaxed))
        return false;
    if (atomic_exchange(&hv->managing, true))
        return false;
    atomic_store(&hv->work, false);
    return true;
}

/* Who posts looks at `managing` after it has set `work`; here it is the other way round, so that
 * one of the two sees the other: both sequentially consistent. */
bool hv_stop_managing(struct pcpu *pcpu)
{
    struct hv *hv = pcpu->hv;

    atomic_store(&hv->managing, false);
    if (!atomic_load(&hv->work) && !atomic_load(&pcpu->leave))
        return true;
    return !hv_start_managing(pcpu);
}

void hv_worked(struct hv *hv, uint64_t bytes)
{
    struct pcpu *pcpu = &hv->pcpu[hal_cpu_self()];

    hv->worked += bytes;
    if (hv->worked < HV_PIECE)
        return;
    hv->worked = 0;
    if (hv->turn != NULL && atomic_load_explicit(&pcpu->passes, memory_order_relaxed) != 0)
        hv->turn(pcpu);
}
