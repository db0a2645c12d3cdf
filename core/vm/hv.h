/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One hypervisor instance: everything that core knows hangs off it. */
#ifndef VM_HV_H
#define VM_HV_H

#include "arch/idreg.h"
#include "base/list.h"
#include "base/log.h"
#include "base/random.h"
#include "hal/platform.h"
#include "mem/page_pool.h"
#include "vm/config.h"
#include "vm/timer.h"
#include "vm/vm.h"
#include <stdbool.h>
#include <stdint.h>

struct console; /* dev/console.h */

/* A physical CPU. Its own data: another pCPU only posts vCPUs to it, and kicks it. */
struct pcpu {
    struct hv *hv; /* set by sched_init_pcpu() */
    uint32_t cpu;
    _Atomic bool running; /* in exit_run(), where a kick is understood */
    _Atomic(struct vcpu *)
        posted;   /* to be woken, linked by posted_next: by sched_wake() elsewhere */
    bool resched; /* ask sched_next() before anything runs on: set whenever `current` stops running
                   */
    struct vcpu *current; /* in state VCPU_RUNNING here, or NULL */
    struct vcpu *loaded;  /* whose registers are in the CPU, or NULL */
    struct list_node runq;
    struct timer_queue timers;
};

struct hv {
    struct log log;
    struct page_pool pool;
    struct page_account account; /* the hypervisor's own pages */
    struct hal_platform platform;
    struct arch_idregs idregs;       /* the CPU's */
    struct arch_idregs guest_idregs; /* as every guest sees them */
    struct random random;            /* seeds for guests */
    struct console *console;
    struct vm *vm[HV_MAX_VMS];
    uint32_t nr_vms;             /* slots in use */
    _Atomic uint32_t nr_running; /* VMs in state VM_RUNNING */
    struct pcpu pcpu[PLATFORM_MAX_CPUS];
};

#endif
