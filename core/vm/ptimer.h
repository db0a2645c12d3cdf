/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The EL1 physical timer of a vCPU (CNTP_*_EL0), trapped and emulated over the pCPU's timer queue;
 * its interrupt is PPI 30, level-triggered. The virtual timer is not emulated: the guest owns the
 * hardware's. Arm ARM DDI 0487, D11.2.4. Only the pCPU that runs the vCPU may call; what expires
 * elsewhere is a request to it.
 */
#ifndef VM_PTIMER_H
#define VM_PTIMER_H

#include "vm/timer.h"
#include <stdint.h>

struct vcpu;

#define CNT_CTL_ENABLE  UINT64_C(1)
#define CNT_CTL_IMASK   UINT64_C(2)
#define CNT_CTL_ISTATUS UINT64_C(4)

struct ptimer {
    struct timer timer;
    struct vcpu *vcpu;
    uint64_t ctl; /* ENABLE and IMASK */
    uint64_t cval;
};

void ptimer_init(struct ptimer *ptimer, struct vcpu *vcpu); /* disabled */
/* Its condition may have changed: sets the interrupt line, and the software timer for the moment
 * when it will rise. */
void ptimer_update(struct ptimer *ptimer);
/* The vCPU was loaded here: takes the software timer along. */
void ptimer_move(struct ptimer *ptimer);
uint64_t ptimer_read_ctl(struct ptimer *ptimer); /* with ISTATUS */
void ptimer_write_ctl(struct ptimer *ptimer, uint64_t value);
uint64_t ptimer_read_cval(struct ptimer *ptimer);
void ptimer_write_cval(struct ptimer *ptimer, uint64_t value);
uint64_t ptimer_read_tval(struct ptimer *ptimer); /* 32 bits: CVAL - now */
void ptimer_write_tval(struct ptimer *ptimer, uint64_t value);

#endif
