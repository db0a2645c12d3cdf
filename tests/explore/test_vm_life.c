/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * VMs under the manager: their vCPUs power each other on and themselves off, suspend themselves and
 * are woken by interrupts and timers; the VMs power off, reset and crash, while from the console
 * they are paused, stopped, reset and started, and pCPUs go off- and online. One of those that
 * power a vCPU on at once succeeds, and it starts once. When no VM is left all pages are back.
 */
#include "abi/psci.h"
#include "arch/esr.h"
#include "base/bits.h"
#include "base/fmt.h"
#include "dev/console.h"
#include "dev/registry.h"
#include "explore/explore.h"
#include "explore/script.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include "role/manager.h"
#include "unit/prng.h"
#include <stdatomic.h>
#include <string.h>

#define CPUS      EXPLORE_MAX_CPUS
#define VMS       2u
#define VCPUS     3u
#define LIVES     3u /* of a VM, but for those that the console gives it */
#define ROUNDS    12u
#define MICROS    100u
#define COMMANDS  10u
#define LINE      24u
#define EARLY_MAX 20000u
#define LEFTOVER  1000u
#define MEETING   600u /* turns */
#define ENTRY     MACHINE_RAM_BASE
#define WAKE      1u /* an SGI */
/* What a vCPU finds in x0 when it comes out of reset: CPU_ON's, and CPU_SUSPEND's. vCPU 0 of a new
 * life finds an address. */
#define AT_POWER_ON UINT64_C(1)
#define AT_WAKE_UP  UINT64_C(2)

/* All vCPUs of a VM are to power themselves off, or the VM, at once. */
enum closing { NOT_CLOSING, CLOSING, RACING };

/* Its own pCPU's. */
struct guest {
    uint64_t random;
    uint32_t rounds;
    bool on;
    bool calls;        /* CPU_ON of `target`, whose result is in x0 */
    bool ends;         /* has ended the VM */
    uint32_t leftover; /* how often it went on although it has */
    uint32_t target;
};

static struct life {
    struct guest guest[VCPUS];
    uint32_t count; /* lives so far, with this one */
    _Atomic uint32_t started[VCPUS];
    _Atomic uint32_t won[VCPUS]; /* CPU_ON that said SUCCESS */
    _Atomic uint32_t closing;    /* enum closing */
    _Atomic uint32_t nr_racing;
} lives[VMS];

/* A device of each VM, to which the vCPUs of both post: its lock is what keeps the VM. */
static struct device {
    struct spinlock lock;
    struct vm *vm; /* NULL: there is none */
    uint32_t index;
    _Atomic bool posted; /* its work() is to come */
} devices[VMS];

static struct manager manager;
static const uint32_t kernel = UINT32_C(0x14000000); /* b . */
static uint64_t free_pages;
static uint64_t used_pages;
/* What is typed. */
static char commands[COMMANDS + VMS][LINE];
static bool paused[COMMANDS + VMS]; /* a VM rests until one of this command or after it */
static _Atomic uint32_t nr_typed;
static uint32_t nr_chars; /* of the next one; under the console's lock */
static uint64_t idle_random[CPUS];
static _Atomic uint32_t nr_early; /* returns from idling for no reason */

static struct life *life_of(const struct vcpu *vcpu)
{
    return &lives[vcpu->vm->id - 1];
}

/* --- What must hold --- */

static void check_vm(struct vm *vm)
{
    uint32_t on = 0;

    spinlock_lock(&vm->lock);
    for (uint32_t i = 0; i < vm->nr_vcpus; i++)
        on += vm->vcpu[i].power != VCPU_POWER_OFF;
    /* One that powers off is not counted any more, and is not yet off. Those of a VM that ended
     * are let go without being counted. */
    EXPECT((vm->state != VM_RUNNING && vm->state != VM_PAUSED) ||
           (vm->nr_on >= 1 && vm->nr_on <= on && vm->nr_live >= vm->nr_on));
    spinlock_unlock(&vm->lock);
}

static void check_running(const struct vcpu *vcpu)
{
    const struct pcpu *pcpu = &manager.hv->pcpu[hal_cpu_self()];

    EXPECT(vcpu->state == VCPU_RUNNING && vcpu->pcpu == pcpu && pcpu->loaded == vcpu);
    EXPECT(vcpu->power == VCPU_POWER_ON);
    EXPECT(manager.hv->vm[vcpu->vm->id - 1] == vcpu->vm);
}

/* A vCPU that was powered on twice has started twice, or will. */
static void check_call(struct vcpu *vcpu, struct life *life, struct guest *g)
{
    int64_t status = (int64_t)vcpu->arch.x[0];

    g->calls = false;
    if (status == PSCI_SUCCESS) {
        uint32_t won = atomic_fetch_add(&life->won[g->target], 1) + 1;
        EXPECT(won <= atomic_load(&life->started[g->target]) + 1);
    } else if (status == PSCI_INTERNAL_FAILURE) {
        EXPECT(vcpu->vm->state >= VM_OFF); /* it ended meanwhile, and is about to be told */
    } else {
        EXPECT(status == PSCI_ALREADY_ON || status == PSCI_ON_PENDING);
    }
}

/* The work of a VM's device is not left lying. */
SCRIPT_UNWATCHED static void settled(void)
{
    for (unsigned slot = 0; slot < VMS; slot++) {
        const struct vm *vm = devices[slot].vm;
        EXPECT(vm == NULL || vm->state != VM_RUNNING || !devices[slot].posted ||
               script_is_queued(vm));
    }
}

/* --- Devices --- */

static bool device_work(void *dev)
{
    struct device *device = dev;

    return atomic_exchange(&device->posted, false);
}

static void device_destroy(struct vm *vm, void *dev)
{
    struct device *device = dev;

    spinlock_lock(&device->lock);
    EXPECT(device->vm == vm);
    device->vm = NULL;
    spinlock_unlock(&device->lock);
}

static void post_device(struct device *device)
{
    spinlock_lock(&device->lock);
    if (device->vm != NULL) {
        atomic_store(&device->posted, true);
        vm_post_device(device->vm, device->index);
    }
    spinlock_unlock(&device->lock);
}

/* By its VM, which has begun. */
static void make_device(struct vm *vm, struct device *device)
{
    spinlock_lock(&device->lock);
    EXPECT(device->vm == NULL);
    device->vm = vm;
    atomic_store(&device->posted, false);
    EXPECT(vm_add_worker(vm, device, device_destroy, device_work, &device->index) == HV_OK);
    spinlock_unlock(&device->lock);
}

/* --- What a guest does --- */

static void begin_life(struct vcpu *vcpu, struct life *life)
{
    EXPECT(vcpu->index == 0);
    life->count++;
    atomic_store(&life->closing, NOT_CLOSING);
    atomic_store(&life->nr_racing, 0);
    for (unsigned i = 0; i < VCPUS; i++) {
        atomic_store(&life->started[i], 0);
        atomic_store(&life->won[i], 0);
        life->guest[i].on = false;
        life->guest[i].calls = false;
        life->guest[i].ends = false;
        life->guest[i].leftover = 0;
        life->guest[i].rounds = ROUNDS;
    }
    script_open_gic(vcpu->vm, 0);
    make_device(vcpu->vm, &devices[vcpu->vm->id - 1]);
}

static void come_out_of_reset(struct vcpu *vcpu, struct life *life, struct guest *g)
{
    uint64_t context = vcpu->arch.x[0];

    if (context == AT_WAKE_UP)
        return;
    if (context != AT_POWER_ON)
        begin_life(vcpu, life);
    EXPECT(!g->on);
    g->on = true;
    atomic_fetch_add(&life->started[vcpu->index], 1);
}

static void taken(struct vcpu *vcpu, uint32_t intid)
{
    script_stop_timer(vcpu, intid);
}

static void power_on(struct vcpu *vcpu, struct guest *g, struct arch_exit *exit)
{
    g->calls = true;
    g->target = (uint32_t)explore_pick(&g->random, VCPUS);
    script_call(vcpu, exit, PSCI_CPU_ON_64, g->target, ENTRY, AT_POWER_ON);
}

static void power_off(struct vcpu *vcpu, struct guest *g, struct arch_exit *exit)
{
    EXPECT(g->on);
    if (explore_pick(&g->random, 2) == 0)
        post_device(&devices[explore_pick(&g->random, VMS)]);
    g->on = false;
    script_call(vcpu, exit, PSCI_CPU_OFF, 0, 0, 0);
}

/* vCPU 0 sleeps only for a time: it ends the life. So does the last one that is on. */
static void sleep(struct vcpu *vcpu, struct guest *g, struct arch_exit *exit)
{
    uint64_t how = explore_pick(&g->random, 6);

    if (vcpu->index == 0 || how < 2 || explore_pick(&g->random, 2) == 0)
        script_start_timer(vcpu, explore_pick(&g->random, 2) == 0,
                           explore_pick(&g->random, MICROS));
    if (how < 2)
        script_call(vcpu, exit, PSCI_SYSTEM_SUSPEND_64, ENTRY, AT_WAKE_UP, 0);
    else if (how < 4)
        script_call(vcpu, exit, PSCI_CPU_SUSPEND_64,
                    how == 2 ? PSCI_STATE_STANDBY : PSCI_STATE_POWER_DOWN, ENTRY, AT_WAKE_UP);
    else
        script_wfi(exit);
}

static void close(struct vcpu *vcpu, struct life *life, enum closing how)
{
    atomic_store(&life->closing, how);
    for (unsigned to = 0; to < VCPUS; to++)
        if (to != vcpu->index)
            script_send_sgi(vcpu, to, WAKE);
}

static void end_life(struct vcpu *vcpu, const struct life *life, struct guest *g,
                     struct arch_exit *exit)
{
    uint64_t how = explore_pick(&g->random, 8);

    g->ends = true;
    if (how == 0)
        *exit =
            (struct arch_exit){.kind = ARCH_EXIT_SYNC, .esr = (uint64_t)ESR_EC_BTI << ESR_EC_SHIFT};
    else
        script_call(vcpu, exit,
                    how != 1 && life->count < LIVES ? PSCI_SYSTEM_RESET : PSCI_SYSTEM_OFF, 0, 0, 0);
}

/* In the middle of its time it may come back to life before it has stopped. */
static void pause_and_resume(struct vm *vm)
{
    hv_err err = vm_pause(vm);

    if (err == HV_OK)
        err = vm_resume(vm);
    EXPECT(err == HV_OK || err == HV_ERR_INVAL); /* it was paused, or ended */
}

static void do_one(struct vcpu *vcpu, struct guest *g, struct arch_exit *exit)
{
    switch (explore_pick(&g->random, 10)) {
    case 0:
    case 1:
        power_on(vcpu, g, exit);
        break;
    case 2:
    case 3:
        if (vcpu->index != 0)
            power_off(vcpu, g, exit);
        break;
    case 4:
    case 5:
        sleep(vcpu, g, exit);
        break;
    case 6:
        script_send_sgi(vcpu, (unsigned)explore_pick(&g->random, VCPUS), WAKE);
        break;
    case 7:
        post_device(&devices[explore_pick(&g->random, VMS)]);
        break;
    case 8:
        console_interrupt(manager.hv->console);
        break;
    default:
        pause_and_resume(vcpu->vm);
        break;
    }
}

/* So that two are at it at once. Who leaves first lets the other go, too. */
static void meet(struct life *life)
{
    uint32_t arrival = atomic_fetch_add(&life->nr_racing, 1);

    for (unsigned i = 0; i < MEETING && arrival % 2 == 0; i++) {
        if (atomic_load(&life->nr_racing) != arrival + 1)
            return;
        hal_cpu_relax();
    }
}

static void run_guest(struct vcpu *vcpu, struct arch_exit *exit)
{
    struct life *life = life_of(vcpu);
    struct guest *g = &life->guest[vcpu->index];

    check_running(vcpu);
    if (script_open_interface(vcpu))
        come_out_of_reset(vcpu, life, g);
    EXPECT(g->on);
    check_vm(vcpu->vm);
    script_check_pcpu(&manager.hv->pcpu[explore_pick(&g->random, CPUS)]);
    if (g->calls)
        check_call(vcpu, life, g);
    script_take(vcpu, taken);
    EXPECT(!g->ends || (vcpu->vm->state >= VM_OFF && ++g->leftover < LEFTOVER));
    uint32_t closing = atomic_load(&life->closing);
    if (closing == CLOSING) {
        power_off(vcpu, g, exit);
    } else if (closing == RACING) {
        meet(life);
        if (explore_pick(&g->random, 3) == 0)
            pause_and_resume(vcpu->vm);
        else
            end_life(vcpu, life, g, exit);
    } else if (g->rounds > 0) {
        g->rounds--;
        do_one(vcpu, g, exit);
    } else if (vcpu->index == 0) {
        close(vcpu, life, explore_pick(&g->random, 2) == 0 ? CLOSING : RACING);
    } else {
        script_wfi(exit);
    }
}

/* --- The console --- */

/* One command after the other, each when the one before it is taken. The console's lock is held. */
static size_t type(char *buf, size_t size)
{
    uint32_t next = atomic_load(&nr_typed);

    if (next == ARRAY_LEN(commands) || size == 0 || manager.hv->console->command_posted)
        return 0;
    if (commands[next][nr_chars] == '\0') {
        nr_chars = 0;
        atomic_store(&nr_typed, next + 1);
        return 0;
    }
    *buf = commands[next][nr_chars++];
    return 1;
}

/* The console's interrupt wakes an idle CPU. One that rests waits for what is typed. */
static bool idle(void)
{
    uint32_t next = atomic_load(&nr_typed);

    if (next == ARRAY_LEN(commands) ||
        (!paused[next] && explore_pick(&idle_random[hal_cpu_self()], 4) != 0))
        return false;
    EXPECT(atomic_fetch_add(&nr_early, 1) < EARLY_MAX); /* else a command is never taken */
    console_interrupt(manager.hv->console);
    return true;
}

static void choose_commands(uint64_t *random)
{
    static const char *const words[] = {"pause",   "pause",  "stop", "reset", "reset",
                                        "start",   "start",  "list", "cpus",  "offline",
                                        "offline", "online", "x"};

    for (unsigned i = 0; i < COMMANDS + VMS; i++) {
        const char *word = words[explore_pick(random, ARRAY_LEN(words))];
        unsigned which = (unsigned)explore_pick(random, VMS);
        if (i >= COMMANDS) {
            word = "resume";
            which = i - COMMANDS;
        } else if (strcmp(word, "pause") == 0) {
            for (unsigned k = i; k < ARRAY_LEN(paused); k++)
                paused[k] = true;
        } else if (word[1] == 'f' || word[1] == 'n') {
            which = (unsigned)explore_pick(random, CPUS);
        }
        if (word[0] == 'x')
            (void)fmt_snprintf(commands[i], LINE, "x");
        else if (word[0] == 'l' || word[0] == 'c')
            (void)fmt_snprintf(commands[i], LINE, "\001c%s\r", word);
        else
            (void)fmt_snprintf(commands[i], LINE, "\001c%s %u\r", word, which);
    }
}

/* --- Before and after --- */

static void halted(void)
{
    const struct hv *hv = manager.hv;

    for (unsigned slot = 0; slot < VMS; slot++)
        EXPECT(hv->vm[slot] == NULL);
    EXPECT(page_pool_free_pages(&hv->pool) == free_pages && hv->account.used == used_pages);
}

static const struct script script = {
    .guest = run_guest, .idle = idle, .typed = type, .halted = halted, .settled = settled};

static void post_work(void *ctx)
{
    hv_post_work(ctx);
}

static void prepare(struct world *w)
{
    uint64_t random = explore_plan.seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    struct hv *hv = &w->hv;

    choose_commands(&random);
    w->config.console = HV_CONSOLE_LINES;
    w->config.nr_vms = VMS;
    hv->nr_vms = VMS;
    hv->devices = &dev_registry;
    for (unsigned slot = 0; slot < VMS; slot++) {
        struct vm_config *config = &w->config.vm[slot];
        spinlock_init(&devices[slot].lock, LOCK_RANK_DEV);
        (void)fmt_snprintf(config->name, sizeof(config->name), "vm%u", slot);
        config->memory = VM_MIN_MEMORY;
        config->vcpus = VCPUS;
        config->spis = 32;
        config->bootargs = "";
        config->kernel = (struct vm_blob){&kernel, sizeof(kernel)};
        for (unsigned i = 0; i < VCPUS; i++)
            lives[slot].guest[i].random = prng_next(&random);
    }
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        idle_random[cpu] = prng_next(&random);
    console_configure(hv->console, &w->config, &(struct console_command_sink){post_work, hv});
    manager_init(&manager, hv, &w->config);
    free_pages = page_pool_free_pages(&hv->pool);
    used_pages = hv->account.used;
    script_begin(&script, hv);
}

/* As the role does. */
static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    struct hv *hv = &w->hv;

    (void)random;
    hv->managing = true;
    manager_start_pcpus(&manager);
    EXPECT(manager_start_vms(&manager) == VMS);
    hv_post_work(hv);
    hv->managing = false;
    manager_run(&manager, &hv->pcpu[cpu]);
}

static const char *judge(const char *console)
{
    return strstr(console, "machine off: ") != NULL ? NULL : "the manager did not end the machine";
}

const struct explore_test explore_vm_life = {.name = "vm-life",
                                             .nr_cpus = CPUS,
                                             .starts_cpus = true,
                                             .prepare = prepare,
                                             .work = work,
                                             .judge = judge};
