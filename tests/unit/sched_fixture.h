/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A VM of several vCPUs on several pCPUs, each of which a test plays. */
#ifndef TESTS_SCHED_FIXTURE_H
#define TESTS_SCHED_FIXTURE_H

#include "vm/sched.h"
#include "vm_fixture.h"

static struct fixture f;

static inline struct pcpu *pcpu(unsigned cpu)
{
    return &f.hv->pcpu[cpu];
}

static inline struct vcpu *vcpu(unsigned n)
{
    return &f.vm->vcpu[n];
}

/* From here on pCPU `cpu` calls. */
static inline void at(unsigned cpu)
{
    fakehal()->self = cpu;
}

static inline struct vcpu *next(unsigned cpu)
{
    return fixture_next(&f, cpu);
}

static inline uint64_t kicks(unsigned cpu)
{
    return fakehal()->cpu[cpu].kicks;
}

/* The running vCPU of pCPU `cpu` waits for an interrupt. */
static inline void waits(unsigned cpu)
{
    unsigned self = fakehal()->self;

    at(cpu);
    sched_wait(pcpu(cpu)->current);
    at(self);
}

static inline void runs_timers(unsigned cpu)
{
    unsigned self = fakehal()->self;

    at(cpu);
    timer_queue_run(&pcpu(cpu)->timers);
    at(self);
}

static inline struct vcpu *turn_on(unsigned n)
{
    cr_assert_eq(vm_vcpu_on(vcpu(n), ipa(GUEST_ENTRY), n), HV_OK);
    return vcpu(n);
}

/* Powers vCPU n on, which may run on pCPU `cpu` only from now on, and runs it there. */
static inline struct vcpu *run_on(unsigned n, unsigned cpu)
{
    vcpu(n)->affinity = UINT64_C(1) << cpu;
    turn_on(n);
    cr_assert_eq(next(cpu), vcpu(n));
    return vcpu(n);
}

/* vCPU 0 of four runs on pCPU 0 of three, the others idle. */
static inline void setup(void)
{
    fixture_hv(&f, MIB(8), 3);
    fixture_create(&f, 4);
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
    cr_assert_eq(next(0), vcpu(0));
    cr_assert_null(next(1));
    cr_assert_null(next(2));
    cr_assert_eq(f.hv->idle, 6);
    at(0);
}

static inline void finish(void)
{
    at(0);
    fixture_end(&f);
}

#endif
