/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "role/control.h"
#include "base/bits.h"
#include "base/fmt.h"
#include "dev/console.h"
#include "dev/switches.h"
#include "hal/hal.h"
#include "vm/sched.h"
#include <stdarg.h>
#include <string.h>

struct control {
    struct manager *manager;
    uint32_t slot; /* of the VM that was named */
    uint32_t cpu;  /* the pCPU that was named */
    struct vm *vm; /* the VM of `slot`, NULL if it is not made */
    uint32_t mib;  /* TAKES_MEMORY: the number, UINT32_MAX: none was said */
};

enum control_argument { TAKES_NOTHING, TAKES_SLOT, TAKES_VM, TAKES_MEMORY, TAKES_CPU };

struct control_row {
    const char *name;
    enum control_argument takes; /* TAKES_VM, TAKES_MEMORY: one that is made */
    const char *help;
    void (*execute)(struct control *control);
};

__attribute__((format(printf, 2, 3))) static void say(const struct control *control,
                                                      const char *format, ...)
{
    char line[CONTROL_LINE_MAX];
    va_list args;

    va_start(args, format);
    int len = fmt_vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    size_t used = (size_t)len < sizeof(line) - 1 ? (size_t)len : sizeof(line) - 2;
    line[used++] = '\n';
    console_print(control->manager->hv->console, line, used);
}

static const char *name_of(const struct control *control)
{
    return control->manager->config->vm[control->slot].name;
}

static void say_result(const struct control *control, hv_err err, const char *done)
{
    if (err == HV_OK)
        say(control, "%s: %s", name_of(control), done);
    else
        say(control, "%s: not %s: %s", name_of(control), done, hv_err_str(err));
}

/* --- VMs --- */

static const char *const state_names[] = {
    [VM_CREATED] = "created", [VM_RUNNING] = "running", [VM_PAUSED] = "paused",
    [VM_OFF] = "ending",      [VM_RESET] = "resetting", [VM_CRASHED] = "crashed",
};

static uint64_t millis(uint64_t ticks)
{
    return ticks / (hal_time_hz() / 1000);
}

static void list_vm(struct control *control, uint32_t slot)
{
    struct manager *manager = control->manager;
    const struct vm_config *config = &manager->config->vm[slot];
    const struct vm *vm = manager->hv->vm[slot];
    uint64_t runtime = 0;

    if ((manager->gone & BIT(slot)) != 0)
        return;
    if (vm == NULL) {
        say(control, "%2u  %-16s  off", slot, config->name);
        return;
    }
    for (uint32_t i = 0; i < vm->nr_vcpus; i++)
        runtime += atomic_load_explicit(&vm->vcpu[i].runtime, memory_order_relaxed);
    /* Not as the subscript itself: gcc does not make that an atomic load. */
    uint32_t state = vm->state;
    say(control, "%2u  %-16s  %-9s  %2u vCPUs  %6llu MiB  %llu ms of CPU time", slot, config->name,
        state_names[state], vm->nr_vcpus, (unsigned long long)(config->memory >> 20),
        (unsigned long long)millis(runtime));
}

static void do_list(struct control *control)
{
    for (uint32_t slot = 0; slot < control->manager->hv->nr_vms; slot++)
        list_vm(control, slot);
    say(control, "%llu KiB of memory are free",
        (unsigned long long)(page_pool_free_pages(&control->manager->hv->pool) << 2));
}

static void do_start(struct control *control)
{
    hv_err err = HV_ERR_EXIST;

    if (control->vm == NULL) {
        control->manager->halted &= ~BIT(control->slot);
        err = manager_start_vm(control->manager, control->slot);
    }
    say_result(control, err, "started");
}

static void do_stop(struct control *control)
{
    struct manager *manager = control->manager;

    manager->halted |= BIT(control->slot);
    if (stop_ask(&manager->stopping, manager->hv, control->slot))
        say(control, "%s: asked to shut down; in %u s, or by another `stop`, it is ended",
            name_of(control), STOP_SECONDS);
    else
        vm_end(control->vm, VM_OFF, "stopped from the console");
}

static void do_reset(struct control *control)
{
    struct manager *manager = control->manager;

    /* At once, also if it waits for a reset of its own, or was asked to shut down. */
    manager->reset_from[control->slot] = 0;
    manager->halted &= ~BIT(control->slot);
    stop_forget(&manager->stopping, control->slot);
    vm_end(control->vm, VM_RESET, "reset from the console");
}

static void do_pause(struct control *control)
{
    say_result(control, vm_pause(control->vm), "paused");
}

static void do_resume(struct control *control)
{
    say_result(control, vm_resume(control->vm), "resumed");
}

static void do_destroy(struct control *control)
{
    control->manager->gone |= BIT(control->slot);
    if (control->vm != NULL)
        vm_end(control->vm, VM_OFF, "destroyed from the console");
    else
        say_result(control, HV_OK, "destroyed");
}

/* The number is what the VM is to keep. */
static void do_balloon(struct control *control)
{
    const struct vm_balloon *balloon = &control->vm->balloon;
    uint64_t memory = control->vm->config->memory >> PAGE_SHIFT;
    uint64_t keeps = (uint64_t)control->mib << (20 - PAGE_SHIFT);
    struct vm_balloon_state state;

    if (balloon->set == NULL) {
        say(control, "%s: has no balloon", name_of(control));
        return;
    }
    if (control->mib != UINT32_MAX)
        balloon->set(balloon->dev, keeps < memory ? memory - keeps : 0);
    balloon->get(balloon->dev, &state);
    say(control, "%s: %llu of %llu KiB are taken, %llu asked for; it says %llu KiB, %llu free",
        name_of(control), (unsigned long long)(state.taken << 2), (unsigned long long)(memory << 2),
        (unsigned long long)(state.target << 2), (unsigned long long)(state.total >> 10),
        (unsigned long long)(state.free >> 10));
}

/* --- CPUs --- */

static void do_cpus(struct control *control)
{
    const struct hv *hv = control->manager->hv;

    for (uint32_t cpu = 0; cpu < hv->platform.nr_cpus; cpu++) {
        bool online = (hv->online & BIT(cpu)) != 0;
        bool idle = (hv->idle & BIT(cpu)) != 0;
        say(control, "%2u  %s  %u waiting", cpu,
            !online ? "off "
            : idle  ? "idle"
                    : "busy",
            hv->pcpu[cpu].nr_queued);
    }
}

static void do_online(struct control *control)
{
    hv_err err = manager_start_pcpu(control->manager, control->cpu);

    say(control, "CPU %u: %s", control->cpu, err == HV_OK ? "started" : hv_err_str(err));
}

static void do_offline(struct control *control)
{
    const struct hv *hv = control->manager->hv;

    if ((hv->online & BIT(control->cpu)) == 0)
        say(control, "CPU %u: is off", control->cpu);
    else
        control->manager->hv->pcpu[control->cpu].leave = true;
}

/* --- Switches --- */

static const char *const drop_names[NET_DROPS] = {
    [NET_DROP_FULL] = "full",   [NET_DROP_EMPTY] = "no buffers", [NET_DROP_DOWN] = "down",
    [NET_DROP_SMALL] = "small", [NET_DROP_SPOOF] = "spoofed",    [NET_DROP_BAD] = "malformed",
    [NET_DROP_LOCAL] = "local",
};

static void list_port(struct control *control, const struct vswitch_view *view)
{
    const struct vswitch_stats *stats = &view->stats;
    const char *vm =
        view->slot < HV_MAX_VMS ? control->manager->config->vm[view->slot].name : "uplink";
    const uint8_t *mac = view->mac;

    say(control, "  %-16s net%u  %02x:%02x:%02x:%02x:%02x:%02x  %s", vm, view->unit, mac[0], mac[1],
        mac[2], mac[3], mac[4], mac[5], view->up ? "up" : "down");
    say(control, "    sent %llu (%llu KiB), received %llu (%llu KiB)",
        (unsigned long long)stats->sent, (unsigned long long)(stats->sent_bytes >> 10),
        (unsigned long long)stats->received, (unsigned long long)(stats->received_bytes >> 10));
    for (uint32_t i = 0; i < NET_DROPS; i++)
        if (stats->dropped[i] != 0)
            say(control, "    dropped, %s: %llu", drop_names[i],
                (unsigned long long)stats->dropped[i]);
}

static void do_net(struct control *control)
{
    const struct switches *switches = control->manager->hv->switches;
    struct vswitch_view view;

    for (uint32_t i = 0; switches != NULL && i < switches->count; i++) {
        say(control, "switch %s", switches->on[i]->name);
        for (uint32_t port = 0; port < VSWITCH_PORTS_MAX; port++)
            if (vswitch_view(switches->on[i], port, &view))
                list_port(control, &view);
    }
}

/* --- The line --- */

static void do_help(struct control *control);

static const struct control_row control_rows[] = {
    {"help", TAKES_NOTHING, "this list", do_help},
    {"list", TAKES_NOTHING, "the VMs", do_list},
    {"start", TAKES_SLOT, "makes a VM that is off from its images, and runs it", do_start},
    {"stop", TAKES_VM, "asks a VM to shut down, and ends it otherwise", do_stop},
    {"reset", TAKES_VM, "ends a VM, and starts it again", do_reset},
    {"pause", TAKES_VM, "lets a VM rest", do_pause},
    {"resume", TAKES_VM, "lets it run on", do_resume},
    {"balloon", TAKES_MEMORY, "how much memory a VM is to keep, and has", do_balloon},
    {"destroy", TAKES_SLOT, "ends a VM for good", do_destroy},
    {"cpus", TAKES_NOTHING, "the CPUs", do_cpus},
    {"net", TAKES_NOTHING, "the switches: their ports, and what went through them", do_net},
    {"online", TAKES_CPU, "turns a CPU on", do_online},
    {"offline", TAKES_CPU, "turns a CPU off; its vCPUs run elsewhere", do_offline},
};

static const char *const argument_names[] = {[TAKES_NOTHING] = "",
                                             [TAKES_SLOT] = "VM",
                                             [TAKES_VM] = "VM",
                                             [TAKES_MEMORY] = "VM MiB",
                                             [TAKES_CPU] = "CPU"};

static void do_help(struct control *control)
{
    for (size_t i = 0; i < ARRAY_LEN(control_rows); i++)
        say(control, "%-8s%-6s  %s", control_rows[i].name, argument_names[control_rows[i].takes],
            control_rows[i].help);
    say(control, "VM: a name or a number of the list");
}

/* The next word of the line, terminated; "" at its end. */
static char *next_word(char **line)
{
    char *word = *line;
    char *end;

    while (*word == ' ')
        word++;
    for (end = word; *end != '\0' && *end != ' '; end++) {
    }
    *line = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return word;
}

/* False unless it is a decimal number below `limit`. */
static bool read_number(const char *word, uint32_t limit, uint32_t *out)
{
    uint32_t value = 0;

    for (const char *c = word; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || value >= limit)
            return false;
        value = value * 10 + (uint32_t)(*c - '0');
    }
    *out = value;
    return *word != '\0' && value < limit;
}

static bool find_vm(struct control *control, const char *word)
{
    const struct manager *manager = control->manager;
    uint32_t count = manager->hv->nr_vms;

    if (!read_number(word, count, &control->slot)) {
        control->slot = 0;
        while (control->slot < count && strcmp(manager->config->vm[control->slot].name, word) != 0)
            control->slot++;
    }
    if (control->slot == count || (manager->gone & BIT(control->slot)) != 0)
        return false;
    control->vm = manager->hv->vm[control->slot];
    return true;
}

/* May be left out. */
static bool read_memory(struct control *control, const char *word)
{
    control->mib = UINT32_MAX;
    if (*word == '\0' || read_number(word, UINT32_MAX / 10, &control->mib))
        return true;
    say(control, "balloon: %s is no number of MiB", word);
    return false;
}

static bool read_argument(struct control *control, const struct control_row *row, char **line)
{
    const char *word = next_word(line);

    if (row->takes == TAKES_CPU) {
        if (!read_number(word, control->manager->hv->platform.nr_cpus, &control->cpu)) {
            say(control, "%s: which CPU? Say its number; `cpus` shows them", row->name);
            return false;
        }
    } else if (row->takes != TAKES_NOTHING) {
        if (!find_vm(control, word)) {
            say(control, "%s: which VM? Say its name or number; `list` shows them", row->name);
            return false;
        }
        if (row->takes != TAKES_SLOT && control->vm == NULL) {
            say(control, "%s: is off", name_of(control));
            return false;
        }
    } else if (*word != '\0') {
        say(control, "%s takes no argument", row->name);
        return false;
    }
    if (row->takes == TAKES_MEMORY && !read_memory(control, next_word(line)))
        return false;
    if (*next_word(line) != '\0') {
        say(control, "%s: too many words", row->name);
        return false;
    }
    return true;
}

void control_execute(struct manager *manager, char *line)
{
    struct control control = {.manager = manager};
    const char *name = next_word(&line);

    for (size_t i = 0; i < ARRAY_LEN(control_rows); i++) {
        const struct control_row *row = &control_rows[i];
        if (strcmp(name, row->name) != 0)
            continue;
        if (read_argument(&control, row, &line))
            row->execute(&control);
        return;
    }
    say(&control, "%s: no such command; `help` lists them", name);
}
