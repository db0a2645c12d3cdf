/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What core says about each exit if the HAL wants to know: one record, in two halves. */
#ifndef EXIT_TRACE_H
#define EXIT_TRACE_H

#include "abi/trace.h"
#include "vm/vcpu.h"
#include <stdint.h>

/* Before the exit is handled: fills `record` with what came. The vCPU is loaded on this pCPU. */
void trace_begin_exit(struct trace_record *record, struct vcpu *vcpu, const struct arch_exit *exit);

/* After an exit by an interrupt was handled, before trace_end_exit(): which it was. */
static inline void trace_set_intid(struct trace_record *record, uint32_t intid)
{
    record->addr = intid;
}

/* After it was handled: adds what became of the vCPU, and hands the record to hal_trace(). */
void trace_end_exit(struct trace_record *record, const struct vcpu *vcpu);

#endif
