/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the options' values may be. */
#include "abi/machine.h"
#include "base/bits.h"
#include "base/log.h"
#include "mem/vmid.h"
#include "sim/options_parse.h"
#include "vm/config.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool options_refuse(struct options_parse *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(p->message, OPTIONS_MESSAGE_MAX, format, args);
    va_end(args);
    for (char *c = p->message; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    return false;
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Decimal, or hexadecimal with 0x; the whole of `text` up to `end`. */
static bool parse_number(const char *text, const char *end, uint64_t *out)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? "0123456789abcdef" : "0123456789";
    uint64_t base = hex ? 16 : 10;
    uint64_t value = 0;

    text += hex ? 2 : 0;
    if (text >= end)
        return false;
    for (; text < end; text++) {
        const char *digit = memchr(digits, lower(*text), base);
        if (digit == NULL || value > (UINT64_MAX - (uint64_t)(digit - digits)) / base)
            return false;
        value = value * base + (uint64_t)(digit - digits);
    }
    *out = value;
    return true;
}

static bool take_number(struct options_parse *p, const char *name, const char *text, uint64_t *out)
{
    if (parse_number(text, text + strlen(text), out))
        return true;
    return options_refuse(p, "--%s %s: not a number below 2^64; write digits, or 0x and hex digits",
                          name, text);
}

static bool take_count(struct options_parse *p, const char *name, const char *text, unsigned max,
                       unsigned *out)
{
    uint64_t value;

    if (!parse_number(text, text + strlen(text), &value) || value < 1 || value > max)
        return options_refuse(p, "--%s %s: must be a number from 1 to %u", name, text, max);
    *out = (unsigned)value;
    return true;
}

bool options_take_size(struct options_parse *p, const char *name, const char *text, uint64_t *out)
{
    static const char units[] = "bkmgt";
    const char *end = text + strlen(text);
    unsigned shift = 20;
    uint64_t value;

    if (end > text) {
        const char *unit = memchr(units, lower(end[-1]), sizeof(units) - 1);
        if (unit != NULL) {
            shift = 10 * (unsigned)(unit - units);
            end--;
        }
    }
    if (!parse_number(text, end, &value) || memchr(text, 'x', (size_t)(end - text)) != NULL ||
        value == 0 || value > UINT64_MAX >> shift)
        return options_refuse(
            p, "--%s %s: not a size; write a number with K, M, G or T, such as 512M", name, text);
    *out = value << shift;
    return true;
}

bool options_set_memory(struct options_parse *p, const char *text)
{
    uint64_t *memory = &p->out->memory;

    if (!options_take_size(p, "memory", text, memory))
        return false;
    if (*memory < VM_MIN_MEMORY || *memory > SIM_RAM_MAX || *memory % KIB(4) != 0)
        return options_refuse(p, "--memory %s: must be from 1M to %lluG, in steps of 4K", text,
                              (unsigned long long)(SIM_RAM_MAX >> 30));
    return true;
}

bool options_set_machine_memory(struct options_parse *p, const char *text)
{
    uint64_t *memory = &p->out->machine_memory;

    if (!options_take_size(p, "machine-memory", text, memory))
        return false;
    if (*memory < SIM_IMAGE_SIZE + MIB(2) || *memory > SIM_RAM_MAX || *memory % MIB(2) != 0)
        return options_refuse(p, "--machine-memory %s: must be from %lluM to %lluG, in steps of 2M",
                              text, (unsigned long long)((SIM_IMAGE_SIZE + MIB(2)) >> 20),
                              (unsigned long long)(SIM_RAM_MAX >> 30));
    return true;
}

bool options_set_smp(struct options_parse *p, const char *text)
{
    return take_count(p, "smp", text, MACHINE_MAX_VCPUS, &p->out->smp);
}

bool options_set_pcpus(struct options_parse *p, const char *text)
{
    return take_count(p, "pcpus", text, SIM_MAX_CPUS, &p->out->pcpus);
}

bool options_set_cpu(struct options_parse *p, const char *text)
{
    static const struct {
        const char *name;
        enum sim_cpu_model model;
    } models[] = {{"cortex-a57", SIM_CPU_CORTEX_A57}, {"max", SIM_CPU_MAX}};

    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        if (strcmp(text, models[i].name) == 0) {
            p->out->cpu = models[i].model;
            return true;
        }
    }
    return options_refuse(p, "--cpu %s: must be cortex-a57 or max", text);
}

bool options_set_seed(struct options_parse *p, const char *text)
{
    return take_number(p, "seed", text, &p->out->seed);
}

bool options_set_epoch(struct options_parse *p, const char *text)
{
    if (!take_number(p, "epoch", text, &p->out->epoch))
        return false;
    return p->out->epoch <= UINT32_MAX ||
           options_refuse(p, "--epoch %llu: a PL031 counts seconds up to 4294967295",
                          (unsigned long long)p->out->epoch);
}

bool options_set_max_insns(struct options_parse *p, const char *text)
{
    if (!take_number(p, "max-insns", text, &p->out->max_insns))
        return false;
    return p->out->max_insns > 0 || options_refuse(p, "--max-insns 0: must be at least 1");
}

bool options_set_snapshot_at(struct options_parse *p, const char *text)
{
    return take_number(p, "snapshot-at", text, &p->out->snapshot_at);
}

static bool take_text(struct options_parse *p, const char *name, const char *text, const char **out)
{
    if (text[0] == '\0' || strlen(text) >= OPTIONS_TEXT_MAX)
        return options_refuse(p, "--%s: the text must have 1 to %u bytes", name,
                              OPTIONS_TEXT_MAX - 1);
    *out = text;
    return true;
}

bool options_set_snapshot_on(struct options_parse *p, const char *text)
{
    return take_text(p, "snapshot-on", text, &p->out->snapshot_on);
}

bool options_set_input_on(struct options_parse *p, const char *text)
{
    return take_text(p, "input-on", text, &p->out->input_on);
}

bool options_set_vms(struct options_parse *p, const char *text)
{
    return take_count(p, "vms", text, HV_MAX_VMS, &p->out->vms);
}

bool options_set_vmids(struct options_parse *p, const char *text)
{
    uint64_t value;

    if (!parse_number(text, text + strlen(text), &value) || value < HV_MIN_VMIDS ||
        value > VMID_MAX)
        return options_refuse(p, "--vmids %s: must be a number from %u to %u", text, HV_MIN_VMIDS,
                              VMID_MAX);
    p->out->vmids = (unsigned)value;
    return true;
}

bool options_set_console(struct options_parse *p, const char *text)
{
    static const char *const modes[] = {"prefix", "focus", "lines"};

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(text, modes[i]) == 0) {
            p->out->console = text;
            return true;
        }
    }
    return options_refuse(p, "--console %s: must be prefix, focus or lines", text);
}

/* Whether there is one for each VM, --vms may still have to say. */
bool options_set_weights(struct options_parse *p, const char *text)
{
    const char *at = text;

    p->out->nr_weights = 0;
    for (;;) {
        const char *end = at + strcspn(at, ",");
        uint64_t value;
        if (!parse_number(at, end, &value) || value < 1 || value > VM_WEIGHT_MAX ||
            p->out->nr_weights == HV_MAX_VMS)
            return options_refuse(
                p, "--weights %s: must be numbers from 1 to %u with commas, at most %u", text,
                VM_WEIGHT_MAX, HV_MAX_VMS);
        p->out->weights[p->out->nr_weights++] = (unsigned)value;
        if (*end == '\0')
            return true;
        at = end + 1;
    }
}

/* Goes to the --control that comes next. */
bool options_set_control_on(struct options_parse *p, const char *text)
{
    if (p->control_on != NULL)
        return options_refuse(p, "--control-on twice: after each comes its --control COMMAND");
    return take_text(p, "control-on", text, &p->control_on);
}

bool options_set_control(struct options_parse *p, const char *text)
{
    struct sim_control *step = &p->out->control[p->out->nr_control];
    size_t len = strlen(text);

    if (p->out->nr_control == SIM_CONTROL_MAX)
        return options_refuse(p, "--control: at most %u commands", SIM_CONTROL_MAX);
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            len = 0;
    if (len == 0 || len > SIM_CONTROL_LEN)
        return options_refuse(p, "--control: a command has 1 to %u printable characters",
                              SIM_CONTROL_LEN);
    *step = (struct sim_control){.on = p->control_on, .command = text};
    p->out->nr_control++;
    p->control_on = NULL;
    return true;
}

/* What core would refuse in the bundle is refused here, where the user sees whose mistake it is. */
bool options_set_log(struct options_parse *p, const char *text)
{
    const struct log_sink sink = {NULL, NULL, NULL};
    struct log scratch;

    log_init(&scratch, &sink);
    if (log_set_levels(&scratch, text) != HV_OK)
        return options_refuse(
            p,
            "--log %s: must be LEVEL or LEVEL,MODULE=LEVEL,... with the levels error, "
            "warn, notice, info, debug",
            text);
    p->out->log = text;
    return true;
}
