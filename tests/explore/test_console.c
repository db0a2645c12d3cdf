/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Log lines from all CPUs, between the words of guests, as the focus changes: each line is whole
 * and on a line of its own, those of one CPU are in their order, and their time never goes back. */
#include "base/fmt.h"
#include "dev/console.h"
#include "explore/explore.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include <stdlib.h>
#include <string.h>

#define CPUS   EXPLORE_MAX_CPUS
#define LINES  10u
#define PREFIX "[halcyon "
#define TEXT   " notice vm: cpu "
/* A CPU of the simulator that has read the time so often waits: from then on time passes. */
#define READINGS 100u

static struct vm vm[CPUS];
static struct vm_config config[CPUS];
static struct pl011 uart[CPUS];
static struct console_port port[CPUS];

/* One VM a CPU; by the seed, all guests' lines with their names, or the output of one as it is. */
static void prepare(struct world *w)
{
    console_set_mode(w->hv.console,
                     explore_plan.seed % 2 == 0 ? HV_CONSOLE_PREFIX : HV_CONSOLE_FOCUS);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        (void)fmt_snprintf(config[cpu].name, sizeof(config[cpu].name), "vm%u", cpu);
        vm[cpu].hv = &w->hv;
        vm[cpu].config = &config[cpu];
        uart[cpu].vm = &vm[cpu];
        console_attach(w->hv.console, &port[cpu], &uart[cpu]);
    }
}

static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    char word[16];

    for (unsigned i = 0; i < READINGS; i++)
        (void)hal_time_now();
    for (unsigned line = 0; line < LINES; line++) {
        log_write(&w->hv.log, LOG_MOD_VM, LOG_NOTICE, "cpu %u line %u end", cpu, line);
        for (uint64_t words = explore_pick(random, 3); words > 0; words--) {
            bool newline = explore_pick(random, 4) == 0;
            (void)fmt_snprintf(word, sizeof(word), "(guest%u)%s", cpu, newline ? "\r\n" : "");
            console_guest_write(&port[cpu], word, strlen(word));
        }
        if (explore_pick(random, 6) == 0)
            console_set_focus(w->hv.console, &port[explore_pick(random, CPUS)]);
    }
}

/* Of what follows PREFIX in `line`, up to `end`: the CPU, whose next line it is, or CPUS. */
static unsigned check_line(const char *line, const char *end, const unsigned next[CPUS])
{
    char want[64];
    const char *text = strstr(line, TEXT);

    for (unsigned cpu = 0; text != NULL && text < end && cpu < CPUS; cpu++) {
        (void)fmt_snprintf(want, sizeof(want), TEXT "%u line %u end\r", cpu, next[cpu]);
        if (strlen(want) == (size_t)(end - text) && memcmp(text, want, strlen(want)) == 0)
            return cpu;
    }
    return CPUS;
}

/* Of a log line, in microseconds. */
static unsigned long time_of(const char *line)
{
    char *point;
    unsigned long seconds = strtoul(line + strlen(PREFIX), &point, 10);

    return seconds * 1000000 + strtoul(point + 1, NULL, 10);
}

static const char *judge(const char *console)
{
    unsigned next[CPUS] = {0};
    unsigned long then = 0;

    for (const char *line = console; *line != '\0';) {
        const char *end = strchr(line, '\n');
        const char *log = strstr(line, PREFIX);
        if (end == NULL)
            break;
        if (log != NULL && log < end) {
            unsigned cpu = log == line ? check_line(line, end, next) : CPUS;
            if (cpu == CPUS)
                return "a log line is not whole, or not in its order";
            next[cpu]++;
            if (time_of(line) < then)
                return "a log line is earlier than the one before it";
            then = time_of(line);
        }
        line = end + 1;
    }
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        if (next[cpu] != LINES)
            return "a log line is missing";
    return NULL;
}

const struct explore_test explore_console = {
    .name = "console", .nr_cpus = CPUS, .prepare = prepare, .work = work, .judge = judge};
