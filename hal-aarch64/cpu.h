/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* System register access and per-CPU data of the aarch64 HAL. */
#ifndef HAL_AARCH64_CPU_H
#define HAL_AARCH64_CPU_H

#include "arch/idreg.h"
#include "arch/vcpu.h"
#include <stdbool.h>
#include <stdint.h>

#define sysreg_read(name)                                                                          \
    __extension__({                                                                                \
        uint64_t sysreg_value_;                                                                    \
        __asm__ volatile("mrs %0, " #name : "=r"(sysreg_value_)::"memory");                        \
        sysreg_value_;                                                                             \
    })
#define sysreg_write(name, value)                                                                  \
    do {                                                                                           \
        uint64_t sysreg_value_ = (value);                                                          \
        __asm__ volatile("msr " #name ", %0" ::"r"(sysreg_value_) : "memory");                     \
    } while (0)

static inline void isb(void)
{
    __asm__ volatile("isb" ::: "memory");
}

#define dsb(domain) __asm__ volatile("dsb " #domain ::: "memory")

/* hal_cpu_start() and hal_cpu_stop(). */
enum cpu_power {
    CPU_OFF,      /* or about to be */
    CPU_CLAIMED,  /* hal_cpu_start() writes what it is to do */
    CPU_STARTING, /* it may come up, and do it */
    CPU_ON
};

/* One physical CPU. TPIDR_EL2 points to its entry. The first members are known to assembly. Aligned
 * so that no two CPUs write to one cache line. */
struct percpu {
    _Alignas(64) uint64_t panic_stack; /* top */
    uint64_t stack;                    /* top */
    struct arch_vcpu *loaded;          /* or NULL */
    void (*entry)(void *);             /* of hal_cpu_start() */
    void *entry_arg;
    _Atomic uint32_t power;  /* enum cpu_power */
    uint64_t mpidr;          /* affinity fields */
    volatile uint32_t *gicr; /* RD_base of its redistributor */
    uint32_t index;
    uint32_t nr_lrs;
    uint32_t nr_aprs; /* ICH_AP<x>R<n>_EL2 registers in use: 1, 2 or 4 */
    uint32_t nr_breakpoints;
    uint32_t nr_watchpoints;
    bool has_pauth;
    bool has_ras;
    bool has_sme;
    bool panicking;          /* a report is being printed */
    _Atomic bool at_console; /* between panic_hold_off() and panic_release() */
    struct arch_idregs idregs;
};

static inline struct percpu *percpu_self(void)
{
    return (struct percpu *)sysreg_read(tpidr_el2);
}

#endif
