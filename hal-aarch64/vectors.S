/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * EL2 exception vectors and the world switch of general registers. A guest runs inside hal_vcpu_run(): its frame stays on the EL2
 * stack, and an exception from the guest returns through it.
 */
#include "offsets.h"

    .text

/* void hal_vcpu_run(struct arch_vcpu *vcpu, struct arch_exit *exit) */
    .globl  hal_vcpu_run
    .type   hal_vcpu_run, %function
hal_vcpu_run:
    stp     x29, x30, [sp, #-RUN_FRAME_SIZE]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    stp     x0, x1, [sp, #RUN_FRAME_VCPU]
    ldp     x2, x3, [x0, #VCPU_PC]
    msr     elr_el2, x2
    msr     spsr_el2, x3
    ldp     x2, x3, [x0, #16]
    ldp     x4, x5, [x0, #32]
    ldp     x6, x7, [x0, #48]
    ldp     x8, x9, [x0, #64]
    ldp     x10, x11, [x0, #80]
    ldp     x12, x13, [x0, #96]
    ldp     x14, x15, [x0, #112]
    ldp     x16, x17, [x0, #128]
    ldp     x18, x19, [x0, #144]
    ldp     x20, x21, [x0, #160]
    ldp     x22, x23, [x0, #176]
    ldp     x24, x25, [x0, #192]
    ldp     x26, x27, [x0, #208]
    ldp     x28, x29, [x0, #224]
    ldr     x30, [x0, #240]
    ldp     x0, x1, [x0]
    eret
    dsb     nsh                     /* no speculation past the ERET */
    isb
    .size   hal_vcpu_run, . - hal_vcpu_run

/* First part of every exit: x0 = vCPU, all general registers, PC and PSTATE saved. Fits a vector slot. */
    .macro  guest_save
    stp     x0, x1, [sp, #-16]!
    ldr     x0, [sp, #(16 + RUN_FRAME_VCPU)]
    stp     x2, x3, [x0, #16]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x30, x2, [x0, #240]
    str     x3, [x0, #VCPU_PSTATE]
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0]
    ldr     x1, [sp, #RUN_FRAME_EXIT]
    .endm

    .macro  guest_vector kind
    .balign 128
    guest_save
    mov     w2, #\kind
    b       guest_exit_\kind
    .endm

    .macro  own_vector number
    .balign 128
    b       own_\number
    .endm

    .balign 2048
    .globl  el2_vectors
el2_vectors:
    own_vector 0                    /* current EL, SP_EL0 */
    own_vector 1
    own_vector 2
    own_vector 3
    own_vector 4                    /* current EL, SP_EL2: an exception of our own */
    own_vector 5
    own_vector 6
    own_vector 7
    guest_vector 0                  /* lower EL, AArch64 */
    guest_vector 1
    guest_vector 2
    guest_vector 3
    guest_vector 0                  /* lower EL, AArch32: EL0 of a guest */
    guest_vector 1
    guest_vector 2
    guest_vector 3
    .balign 128

guest_exit_0:
    mrs     x3, far_el2
    mrs     x4, hpfar_el2
    str     x4, [x1, #EXIT_HPFAR]
    mrs     x2, esr_el2
    stp     x2, x3, [x1, #EXIT_ESR]
    mov     w2, #EXIT_KIND_SYNC
guest_exit_1:
guest_exit_2:
    str     w2, [x1, #EXIT_KIND]
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #RUN_FRAME_SIZE
    ret
guest_exit_3:
    mrs     x4, esr_el2
    str     x4, [x1, #EXIT_ESR]
    b       guest_exit_1

/*
 * An exception at EL2 is a bug: report and halt, on this CPU's panic stack, since the exception may be the stack's overflow. TPIDR_EL2 is the percpu.
 */
    .macro  own_entry number
own_\number:
    msr     tpidrro_el0, x0         /* the guest's, lost: nothing returns from here */
    mov     x0, #\number
    b       own_common
    .endm
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    own_entry \n
    .endr

own_common:
    msr     tpidr_el0, x1
    mov     x1, sp
    msr     sp_el1, x1
    mrs     x1, tpidr_el2
    ldr     x1, [x1, #PERCPU_PANIC_STACK]
    mov     sp, x1
    sub     sp, sp, #PANIC_FRAME_SIZE
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x2, sp_el1
    stp     x30, x2, [sp, #240]
    mrs     x2, tpidrro_el0
    mrs     x3, tpidr_el0
    stp     x2, x3, [sp]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [sp, #PANIC_FRAME_ELR]
    mrs     x2, esr_el2
    mrs     x3, far_el2
    stp     x2, x3, [sp, #PANIC_FRAME_ESR]
    mrs     x2, hpfar_el2
    stp     x2, x0, [sp, #PANIC_FRAME_HPFAR]
    mov     x0, sp
    bl      panic_exception
    b       .

/* void hal_fp_save(struct arch_vcpu_fp *), void hal_fp_restore(const struct arch_vcpu_fp *) */
    .arch_extension fp
    .arch_extension simd
    .macro  fp_all op
    \op     q0, q1, [x0, #0]
    \op     q2, q3, [x0, #32]
    \op     q4, q5, [x0, #64]
    \op     q6, q7, [x0, #96]
    \op     q8, q9, [x0, #128]
    \op     q10, q11, [x0, #160]
    \op     q12, q13, [x0, #192]
    \op     q14, q15, [x0, #224]
    \op     q16, q17, [x0, #256]
    \op     q18, q19, [x0, #288]
    \op     q20, q21, [x0, #320]
    \op     q22, q23, [x0, #352]
    \op     q24, q25, [x0, #384]
    \op     q26, q27, [x0, #416]
    \op     q28, q29, [x0, #448]
    \op     q30, q31, [x0, #480]
    .endm
    .globl  fp_save
fp_save:
    fp_all  stp
    mrs     x1, fpcr
    mrs     x2, fpsr
    add     x0, x0, #512
    stp     x1, x2, [x0]
    ret
    .globl  fp_restore
fp_restore:
    fp_all  ldp
    add     x0, x0, #512
    ldp     x1, x2, [x0]
    msr     fpcr, x1
    msr     fpsr, x2
    ret
