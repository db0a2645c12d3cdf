/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The guests of contract_smp*.c: a page of code, what it works on, and stage-2 tables that are
 * written by hand. Values are the architecture's (Arm ARM DDI 0487, IHI 0069), not those of core's
 * headers.
 */
#ifndef CONFORMANCE_CONTRACT_SMP_GUESTS_H
#define CONFORMANCE_CONTRACT_SMP_GUESTS_H

#include "conformance/contract_smp.h"

#define GUEST_BASE   CONTRACT_GUEST_BASE
#define GUEST_DATA   (GUEST_BASE + 0x1000) /* what is taken away from the guests */
#define GUEST_COUNTS (GUEST_BASE + 0x2000) /* what they count in */
#define OTHER_BASE   (GUEST_BASE + 0x3000) /* another VM's code: the same page at its own IPA */
#define GUEST_STAGE1 (GUEST_BASE + 0x4000) /* level 1 of a guest whose MMU is on */
#define ENTRIES      512u
#define INTID_NONE   1023u
#define INTID_KICK   0u
#define HCR_DC       (UINT64_C(1) << 12) /* memory is cacheable though the MMU is off: D17.2.48 */
#define VMID_SHARED  3u
#define VMID_OTHER   4u
#define VMID_AGAIN   5u     /* the shared tables under another VMID */
#define INCREMENTS   20000u /* in the loop of WORD_COUNT */

/* Offsets into the page of code. */
#define WORD_MOVE    0x00u
#define WORD_READ    0x14u
#define WORD_COUNT   0x24u
#define WORD_MONITOR 0x44u
#define WORD_SPIN    0x54u
#define WORD_LOAD    0x58u
#define WORD_ACK     0x64u

/* D8.3: level 1 covers 1 GiB an entry, level 2 2 MiB, level 3 4 KiB. */
struct tables {
    uint64_t level1[ENTRIES];
    uint64_t level2[ENTRIES];
    uint64_t level3[ENTRIES];
};

/* At the end of RAM, a page each. */
struct pages {
    struct tables shared;
    struct tables other;
    uint32_t code[2 * ENTRIES];
    uint64_t data[ENTRIES];
    uint64_t counts[ENTRIES];
    uint64_t stage1[ENTRIES];
};

struct guests {
    struct pages *pages;
    uint64_t at;             /* their physical address */
    struct arch_vcpu mobile; /* it visits all CPUs */
    struct arch_vcpu before;
};
extern struct guests guests;

/* Maps them and writes code and tables; false if there is no such memory. */
bool guests_build(const struct platform_range *ram);
/* A stage-2 entry for the page of `struct pages` at this offset. */
uint64_t guests_leaf(uint64_t offset);
uint64_t *guests_entry(struct tables *tables, uint64_t addr);
/* A vCPU on the shared tables that starts at this word of the code. */
void guests_init_vcpu(struct arch_vcpu *vcpu, uint64_t word);
/* The same, as the worker's own. */
void guests_make_vcpu(struct smp_worker *w, uint64_t word);
/*
 * Runs a loaded vCPU until it traps, or an interrupt comes, which is ended. Returns the interrupt,
 * INTID_NONE for a trap. Not for ever: the timer is armed.
 */
uint32_t guests_run(struct arch_vcpu *vcpu, struct arch_exit *exit);
bool guests_run_to_hvc(struct arch_vcpu *vcpu, unsigned number);

/* contract_smp_tlb.c and contract_smp_irq.c: called by smp_check_vcpus(), after guests_build(). */
void smp_check_tlbi(struct smp *smp);
void smp_check_active(struct smp *smp);

#endif
