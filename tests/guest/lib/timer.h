/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The generic timers of EL1 (DDI 0487, D11). */
#ifndef GUEST_TIMER_H
#define GUEST_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#define TIMER_ENABLE  1u
#define TIMER_IMASK   2u
#define TIMER_ISTATUS 4u

enum timer_kind { TIMER_VIRTUAL, TIMER_PHYSICAL };

/** CNTVCT_EL0, not read ahead of earlier instructions. */
uint64_t timer_now(void);

/** Count of `kind`'s own counter. */
uint64_t timer_count(enum timer_kind kind);

/** Ticks per second. */
uint64_t timer_frequency(void);

/** Ticks in `us` microseconds, at least one. */
uint64_t timer_us(uint64_t us);

/** INTID of the timer's PPI. */
uint32_t timer_intid(enum timer_kind kind);

void timer_set_ctl(enum timer_kind kind, uint64_t ctl);
uint64_t timer_get_ctl(enum timer_kind kind);
void timer_set_cval(enum timer_kind kind, uint64_t cval);
uint64_t timer_get_cval(enum timer_kind kind);
void timer_set_tval(enum timer_kind kind, int32_t tval);

/** Busy-waits. */
void timer_delay_us(uint64_t us);

/** Waits for CTL.ISTATUS; false after about two seconds. */
bool timer_wait_status(enum timer_kind kind);

#endif
