/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "role/manager.h"
#include "base/bits.h"
#include "boot/image.h"
#include "dev/console.h"
#include "dev/disk.h"
#include "dev/flash.h"
#include "dev/registry.h"
#include "dev/switches.h"
#include "exit/exit.h"
#include "hal/hal.h"
#include "role/control.h"
#include "vm/sched.h"

/* From one reset of a VM to the next that it asks for itself: 1 s. */
#define RESET_HZ 1u

static void reset_is_due(struct timer *timer)
{
    hv_post_work(list_entry(timer, struct manager, reset_due)->hv);
}

void manager_init(struct manager *manager, struct hv *hv, const struct hv_config *config)
{
    *manager = (struct manager){.hv = hv, .config = config};
    timer_init(&manager->reset_due, reset_is_due);
    hv->turn = exit_run_turn;
}

/* --- pCPUs --- */

/* vCPUs go from any pCPU to any other, and are made for what the boot CPU is. */
static bool is_unlike_boot_cpu(const struct hv *hv, uint32_t cpu, struct idreg_difference *what)
{
    struct arch_idregs own;

    hal_cpu_id_regs(cpu, &own);
    return idreg_differs(&hv->idregs, &own, what);
}

static void pcpu_entry(void *arg)
{
    struct manager *manager = arg;
    struct idreg_difference what;
    unsigned self = hal_cpu_self();

    /* Who started it finds the same, says so, and does not count upon it. */
    if (is_unlike_boot_cpu(manager->hv, self, &what))
        hal_cpu_stop();
    manager_run(manager, &manager->hv->pcpu[self]);
}

hv_err manager_start_pcpu(struct manager *manager, uint32_t cpu)
{
    struct hv *hv = manager->hv;
    struct idreg_difference what;
    hv_err err = hal_cpu_start(cpu, pcpu_entry, manager);

    if (err != HV_OK) {
        log_write(&hv->log, LOG_MOD_ROLE, LOG_WARN, "CPU %u does not start: %s", cpu,
                  hv_err_str(err));
        return err;
    }
    if (is_unlike_boot_cpu(hv, cpu, &what)) {
        log_write(&hv->log, LOG_MOD_ROLE, LOG_WARN,
                  "CPU %u is not used: its %s is 0x%llx, the boot CPU's 0x%llx", cpu, what.name,
                  (unsigned long long)what.other, (unsigned long long)what.boot);
        return HV_ERR_UNSUPPORTED;
    }
    /* From here on it is counted upon, wherever it is on its way. */
    sched_online(&hv->pcpu[cpu]);
    return HV_OK;
}

void manager_start_pcpus(struct manager *manager)
{
    struct hv *hv = manager->hv;
    unsigned self = hal_cpu_self();

    for (uint32_t cpu = 0; cpu < hv->platform.nr_cpus; cpu++)
        sched_init_pcpu(hv, cpu);
    sched_online(&hv->pcpu[self]);
    for (uint32_t cpu = 0; cpu < hv->platform.nr_cpus; cpu++)
        if (cpu != self && manager_start_pcpu(manager, cpu) != HV_OK)
            continue; /* which is in the log; the others do */
}

/* --- VMs --- */

/* A VM that is made and filled, but not started. */
static hv_err make_vm(struct hv *hv, uint32_t slot, const struct vm_config *config,
                      struct image_layout *layout)
{
    char reason[IMAGE_REASON_MAX];
    struct vm *vm;
    hv_err err = image_layout(config, layout, reason);

    if (err != HV_OK) {
        log_write(&hv->log, LOG_MOD_BOOT, LOG_ERROR, "%s: %s", config->name, reason);
        return err;
    }
    err = vm_create(hv, config, (uint16_t)(slot + 1), &vm);
    if (err != HV_OK)
        return err;
    err = dev_create_all(vm);
    if (err == HV_OK)
        err = image_load(vm, layout);
    if (err != HV_OK) {
        log_write(&hv->log, LOG_MOD_BOOT, LOG_ERROR, "%s: cannot be loaded: %s", config->name,
                  hv_err_str(err));
        vm_destroy(vm);
        return err;
    }
    hv->vm[slot] = vm;
    return HV_OK;
}

hv_err manager_start_vm(struct manager *manager, uint32_t slot)
{
    struct image_layout layout;
    hv_err err = make_vm(manager->hv, slot, &manager->config->vm[slot], &layout);

    if (err == HV_OK)
        vm_start(manager->hv->vm[slot], ipa(layout.kernel), layout.dtb);
    return err;
}

/* The VM of `slot`, or a line that it is "not started" or "not restarted". */
static bool start_or_say(struct manager *manager, uint32_t slot, const char *failure)
{
    if (manager_start_vm(manager, slot) == HV_OK)
        return true;
    manager->failed = true;
    log_write(&manager->hv->log, LOG_MOD_ROLE, LOG_ERROR, "%s: %s", manager->config->vm[slot].name,
              failure);
    return false;
}

uint32_t manager_start_vms(struct manager *manager)
{
    uint32_t count = 0;

    for (uint32_t slot = 0; slot < manager->hv->nr_vms; slot++)
        if (!manager->config->vm[slot].stopped && start_or_say(manager, slot, "not started"))
            count++;
    return count;
}

/* One that resets itself again and again keeps nobody busy with it: between two resets it waits. */
static bool waits_for_reset(struct manager *manager, uint32_t slot)
{
    uint64_t from = manager->reset_from[slot];
    struct timer *due = &manager->reset_due;

    if (hal_time_now() >= from)
        return false;
    /* At each time that it is set for, those that still wait set it anew. */
    if (!timer_active(due) || from < due->deadline)
        timer_start(&manager->hv->pcpu[hal_cpu_self()].timers, due, from);
    return true;
}

/* Destroys the VM of `slot` if it has ended, and makes it anew if it asked for a reset. */
static void reap(struct manager *manager, uint32_t slot)
{
    struct hv *hv = manager->hv;
    struct vm *vm = hv->vm[slot];

    if (vm == NULL || !vm_is_over(vm))
        return;
    bool crashed = vm->state == VM_CRASHED;
    bool reset = vm->state == VM_RESET && ((manager->gone | manager->halted) & BIT(slot)) == 0;
    if (reset && waits_for_reset(manager, slot))
        return;
    hv->vm[slot] = NULL;
    vm_destroy(vm);
    manager->failed = manager->failed || crashed;
    if (!reset)
        return;
    (void)start_or_say(manager, slot, "not restarted");
    manager->reset_from[slot] = hal_time_now() + hal_time_hz() / RESET_HZ;
}

/* What outlived the lives of a VM that does not come back goes with it. */
static void forget(struct manager *manager, uint32_t slot)
{
    struct hv *hv = manager->hv;

    if (hv->vm[slot] != NULL || (manager->gone & BIT(slot)) == 0)
        return;
    disks_forget(hv->disks, slot);
    flash_forget(hv, slot);
}

static void manage(struct manager *manager)
{
    struct hv *hv = manager->hv;
    char command[CONSOLE_COMMAND_SIZE];
    uint32_t left = 0;

    if (manager->reroute) {
        manager->reroute = false;
        console_route(hv->console);
        disks_route(hv->disks);
        switches_route(hv->switches);
    }
    if (console_take_command(hv->console, command, sizeof(command)))
        control_execute(manager, command);
    stop_check(&manager->stopping);
    for (uint32_t slot = 0; slot < hv->nr_vms; slot++) {
        reap(manager, slot);
        forget(manager, slot);
        left += hv->vm[slot] != NULL;
    }
    if (left != 0)
        return;
    log_write(&hv->log, LOG_MOD_ROLE, LOG_NOTICE, "machine off: %s",
              manager->failed ? "no VM is left, some were stopped or not started"
                              : "all VMs powered off");
    hal_halt(HAL_HALT_OFF);
}

/* Somebody else is the manager from here on, and finds work. */
static void hand_over(struct hv *hv)
{
    hv_post_work(hv);
    atomic_store(&hv->managing, false);
    hal_cpu_kick((unsigned)__builtin_ctzll(hv->online));
}

/* Goes offline, if nothing needs this pCPU. */
static void leave(struct manager *manager, struct pcpu *pcpu)
{
    hv_err err = sched_offline(pcpu);

    if (err != HV_OK) {
        log_write(&manager->hv->log, LOG_MOD_ROLE, LOG_WARN, "CPU %u stays: %s", pcpu->cpu,
                  "a vCPU may run nowhere else");
        return;
    }
    log_write(&manager->hv->log, LOG_MOD_ROLE, LOG_INFO, "CPU %u is off", pcpu->cpu);
    manager->reroute = true;
    hand_over(manager->hv);
    hal_cpu_stop();
}

/* Those that are to go offline could not while somebody else was the manager. */
static void call_leavers(struct hv *hv)
{
    for (uint64_t left = hv->online; left != 0; left &= left - 1) {
        struct pcpu *pcpu = &hv->pcpu[__builtin_ctzll(left)];
        if (pcpu->leave)
            hal_cpu_kick(pcpu->cpu);
    }
}

_Noreturn void manager_run(struct manager *manager, struct pcpu *pcpu)
{
    for (;;) {
        exit_run(pcpu);
        do {
            if (pcpu->leave)
                leave(manager, pcpu);
            manage(manager);
        } while (!hv_stop_managing(pcpu));
        call_leavers(manager->hv);
    }
}
