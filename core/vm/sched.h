/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which vCPU a pCPU runs. One run queue a pCPU; a blocked vCPU is in none. A vCPU stays loaded
 * while it idles, so that its hardware timer can wake it.
 */
#ifndef VM_SCHED_H
#define VM_SCHED_H

#include "vm/hv.h"

/* Takes a physical CPU into use, with nothing to run. */
void sched_init_pcpu(struct hv *hv, uint32_t cpu);

/*
 * Puts a vCPU that is blocked, or off with its power-on pending, into the run queue of its pCPU, as
 * runnable; one in another state stays as it is. On another pCPU than the vCPU's it is posted to
 * that one, which is kicked. Any pCPU; takes no lock, so that any may be held.
 */
void sched_wake(struct vcpu *vcpu);
/* The running vCPU waits for an interrupt. */
void sched_block(struct vcpu *vcpu);
/* Takes a vCPU out of scheduling, because it powers off or its VM has ended, and stops its timers.
 * It is this pCPU's. Its registers stay loaded until sched_next() or sched_unload(), which then
 * mark its power off. */
void sched_remove(struct vcpu *vcpu);

/*
 * The vCPU to run now on this pCPU, loaded and in state VCPU_RUNNING; NULL if none is runnable.
 * Only its own pCPU calls.
 */
struct vcpu *sched_next(struct pcpu *pcpu);
/* Unloads whatever vCPU is loaded on this pCPU. */
void sched_unload(struct pcpu *pcpu);

#endif
