/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Several CPUs on one thread: each runs core's own code on a stack of its own, one at a time. They
 * change places where a CPU waits, spins or has run a guest for long enough; who is next, and for
 * how long, comes from the seed.
 */
#include "base/check.h"
#include "hal-sim/internal.h"
#include "hal-sim/race.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* AddressSanitizer's, where it is: frames that a CPU has left for ever are not to be guarded. */
extern void __asan_unpoison_memory_region(const volatile void *base, size_t size)
    __attribute__((weak));

/* How long a guest runs while another CPU has something to do, in ticks. */
#define TURN_MIN UINT64_C(1000)
#define TURN_MAX UINT64_C(20000)

/* SplitMix64: a step of a counter, mixed. */
static uint64_t mix(uint64_t *counter)
{
    uint64_t z = *counter += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t turns_random(struct sim_machine *machine)
{
    return mix(&machine->random);
}

/* A sequence of its own: what core takes changes nothing in the order of turns. */
hv_err hal_entropy(void *out, size_t len)
{
    struct sim_machine *machine = sim_machine();
    char *to = out;

    HV_CHECK(len > 0 && len <= HAL_ENTROPY_MAX);
    explore_point(__builtin_return_address(0));
    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        uint64_t value = mix(&machine->entropy);
        memcpy(to + at, &value, len - at < sizeof(value) ? len - at : sizeof(value));
    }
    return HV_OK;
}

static _Noreturn void cpu_main(void)
{
    struct sim_machine *machine = sim_machine();
    struct sim_cpu *cpu = sim_cpu_self(machine);

    fiber_entered(&machine->outside);
    race_acquire(&cpu->entry);
    if (cpu->entry == NULL)
        core_main(&machine->boot);
    cpu->entry(cpu->entry_arg);
    hal_cpu_stop();
}

static void start_cpu(struct sim_machine *machine, unsigned index)
{
    struct sim_cpu *cpu = &machine->cpu[index];

    if (__asan_unpoison_memory_region != NULL)
        __asan_unpoison_memory_region(memory_stack(index), SIM_STACK_SIZE);
    fiber_init(&cpu->fiber, memory_stack(index), SIM_STACK_SIZE, (void (*)(void))cpu_main);
    cpu->state = SIM_CPU_RUNNING;
}

void turns_init(struct sim_machine *machine)
{
    machine->random = machine->seed;
    machine->entropy = ~machine->seed;
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++) {
        machine->cpu[cpu].state = SIM_CPU_OFF;
        machine->cpu[cpu].hyp_deadline = HAL_TIMER_NEVER;
    }
}

void turns_start(struct sim_machine *machine)
{
    start_cpu(machine, 0);
}

/* --- Whose turn it is --- */

static bool can_run(struct sim_machine *machine, unsigned index)
{
    switch (machine->cpu[index].state) {
    case SIM_CPU_RUNNING:
        return true;
    case SIM_CPU_IDLE:
        return lines_update(machine, index);
    default:
        return false;
    }
}

/* One of those that can run, and whether there is another; nr_cpus: none. */
static unsigned choose(struct sim_machine *machine, bool *others)
{
    unsigned able[SIM_MAX_CPUS];
    unsigned count = 0;

    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        if (can_run(machine, cpu))
            able[count++] = cpu;
    *others = count > 1;
    if (count == 0)
        return machine->nr_cpus;
    if (count == 1)
        return able[0];
    if (machine->explore.one_in != 0)
        return explore_choose(machine, able, count);
    return able[turns_random(machine) % count];
}

static uint64_t turn_length(struct sim_machine *machine)
{
    if (machine->explore.one_in != 0)
        return explore_turn(machine);
    return TURN_MIN + turns_random(machine) % (TURN_MAX - TURN_MIN + 1);
}

static void give_turn(struct sim_machine *machine, unsigned index, bool others)
{
    if (index != machine->self)
        machine->stats.switches++;
    machine->self = index;
    machine->turn_end = UINT64_MAX;
    if (others)
        machine->turn_end = machine->now + turn_length(machine);
    sim_host()->inside = true;
    fiber_switch(&machine->outside, &machine->cpu[index].fiber);
    sim_host()->inside = false;
}

enum sim_stop turns_run(struct sim_machine *machine)
{
    for (;;) {
        bool others;
        unsigned cpu;

        if (machine->broken)
            return SIM_STOP_BROKEN;
        if (machine->halted != 0)
            return SIM_STOP_HALTED;
        if (machine->now >= machine->until)
            return SIM_STOP_TIME;
        cpu = choose(machine, &others);
        if (cpu == machine->nr_cpus)
            return SIM_STOP_IDLE;
        give_turn(machine, cpu, others);
    }
}

/* --- On a CPU's stack --- */

void turns_yield(struct sim_machine *machine)
{
    fiber_switch(&sim_cpu_self(machine)->fiber, &machine->outside);
}

static bool others_can_run(struct sim_machine *machine)
{
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        if (cpu != machine->self && can_run(machine, cpu))
            return true;
    return false;
}

/* A turn that began when no other CPU had anything to do ends when one has. */
bool turns_over(struct sim_machine *machine)
{
    if (machine->now >= machine->until || machine->now >= machine->turn_end)
        return true;
    return machine->turn_end == UINT64_MAX && others_can_run(machine);
}

uint64_t turns_horizon(const struct sim_machine *machine)
{
    uint64_t at = machine->until < machine->turn_end ? machine->until : machine->turn_end;
    uint64_t event = sim_machine_next_event(machine);

    return event < at ? event : at;
}

_Noreturn void turns_break(struct sim_machine *machine, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(machine->failure, sizeof(machine->failure), format, args);
    va_end(args);
    machine->broken = true;
    for (;;)
        turns_yield(machine);
}

_Noreturn void turns_halt(struct sim_machine *machine, enum hal_halt_reason reason)
{
    machine->halted = 1 + (uint32_t)reason;
    for (;;)
        turns_yield(machine);
}

/* --- hal.h: CPUs --- */

unsigned hal_cpu_self(void)
{
    return sim_machine()->self;
}

void hal_cpu_idle(void)
{
    struct sim_machine *machine = sim_machine();
    struct sim_cpu *cpu = sim_cpu_self(machine);

    lock_held_expect_none("hal_cpu_idle()");
    explore_point(__builtin_return_address(0));
    cpu->time_readings = 0;
    if (explore_wakes_early(machine))
        return;
    cpu->state = SIM_CPU_IDLE;
    while (!lines_update(machine, machine->self))
        turns_yield(machine);
    cpu->state = SIM_CPU_RUNNING;
}

/* A tick passes, so that spinning for a time comes to its end. */
void hal_cpu_relax(void)
{
    struct sim_machine *machine = sim_machine();

    explore_point(__builtin_return_address(0));
    machine->now++;
    turns_yield(machine);
}

void hal_cpu_kick(unsigned cpu)
{
    struct sim_machine *machine = sim_machine();

    HV_CHECK(cpu < machine->nr_cpus);
    explore_point(__builtin_return_address(0));
    race_release(&machine->irqchip.cpu[cpu]);
    irqchip_send_sgi(&machine->irqchip, cpu, HAL_INTID_KICK);
}

/* As hal_init() leaves those of the boot CPU. */
static void reset_interrupts(struct sim_machine *machine, unsigned index)
{
    machine->irqchip.cpu[index] = (struct irqchip_bank){
        .enabled = UINT32_C(1) << HAL_INTID_KICK | UINT32_C(1) << SIM_INTID_HYPTIMER |
                   UINT32_C(1) << SIM_INTID_VTIMER | UINT32_C(1) << SIM_INTID_MAINT,
    };
    machine->irqchip.running[index] = HAL_INTID_NONE;
    machine->cpu[index].hyp_deadline = HAL_TIMER_NEVER;
    machine->cpu[index].time_readings = 0;
}

hv_err hal_cpu_start(unsigned index, void (*entry)(void *), void *arg)
{
    struct sim_machine *machine = sim_machine();
    struct sim_cpu *cpu;

    explore_point(__builtin_return_address(0));
    if (index >= machine->nr_cpus)
        return HV_ERR_RANGE;
    cpu = &machine->cpu[index];
    if (cpu->state != SIM_CPU_OFF)
        return HV_ERR_BUSY;
    race_acquire(&cpu->state);
    race_release(&cpu->entry);
    cpu->entry = entry;
    cpu->entry_arg = arg;
    reset_interrupts(machine, index);
    start_cpu(machine, index);
    return HV_OK;
}

_Noreturn void hal_cpu_stop(void)
{
    struct sim_machine *machine = sim_machine();
    struct sim_cpu *cpu = sim_cpu_self(machine);

    HV_CHECK(cpu->loaded == NULL);
    lock_held_expect_none("hal_cpu_stop()");
    explore_point(__builtin_return_address(0));
    race_release(&cpu->state);
    cpu->hyp_deadline = HAL_TIMER_NEVER;
    cpu->state = SIM_CPU_OFF;
    for (;;)
        turns_yield(machine);
}

/* --- Core's locks: whether each CPU keeps their order (docs/locking.md) --- */

/* Core that runs outside of a machine, as a program's helper, has no CPU and is not watched. */
struct lock_held *lock_held_here(void)
{
    return sim_host()->inside ? &sim_cpu_self(sim_machine())->held : NULL;
}

void lock_held_broken(const char *reason)
{
    if (!sim_host()->panicking)
        hv_check_failed(reason, __FILE__, __LINE__);
}

void lock_relax(void)
{
    hal_cpu_relax();
}
