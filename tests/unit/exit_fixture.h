/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A running vCPU with a device beside it, and exits to give it: for the tests of core/exit. */
#ifndef TESTS_EXIT_FIXTURE_H
#define TESTS_EXIT_FIXTURE_H

#include "exit/exit.h"
#include "vm_fixture.h"

static struct fixture f;

/* A device at 0x0a000000 that notes what it is asked for. */
#define DEV_BASE UINT64_C(0x0a000000)
#define DEV_SIZE UINT64_C(0x200)

static struct {
    struct mmio_access last;
    unsigned calls;
    uint64_t answer;
    bool refuse;
} dev;

static inline bool dev_access(void *ctx, struct mmio_access *access)
{
    cr_assert_eq(ctx, &dev);
    dev.calls++;
    dev.last = *access;
    if (!access->write)
        access->value = dev.answer;
    return !dev.refuse;
}

static inline void setup(void)
{
    const struct mmio_region region = {DEV_BASE, DEV_SIZE, dev_access, &dev, "dev"};

    fixture_start(&f, 1);
    memset(&dev, 0, sizeof(dev));
    cr_assert_eq(mmio_bus_add(&f.vm->bus, &region), HV_OK);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_VBAR_EL1, 0x40100000);
    f.vcpu->arch.pc = GUEST_ENTRY;
    f.vcpu->arch.pstate = 0x3c5;
}

static inline void finish(void)
{
    fixture_end(&f);
}

static inline void sync(uint64_t esr, uint64_t far, uint64_t hpfar)
{
    const struct arch_exit exit = {esr, far, hpfar, ARCH_EXIT_SYNC};

    exit_dispatch(f.vcpu, &exit);
}

/* A data abort for `ipa` with this ISS; HPFAR_EL2[43:4] holds IPA[51:12]. */
static inline void data_abort(uint64_t iss, uint64_t at)
{
    sync(UINT64_C(0x24) << 26 | 1u << 25 | iss, 0xffff000000000000 | (at & 0xfff), (at >> 12) << 4);
}

static inline uint64_t el1_esr(void)
{
    return fixture_sys(&f, ARCH_ESR_EL1);
}

/* Back to where a case began, as far as injection changed it. */
static inline void rewind_guest(void)
{
    f.vcpu->arch.pc = GUEST_ENTRY;
    f.vcpu->arch.pstate = 0x3c5;
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_ESR_EL1, 0);
}

#define ISV    (1u << 24)
#define SAS(n) ((uint64_t)(n) << 22)
#define SSE    (1u << 21)
#define SRT(n) ((uint64_t)(n) << 16)
#define SF     (1u << 15)
#define WNR    (1u << 6)
#define TRANS3 0x07u

#endif
