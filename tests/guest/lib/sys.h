/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine of the guest programs (a subset of QEMU's virt), system registers, MMIO, barriers,
 * calls, random. */
#ifndef GUEST_SYS_H
#define GUEST_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAM_BASE      0x40000000UL
#define GICD_BASE     0x08000000UL
#define GITS_BASE     0x08080000UL
#define GICR_BASE     0x080a0000UL
#define GICR_SGI_BASE (GICR_BASE + 0x10000UL)
#define PL011_BASE    0x09000000UL
/* Nothing is there under the hypervisor (bare QEMU has its PCI window there, which never aborts).
 */
#ifndef HOLE_BASE
#define HOLE_BASE 0x20000000UL
#endif

#define INTID_VTIMER 27u
#define INTID_PTIMER 30u
#define INTID_UART   33u

#define SYS_READ(reg)                                                                              \
    __extension__({                                                                                \
        uint64_t sys_value_;                                                                       \
        __asm__ volatile("mrs %0, " reg : "=r"(sys_value_)::"memory");                             \
        sys_value_;                                                                                \
    })
#define SYS_WRITE(reg, value)                                                                      \
    do {                                                                                           \
        uint64_t sys_new_ = (value);                                                               \
        __asm__ volatile("msr " reg ", %x0" ::"rZ"(sys_new_) : "memory");                          \
    } while (0)

static inline void sys_isb(void)
{
    __asm__ volatile("isb" ::: "memory");
}

static inline void sys_dsb(void)
{
    __asm__ volatile("dsb sy" ::: "memory");
}

static inline void sys_wfi(void)
{
    __asm__ volatile("dsb sy\n\twfi" ::: "memory");
}

/** Unmasks IRQ at PSTATE. */
static inline void sys_irq_unmask(void)
{
    __asm__ volatile("msr daifclr, #2\n\tisb" ::: "memory");
}

/** Masks IRQ at PSTATE. */
static inline void sys_irq_mask(void)
{
    __asm__ volatile("msr daifset, #2\n\tisb" ::: "memory");
}

static inline uint8_t mmio_read8(uint64_t address)
{
    uint32_t value;
    __asm__ volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return (uint8_t)value;
}

static inline uint32_t mmio_read32(uint64_t address)
{
    uint32_t value;
    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint64_t mmio_read64(uint64_t address)
{
    uint64_t value;
    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void mmio_write8(uint64_t address, uint8_t value)
{
    __asm__ volatile("strb %w0, [%1]" ::"r"((uint32_t)value), "r"(address) : "memory");
}

static inline void mmio_write32(uint64_t address, uint32_t value)
{
    __asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline void mmio_write64(uint64_t address, uint64_t value)
{
    __asm__ volatile("str %0, [%1]" ::"r"(value), "r"(address) : "memory");
}

/* PSCI (DEN 0022) and SMCCC (DEN 0028) function identifiers. */
#define PSCI_VERSION        0x84000000u
#define PSCI_CPU_SUSPEND    0x84000001u
#define PSCI_SYSTEM_OFF     0x84000008u
#define PSCI_SYSTEM_RESET   0x84000009u
#define PSCI_FEATURES       0x8400000au
#define SMCCC_VERSION       0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u
#define SMCCC_NOT_SUPPORTED (-1)
#define SMCCC_FN64          0x40000000u

/** HVC #0 with x0 = function, x1 = argument; returns x0. */
uint64_t sys_hvc(uint64_t function, uint64_t argument);

/** PSCI SYSTEM_OFF over HVC; does not return. */
_Noreturn void sys_power_off(void);

/** xorshift64* step of *state, which must not be zero: the same sequence on every machine. */
uint64_t sys_random(uint64_t *state);

/** First byte after RAM as the devicetree's /memory node says; 0 when there is no such node. */
uint64_t sys_ram_end(void);

/** The decimal number after `name=` among the words of the command line; `otherwise` if it is not
 * there. */
uint64_t sys_argument(const char *name, uint64_t otherwise);

/** Makes freshly written instructions in [start, start + size) visible to instruction fetch. */
void sys_sync_code(uint64_t start, uint64_t size);

/** The program: returns when done; the runtime then prints the plan and powers off. */
void guest_main(void);

/** Called by start.S with the address of the devicetree. */
void guest_start(uint64_t dtb);

#endif
