/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "fakehal/fakehal.h"
#include "mem/vmid.h"
#include "prng.h"
#include <string.h>

#define VMS 12u

static struct vmids vmids;
static struct s2 vm[VMS];

static void setup(void)
{
    fakehal_reset();
    memset(vm, 0, sizeof(vm));
}

static void finish(void)
{
}

static uint64_t vmid_of(const struct s2 *s2)
{
    return s2_tag(s2).vttbr >> 48;
}

static void run(unsigned cpu, unsigned n)
{
    vmid_load(&vmids, cpu, &vm[n]);
}

static uint64_t flushes(void)
{
    return fakehal()->count[FAKEHAL_TLBI_ALL];
}

CASE(vmid, zero_is_nobodys_and_each_has_its_own)
{
    vmids_init(&vmids, 3);
    for (unsigned n = 0; n < 3; n++) {
        run(0, n);
        vmid_unload(&vmids, 0);
        cr_expect_eq(vmid_of(&vm[n]), n + 1);
    }
    run(0, 1);
    cr_expect_eq(vmid_of(&vm[1]), 2, "kept while the generation lasts");
    cr_expect_eq(flushes(), 0);
}

CASE(vmid, when_all_are_taken_a_generation_begins)
{
    vmids_init(&vmids, 2);
    run(0, 0);
    run(1, 1);
    vmid_unload(&vmids, 1);
    run(1, 2);
    cr_expect_eq(flushes(), 1, "nothing of the old generation is left in a TLB");
    cr_expect_eq(vmid_of(&vm[0]), 1, "it is running: it keeps its own");
    cr_expect_eq(vmid_of(&vm[2]), 2);
    vmid_unload(&vmids, 0);
    run(0, 1);
    cr_expect_eq(flushes(), 2);
    cr_expect_eq(vmid_of(&vm[2]), 2);
    cr_expect_eq(vmid_of(&vm[1]), 1);
}

CASE(vmid, one_vm_on_several_cpus_has_one)
{
    vmids_init(&vmids, 2);
    run(0, 0);
    run(1, 0);
    cr_expect_eq(vmid_of(&vm[0]), 1);
    vmid_unload(&vmids, 0);
    run(0, 1);
    vmid_unload(&vmids, 0);
    run(0, 2);
    cr_expect_eq(vmid_of(&vm[0]), 1, "it still runs on CPU 1");
    cr_expect_neq(vmid_of(&vm[2]), 1);
}

CASE(vmid, one_that_is_released_is_given_out_again)
{
    vmids_init(&vmids, 2);
    run(0, 0);
    vmid_unload(&vmids, 0);
    run(0, 1);
    vmid_unload(&vmids, 0);
    vmid_release(&vmids, &vm[0]);
    run(0, 2);
    cr_expect_eq(vmid_of(&vm[2]), 1);
    cr_expect_eq(flushes(), 0);
}

/* Somebody else may have its number by then. */
CASE(vmid, a_release_of_an_old_generation_changes_nothing)
{
    vmids_init(&vmids, 1);
    run(0, 0);
    vmid_unload(&vmids, 0);
    run(0, 1);
    vmid_release(&vmids, &vm[0]);
    vmid_unload(&vmids, 0);
    run(0, 2);
    cr_expect_eq(flushes(), 2);
}

CASE(vmid, as_many_as_the_cpu_has)
{
    struct arch_idregs idregs = {.reg = {[IDREG_MMFR1] = 0}};

    cr_expect_eq(vmids_of(&idregs), 255);
    idregs.reg[IDREG_MMFR1] = 0x20;
    cr_expect_eq(vmids_of(&idregs), 65535);
    vmids_init(&vmids, 65535);
    for (uint32_t i = 0; i < 65535; i++) {
        struct s2 one = {.vmid = 0};
        vmid_load(&vmids, 0, &one);
        vmid_unload(&vmids, 0);
        cr_assert_eq(vmid_of(&one), i + 1);
    }
    cr_expect_eq(flushes(), 0);
    run(0, 0);
    cr_expect_eq(flushes(), 1);
}

/*
 * The model: what each VMID may be found under in a TLB since the last invalidation of all. Two VMs
 * must never meet there.
 */
CASE(vmid, at_random_no_two_vms_share_one)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed;
        unsigned cpus = 1 + (unsigned)(prng_next(&random) % 4);
        unsigned count = cpus + (unsigned)(prng_next(&random) % 3);
        int owner[16];
        int on[4] = {-1, -1, -1, -1};
        uint64_t seen = flushes();

        memset(vm, 0, sizeof(vm));
        memset(owner, -1, sizeof(owner));
        vmids_init(&vmids, count);
        for (unsigned step = 0; step < 300; step++) {
            unsigned cpu = (unsigned)(prng_next(&random) % cpus);
            unsigned n = (unsigned)(prng_next(&random) % VMS);
            if (on[cpu] >= 0)
                vmid_unload(&vmids, cpu);
            run(cpu, n);
            on[cpu] = (int)n;
            if (flushes() != seen)
                memset(owner, -1, sizeof(owner));
            seen = flushes();
            for (unsigned i = 0; i < cpus; i++) {
                if (on[i] < 0)
                    continue;
                uint64_t vmid = vmid_of(&vm[on[i]]);
                cr_assert(vmid >= 1 && vmid <= count);
                cr_assert(owner[vmid] == -1 || owner[vmid] == on[i], "seed %u", (unsigned)seed);
                owner[vmid] = on[i];
            }
        }
    }
}

CASES_RUN(vmid, setup, finish)
