/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The devicetree of the machine under the hypervisor, as its firmware would hand it over: QEMU's
 * virt with EL2, without what the simulator has no model of. */
#ifndef SIM_MACHINE_DTB_H
#define SIM_MACHINE_DTB_H

#include "hal-sim/machine.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_DTB_SIZE       KIB(64) /* room for SIM_MAX_CPUS */
#define MACHINE_DTB_REASON_MAX 256u

struct machine_dtb_facts {
    uint64_t ram_size;
    unsigned nr_cpus; /* 1..SIM_MAX_CPUS */
    enum sim_cpu_model cpu;
    uint64_t initrd; /* physical address and size; size 0: none */
    uint64_t initrd_size;
    uint64_t seed; /* 0: no rng-seed and no kaslr-seed */
};

/* Writes the tree to `out`, MACHINE_DTB_SIZE bytes, zeroed. False with the reason. */
bool machine_dtb_write(const struct machine_dtb_facts *facts, void *out, char *reason);

/* Affinity fields of MPIDR_EL1 of CPU n: clusters of 16, as a GICv3's SGI can name them. */
uint64_t machine_dtb_mpidr(unsigned cpu);

#endif
