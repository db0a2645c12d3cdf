/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the scheduler share. */
#ifndef VM_SCHED_PRIV_H
#define VM_SCHED_PRIV_H

#include "vm/sched.h"

/* --- sched_queue.c: the lock of `pcpu`, which is the vCPU's home, is held --- */

/* Into the run queue, as runnable. With time left of its slice it goes first, otherwise it gets a
 * new slice and goes last. */
void sched_insert(struct pcpu *pcpu, struct vcpu *vcpu);
/* Out of it; its state is the caller's to set. */
void sched_extract(struct pcpu *pcpu, struct vcpu *vcpu);
/* A new slice on top of what is left, or owed, of the last one. */
void sched_refill(const struct pcpu *pcpu, struct vcpu *vcpu);
/* `vcpu` is new in the queue: somebody is to look, its pCPU or an idle one that may steal it. */
void sched_call(struct pcpu *pcpu, const struct vcpu *vcpu);
/* This pCPU has chosen: idle ones are to look at what it leaves in its queue. */
void sched_offer(struct pcpu *pcpu);

/* --- sched_queue.c: no lock of rank sched is held --- */

/* The vCPU's home, with its lock taken. */
struct pcpu *sched_lock_home(struct vcpu *vcpu);
/* True if one more vCPU with this affinity would be better off on another pCPU by more than one. */
bool sched_is_crowded(struct pcpu *pcpu, uint64_t affinity);
/* This pCPU has something to do. It may have been called for several vCPUs at once, of which it
 * takes one: those that are left are offered to others. */
void sched_stop_idling(struct pcpu *pcpu);
/* A vCPU that waits in the queue of another pCPU and may run here: runnable, in no queue, at home
 * here. NULL: none. */
struct vcpu *sched_steal(struct pcpu *pcpu);
/* Puts a vCPU that is in no queue, and off or runnable, into the queue of the pCPU of its affinity
 * that has the least to do. */
void sched_send(struct hv *hv, struct vcpu *vcpu);

/* --- sched_switch.c: own pCPU, no lock of rank sched is held --- */

/* Loads `next`, which is this pCPU's current one, and does what was asked of it; lets go of who was
 * loaded, but not of one that waits if `next` is NULL. */
void sched_switch(struct pcpu *pcpu, struct vcpu *next);
/* Lets go of the one that is loaded. */
void sched_let_go(struct pcpu *pcpu);

/* The registers of the loaded vCPU to memory, its CPU interface reset; the scheduler still has it
 * here. */
void sched_release(struct pcpu *pcpu, struct vcpu *vcpu);

static inline uint64_t sched_bit(const struct pcpu *pcpu)
{
    return UINT64_C(1) << pcpu->cpu;
}

#endif
