/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A virtual CPU: its registers, its place in the scheduler, its timers, and the exceptions that
 * core makes it take. */
#ifndef VM_VCPU_H
#define VM_VCPU_H

#include "arch/esr.h"
#include "arch/pstate.h"
#include "arch/vcpu.h"
#include "base/addr.h"
#include "base/list.h"
#include "vm/ptimer.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vm;
struct pcpu;
struct sysreg_row;
struct mmio_region;

/* Where the scheduler has it. */
enum vcpu_state {
    VCPU_OFF,      /* nowhere */
    VCPU_RUNNABLE, /* in its home's run queue, or on the way into one */
    VCPU_RUNNING,  /* its home's current one, or just preempted there */
    VCPU_BLOCKED,  /* waits, until sched_wake() */
    VCPU_PARKED,   /* rests until its VM is resumed */
};

/* Power state as PSCI means it (DEN 0022, 5.7.2: the values of AFFINITY_INFO). OFF -> PENDING under
 * vm->lock by who powers it on; PENDING -> ON and ON -> OFF by its own pCPU, which at OFF has let
 * go of the registers. */
enum vcpu_power { VCPU_POWER_ON = 0, VCPU_POWER_OFF = 1, VCPU_POWER_PENDING = 2 };

/* What others ask of the pCPU that has a vCPU's registers, before it runs on: bits of requests. */
enum vcpu_request {
    VCPU_REQ_PTIMER = 1,  /* its physical timer's condition may hold */
    VCPU_REQ_DEVICES = 2, /* devices of its VM may have work: vm_post_device() */
};

/* What a vCPU waits in since PSCI put it there; it ends when the vCPU runs again. */
enum vcpu_suspend {
    VCPU_AWAKE,
    VCPU_STANDBY,        /* goes on behind its call */
    VCPU_POWER_DOWN,     /* comes out of reset, at `entry` */
    VCPU_SYSTEM_SUSPEND, /* the same, not counted as a state of the CPU */
    VCPU_SUSPENDS
};

struct vcpu_sleep {
    enum vcpu_suspend kind;
    ipa_t entry;
    uint64_t context; /* x0 at `entry` */
    uint64_t since;   /* the counter when it began */
    /* Of each kind: how often and for how many ticks in all. Others may read them. */
    _Atomic uint64_t count[VCPU_SUSPENDS];
    _Atomic uint64_t ticks[VCPU_SUSPENDS];
};

struct vcpu {
    struct arch_vcpu arch;
    struct vm *vm;
    uint32_t index;    /* within the VM */
    uint32_t weight;   /* 1..VM_WEIGHT_MAX */
    uint64_t affinity; /* bit n: it may run on pCPU n */

    /* The scheduler's: guarded by the home's lock. While it is RUNNING, its home writes them, and
     * reads them without the lock. */
    _Atomic(struct pcpu *) pcpu; /* its home; changes while it is in no CPU */
    _Atomic uint32_t state;      /* enum vcpu_state */
    bool loaded;                 /* its registers are in its home, or about to be */
    _Atomic bool woken;          /* sched_wake() came while it was RUNNING */
    int64_t budget;              /* of its slice, in ticks; negative: owed */
    _Atomic uint64_t runtime;    /* ticks that it was RUNNING in all */
    struct list_node runq;

    _Atomic uint32_t power;    /* enum vcpu_power */
    _Atomic uint32_t requests; /* enum vcpu_request, or-ed; then sched_wake() */

    /* Its own pCPU's. */
    bool os_lock; /* OSLSR_EL1.OSLK as the guest set it */
    bool
        vtimer_raised; /* the virtual timer's interrupt came, and its line was not seen low since */
    bool injected;     /* core made it take an exception; cleared by who wants to know */
    const struct mmio_region *last_region; /* of vm->bus: where the last device access went */
    const struct sysreg_row *last_sysreg;  /* exit/sysreg_trap.c: the last one found, or NULL */
    struct vcpu_sleep sleep;
    struct ptimer ptimer;
    struct timer vtimer_watch; /* its virtual timer's deadline, while it waits and is not loaded */
    uint64_t stuck_pc;         /* the vector that the last injected exception went to */
    uint32_t stuck_count;
};

/* Exceptions injected in a row at the first instruction of their own vector, so that the guest
 * executed nothing in between, after which the VM is stopped. */
#define VCPU_STUCK_LIMIT 1024u

/* Registers at power-on: EL1h, interrupts masked, MMU and caches off, x0 = `arg` (PSCI DEN
 * 0022, 6.4). The vCPU is powered off. The configuration, the list registers, which are the vGIC's,
 * and ICH_HCR_EL2 stay. */
void vcpu_reset(struct vcpu *vcpu, ipa_t entry, uint64_t arg);

/* It is powered off now, or its VM has ended, and its registers are in no CPU: the last touch by
 * its pCPU. For the scheduler. */
void vcpu_gone(struct vcpu *vcpu);

/* Past the AArch64 instruction that trapped, as if it had been executed: a software step is due
 * (D2.12) and a branch target has been checked (D8.12). */
static inline void vcpu_skip_insn(struct vcpu *vcpu)
{
    vcpu->arch.pc += 4;
    vcpu->arch.pstate &= ~(PSTATE_SS | PSTATE_BTYPE);
}

/* The same in AArch32 state, where the instruction is 4 or 2 bytes long and the IT block goes on
 * (F1.2.4: ITAdvance). */
void vcpu_skip_insn32(struct vcpu *vcpu, unsigned len);

/* The same in either state, for what EL0 can execute in AArch32 too. esr: of the exit. */
static inline void vcpu_skip_trapped(struct vcpu *vcpu, uint64_t esr)
{
    if (__builtin_expect((vcpu->arch.pstate & PSTATE_NRW) != 0, 0))
        vcpu_skip_insn32(vcpu, esr_insn_len(esr));
    else
        vcpu_skip_insn(vcpu);
}

/*
 * Make a vCPU that is not in hal_vcpu_run() take an exception to EL1, on its own pCPU. ELR_EL1 is
 * the present PC. A vCPU that takes VCPU_STUCK_LIMIT of them without executing anything can never
 * go on: its VM is stopped with that reason.
 */
void vcpu_inject_undefined(struct vcpu *vcpu);
/* Synchronous external abort for an access to `fault_va`. walk_level is -1, or the level of the
 * stage-1 walk that failed. */
void vcpu_inject_external_abort(struct vcpu *vcpu, va_t fault_va, bool instruction, bool write,
                                int walk_level, bool cm);

#endif
