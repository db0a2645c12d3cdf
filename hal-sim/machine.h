/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A machine in this process: core runs natively, Unicorn plays the CPUs. What the outside (the
 * program halcyon-sim, a test) does with it: make it, run it for a while, feed its console, look at
 * it. Nothing here waits, reads a clock of the host, or draws a random number: two machines made
 * and driven alike do the same to the instruction.
 *
 * One machine a process at a time: hal.h has no argument that says which.
 */
#ifndef HAL_SIM_MACHINE_H
#define HAL_SIM_MACHINE_H

#include "abi/trace.h"
#include "hal/hal.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The machine's addresses, where QEMU's virt has them. Its devicetree is the caller's to write. */
#define SIM_RAM_BASE       UINT64_C(0x40000000)
#define SIM_RAM_MAX        GIB(64)
#define SIM_IMAGE_SIZE     MIB(2) /* of the start of RAM: loaders leave it free, as for an image */
#define SIM_GICD_BASE      UINT64_C(0x08000000)
#define SIM_GICR_BASE      UINT64_C(0x080a0000)
#define SIM_UART_BASE      UINT64_C(0x09000000)
#define SIM_UART_INTID     33u
#define SIM_NET_INTID      64u
#define SIM_DISK_INTID     72u /* of the first disk; the others follow */
#define SIM_INTID_MAINT    25u
#define SIM_INTID_HYPTIMER 26u
#define SIM_INTID_VTIMER   27u
#define SIM_TIMER_HZ       UINT64_C(1000000000) /* one tick of the counter is one instruction */
#define SIM_EPOCH          UINT64_C(1767225600) /* 2026-01-01 00:00 UTC, if nobody says otherwise */
#define SIM_MAX_CPUS       PLATFORM_MAX_CPUS

/* Affinity of a CPU as QEMU's virt numbers them with a GICv3: 16 in a cluster. */
static inline uint64_t sim_cpu_mpidr(unsigned cpu)
{
    return ((uint64_t)(cpu / 16u) << 8) | cpu % 16u;
}

enum sim_cpu_model { SIM_CPU_CORTEX_A57, SIM_CPU_MAX };

/* A disk of the machine's. */
#define SIM_DISKS_MAX  HAL_DISKS_MAX
#define SIM_DISK_TICKS UINT64_C(50000) /* that each request takes */

struct sim_disk {
    uint64_t sectors;
    bool read_only;
    /* Does what a request asks for, which is on the disk, with `buf` of request->len bytes (none
     * for a FLUSH). False: the disk failed. As the callbacks of the machine. */
    bool (*transfer)(void *ctx, const struct hal_disk_request *request, void *buf);
    void *ctx;
};

struct sim_machine_config {
    uint64_t ram_size; /* bytes, a multiple of 2 MiB, SIM_IMAGE_SIZE + 2 MiB..SIM_RAM_MAX */
    unsigned nr_cpus;  /* 1..SIM_MAX_CPUS */
    enum sim_cpu_model cpu_model;
    uint64_t seed;  /* of the order in which CPUs take turns, and of RNDR */
    uint64_t epoch; /* seconds since 1970 when the machine is turned on; 0: it has no clock */
    pa_t dtb;       /* where the caller puts the machine's devicetree: in RAM */
    /* 0, or the CPU in turn changes within core's code too, at one in so many points: calls of the
     * HAL, and atomic accesses of an instrumented core (docs/exploration.md). */
    uint32_t explore;
    struct sim_disk disk[SIM_DISKS_MAX]; /* [nr_disks] */
    unsigned nr_disks;
    /* Both are called while the machine runs, on a stack of its own, and must not call back into
     * it. */
    void (*console_write)(void *ctx, const char *text, size_t len);
    void (*trace)(void *ctx, const struct trace_record *record); /* NULL: core makes no records */
    /* NULL: the machine has no network. */
    void (*net_send)(void *ctx, const void *frame, size_t len);
    void *ctx;
};

struct sim_machine;

/* How a machine can be in no state to go on, for a message. */
#define SIM_REASON_MAX 256u

/*
 * Makes a machine with zeroed RAM, of which nothing is touched before the first run. NULL with the
 * reason (and what to do about it) in reason[SIM_REASON_MAX]: no memory, an engine that is missing,
 * too old or does not behave as calibration expects, or another machine that is there.
 */
struct sim_machine *sim_machine_create(const struct sim_machine_config *config, char *reason);
void sim_machine_destroy(struct sim_machine *machine);

/* Another seed and another `explore` than the config's, before the first run. */
void sim_machine_explore(struct sim_machine *machine, uint64_t seed, uint32_t explore);

/* RAM as the host sees it, for loading before the first run; NULL unless all of [base, base + len)
 * is RAM. */
void *sim_machine_ram(struct sim_machine *machine, pa_t base, uint64_t len);

enum sim_stop {
    SIM_STOP_TIME,   /* the clock has reached `until` */
    SIM_STOP_IDLE,   /* all CPUs wait; nothing happens before sim_machine_next_event() but input */
    SIM_STOP_HALTED, /* core has called hal_halt(), see sim_machine_halt_reason() */
    SIM_STOP_BROKEN, /* the machine cannot go on: see sim_machine_failure() */
};

/*
 * Runs until something is to be done outside. With one CPU, where the runs end changes nothing for
 * a guest; with several, it is part of what decides whose turn it is. Starts core on the first
 * call. With SIM_STOP_TIME the clock may be past `until` by the instructions of a block.
 * SIM_STOP_IDLE comes with the clock before `until`; idle time passes only by
 * sim_machine_advance(). After HALTED or BROKEN it may not be called again.
 */
enum sim_stop sim_machine_run(struct sim_machine *machine, uint64_t until);

/* The counter, hal_time_now(): executed instructions, idle time, and what core spent waiting. */
uint64_t sim_machine_now(const struct sim_machine *machine);
/* When the first armed timer of an idle machine goes off; UINT64_MAX: never. */
uint64_t sim_machine_next_event(const struct sim_machine *machine);
/* Lets idle time pass. to: sim_machine_now()..sim_machine_next_event(). */
void sim_machine_advance(struct sim_machine *machine, uint64_t to);

/* Types into the console as far as its buffer of SIM_INPUT_MAX bytes has room; returns how much. */
#define SIM_INPUT_MAX 4096u
size_t sim_machine_input(struct sim_machine *machine, const void *data, size_t len);

/* A frame of 1 to HAL_NET_FRAME_MAX bytes comes from the network, which there is. False: there is
 * no room for it now. */
bool sim_machine_net_input(struct sim_machine *machine, const void *frame, size_t len);

enum hal_halt_reason sim_machine_halt_reason(const struct sim_machine *machine);
/* Why it is SIM_STOP_BROKEN, in words. */
const char *sim_machine_failure(const struct sim_machine *machine);

struct sim_stats {
    uint64_t instructions; /* executed by guests */
    uint64_t idle;         /* ticks in which all CPUs waited */
    uint64_t exits;        /* returns of hal_vcpu_run() */
    uint64_t exits_sync;   /* of these, synchronous exceptions */
    uint64_t el1_entries;  /* exceptions that guests took to their own EL1 */
    uint64_t icc_accesses; /* of guests to their GIC CPU interface */
    uint64_t tb_flushes;   /* times that the engine's translated code was thrown away */
    uint64_t switches;     /* from one CPU to another */
};
void sim_machine_stats(const struct sim_machine *machine, struct sim_stats *out);

/*
 * Everything that a machine is, as memory: its CPUs' registers are first taken out of the engine.
 * Core's pointers are among it, so it makes sense only at the same addresses and to the same
 * program: whoever writes it to a file writes sim_build_id() with it. Between two runs only.
 */
struct sim_region {
    void *base; /* page aligned; the same in each process */
    uint64_t len;
};
#define SIM_REGIONS_MAX (2u + SIM_MAX_CPUS)
/* Returns how many regions there are; what they hold is complete until the next sim_machine_run().
 */
unsigned sim_machine_freeze(struct sim_machine *machine, struct sim_region out[SIM_REGIONS_MAX]);
/*
 * After the regions of a machine made with an equal config, and frozen, were written over those of
 * this one: takes them into use. False with the reason if they are not the regions of such a
 * machine. ctx and the callbacks stay those of this machine's config.
 */
bool sim_machine_thaw(struct sim_machine *machine, char *reason);

/* Names this very program: equal if and only if code and constants are where they were. */
#define SIM_BUILD_ID_SIZE 20u
void sim_build_id(uint8_t out[SIM_BUILD_ID_SIZE]);

#endif
