/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The HAL's contract (hal/CONTRACT.md) as a program: it takes the place of the hypervisor, calls
 * hal.h as core would, and prints its results in the Test Anything Protocol. Portable: it runs on
 * every HAL that runs guests.
 */
#ifndef CONFORMANCE_CONTRACT_H
#define CONFORMANCE_CONTRACT_H

#include "hal/hal.h"
#include <stdbool.h>

/* Where the guests' code is: the IPA of its page. */
#define CONTRACT_GUEST_BASE UINT64_C(0x10000000)
/* ESR_ELx.EC, D17.2.37 */
#define CONTRACT_EC_HVC        0x16u
#define CONTRACT_EC_DATA_ABORT 0x24u

/* The machine's disks: one to write to, and a read-only one that has contract_disk_byte() 1 of each
 * place. What the first has at the end is that of 0, as far as it was written to: its first
 * CONTRACT_DISK_WRITTEN sectors and the last one. */
#define CONTRACT_DISKS           2u
#define CONTRACT_DISK_SECTORS    2049u
#define CONTRACT_DISK_RO_SECTORS 65u
#define CONTRACT_DISK_WRITTEN    513u

struct contract {
    const struct hal_boot *boot;
    struct hal_platform platform;
    unsigned count;
    unsigned failed;
};

/* `ok N - name` or `not ok N - name`; returns condition. */
bool contract_ok(struct contract *ct, bool condition, const char *name);
/* The same for got == want; a failure prints both. */
bool contract_eq(struct contract *ct, uint64_t got, uint64_t want, const char *name);
/* The plan, and the end of the machine. */
_Noreturn void contract_finish(struct contract *ct);

/* A line that is no result: for a reader, or for who runs the program. */
void contract_say(const char *text);
/* This CPU's next interrupt, acknowledged, or none within a tenth of a second. */
uint32_t contract_wait_irq(void);
/* None now, and none in the time that a level needs to arrive. */
bool contract_is_quiet(void);
/* A vCPU that starts at CONTRACT_GUEST_BASE, at EL1 with the MMU off, behind the stage-2 tables
 * whose level 1 is at `stage2`. */
void contract_init_vcpu(struct arch_vcpu *vcpu, uint64_t stage2, uint64_t vmid);
/* ESR_EL2.EC; ~0 unless the exit is a synchronous exception. */
unsigned contract_exception_class(const struct arch_exit *exit);

unsigned char contract_disk_byte(unsigned disk, uint64_t at);

/* Each prints results of its own. The first runs before hal_init(), the others after it, in any
 * order. */
void contract_check_boot(struct contract *ct);
void contract_check_cpu(struct contract *ct);
void contract_check_phys(struct contract *ct);
void contract_check_time(struct contract *ct);
void contract_check_irq(struct contract *ct);
void contract_check_vcpu(struct contract *ct);
void contract_check_disk(struct contract *ct);
/* On a machine with several CPUs, as the last: ends in contract_finish(), on a CPU that was started
 * anew. */
_Noreturn void contract_check_smp(struct contract *ct);

#endif
