/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A hypervisor instance over fakehal with one VM in it, for the tests of core/vm, exit and psci. */
#ifndef TESTS_VM_FIXTURE_H
#define TESTS_VM_FIXTURE_H

#include "fakehal/fakehal.h"
#include "vm/hv.h"
#include "vm/sched.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE_RAM_PA UINT64_C(0x80000000)
#define GUEST_RAM      UINT64_C(0x40000000)
#define GUEST_SIZE     UINT64_C(0x200000)
#define GUEST_ENTRY    UINT64_C(0x40080000)

struct fixture {
    struct hv *hv;
    struct vm_config config;
    struct vm *vm;
    struct vcpu *vcpu;
    uint64_t free_pages; /* before any VM */
    uint64_t mapped;     /* hal_phys_map()s that last */
};

static inline void fixture_write(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    hal_console_write(text, len);
}

static inline uint64_t fixture_micros(void *ctx)
{
    (void)ctx;
    return 0;
}

/* A hypervisor on `cpus` pCPUs with `ram` bytes for guests. */
static inline void fixture_hv(struct fixture *f, uint64_t ram, uint32_t cpus)
{
    static const struct log_sink sink = {.write = fixture_write, .micros = fixture_micros};
    static const uint32_t intids[] = {25, 26, 27, 33};

    fakehal_reset();
    memset(f, 0, sizeof(*f));
    f->hv = calloc(1, sizeof(*f->hv));
    fakehal()->platform.nr_cpus = cpus;
    fakehal()->platform.uart = (struct platform_range){0x09000000, 0x1000};
    f->hv->platform = fakehal()->platform;
    fakehal_add_ram(pa(FIXTURE_RAM_PA), ram);
    log_init(&f->hv->log, &sink);
    page_pool_init(&f->hv->pool);
    cr_assert_eq(page_pool_add(&f->hv->pool, pa(FIXTURE_RAM_PA), ram), HV_OK);
    f->hv->account.limit = UINT64_MAX;
    hal_id_regs(&f->hv->idregs);
    idreg_virtualise(&f->hv->idregs, 40, &f->hv->guest_idregs);
    for (uint32_t i = 0; i < cpus; i++) {
        sched_init_pcpu(f->hv, i);
        for (size_t k = 0; k < 4; k++)
            fakehal()->cpu[i].enabled[intids[k]] = true;
    }
    f->mapped = fakehal()->maps - fakehal()->unmaps;
    f->free_pages = page_pool_free_pages(&f->hv->pool);
    strcpy(f->config.name, "g");
    f->config.memory = GUEST_SIZE;
    f->config.vcpus = 1;
    f->config.bootargs = "";
}

static inline void fixture_create(struct fixture *f, uint32_t vcpus)
{
    f->config.vcpus = vcpus;
    cr_assert_eq(vm_create(f->hv, &f->config, 1, &f->vm), HV_OK);
    f->vcpu = &f->vm->vcpu[0];
}

/* With the VM started and its vCPU 0 loaded and running, as an exit handler finds it. */
static inline void fixture_start(struct fixture *f, uint32_t vcpus)
{
    fixture_hv(f, MIB(8), 1);
    fixture_create(f, vcpus);
    vm_start(f->vm, ipa(GUEST_ENTRY), 0);
    cr_assert_eq(sched_next(&f->hv->pcpu[0]), f->vcpu);
}

/* Nothing may be left behind. */
static inline void fixture_end(struct fixture *f)
{
    if (f->vm != NULL) {
        for (uint32_t i = 0; i < f->vm->nr_vcpus; i++)
            sched_remove(&f->vm->vcpu[i]);
        sched_unload(&f->hv->pcpu[0]);
        vm_destroy(f->vm);
    }
    if (page_pool_free_pages(&f->hv->pool) != f->free_pages || f->hv->account.used != 0)
        cr_assert_fail("pages leaked");
    if (fakehal()->maps - fakehal()->unmaps != f->mapped)
        cr_assert_fail("mappings leaked");
    free(f->hv);
}

/*
 * Cases of one Criterion test. Criterion gives each test a process of its own, which costs more
 * under AddressSanitizer than what most cases do; these do not need one, as setup() starts from a
 * new machine. FIXTURE_SUITE() at the end of the file runs them, each between setup() and
 * finish(); Criterion's own .fini would forgive what fails in it.
 */
struct fixture_case {
    void (*run)(void);
    struct fixture_case *next;
};

static struct fixture_case *fixture_cases;

#define FIXTURE_TEST(suite, name)                                                                  \
    static void suite##_##name(void);                                                              \
    __attribute__((constructor)) static void suite##_##name##_add(void)                            \
    {                                                                                              \
        static struct fixture_case self = {.run = suite##_##name};                                 \
        self.next = fixture_cases;                                                                 \
        fixture_cases = &self;                                                                     \
    }                                                                                              \
    static void suite##_##name(void)

#define FIXTURE_SUITE(suite, setup, finish)                                                        \
    Test(suite, cases)                                                                             \
    {                                                                                              \
        unsigned run = 0;                                                                          \
        for (const struct fixture_case *c = fixture_cases; c != NULL; c = c->next, run++) {        \
            setup();                                                                               \
            c->run();                                                                              \
            finish();                                                                              \
        }                                                                                          \
        cr_assert_gt(run, 0);                                                                      \
    }

static inline uint64_t fixture_sys(struct fixture *f, enum arch_sysreg reg)
{
    return hal_vcpu_sysreg_get(&f->vcpu->arch, reg);
}

/* xorshift64*: a fixed sequence on every machine. */
static inline uint64_t fixture_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

#endif
