/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef TESTS_ROLE_FIXTURE_H
#define TESTS_ROLE_FIXTURE_H

/*
 * A manager with three VMs, of which none is made yet, for the tests of core/role. Each guest is a
 * string of actions, one for each exit; see play().
 */
#include "role/control.h"
#include "vm_fixture.h"
#include <stdio.h>

#define VMS       3u
#define VM_MEMORY MIB(1)

#define SYSTEM_OFF   0x84000008u
#define SYSTEM_RESET 0x84000009u

#define ESR(ec) (UINT64_C(ec) << 26 | 1u << 25)

#define WORK_TICKS 31250u /* 500 us */

static struct fixture f;
static struct hv_config config;
static struct manager manager;
static const unsigned char kernel[64];
static const char *actions[VMS];
static const char *const *typed; /* what the next actions 'k' type */
static void (*look)(struct vcpu *vcpu);

static inline void role_post(void *hv)
{
    hv_post_work(hv);
}

static inline void role_setup(uint32_t cpus)
{
    static const char *const names[VMS] = {"one", "two", "three"};

    fixture_hv(&f, MIB(16), cpus);
    memset(&config, 0, sizeof(config));
    config.nr_vms = VMS;
    for (unsigned i = 0; i < VMS; i++) {
        config.vm[i] = (struct vm_config){
            .memory = VM_MEMORY, .vcpus = 1, .bootargs = "", .kernel = {kernel, sizeof(kernel)}};
        strcpy(config.vm[i].name, names[i]);
        actions[i] = "";
    }
    f.hv->nr_vms = VMS;
    manager_init(&manager, f.hv, &config);
    f.hv->turn = NULL; /* it would not end: time stands still. Tests of it set it */
    typed = NULL;
    look = NULL;
    console_configure(&f.console, &config, &(struct console_command_sink){role_post, f.hv});
}

static inline void setup(void)
{
    role_setup(2);
}

/* Ends all VMs before any is destroyed: one that runs on would keep a pCPU from the others. */
static inline void finish(void)
{
    for (unsigned slot = 0; slot < VMS; slot++) {
        struct vm *vm = f.hv->vm[slot];
        if (vm == NULL)
            continue;
        vm_end(vm, VM_OFF, "the test is over");
    }
    for (uint32_t cpu = 0; cpu < f.hv->platform.nr_cpus; cpu++)
        cr_assert_null(fixture_next(&f, cpu));
    for (unsigned slot = 0; slot < VMS; slot++) {
        struct vm *vm = f.hv->vm[slot];
        f.hv->vm[slot] = NULL;
        if (vm == NULL)
            continue;
        cr_assert(vm_is_over(vm));
        vm_destroy(vm);
    }
    fixture_end(&f);
}

static inline void start(uint32_t slot)
{
    cr_assert_eq(manager_start_vm(&manager, slot), HV_OK, "%s", fakehal()->out);
}

/* A vCPU computes until an interrupt comes. */
static void work(struct arch_exit *exit)
{
    fakehal_advance(WORK_TICKS);
    exit->kind = ARCH_EXIT_IRQ;
}

/* Runs the guests. `actions`: o SYSTEM_OFF, r SYSTEM_RESET, c an exception that no guest can
 * handle, y WFE, w works until its timer interrupts, b both looks and works, k types Ctrl-A c and
 * the next line of typed[], l calls look(). */
static inline void play(void *ctx, struct arch_vcpu *arch, struct arch_exit *exit)
{
    struct vcpu *vcpu = list_entry(arch, struct vcpu, arch);
    const char **action = &actions[vcpu->vm->id - 1];

    (void)ctx;
    exit->esr = ESR(0x16); /* HVC */
    switch (*(*action)++) {
    case 'o':
        arch->x[0] = SYSTEM_OFF;
        break;
    case 'r':
        arch->x[0] = SYSTEM_RESET;
        break;
    case 'c':
        exit->esr = ESR(0x0e); /* illegal execution state */
        break;
    case 'y':
        exit->esr = ESR(0x01) | 1;
        break;
    case 'b':
        look(vcpu);
        work(exit);
        break;
    case 'w':
        work(exit);
        break;
    case 'k':
        fakehal_console_type("\x01"
                             "c",
                             2);
        fakehal_console_type(*typed, strlen(*typed));
        fakehal_console_type("\r", 1);
        typed++;
        exit->kind = ARCH_EXIT_IRQ;
        break;
    case 'l':
        look(vcpu);
        exit->esr = ESR(0x01) | 1;
        break;
    default:
        cr_assert_fail("%s runs when it is over", vcpu->vm->config->name);
    }
}

static inline void enter_manager(void *pcpu)
{
    manager_run(&manager, pcpu);
}

/* What becomes of pCPU `cpu`, which runs guests and is the manager when there is work. */
static inline enum fakehal_end run_pcpu(uint32_t cpu)
{
    fakehal_set_run(play, NULL);
    fakehal()->self = cpu;
    enum fakehal_end end = fakehal_catch(enter_manager, &f.hv->pcpu[cpu]);
    fakehal()->self = 0;
    /* The machine ends in the middle of managing. */
    if (end == FAKEHAL_HALTED)
        f.hv->managing = false;
    return end;
}

#define EXPECT_LOG(text)    cr_assert(fakehal_console_has(text), "%s", fakehal()->out)
#define EXPECT_NO_LOG(text) cr_assert_not(fakehal_console_has(text), "%s", fakehal()->out)

#endif
