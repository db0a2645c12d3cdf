/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Exceptions taken to EL1. Each CPU expects and records its own. */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include <stdbool.h>
#include <stdint.h>

/* ESR_ELx fields (DDI 0487, D17.2.37). */
#define ESR_EC(esr)  (((esr) >> 26) & 0x3f)
#define ESR_IL       (1UL << 25)
#define ESR_ISS(esr) ((esr)&0x1ffffff)
#define ESR_FSC(esr) ((esr)&0x3f)
#define ESR_WNR      (1UL << 6)
#define ESR_FNV      (1UL << 10)

enum trap_ec {
    EC_UNKNOWN = 0x00,
    EC_FP = 0x07,
    EC_ILLEGAL = 0x0e,
    EC_SVC64 = 0x15,
    EC_SYSREG = 0x18,
    EC_IABORT_LOWER = 0x20,
    EC_IABORT = 0x21,
    EC_PC_ALIGN = 0x22,
    EC_DABORT_LOWER = 0x24,
    EC_DABORT = 0x25,
    EC_BRK64 = 0x3c,
};

/* Where execution goes on after an expected synchronous exception. */
enum trap_resume {
    TRAP_NONE, /* none is expected: report and power off */
    TRAP_NEXT, /* the instruction after the one that faulted */
    TRAP_HERE, /* where ELR points (SVC) */
    TRAP_LINK, /* x30: the caller of what could not be fetched */
};

enum { TRAP_VECTOR_SYNC_SPX = 4, TRAP_VECTOR_IRQ_SPX = 5, TRAP_VECTOR_SYNC_LOWER = 8 };

/* Layout known to vectors.S. */
struct trap_frame {
    uint64_t x[31];
    uint64_t elr;
    uint64_t spsr;
    uint64_t padding;
};

/* The last expected exception since trap_expect, and how many there were. */
struct trap_record {
    uint64_t esr;
    uint64_t elr;
    uint64_t far;
    uint64_t spsr;
    unsigned vector;
    unsigned count;
};

/** From now on synchronous exceptions are expected; forgets what was recorded. */
void trap_expect(enum trap_resume resume);

/** Back to none expected; returns what happened. */
struct trap_record trap_done(void);

/** How many expected exceptions there were since trap_expect. */
unsigned trap_count(void);

/** The program's IRQ handler on all CPUs, called with IRQs masked; NULL makes an IRQ an error. */
void trap_set_irq(void (*handler)(void));

/** Runs at EL0 from `entry` with x0 = arg until the first exception (which must be expected);
 * returns then. */
void trap_run_el0(uint64_t entry, uint64_t arg);

/** Called by vectors.S. */
void trap_enter(struct trap_frame *frame, unsigned vector);

#endif
