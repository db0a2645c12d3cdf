/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A machine that is nothing but memory, for what saves and loads machines: it stands in for
 * hal-sim, whose functions of these names it defines, so one file of a program includes it. Its
 * memory has fixed addresses, as that of a real one.
 */
#ifndef TESTS_SIM_FAKE_MACHINE_H
#define TESTS_SIM_FAKE_MACHINE_H

#include "hal-sim/machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FAKE_RAM        UINT64_C(0x200000000000)
#define FAKE_STATE      UINT64_C(0x210000000000)
#define FAKE_STATE_SIZE KIB(64)
#define FAKE_GARBAGE    0xa5

struct sim_machine {
    uint64_t ram_size;
    uint8_t *ram;
    uint8_t *state;
    unsigned frozen; /* how often */
    unsigned thawed;
    bool refuse_thaw;
};

static uint8_t fake_build_id = 1;

static inline uint8_t *fake_map(uint64_t address, uint64_t size)
{
    void *base = mmap((void *)(uintptr_t)address, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (base != (void *)(uintptr_t)address) {
        fprintf(stderr, "no memory at the address that the fake machine wants\n");
        abort();
    }
    return base;
}

/* As it is when it was just made: its RAM is zero, its state and its image are something. */
static inline struct sim_machine fake_machine_make(uint64_t ram_size)
{
    struct sim_machine machine = {.ram_size = ram_size};

    machine.ram = fake_map(FAKE_RAM, ram_size);
    machine.state = fake_map(FAKE_STATE, FAKE_STATE_SIZE);
    memset(machine.state, FAKE_GARBAGE, FAKE_STATE_SIZE);
    memset(machine.ram + PAGE_SIZE, FAKE_GARBAGE, SIM_IMAGE_SIZE - PAGE_SIZE);
    return machine;
}

static inline void fake_machine_end(struct sim_machine *machine)
{
    munmap(machine->ram, machine->ram_size);
    munmap(machine->state, FAKE_STATE_SIZE);
}

static inline struct sim_machine_config fake_machine_config(uint64_t ram_size)
{
    return (struct sim_machine_config){
        .ram_size = ram_size,
        .nr_cpus = 2,
        .cpu_model = SIM_CPU_MAX,
        .seed = UINT64_C(0x123456789abcdef0),
        .dtb = {SIM_RAM_BASE + SIM_IMAGE_SIZE},
    };
}

void *sim_machine_ram(struct sim_machine *machine, pa_t base, uint64_t len)
{
    if (base.v < SIM_RAM_BASE || range_exceeds(base.v - SIM_RAM_BASE, len, machine->ram_size))
        return NULL;
    return machine->ram + (base.v - SIM_RAM_BASE);
}

unsigned sim_machine_freeze(struct sim_machine *machine, struct sim_region out[SIM_REGIONS_MAX])
{
    machine->frozen++;
    out[0] = (struct sim_region){machine->state, FAKE_STATE_SIZE};
    out[1] = (struct sim_region){machine->ram, machine->ram_size};
    return 2;
}

bool sim_machine_thaw(struct sim_machine *machine, char *reason)
{
    if (machine->refuse_thaw) {
        snprintf(reason, SIM_REASON_MAX, "it does not thaw");
        return false;
    }
    machine->thawed++;
    return true;
}

void sim_build_id(uint8_t out[SIM_BUILD_ID_SIZE])
{
    memset(out, fake_build_id, SIM_BUILD_ID_SIZE);
}

#endif
