/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Guests, and a machine around core, that a test plays. The linker puts script.c between core and
 * four functions of the HAL (CMakeLists.txt: --wrap), so that core's own loop runs "guests" that
 * take no engine: what they do next is the test's to say.
 */
#ifndef EXPLORE_SCRIPT_H
#define EXPLORE_SCRIPT_H

#include "arch/vcpu.h"
#include "vm/hv.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct script {
    /* In the place of hal_vcpu_run(): the guest goes on, up to the exit that is filled in. It may
     * do all that a guest's instructions may: use its timers, take its interrupts. */
    void (*guest)(struct vcpu *vcpu, struct arch_exit *exit);
    /* In the place of hal_cpu_idle(), which may return early; NULL: waits. False: waits. */
    bool (*idle)(void);
    /* In the place of hal_console_read(): with console->lock. NULL: nothing is typed. */
    size_t (*typed)(char *buf, size_t size);
    /* Before hal_halt(); NULL: nothing. */
    void (*halted)(void);
    /* At a moment when all CPUs spin or idle and no interrupt is pending: nothing is under way, so
     * nobody who was woken sleeps. To be compiled with SCRIPT_UNWATCHED. NULL: nothing. */
    void (*settled)(void);
};

/* Reads what others wrote without an order, which is no race at such a moment. */
#define SCRIPT_UNWATCHED __attribute__((no_sanitize("thread")))

/* Before there is any other CPU. Both stay. */
void script_begin(const struct script *script, struct hv *hv);

/* --- Exits --- */

/* As after an interrupt; there need not be one, since it may be gone by the time of its exit. */
void script_irq(struct arch_exit *exit);
void script_wfi(struct arch_exit *exit);
void script_wfe(struct arch_exit *exit);
/* HVC of a function with up to three arguments; its result is in x0 when the guest goes on. */
void script_call(struct vcpu *vcpu, struct arch_exit *exit, uint32_t fid, uint64_t x1, uint64_t x2,
                 uint64_t x3);

/* --- What a guest does without one --- */

/* Time that it takes, in microseconds. */
void script_spend(uint64_t micros);
/* Configures the interrupt controller of the VM: group 1, SPIs edge-triggered, spread over its
 * vCPUs, all enabled. Any vCPU, or nobody yet. */
void script_open_gic(struct vm *vm, unsigned nr_spis);
/* Opens its CPU interface; true if it was closed, as it is when the vCPU comes out of reset. */
bool script_open_interface(struct vcpu *vcpu);
/* Acknowledges and ends all interrupts that its list registers hold, one after the other. */
void script_take(struct vcpu *vcpu, void (*taken)(struct vcpu *vcpu, uint32_t intid));
void script_send_sgi(struct vcpu *vcpu, unsigned to, unsigned intid);
void script_pulse_spi(struct vm *vm, unsigned n);
/* Starts or stops a timer of its own: the virtual one, or the physical. */
void script_start_timer(struct vcpu *vcpu, bool virtual, uint64_t micros);
void script_stop_timer(struct vcpu *vcpu, uint32_t intid);

/* --- What must hold at any time --- */

/* The run queue of any pCPU, and who runs there. Takes its lock. */
void script_check_pcpu(struct pcpu *pcpu);
/*
 * The guest spins for a moment. If by then nothing is under way, here as before each
 * hal_cpu_idle(), no vCPU waits in a queue that an idle pCPU could run.
 */
void script_spin(void);

/* For settled(): a vCPU of the VM waits in a queue for its turn. */
bool script_is_queued(const struct vm *vm);

#endif
