/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Structure offsets that assembly uses; world_switch.c asserts each against the C definition. */
#ifndef HAL_AARCH64_OFFSETS_H
#define HAL_AARCH64_OFFSETS_H

#define VCPU_X      0
#define VCPU_PC     248
#define VCPU_PSTATE 256

#define EXIT_ESR   0
#define EXIT_HPFAR 16
#define EXIT_KIND  24

#define EXIT_KIND_SYNC   0
#define EXIT_KIND_IRQ    1
#define EXIT_KIND_FIQ    2
#define EXIT_KIND_SERROR 3

/* What hal_vcpu_run() keeps on the EL2 stack while the guest runs: x19..x30, the vCPU and the exit
 * record. */
#define RUN_FRAME_SIZE 112
#define RUN_FRAME_VCPU 96
#define RUN_FRAME_EXIT 104

/* struct percpu */
#define PERCPU_PANIC_STACK 0
#define PERCPU_STACK       8

/* What each CPU but the boot CPU has in cpu_stacks, from below: a page that is not mapped, its
 * stack, its panic stack. There is one for each CPU that a platform can have. */
#define CPU_STACK_GUARD  4096
#define CPU_STACK_SIZE   12288
#define CPU_STACK_PANIC  4096
#define CPU_STACK_STRIDE (CPU_STACK_GUARD + CPU_STACK_SIZE + CPU_STACK_PANIC)
#define CPU_STACKS       63

/* struct panic_frame */
#define PANIC_FRAME_SIZE   320
#define PANIC_FRAME_SP     248
#define PANIC_FRAME_ELR    256
#define PANIC_FRAME_SPSR   264
#define PANIC_FRAME_ESR    272
#define PANIC_FRAME_FAR    280
#define PANIC_FRAME_HPFAR  288
#define PANIC_FRAME_VECTOR 296

#endif
