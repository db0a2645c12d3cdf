/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The life of all VMs of a bundle, and of the pCPUs that run them. Every function but
 * manager_init() and manager_run() is called by the one pCPU that is the manager (vm/hv.h). */
#ifndef ROLE_MANAGER_H
#define ROLE_MANAGER_H

#include "base/err.h"
#include "role/stop.h"
#include "vm/config.h"
#include "vm/hv.h"
#include <stdbool.h>
#include <stdint.h>

struct manager {
    struct hv *hv;
    const struct hv_config *config;
    uint64_t gone;   /* bit n: the VM of slot n was destroyed for good */
    uint64_t halted; /* bit n: the VM of slot n was stopped from the console: it does not reset */
    uint64_t reset_from[HV_MAX_VMS]; /* the VM of slot n is reset at this time at the earliest */
    struct timer reset_due; /* posts work at such a time, if a VM waits for it: the manager's */
    struct stopping stopping;
    bool reroute; /* the console's interrupt went to a pCPU that is off now */
    bool failed;  /* a VM was stopped, or could not be started: the machine's end is no good one */
};

/* Before all other functions. Both outlive it. */
void manager_init(struct manager *manager, struct hv *hv, const struct hv_config *config);

/* Brings up all pCPUs but this one, which runs vCPUs from now on too. One that does not come is
 * said in the log, and done without. */
void manager_start_pcpus(struct manager *manager);
/* Brings up one. HV_ERR_BUSY if it is on; other errors of hal_cpu_start(); HV_ERR_UNSUPPORTED also
 * if it is not like the boot CPU (idreg_differs()), and turns itself off again. Each is in the log.
 */
HV_MUST_CHECK hv_err manager_start_pcpu(struct manager *manager, uint32_t cpu);
/* Makes the VM of `slot` and starts it. The reason of a failure is in the log. */
HV_MUST_CHECK hv_err manager_start_vm(struct manager *manager, uint32_t slot);
/* Starts all VMs that the bundle wants to run; how many did. */
uint32_t manager_start_vms(struct manager *manager);
/* Runs vCPUs on this pCPU, and is the manager when it is its turn, until the machine ends. */
_Noreturn void manager_run(struct manager *manager, struct pcpu *pcpu);

#endif
