/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/smp.h"

#include <stddef.h>

#include "lib/gic.h"
#include "lib/psci.h"
#include "lib/tap.h"

#define STACK_SIZE 0x4000u

/* Layout known to smp.S. Its address is the context of CPU_ON. */
struct smp_boot {
    uint64_t stack;
    uint64_t sctlr;
    uint64_t mair;
    uint64_t tcr;
    uint64_t ttbr0;
    uint64_t padding[3]; /* a cache line */
};
_Static_assert(sizeof(struct smp_boot) == 64, "one cache line");

/* What a CPU has to do: as many tasks as were posted have been done, or one is left. */
struct smp_work {
    uint32_t posted;
    uint32_t done;
    smp_task task;
    uint64_t padding[6]; /* a cache line */
};

extern const char smp_entry[];

static struct smp_boot smp_boot[SMP_MAX] __attribute__((aligned(64)));
static uint8_t smp_stack[SMP_MAX][STACK_SIZE] __attribute__((aligned(16)));
static struct smp_work smp_work[SMP_MAX] __attribute__((aligned(64)));
static bool smp_dozes;
static struct {
    uint32_t arrived;
    uint32_t round;
} smp_gate;

/* The other reads it with its MMU off. */
static void clean(const void *address)
{
    __asm__ volatile("dc cvac, %0\n\tdsb sy" ::"r"(address) : "memory");
}

static void send_event(void)
{
    __asm__ volatile("dsb ish\n\tsev" ::: "memory");
}

void smp_doze(bool doze)
{
    __atomic_store_n(&smp_dozes, doze, __ATOMIC_RELEASE);
    send_event();
}

void smp_signal(void)
{
    send_event();
    if (smp_dozes) {
        gic_send_others(SMP_WAKE);
    }
}

/* IRQs masked: an SMP_WAKE that comes after the last look at the word is still pending at the WFI.
 */
static void doze(void)
{
    if (__atomic_load_n(&smp_dozes, __ATOMIC_ACQUIRE)) {
        sys_wfi();
        sys_irq_unmask();
        sys_irq_mask();
    } else {
        smp_relax();
    }
}

uint32_t smp_await(const uint32_t *word, uint32_t old)
{
    uint64_t daif = SYS_READ("daif");
    uint32_t value;

    sys_irq_mask();
    while ((value = __atomic_load_n(word, __ATOMIC_ACQUIRE)) == old) {
        doze();
    }
    SYS_WRITE("daif", daif);
    return value;
}

unsigned smp_count(void)
{
    unsigned cpu = 0;

    while (cpu < SMP_MAX - 1 &&
           (mmio_read32(gic_redistributor(cpu) + GICR_TYPER) & GICR_TYPER_LAST) == 0) {
        cpu++;
    }
    return cpu + 1;
}

int64_t smp_power_on(unsigned cpu)
{
    struct smp_boot *boot = &smp_boot[cpu];

    boot->stack = (uint64_t)smp_stack[cpu] + STACK_SIZE;
    boot->sctlr = SYS_READ("sctlr_el1");
    boot->mair = SYS_READ("mair_el1");
    boot->tcr = SYS_READ("tcr_el1");
    boot->ttbr0 = SYS_READ("ttbr0_el1");
    clean(boot);
    return psci_call(PSCI_CPU_ON, smp_affinity(cpu), (uint64_t)smp_entry, (uint64_t)boot);
}

uint64_t smp_entry_point(void)
{
    return (uint64_t)smp_entry;
}

uint64_t smp_context(unsigned cpu)
{
    return (uint64_t)&smp_boot[cpu];
}

void smp_main(void)
{
    struct smp_work *work = &smp_work[smp_self()];
    uint32_t done = __atomic_load_n(&work->done, __ATOMIC_RELAXED);

    for (;;) {
        (void)smp_await(&work->posted, done);
        work->task(smp_self());
        __atomic_store_n(&work->done, ++done, __ATOMIC_RELEASE);
        smp_signal();
    }
}

void smp_power_off(void)
{
    struct smp_work *work = &smp_work[smp_self()];

    __atomic_store_n(&work->done, work->posted, __ATOMIC_RELEASE);
    smp_signal();
    psci_call(PSCI_CPU_OFF, 0, 0, 0);
}

void smp_post(unsigned cpu, smp_task task)
{
    struct smp_work *work = &smp_work[cpu];

    work->task = task;
    __atomic_store_n(&work->posted, work->posted + 1, __ATOMIC_RELEASE);
    smp_signal();
}

bool smp_is_done(unsigned cpu)
{
    return __atomic_load_n(&smp_work[cpu].done, __ATOMIC_ACQUIRE) == smp_work[cpu].posted;
}

void smp_wait(unsigned cpu)
{
    if (!smp_is_done(cpu)) {
        (void)smp_await(&smp_work[cpu].done, smp_work[cpu].posted - 1);
    }
}

void smp_run_on(unsigned cpu, smp_task task)
{
    smp_post(cpu, task);
    smp_wait(cpu);
}

void smp_run(unsigned cpus, smp_task task)
{
    for (unsigned cpu = 1; cpu < cpus; cpu++) {
        smp_post(cpu, task);
    }
    task(0);
    for (unsigned cpu = 1; cpu < cpus; cpu++) {
        smp_wait(cpu);
    }
}

static void say_hello(unsigned cpu)
{
    (void)cpu;
}

void smp_start(unsigned cpus)
{
    for (unsigned cpu = 1; cpu < cpus; cpu++) {
        int64_t status = smp_power_on(cpu);
        if (status != 0) {
            tap_fail("CPU_ON", "CPU %u: %lx", cpu, (uint64_t)status);
            tap_end();
            sys_power_off();
        }
    }
    smp_run(cpus, say_hello);
}

void smp_barrier(unsigned cpus)
{
    uint32_t round = __atomic_load_n(&smp_gate.round, __ATOMIC_ACQUIRE);

    if (__atomic_add_fetch(&smp_gate.arrived, 1, __ATOMIC_ACQ_REL) == cpus) {
        __atomic_store_n(&smp_gate.arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&smp_gate.round, round + 1, __ATOMIC_RELEASE);
        smp_signal();
        return;
    }
    (void)smp_await(&smp_gate.round, round);
}

void smp_acquire(struct smp_lock *lock)
{
    while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) != 0) {
        smp_relax();
    }
}

void smp_release(struct smp_lock *lock)
{
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
    send_event();
}
