/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of this HAL share among themselves. */
#ifndef HAL_AARCH64_INTERNAL_H
#define HAL_AARCH64_INTERNAL_H

#include "arch/idreg.h"
#include "base/addr.h"
#include "base/err.h"
#include "cpu.h"
#include "hal/platform.h"
#include <stddef.h>
#include <stdint.h>

/* main.c: entry.S points TPIDR_EL2 to the first. */
extern struct percpu percpu[PLATFORM_MAX_CPUS];

/* image.ld: the running image. */
extern char __image_start[], __text_end[], __rodata_end[], __image_end[];
extern char boot_stack_guard[], boot_stack_top[], panic_stack_guard[], panic_stack_top[];
extern char cpu_stacks[]; /* of the others: offsets.h */

/* mmu.c */
enum mmu_attr { MMU_TEXT, MMU_RODATA, MMU_DATA, MMU_DEVICE };
struct mmu_setup {
    uint64_t ttbr, mair, tcr, sctlr; /* the order is known to entry.S */
};
/* Builds the tables of the image and of a window at the devicetree; runs with the MMU off. */
const struct mmu_setup *mmu_build_early(uint64_t image, uint64_t dtb);
void mmu_enable(const struct mmu_setup *setup);
/* What mmu_build_early() made: written with the MMU off, so that other CPUs can read it like that.
 */
extern struct mmu_setup mmu_setup;
/* Maps what is not mapped yet of the identity range, rounded outwards to pages. HV_ERR_NOMEM if the
 * table pages are used up. */
HV_MUST_CHECK hv_err mmu_map(uint64_t base, uint64_t size, enum mmu_attr attr);
/* Takes back one page that mmu_map() mapped as a page. */
void mmu_unmap_page(uint64_t addr);
/* RAM without the firmware's reserved ranges, and the bounds that hal_phys_map() answers by. */
HV_MUST_CHECK hv_err mmu_map_ram(const struct hal_platform *platform);
/* True if `addr` is in this CPU's stack: for the backtrace, which must not fault. */
bool mmu_is_stack(uint64_t addr);
/* The page below this CPU's stack, which is not mapped. */
uint64_t mmu_stack_guard(void);

/* el2_regs.c: EL2 registers that reset to UNKNOWN values, and this image never uses. */
void el2_regs_init(const struct arch_idregs *idregs);

/* main.c: this CPU's, from the registers; ich_vtr is gic_init_cpu()'s to fill in, as only then it
 * can be read. */
void cpu_read_id_regs(struct arch_idregs *out);
/* cpus.c: the features and the System registers of this CPU, which is `cpu`. */
void cpu_init_self(struct percpu *cpu);
/* Identity and stacks of the platform's CPUs. HV_ERR_RANGE: too many, or a timer's or the
 * maintenance interrupt is not private to a CPU. */
HV_MUST_CHECK hv_err cpus_init(const struct hal_platform *platform);
/* GIC and timers of this CPU, as CONTRACT.md says of hal_init(). After cpus_init() and gic_init().
 */
void cpu_init_interrupts(void);

/* gic.c: the distributor, and where each CPU's redistributor is; NULL if it has none. HV_ERR_NOENT:
 * this CPU has none. */
HV_MUST_CHECK hv_err gic_init(const struct hal_platform *platform);
/* Redistributor and CPU interface of this CPU; of its private interrupts those of the mask are
 * enabled. */
void gic_init_cpu(uint32_t enabled);
/* No interrupt reaches this CPU any more. */
void gic_stop_cpu(void);
/* timer.c: no timer of this CPU is armed. */
void timer_init_cpu(void);
/* trace.c: takes platform->trace into use, if there is one. RAM is mapped. */
HV_MUST_CHECK hv_err trace_init(const struct hal_platform *platform);
/* disk.c: takes those of the machine's virtio-mmio devices into use that are disks. */
HV_MUST_CHECK hv_err disk_init(const struct hal_platform *platform);
/* uart.c: the PL011 at `base`, which is mapped, becomes the console; 0: there is none from now on.
 */
void uart_init(uint64_t base);
/* rtc.c: takes the clock into use, if there is one. */
HV_MUST_CHECK hv_err rtc_init(const struct hal_platform *platform);
/* entropy.c: finds out what sources of random numbers there are. */
void entropy_init(const struct hal_platform *platform);
/* True if the PrimeCell identification at `base` says PL011. */
bool uart_is_pl011(uint64_t base);

/* fp in vectors.S */
void fp_save(struct arch_vcpu_fp *fp);
void fp_restore(const struct arch_vcpu_fp *fp);

/* Registers of an exception at EL2, as vectors.S stores them. */
struct panic_frame {
    uint64_t x[31];
    uint64_t sp;
    uint64_t elr, spsr, esr, far, hpfar;
    uint64_t vector; /* 0..7: entry of the vector table */
};
_Noreturn void panic_exception(const struct panic_frame *frame);
/* panic.c: another CPU is printing a report, so that this one must neither write to the console nor
 * end the machine. */
bool panic_is_elsewhere(void);
/* Around each access that writes to the console. A report that begins on another CPU waits until
 * this one has released it; if one has begun, panic_hold_off() does not return. */
void panic_hold_off(void);
void panic_release(void);
/* Does nothing until that report has led to the machine's end. */
_Noreturn void panic_await_end(void);

/* main.c and cpus.c, called by entry.S. */
_Noreturn void boot_main(uint64_t dtb);
_Noreturn void secondary_main(struct percpu *cpu);
/* entry.S: where EL3 starts a CPU, with its struct percpu in x0. */
void secondary_entry(void);

static inline uint32_t mmio_read32(const volatile void *base, uint64_t offset)
{
    return *(const volatile uint32_t *)((const volatile char *)base + offset);
}

static inline void mmio_write32(volatile void *base, uint64_t offset, uint32_t value)
{
    *(volatile uint32_t *)((volatile char *)base + offset) = value;
}

#endif
