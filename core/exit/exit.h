/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What happens when a guest traps: one entry, one table by exception class. And the loop that runs
 * guests. */
#ifndef EXIT_EXIT_H
#define EXIT_EXIT_H

#include "arch/vcpu.h"
#include "vm/hv.h"

/* Handles one exit of the vCPU that is loaded on this pCPU. Nothing that a guest does makes it
 * fail. */
void exit_dispatch(struct vcpu *vcpu, const struct arch_exit *exit);

/* Ends the VM because of an exit that no guest can be made to handle; the reason is the syndrome in
 * words. For exit handlers. */
void exit_end_vm(struct vcpu *vcpu, uint64_t esr);

/*
 * Acknowledges and handles the most important physical interrupt that is pending on this pCPU, if
 * there is one. Another one makes the next hal_vcpu_run() or hal_cpu_idle() return at once: one is
 * what there almost always is, and no burst of interrupts keeps a pCPU from its other work.
 */
void exit_interrupt(struct pcpu *pcpu);

/* Runs vCPUs on this pCPU until it has become the manager (hv_start_managing()), or is to go
 * offline (pcpu->leave). Nothing is loaded on return. */
void exit_run(struct pcpu *pcpu);

/*
 * The turn of the vCPUs of this pCPU, which is the manager and in the middle of long work
 * (hv_worked()): handles the interrupts that are pending and runs vCPUs, for 2 ms at most, and not
 * longer than one is runnable. Nothing is loaded before and on return; no lock is held.
 */
void exit_run_turn(struct pcpu *pcpu);

#endif
