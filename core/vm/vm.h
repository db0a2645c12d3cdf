/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A virtual machine: memory, vCPUs, interrupt controller, devices. Made from a vm_config, ended
 * with a reason. */
#ifndef VM_VM_H
#define VM_VM_H

#include "base/addr.h"
#include "base/err.h"
#include "base/lock.h"
#include "irq/vgic.h"
#include "mem/page_pool.h"
#include "mem/s2.h"
#include "vm/config.h"
#include "vm/mmio_bus.h"
#include "vm/vcpu.h"
#include <stdint.h>

struct hv;
struct ram_page;

enum vm_state {
    VM_CREATED,
    VM_RUNNING, /* since vm_start() */
    VM_OFF,     /* it powered itself off */
    VM_RESET,   /* it asked for a reset, which its owner carries out */
    VM_CRASHED, /* stopped by the hypervisor, for stop_reason */
};

#define VM_REASON_MAX  160u
#define VM_MAX_DEVICES 16u

/* A device instance that belongs to the VM and is freed with it. */
struct vm_device {
    void (*destroy)(struct vm *vm, void *dev);
    void *dev;
};

struct vm {
    struct hv *hv;
    const struct vm_config *config;
    pa_t block; /* what this struct and its arrays lie in, 2^block_order pages */
    uint32_t block_order;
    struct spinlock lock;   /* rank vm: writes of state, stop_reason, nr_on and vcpu->power */
    uint16_t id;            /* its VMID too */
    _Atomic uint32_t state; /* enum vm_state */
    uint32_t nr_on;         /* vCPUs that are not powered off */
    char stop_reason[VM_REASON_MAX];
    struct page_account account;
    struct s2 s2;
    struct ram_page *ram; /* the blocks that its memory is made of: vm/ram.c */
    struct mmio_bus bus;
    struct vgic vgic;
    struct vcpu *vcpu; /* [nr_vcpus] */
    uint32_t nr_vcpus;
    uint32_t nr_devices;
    struct vm_device device[VM_MAX_DEVICES];
};

/*
 * Makes a VM with its memory mapped and scrubbed, its vCPUs off, its interrupt controller on the
 * bus. Memory and tables are charged to its own account, the struct itself to hv->account. On an
 * error everything is given back and the reason is in the log: HV_ERR_INVAL for a configuration
 * that no machine could run, HV_ERR_RANGE if the guest-physical address space or the VMIDs do not
 * reach, HV_ERR_NOMEM or HV_ERR_QUOTA. hv->pool, platform, idregs and pcpu[0] are set up. `config`
 * outlives the VM. hv->vm[] is the caller's.
 */
HV_MUST_CHECK hv_err vm_create(struct hv *hv, const struct vm_config *config, uint16_t id,
                               struct vm **out);

/* Gives back every page. No vCPU of it is loaded or queued. */
void vm_destroy(struct vm *vm);

/* Registers a device to be destroyed with the VM. HV_ERR_NOMEM if the table is full. */
HV_MUST_CHECK hv_err vm_add_device(struct vm *vm, void *dev,
                                   void (*destroy)(struct vm *vm, void *dev));

/* Lets a created VM run: powers vCPU 0 on at `entry` with x0 = `arg`, on pCPU 0. */
void vm_start(struct vm *vm, ipa_t entry, uint64_t arg);

/* Powers `vcpu` on at `entry` with x0 = `arg`; its own pCPU then runs it. HV_ERR_EXIST if it is on,
 * HV_ERR_BUSY if that is under way. Any pCPU. */
HV_MUST_CHECK hv_err vm_vcpu_on(struct vcpu *vcpu, ipa_t entry, uint64_t arg);

/* The running vCPU powers itself off, as soon as its exit is handled. A VM whose last one goes is
 * ended, as VM_OFF: nothing could wake it. */
void vm_vcpu_off(struct vcpu *vcpu);

/*
 * Ends a running VM as `state` says (VM_OFF, VM_RESET or VM_CRASHED); none of its vCPUs runs again.
 * The reason, in words, is logged and kept. The first end wins; later ones change nothing. May be
 * called for the current vCPU's VM from its exit handlers. Any pCPU; takes vm->lock.
 */
void vm_end(struct vm *vm, enum vm_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
