/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of this HAL share. A machine is in two halves: `struct sim_machine` lies at a
 * fixed address, holds no pointer to anything but itself, core and the machine's memory, and is all
 * that a snapshot keeps; `struct sim_host` holds what belongs to this process: engines, callbacks.
 */
#ifndef HAL_SIM_INTERNAL_H
#define HAL_SIM_INTERNAL_H

#include "base/lock_held.h"
#include "hal-sim/engine.h"
#include "hal-sim/explore.h"
#include "hal-sim/fiber.h"
#include "hal-sim/irqchip.h"
#include "hal-sim/machine.h"
#include "hal-sim/vcpuif.h"

/* Core's arena, and the ranges that hal_phys_map() answers for. */
#define SIM_ARENA_SIZE KIB(256)
#define SIM_RANGES_MAX (PLATFORM_MAX_RAM + PLATFORM_MAX_RESERVED + 4u)

/* CNTV_CTL_EL0 (D17.9.23) */
#define CNTV_ENABLE  UINT64_C(1)
#define CNTV_IMASK   UINT64_C(2)
#define CNTV_ISTATUS UINT64_C(4)

enum sim_cpu_state {
    SIM_CPU_OFF,
    SIM_CPU_RUNNING, /* core runs on it, now or when its turn comes */
    SIM_CPU_IDLE,    /* in hal_cpu_idle() */
};

/* Registers of a vCPU that hal_vcpu_run() has to compare or keep, while it is loaded. */
struct sim_cpu {
    uint32_t state; /* enum sim_cpu_state */
    struct sim_fiber fiber;
    void (*entry)(void *); /* hal_cpu_start(): NULL on the boot CPU, which runs core_main() */
    void *entry_arg;
    struct arch_vcpu *loaded; /* core's, or NULL */
    struct arch_vcpu_gic gic; /* of `loaded`, else stale */
    uint64_t cntv_ctl;        /* of `loaded`, without ISTATUS */
    uint64_t cntv_cval;
    uint64_t hyp_deadline;
    struct arch_vcpu frozen; /* what the engine held of `loaded` when the machine was frozen */
    uint64_t run_start;      /* machine->now when the present engine_run() began */
    uint32_t time_readings;  /* of hal_time_now() since a guest ran or the CPU idled */
    uint32_t exits_then;     /* in a row at exit_time */
    uint64_t exit_time;      /* machine->now at the last hal_vcpu_run() */
    struct lock_held held;   /* core's */
    struct explore_cpu explore;
};

struct sim_range {
    uint64_t base;
    uint64_t size;
};

/* A request to a disk. */
struct sim_disk_slot {
    bool busy;
    uint64_t due; /* it is done then */
    struct hal_disk_request request;
};

#define SIM_NET_QUEUE 64u

struct sim_net_frame {
    uint16_t len;
    uint8_t data[HAL_NET_FRAME_MAX];
};

struct sim_machine {
    /* What a thawed machine is checked by, and what of the configuration makes it what it is. */
    uint64_t magic;
    uint64_t layout; /* size of this structure */
    uint64_t ram_size;
    uint64_t seed;
    uint64_t dtb;
    uint64_t epoch; /* hal_wall_time() when the counter was 0 */
    uint32_t nr_cpus;
    uint32_t cpu_model;

    uint64_t now;      /* the counter */
    uint64_t until;    /* of sim_machine_run() */
    uint64_t turn_end; /* of the CPU in turn; UINT64_MAX if there is no other */
    uint64_t random;   /* of the order of turns */
    uint64_t entropy;  /* of hal_entropy() */
    struct explore explore;
    uint32_t self;   /* CPU in turn */
    uint32_t halted; /* 1 + enum hal_halt_reason, or 0 */
    bool started;
    bool broken;
    char failure[SIM_REASON_MAX];
    struct hal_boot boot;
    uint32_t nr_ranges;
    struct sim_range ranges[SIM_RANGES_MAX];
    struct irqchip irqchip;
    struct sim_stats stats;
    uint32_t nr_disk_requests; /* busy slots */
    struct sim_disk_slot disk[SIM_DISKS_MAX][HAL_DISK_SLOTS];
    uint32_t net_head;
    uint32_t net_count;
    struct sim_net_frame net[SIM_NET_QUEUE]; /* that came from outside */
    uint32_t input_head;
    uint32_t input_count;
    uint8_t input[SIM_INPUT_MAX];
    struct sim_fiber outside; /* the stack of sim_machine_run()'s caller */
    struct sim_cpu cpu[SIM_MAX_CPUS];
    _Alignas(64) uint8_t arena[SIM_ARENA_SIZE];
};

struct sim_host {
    struct sim_machine_config config;
    struct engine *engine[SIM_MAX_CPUS];
    bool inside;    /* on a CPU's stack */
    bool panicking; /* a failed check is being reported */
};

/* memory.c: where the machine is. sim_machine() is NULL if there is none. */
struct sim_machine *sim_machine(void);
struct sim_host *sim_host(void);
/* Reserves the addresses of a machine, whose config sim_host() has from then on; NULL with the
 * reason. */
struct sim_machine *memory_create(const struct sim_machine_config *config, char *reason);
void memory_destroy(void);
void *memory_ram(void);
/* Lowest address of a CPU's stack. */
void *memory_stack(unsigned cpu);
#define SIM_STACK_SIZE MIB(1)
unsigned memory_regions(struct sim_region out[SIM_REGIONS_MAX]);
/* What hal_phys_map() answers for, before hal_init() and after it. */
void memory_know_boot(struct sim_machine *machine);
HV_MUST_CHECK hv_err memory_know_platform(struct sim_machine *machine,
                                          const struct hal_platform *platform);

/* turns.c: which CPU is in turn. */
void turns_init(struct sim_machine *machine);
/* Starts core on the boot CPU. */
void turns_start(struct sim_machine *machine);
/* Gives turns to those CPUs that have something to do, until a reason to stop. */
enum sim_stop turns_run(struct sim_machine *machine);
/* The next number of the machine's seed. */
uint64_t turns_random(struct sim_machine *machine);
/* On a CPU's stack: returns when it is in turn again. */
void turns_yield(struct sim_machine *machine);
/* True if the CPU in turn has to yield before a guest runs on. */
bool turns_over(struct sim_machine *machine);
/* The first moment at which something happens by time alone, seen from the CPU in turn. */
uint64_t turns_horizon(const struct sim_machine *machine);
/* The machine cannot go on: says so outside, and does not return. Reasons are printf-like. */
_Noreturn void turns_break(struct sim_machine *machine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void turns_halt(struct sim_machine *machine, enum hal_halt_reason reason);
static inline struct sim_cpu *sim_cpu_self(struct sim_machine *machine)
{
    return &machine->cpu[machine->self];
}

/* lines.c: levels that follow from state and time: timers and maintenance. */
/* All interrupt lines of a CPU, and the virtual ones in its engine. True if any of them that the
 * CPU would take is high. */
bool lines_update(struct sim_machine *machine, unsigned cpu);
/* When a line of the CPU rises by time alone; UINT64_MAX: never. Not before now. */
uint64_t lines_next_event(const struct sim_machine *machine, unsigned cpu);
/* CNTVCT_EL0 of the vCPU that is loaded, at machine time `now`. */
uint64_t lines_virtual_count(const struct sim_cpu *cpu, uint64_t now);
bool lines_vtimer_met(const struct sim_cpu *cpu, uint64_t now);

/* disk.c: when the first request of any disk is done, after now; UINT64_MAX: never. */
uint64_t disk_next_event(const struct sim_machine *machine);
/* The disks' interrupt lines. */
void disk_update_lines(struct sim_machine *machine);

/* guest.c: what the engine asks for while a guest runs. */
extern const struct engine_ops guest_engine_ops;

/* vcpu.c */
/* Registers that the engine has of the loaded vCPU, to and from cpu->frozen. */
void vcpu_freeze(struct sim_machine *machine, unsigned cpu);
void vcpu_thaw(struct sim_machine *machine, unsigned cpu);

#endif
