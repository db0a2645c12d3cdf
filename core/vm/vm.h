/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A virtual machine: memory, vCPUs, interrupt controller, devices. Made from a vm_config, ended
 * with a reason. */
#ifndef VM_VM_H
#define VM_VM_H

#include "base/addr.h"
#include "base/err.h"
#include "base/lock.h"
#include "hal/platform.h"
#include "irq/vgic.h"
#include "mem/page_pool.h"
#include "mem/s2.h"
#include "vm/config.h"
#include "vm/mmio_bus.h"
#include "vm/vcpu.h"
#include <stdbool.h>
#include <stdint.h>

struct hv;
struct ram_page;

enum vm_state {
    VM_CREATED,
    VM_RUNNING, /* since vm_start() */
    VM_PAUSED,  /* none of its vCPUs runs until vm_resume() */
    VM_OFF,     /* it powered itself off */
    VM_RESET,   /* it asked for a reset, which its owner carries out */
    VM_CRASHED, /* stopped by the hypervisor, for stop_reason */
};

#define VM_REASON_MAX  160u
#define VM_MAX_DEVICES (VM_CONFIG_DEVICES + 8u) /* those that every VM has among them */

/* A device instance that belongs to the VM and is freed with it. */
struct vm_device {
    void (*destroy)(struct vm *vm, void *dev);
    /* Does a bounded piece of what it was posted for; true if there is more that can be done now.
     * On a pCPU of the VM, on the VM's time, no lock held; maybe on two at once. NULL: never. */
    bool (*work)(void *dev);
    void *dev;
};

/*
 * A device that the guest sees as memory at times. The bus has it, too. `map`: the guest reads,
 * executes, or walks its own tables at `offset`, in a way that only memory can answer: true if the
 * page is mapped now, or was meanwhile, and the guest is to try again. Called on the pCPU of the
 * vCPU, no lock held. What is mapped is never writable.
 */
typedef bool vm_rom_map_fn(void *dev, uint64_t offset);

struct vm_rom {
    uint64_t base;
    uint64_t size; /* 0: there is none */
    vm_rom_map_fn *map;
    void *dev;
};

/* The power button. */
struct vm_button {
    bool (*press)(void *dev); /* False: the guest would not notice. NULL: the VM has none. */
    void *dev;
};

/* The balloon: takes memory from the VM as far as its driver gives it. Called by the manager. */
struct vm_balloon_state {
    uint64_t target, taken; /* pages; `taken` as the driver says */
    uint64_t total, free;   /* bytes, as the guest said when it was asked last; 0: it has not */
};
struct vm_balloon {
    void (*set)(void *dev, uint64_t pages); /* how many it is to take. NULL: the VM has none. */
    /* How it is, and asks the guest for new statistics. */
    void (*get)(void *dev, struct vm_balloon_state *out);
    void *dev;
};

struct vm {
    struct hv *hv;
    const struct vm_config *config;
    pa_t block; /* what this struct and its arrays lie in, 2^block_order pages */
    uint32_t block_order;
    struct spinlock lock;     /* rank vm: writes of state, stop_reason, nr_on and vcpu->power */
    uint16_t id;              /* its place in hv->vm[], from 1 */
    _Atomic uint32_t state;   /* enum vm_state */
    _Atomic uint32_t nr_live; /* vCPUs that a pCPU has to do with: not VCPU_OFF */
    uint32_t nr_on;           /* vCPUs that are not powered off */
    _Atomic bool
        mem_protect; /* PSCI MEM_PROTECT: kept, as a reset VM gets scrubbed memory anyway */
    char stop_reason[VM_REASON_MAX];
    struct page_account account;
    struct s2 s2;
    struct ram_page *ram; /* the blocks that its memory is made of: vm/ram.c */
    struct mmio_bus bus;
    struct vm_rom rom;
    struct vgic vgic;
    struct vcpu *vcpu;                    /* [nr_vcpus] */
    uint8_t last_vcpu[PLATFORM_MAX_CPUS]; /* whose translations a pCPU has: index + 1; 0: nobody's.
                                             Each its own */
    uint32_t nr_vcpus;
    _Atomic uint64_t work;         /* bit n: device[n] is to be served */
    _Atomic uint32_t work_next;    /* whose turn it is: those from here on go first */
    struct vm_button power_button; /* belongs to one of device[] */
    struct vm_balloon balloon;     /* the same */
    uint32_t nr_devices;
    struct vm_device device[VM_MAX_DEVICES];
};

/*
 * Makes a VM with its memory mapped and scrubbed, its vCPUs off, its interrupt controller on the
 * bus. Memory and tables are charged to its own account, the struct itself to hv->account. On an
 * error everything is given back and the reason is in the log: HV_ERR_INVAL for a configuration
 * that no machine could run, or a vCPU that no pCPU online may, HV_ERR_RANGE if the guest-physical
 * address space or the VMIDs do not reach, HV_ERR_NOMEM or HV_ERR_QUOTA. hv->pool, platform, idregs
 * and pcpu[0] are set up. `config` outlives the VM. hv->vm[] is the caller's. Only the manager, no
 * lock held: other VMs run on this pCPU before it returns (hv_worked()).
 */
HV_MUST_CHECK hv_err vm_create(struct hv *hv, const struct vm_config *config, uint16_t id,
                               struct vm **out);

/* True once the VM has ended and none of its vCPUs is in any pCPU: it can be destroyed, and stays
 * so. Of one that was not started it is false: whoever makes it may not be done yet. */
static inline bool vm_is_over(const struct vm *vm)
{
    uint32_t state = vm->state;

    return state != VM_CREATED && state != VM_RUNNING && state != VM_PAUSED && vm->nr_live == 0;
}

/* Scrubs and gives back every page. The VM is over, or was not started, and no longer in hv->vm[].
 * Only the manager (vm/hv.h), no lock held: waits for the other pCPUs, and other VMs run on this
 * one before it returns (hv_worked()). */
void vm_destroy(struct vm *vm);

/* Registers a device to be destroyed with the VM. HV_ERR_NOMEM if the table is full. */
HV_MUST_CHECK hv_err vm_add_device(struct vm *vm, void *dev,
                                   void (*destroy)(struct vm *vm, void *dev));
/* The same for a device that does work; *index is its place in vm->device[]. */
HV_MUST_CHECK hv_err vm_add_worker(struct vm *vm, void *dev,
                                   void (*destroy)(struct vm *vm, void *dev),
                                   bool (*work)(void *dev), uint32_t *index);

/*
 * Has the work() of device `index` called soon, by a vCPU of the VM before it runs on: the one that
 * runs here, if it is of this VM. A VM that is paused does it when it is resumed, one that has
 * ended never. Everything that was written before the call is seen by that work(), or by one that
 * is not over yet: then it is called again.
 *
 * Any pCPU; locks of rank below sched may be held. The VM stays meanwhile: its own vCPU calls, or
 * the caller holds a lock that the device's destroy() takes.
 */
void vm_post_device(struct vm *vm, uint32_t index);

/* For the scheduler, on the pCPU of a vCPU of the VM that is to run on: one device's piece of work,
 * in turn. If more is left the vCPU is asked again, behind whoever else is to run here. */
void vm_serve_devices(struct vcpu *vcpu);

/* For vm_vcpu_off(): the running vCPU has stopped, and may have been asked to serve devices. */
void vm_hand_on_work(struct vm *vm);

/* Lets a created VM run: powers vCPU 0 on at `entry` with x0 = `arg`. */
void vm_start(struct vm *vm, ipa_t entry, uint64_t arg);

/* None of its vCPUs runs from now on, once their pCPUs have noticed, until vm_resume(). Time goes
 * on for it. HV_ERR_INVAL if it is not running, or not paused. Any pCPU; takes vm->lock. */
HV_MUST_CHECK hv_err vm_pause(struct vm *vm);
HV_MUST_CHECK hv_err vm_resume(struct vm *vm);

/* Powers `vcpu` on at `entry` with x0 = `arg`. HV_ERR_EXIST if it is on, HV_ERR_BUSY if that is
 * under way, HV_ERR_INVAL if the VM has ended. Any pCPU; takes vm->lock. */
HV_MUST_CHECK hv_err vm_vcpu_on(struct vcpu *vcpu, ipa_t entry, uint64_t arg);

/* The running vCPU powers itself off, as soon as its exit is handled. A VM whose last one goes is
 * ended, as VM_OFF: nothing could wake it. */
void vm_vcpu_off(struct vcpu *vcpu);

/* True if no other vCPU of the VM than the running one, which asks, is on or about to be. Takes
 * vm->lock; stays true until that one powers another on. */
bool vm_is_alone(struct vcpu *vcpu);

/*
 * Ends a running or paused VM as `state` says (VM_OFF, VM_RESET or VM_CRASHED); none of its vCPUs
 * runs again once their pCPUs have noticed, and then the manager has work. The reason, in words, is
 * logged and kept. The first end wins; later ones change nothing. May be called for the current
 * vCPU's VM from its exit handlers. Any pCPU; takes vm->lock.
 */
void vm_end(struct vm *vm, enum vm_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
