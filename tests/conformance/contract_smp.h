/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Several CPUs: each has a worker, which waits for jobs that CPU 0 hands out, all to be done at the
 * same time. Only CPU 0 prints. CPU 0 has a worker for jobs of its own.
 */
#ifndef CONFORMANCE_CONTRACT_SMP_H
#define CONFORMANCE_CONTRACT_SMP_H

#include "conformance/contract.h"
#include <stdatomic.h>

struct smp_worker;
typedef void smp_job(struct smp_worker *w);

struct smp_worker {
    struct smp *smp;
    unsigned cpu;
    smp_job *next;          /* for smp_go(); NULL: nothing */
    _Atomic(smp_job *) job; /* NULL: done */
    atomic_uint entries;    /* how often hal_cpu_start() had it run */
    atomic_bool waiting;    /* it is about to do what another CPU has to wait for */
    bool leave;             /* the worker returns from entry() */
    unsigned peer;          /* the other CPU of a job for two */
    uint64_t mail;          /* written by another CPU without any atomic access */
    uint64_t seen;
    hv_err err;
    const char *failure; /* the first of smp_expect(); NULL: none */
    struct arch_vcpu vcpu;
};

struct smp {
    struct contract *ct;
    unsigned nr_cpus;
    bool lost; /* a CPU did not answer: nothing is to be learned any more */
    atomic_flag lock;
    uint64_t counter;     /* under `lock` */
    struct hal_boot boot; /* a copy of what core_main() was given */
    struct smp_worker worker[PLATFORM_MAX_CPUS];
};

/* Within a job: what is not so is the job's failure. Returns condition. */
bool smp_expect(struct smp_worker *w, bool condition, const char *what);
/* Within a job: the next interrupt is `intid`; it is ended, and a timer is disarmed before. */
void smp_take(struct smp_worker *w, uint32_t intid, const char *what);
/* Waits until *flag, and clears it; false after a time in which all that works is done. */
bool smp_wait(atomic_bool *flag);
/* Ticks in which a working machine has done anything that is asked of it here. */
uint64_t smp_patience(void);
/* Has each worker whose `next` is set do that, CPU 0 too. NULL, or what failed first. */
const char *smp_go(struct smp *smp);
/* The same job on all CPUs from `first` on. */
const char *smp_go_all(struct smp *smp, unsigned first, smp_job *job);
/* One result: `ok N - name` if failure is NULL. */
void smp_result(struct smp *smp, const char *failure, const char *name);

/* contract_smp_irq.c: an SPI that each CPU has in its turn. All workers wait for jobs. */
void smp_check_spi(struct smp *smp);
/* contract_smp_vcpu.c: all workers wait for jobs, before and after it. */
void smp_check_vcpus(struct smp *smp);

#endif
