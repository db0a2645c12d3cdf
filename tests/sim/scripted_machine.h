/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A machine without a CPU, for tests of what drives machines: it stands in for hal-sim, whose
 * functions it defines, so one file of a program includes it. Its guest echoes what is typed, a
 * thousand instructions a byte, and beside that works a little every three milliseconds. Its trace
 * has the time of everything, so its hash tells whether two runs were the same. Keys:
 *   Q powers off; F is stopped by the hypervisor; P panics; B breaks; Z resets
 *   W turns the timer off; S spins for ever; L takes long; C crashes the process
 */
#ifndef TESTS_SIM_SCRIPTED_MACHINE_H
#define TESTS_SIM_SCRIPTED_MACHINE_H

#include "hal-sim/machine.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SCRIPTED_STATE  UINT64_C(0x210000000000)
#define SCRIPTED_RAM    UINT64_C(0x200000000000)
#define SCRIPTED_PERIOD UINT64_C(3000000)
#define SCRIPTED_BLOCK  7u /* instructions that are never divided */

struct sim_machine {
    struct sim_machine_config config;
    struct sim_stats stats;
    uint64_t now;
    uint64_t work; /* instructions until `doing` is done, whole blocks */
    uint64_t timer;
    int doing;        /* a key, or -1: the timer's work */
    size_t net_bytes; /* of frames that came */
    size_t input_len;
    char input[SIM_INPUT_MAX];
    enum hal_halt_reason halt;
    bool done; /* it is, and has not had its effect */
    bool halted;
    bool broken;
    bool started;
};

/* A snapshot holds the callbacks of the process that wrote it; those of this one are at the same
 * addresses if it is a copy of that one, but ctx is another. */
static void *scripted_ctx;

static inline void *scripted_map(uint64_t address, uint64_t size)
{
    void *base = mmap((void *)(uintptr_t)address, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    return base == (void *)(uintptr_t)address ? base : NULL;
}

#define SCRIPTED_STATE_SIZE ((sizeof(struct sim_machine) + 4095) / 4096 * 4096)

struct sim_machine *sim_machine_create(const struct sim_machine_config *config, char *reason)
{
    struct sim_machine *machine = scripted_map(SCRIPTED_STATE, SCRIPTED_STATE_SIZE);

    if (machine == NULL || scripted_map(SCRIPTED_RAM, config->ram_size) == NULL) {
        snprintf(reason, SIM_REASON_MAX, "the scripted machine has no memory");
        return NULL;
    }
    machine->config = *config;
    scripted_ctx = config->ctx;
    machine->timer = SCRIPTED_PERIOD;
    return machine;
}

void sim_machine_destroy(struct sim_machine *machine)
{
    munmap((void *)(uintptr_t)SCRIPTED_RAM, machine->config.ram_size);
    munmap(machine, SCRIPTED_STATE_SIZE);
}

void *sim_machine_ram(struct sim_machine *machine, pa_t base, uint64_t len)
{
    if (base.v < SIM_RAM_BASE ||
        range_exceeds(base.v - SIM_RAM_BASE, len, machine->config.ram_size))
        return NULL;
    return (void *)(uintptr_t)(SCRIPTED_RAM + (base.v - SIM_RAM_BASE));
}

static inline void scripted_say(struct sim_machine *machine, const char *text)
{
    machine->config.console_write(machine->config.ctx, text, strlen(text));
}

static inline void scripted_halt(struct sim_machine *machine, enum hal_halt_reason reason,
                                 const char *text)
{
    scripted_say(machine, text);
    machine->halted = true;
    machine->halt = reason;
}

static inline void scripted_key(struct sim_machine *machine, char key)
{
    machine->config.console_write(machine->config.ctx, &key, 1);
    switch (key) {
    case 'Q':
        scripted_halt(machine, HAL_HALT_OFF,
                      "\n[halcyon 0.1] notice role: machine off: all VMs powered off\n");
        break;
    case 'F':
        scripted_halt(machine, HAL_HALT_OFF, "\n[halcyon 0.1] error vm: linux stopped: smash\n");
        break;
    case 'P':
        scripted_halt(machine, HAL_HALT_PANIC, "\nhalcyon PANIC: all is lost\n");
        break;
    case 'Z':
        scripted_halt(machine, HAL_HALT_RESET, "");
        break;
    case 'B':
        machine->broken = true;
        break;
    case 'W':
        machine->timer = UINT64_MAX;
        break;
    case 'L':
        machine->doing = 'l';
        machine->work = SCRIPTED_BLOCK * 700000;
        break;
    case 'S':
        machine->work = SCRIPTED_BLOCK * (UINT64_MAX / 8);
        break;
    case 'C':
        raise(SIGSEGV);
        break;
    default:
        break;
    }
}

/* One thing is done. */
static inline void scripted_finish(struct sim_machine *machine)
{
    struct trace_record record = {.time = machine->now, .addr = (uint64_t)machine->doing};

    record.class = machine->doing < 0 ? TRACE_IRQ : TRACE_MMIO;
    machine->stats.exits++;
    if (machine->config.trace != NULL)
        machine->config.trace(machine->config.ctx, &record);
    if (machine->doing >= 0)
        scripted_key(machine, (char)machine->doing);
}

/* False: there is nothing to do. */
static inline bool scripted_begin(struct sim_machine *machine)
{
    if (machine->input_len > 0) {
        machine->doing = (unsigned char)machine->input[0];
        machine->work = SCRIPTED_BLOCK * 143;
        memmove(machine->input, machine->input + 1, --machine->input_len);
        return true;
    }
    if (machine->now < machine->timer)
        return false;
    machine->timer += SCRIPTED_PERIOD;
    machine->doing = -1;
    machine->work = SCRIPTED_BLOCK * 10001;
    return true;
}

/* Time is up before what is done has its effect: a stop can come between the two. */
enum sim_stop sim_machine_run(struct sim_machine *machine, uint64_t until)
{
    if (!machine->started)
        scripted_say(machine, "hello\r\n> ");
    machine->started = true;
    for (;;) {
        if (machine->halted || machine->broken)
            return machine->halted ? SIM_STOP_HALTED : SIM_STOP_BROKEN;
        if (machine->now >= until)
            return SIM_STOP_TIME;
        if (machine->done) {
            machine->done = false;
            scripted_finish(machine);
            continue;
        }
        if (machine->work == 0 && !scripted_begin(machine))
            return SIM_STOP_IDLE;
        machine->work -= SCRIPTED_BLOCK;
        machine->now += SCRIPTED_BLOCK;
        machine->stats.instructions += SCRIPTED_BLOCK;
        machine->done = machine->work == 0;
    }
}

uint64_t sim_machine_now(const struct sim_machine *machine)
{
    return machine->now;
}

uint64_t sim_machine_next_event(const struct sim_machine *machine)
{
    return machine->timer;
}

void sim_machine_advance(struct sim_machine *machine, uint64_t to)
{
    if (to < machine->now || to > machine->timer)
        abort();
    machine->stats.idle += to - machine->now;
    machine->now = to;
}

size_t sim_machine_input(struct sim_machine *machine, const void *data, size_t len)
{
    size_t room = 100 - machine->input_len;

    len = len < room ? len : room;
    memcpy(machine->input + machine->input_len, data, len);
    machine->input_len += len;
    return len;
}

bool sim_machine_net_input(struct sim_machine *machine, const void *frame, size_t len)
{
    (void)frame;
    machine->net_bytes += len;
    return true;
}

enum hal_halt_reason sim_machine_halt_reason(const struct sim_machine *machine)
{
    return machine->halt;
}

const char *sim_machine_failure(const struct sim_machine *machine)
{
    return machine->broken ? "a wheel came off" : "";
}

void sim_machine_stats(const struct sim_machine *machine, struct sim_stats *out)
{
    *out = machine->stats;
}

unsigned sim_machine_freeze(struct sim_machine *machine, struct sim_region out[SIM_REGIONS_MAX])
{
    out[0] = (struct sim_region){machine, SCRIPTED_STATE_SIZE};
    out[1] = (struct sim_region){(void *)(uintptr_t)SCRIPTED_RAM, machine->config.ram_size};
    return 2;
}

bool sim_machine_thaw(struct sim_machine *machine, char *reason)
{
    (void)reason;
    machine->config.ctx = scripted_ctx;
    return true;
}

void sim_build_id(uint8_t out[SIM_BUILD_ID_SIZE])
{
    memset(out, 1, SIM_BUILD_ID_SIZE);
}

#endif
