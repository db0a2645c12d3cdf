/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One hypervisor instance: everything that core knows hangs off it. */
#ifndef VM_HV_H
#define VM_HV_H

#include "arch/idreg.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/random.h"
#include "hal/platform.h"
#include "mem/page_pool.h"
#include "mem/vmid.h"
#include "vm/config.h"
#include "vm/timer.h"
#include "vm/vm.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct console;            /* dev/console.h */
struct dev_registry;       /* dev/registry.h */
struct flash_store;        /* dev/flash_store.h */
struct virtio_console_hub; /* virtio/console.h */
struct virtio_vsock_hub;   /* virtio/vsock.h */
struct disks;              /* dev/disk.h */
struct switches;           /* dev/switches.h */

/* A physical CPU. */
struct pcpu {
    struct hv *hv; /* set by sched_init_pcpu(), as cpu */
    uint32_t cpu;

    /* Its own: no other pCPU touches it. */
    bool resched;         /* ask sched_next() before anything runs on */
    struct vcpu *current; /* in state VCPU_RUNNING here, or NULL */
    struct vcpu *loaded;  /* whose registers are in the CPU, or NULL */
    uint64_t charged;     /* the counter when `current` was charged for its time last */
    struct timer slice;   /* the end of `current`'s time, while others wait */
    struct timer_queue timers;

    /* Anybody's. */
    struct spinlock lock;       /* rank sched: runq, and the vCPUs whose home this is (vm/vcpu.h) */
    struct list_node runq;      /* of vCPUs in state VCPU_RUNNABLE */
    struct vcpu *running;       /* `current`, for the others, under the lock */
    bool preempt;               /* the first of runq goes before the running one; under the lock */
    _Atomic uint32_t nr_queued; /* in runq */
    _Atomic bool leave;         /* it is to go offline */
    _Atomic uint64_t passes;    /* calls of sched_next(): see sched_quiesce() */
};

struct hv {
    struct log log;
    struct page_pool pool;
    struct page_account account; /* the hypervisor's own pages */
    struct hal_platform platform;
    struct arch_idregs idregs;       /* the boot CPU's; what matters of it is every pCPU's */
    struct arch_idregs guest_idregs; /* as every guest sees them */
    struct vmids vmids;
    uint64_t wall_base;   /* seconds since 1970 when the counter was 0; 0: nobody knows */
    struct random random; /* seeds for guests: the manager's */
    struct console *console;
    struct virtio_console_hub *consoles;   /* what connects the VMs' virtio consoles */
    struct virtio_vsock_hub *vsocks;       /* what connects their sockets */
    struct disks *disks;                   /* NULL: there are none */
    struct switches *switches;             /* NULL: there are none */
    const struct dev_registry *devices;    /* that a VM can have */
    struct vm *vm[HV_MAX_VMS];             /* written by the manager */
    struct flash_store *flash[HV_MAX_VMS]; /* by slot, over all lives of its VM. NULL: none yet */
    uint32_t nr_vms;                       /* slots in use */
    _Atomic uint64_t online;               /* bit n: pCPU n runs vCPUs */
    _Atomic uint64_t idle; /* bit n: pCPU n has nothing to run; a kick makes it look for work */
    _Atomic bool work;     /* there is something for the manager to do: hv_post_work() */
    _Atomic bool managing; /* a pCPU is the manager now */
    uint64_t worked;       /* bytes since the manager's pCPU had its turn: hv_worked() */
    void (*turn)(struct pcpu *pcpu); /* runs vCPUs on this pCPU for a while; NULL: none do */
    struct pcpu pcpu[PLATFORM_MAX_CPUS];
};

/*
 * VMs are made, ended and destroyed by one pCPU at a time, the manager: whichever finds work posted
 * and nobody at it. Posts that something is to be done; any pCPU, any lock held.
 */
void hv_post_work(struct hv *hv);

/*
 * True for the one pCPU that is the manager from now on, until hv_stop_managing(): because there is
 * work, or because it is to go offline, which only the manager may.
 */
bool hv_start_managing(struct pcpu *pcpu);
/* False if more was posted meanwhile: then it stays the manager. */
bool hv_stop_managing(struct pcpu *pcpu);

/* What is done to so much memory at a time. */
#define HV_PIECE MIB(1)
/*
 * The manager has zeroed, copied or cleaned so many bytes, HV_PIECE at most. After each HV_PIECE of
 * them the vCPUs of its pCPU have their turn, before this returns. Only the manager, no lock held;
 * what it is at work on is in no pCPU's reach. Before this pCPU runs vCPUs at all nobody has a
 * turn.
 */
void hv_worked(struct hv *hv, uint64_t bytes);

#endif
