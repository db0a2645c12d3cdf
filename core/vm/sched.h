/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which vCPU a pCPU runs: docs/scheduler.md. One run queue a pCPU, under its lock (rank sched). A
 * vCPU belongs to its home pCPU: whose lock guards where the scheduler has it, and where it runs
 * next unless an idle pCPU steals it. A vCPU stays loaded while it waits and nothing else is to
 * run, so that its hardware timer can wake it.
 */
#ifndef VM_SCHED_H
#define VM_SCHED_H

#include "hal/hal.h"
#include "vm/hv.h"

/* Takes a physical CPU into use, with nothing to run; it is offline. */
void sched_init_pcpu(struct hv *hv, uint32_t cpu);
/* A pCPU that was started runs vCPUs from now on. The one that started it, or itself. */
void sched_online(struct pcpu *pcpu);
/*
 * This pCPU runs none any more: gives those it has to others. HV_ERR_BUSY, and it goes on, if one
 * of them may run nowhere else. The hardware may be stopped afterwards.
 */
HV_MUST_CHECK hv_err sched_offline(struct pcpu *pcpu);

/* True if one of the pCPUs that are online may run it. */
bool sched_can_run(const struct hv *hv, uint64_t affinity);

/*
 * Puts a vCPU that is off, with its registers as they are to be, into a run queue: that of the pCPU
 * of its affinity with the least to do. Any pCPU; no lock of rank sched or higher is held.
 */
void sched_start(struct vcpu *vcpu);
/*
 * There is something for it to look at: it is made runnable if it waits, and leaves the guest if it
 * runs. Any pCPU; takes its home's lock, so that locks of lower rank may be held.
 */
void sched_wake(struct vcpu *vcpu);
/* Its VM has ended: it is gone at once (vcpu_gone()) if it waits or rests with its registers in no
 * CPU, otherwise its pCPU lets go of it soon. */
void sched_rouse(struct vcpu *vcpu);
/* Its VM rests from now on: it leaves the guest if it runs. One that waits goes on waiting, and
 * rests when it wakes. */
void sched_rest(struct vcpu *vcpu);
/* Its VM runs again: it is made runnable if it rests. */
void sched_unrest(struct vcpu *vcpu);

/* The running vCPU waits for an interrupt, unless one is pending. Own pCPU, as the next three. */
void sched_wait(struct vcpu *vcpu);
/* The same for a vCPU that suspends itself (PSCI): a sleep of a kind other than VCPU_AWAKE, which
 * ends as it says when the vCPU runs next. */
void sched_suspend(struct vcpu *vcpu, enum vcpu_suspend kind, ipa_t entry, uint64_t context);
/* The running vCPU spins: lets another one run, of the same VM if one waits here. */
void sched_give_way(struct vcpu *vcpu);
/* The running vCPU powers off, once sched_next() or sched_unload() has let go of its registers. */
void sched_stop(struct vcpu *vcpu);

/*
 * The vCPU to run now on this pCPU, loaded and in state VCPU_RUNNING, with what was asked of it
 * done; NULL if none is runnable here or to be stolen. Only its own pCPU calls.
 */
struct vcpu *sched_next(struct pcpu *pcpu);
/* This pCPU runs none for a while: lets go of the one that is loaded, running or waiting; the
 * running one goes back into the queue, where others may steal it. */
void sched_unload(struct pcpu *pcpu);

/*
 * Waits until every other pCPU has passed through sched_next(): then none is still in the middle of
 * what it did before the call (a timer's `expired`, an interrupt of the console). No lock is held.
 */
void sched_quiesce(struct hv *hv);
/* The same for who does other things meanwhile, and for those only who may be in the middle of
 * something for one VM. */
struct sched_grace {
    uint64_t waits; /* bit n: pCPU n has not passed yet */
    uint64_t passes[PLATFORM_MAX_CPUS];
};
/*
 * From the pCPUs on which a vCPU of the VM runs: no other one touches its memory. They are kicked,
 * and nobody else is. A pCPU that comes to it later has missed nothing that was done before the
 * call, if it looks with sequential consistency whether it was: as `s2.changes` is looked at.
 */
void sched_grace_begin(struct vm *vm, struct sched_grace *grace);
/* True once all have passed; from then on it stays so. Any pCPU, one at a time. */
bool sched_grace_is_over(struct hv *hv, struct sched_grace *grace);
/* As if this pCPU passed through sched_next(): it waits for another one in the middle of an exit of
 * its current vCPU, and uses nothing meanwhile but that and what belongs to its VM for life. */
static inline void sched_pass(struct hv *hv)
{
    atomic_fetch_add_explicit(&hv->pcpu[hal_cpu_self()].passes, 1, memory_order_release);
}

#endif
