/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Devices of a VM, and who works for them: docs/scheduler.md.
 *
 * vm->work is what there is to do; VCPU_REQ_DEVICES makes a vCPU look at it. While vm->work is not
 * 0 somebody has been asked, or is about to be: so who finds a bit set already need ask nobody.
 */
#include "base/bits.h"
#include "hal/hal.h"
#include "vm/hv.h"
#include "vm/sched.h"
#include "vm/vm.h"

_Static_assert(VM_MAX_DEVICES <= 64, "a bit each in vm->work");

hv_err vm_add_worker(struct vm *vm, void *dev, void (*destroy)(struct vm *vm, void *dev),
                     bool (*work)(void *dev), uint32_t *index)
{
    if (vm->nr_devices == VM_MAX_DEVICES)
        return HV_ERR_NOMEM;
    *index = vm->nr_devices++;
    vm->device[*index] = (struct vm_device){.destroy = destroy, .work = work, .dev = dev};
    return HV_OK;
}

hv_err vm_add_device(struct vm *vm, void *dev, void (*destroy)(struct vm *vm, void *dev))
{
    uint32_t index;

    return vm_add_worker(vm, dev, destroy, NULL, &index);
}

/* --- Whom to ask --- */

/* How soon a vCPU in each state looks; 0: not at all. One that runs leaves the guest at once, one
 * that waits has time to spare, one in a queue comes to it when it is its turn. */
static const uint8_t eagerness[] = {
    [VCPU_OFF] = 0, [VCPU_RUNNABLE] = 1, [VCPU_RUNNING] = 3, [VCPU_BLOCKED] = 2, [VCPU_PARKED] = 1,
};

/*
 * NULL if all are seen to be off. That happens only to a VM that has ended, or while one that was
 * on powers off: then vm->work, which was set before the look, is what it finds afterwards
 * (vm_hand_on_work()).
 */
static struct vcpu *most_eager(struct vm *vm)
{
    struct vcpu *best = NULL;
    uint8_t most = 0;

    for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
        uint8_t this = eagerness[atomic_load(&vm->vcpu[i].state)];
        if (this > most) {
            most = this;
            best = &vm->vcpu[i];
        }
    }
    return best;
}

static __attribute__((noinline)) void ask_another(struct vm *vm)
{
    struct vcpu *vcpu = most_eager(vm);

    if (vcpu == NULL)
        return;
    atomic_fetch_or(&vcpu->requests, VCPU_REQ_DEVICES);
    sched_wake(vcpu);
}

/* True if the one that runs here is of this VM: then it is asked, without a lock, as nobody else
 * stops it from running. */
static inline bool ask_own(struct vm *vm)
{
    struct pcpu *pcpu = &vm->hv->pcpu[hal_cpu_self()];
    struct vcpu *vcpu = pcpu->current;

    if (vcpu == NULL || vcpu->vm != vm)
        return false;
    atomic_fetch_or(&vcpu->requests, VCPU_REQ_DEVICES);
    pcpu->resched = true;
    return true;
}

void vm_post_device(struct vm *vm, uint32_t index)
{
    bool first = atomic_fetch_or(&vm->work, BIT(index)) == 0;

    /* Even if another one was asked, which may have to wait for its turn. */
    if (!ask_own(vm) && first)
        ask_another(vm);
}

void vm_hand_on_work(struct vm *vm)
{
    if (atomic_load(&vm->work) != 0)
        ask_another(vm);
}

/* --- The work --- */

/* A bit of `work`, which is not 0: the first one from `from` on, or else the first. */
static uint32_t choose(uint64_t work, uint32_t from)
{
    uint64_t later = work & ~UINT64_C(0) << from;

    return (uint32_t)__builtin_ctzll(later != 0 ? later : work);
}

void vm_serve_devices(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    uint64_t work = atomic_load(&vm->work);

    if (work == 0)
        return;
    uint32_t index = choose(work, atomic_load_explicit(&vm->work_next, memory_order_relaxed));
    const struct vm_device *device = &vm->device[index];
    atomic_store_explicit(&vm->work_next, (index + 1) % VM_MAX_DEVICES, memory_order_relaxed);
    /* Another vCPU may have taken it. */
    if ((atomic_fetch_and(&vm->work, ~BIT(index)) & BIT(index)) != 0 && device->work(device->dev))
        atomic_fetch_or(&vm->work, BIT(index));
    if (atomic_load(&vm->work) == 0)
        return;
    /* sched_next() clears resched before it comes here. */
    atomic_fetch_or(&vcpu->requests, VCPU_REQ_DEVICES);
    vm->hv->pcpu[hal_cpu_self()].resched = true;
}
