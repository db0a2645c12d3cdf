/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/run.h"
#include "sim/snapshot.h"
#include "sim/terminal.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

_Static_assert(SIM_TIMER_HZ == NS_PER_S, "one tick is a nanosecond");
_Static_assert(sizeof(struct run_state) <= SNAPSHOT_RUN_MAX, "a snapshot has room for it");

__attribute__((format(printf, 2, 3))) static enum run_end fail(struct sim_run *run,
                                                               const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(run->reason, sizeof(run->reason), format, args);
    va_end(args);
    return RUN_FAILED;
}

static enum run_end fail_output(struct sim_run *run)
{
    return fail(run, "the console's output is lost: standard output: %s",
                strerror(run->write_error));
}

static uint64_t instructions(const struct sim_run *run)
{
    struct sim_stats stats;

    sim_machine_stats(run->machine, &stats);
    return stats.instructions;
}

/* On stderr while the terminal may be raw. */
static void say(const char *text)
{
    (void)fprintf(stderr, "%shalcyon-sim: %s%s", terminal_is_raw() ? "\r\n" : "", text,
                  terminal_is_raw() ? "\r\n" : "\n");
}

/* --- Snapshots --- */

static bool save(struct sim_run *run, char *reason)
{
    struct run_state state;
    struct snapshot_meta meta = {
        .config = run->config, .traced = run->config.trace != NULL, .run_size = sizeof(state)};

    memset(&state, 0, sizeof(state));
    state.console = run->console.state;
    state.trace = run->tracer.state;
    state.origin = run->origin;
    state.entered = run->input.entered;
    state.shared = run->input.escape.shared;
    state.open = run->input.open;
    memcpy(meta.run, &state, sizeof(state));
    return snapshot_save(run->snapshot, run->machine, &meta, reason);
}

/* A file is hostile: its texts need not end. */
bool run_state_take(struct sim_run *run, const struct run_state *state)
{
    const struct sim_console_state *console = &state->console;

    if (console->line_len > sizeof(console->line) ||
        memchr(console->failure, '\0', sizeof(console->failure)) == NULL ||
        memchr(console->panic, '\0', sizeof(console->panic)) == NULL || state->shared > 1 ||
        state->open > 1)
        return false;
    run->console.state = *console;
    run->tracer.state = state->trace;
    run->origin = state->origin;
    run->input.entered = state->entered;
    run->input.escape.shared = state->shared != 0;
    run->input.open = state->open != 0;
    return true;
}

static bool snapshot_is_due(const struct sim_run *run)
{
    return run->snapshot_planned && sim_console_seen(&run->console, SIM_CONSOLE_SNAPSHOT) &&
           instructions(run) >= run->snapshot_at;
}

/* One that a person asked for and that fails is told, and the run goes on. */
static enum run_end snapshot_by_key(struct sim_run *run)
{
    char reason[SNAPSHOT_REASON_MAX];

    run->input.ask_snapshot = false;
    if (run->snapshot == NULL) {
        say("no snapshot: start with --snapshot F to say where it goes");
        return RUN_ON;
    }
    if (!save(run, reason)) {
        say(reason);
        return RUN_ON;
    }
    say("snapshot made");
    run->snapshot_planned = false;
    return run->snapshot_quit ? RUN_SNAPSHOT : RUN_ON;
}

static enum run_end snapshot_by_plan(struct sim_run *run)
{
    char reason[SNAPSHOT_REASON_MAX];

    if (!save(run, reason))
        return fail(run, "%s", reason);
    run->snapshot_planned = false;
    return run->snapshot_quit ? RUN_SNAPSHOT : RUN_ON;
}

/* --- One turn --- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The machine stops at points that every run of it has, whatever is asked of this one: multiples of
 * SIM_POLL_TICKS. Only points after which nothing comes may lie between. */
static uint64_t next_stop(const struct sim_run *run)
{
    uint64_t now = sim_machine_now(run->machine);
    uint64_t stop = (now / SIM_POLL_TICKS + 1) * SIM_POLL_TICKS;
    uint64_t left = run->max_insns - instructions(run);

    if (left < stop - now)
        stop = now + left;
    if (run->input.replay != NULL)
        stop = earlier(stop, record_ended(run->input.replay)->time);
    return stop;
}

/* At the end of a recording of a run that did not end by itself. */
static bool replay_is_over(const struct sim_run *run)
{
    return run->input.replay != NULL && record_peek(run->input.replay) == NULL &&
           sim_machine_now(run->machine) >= record_ended(run->input.replay)->time;
}

/* What may end a run between two turns; the order decides which reason is told. */
static enum run_end look_around(struct sim_run *run)
{
    bool written = sim_console_flush(&run->console);

    if (terminal_signal() != 0)
        return RUN_SIGNAL;
    if (!written)
        return fail_output(run);
    if (run->input.diverged)
        return fail(run, "this run is not the recorded one: the machine was elsewhere when input "
                         "came");
    if (snapshot_is_due(run)) {
        enum run_end end = snapshot_by_plan(run);
        if (end != RUN_ON)
            return end;
    }
    if (instructions(run) >= run->max_insns)
        return fail(run, "--max-insns: %llu instructions are done and the guests still run",
                    (unsigned long long)instructions(run));
    return RUN_ON;
}

/* What came with the input: what was typed after Ctrl-A, or the end of a recording. */
static enum run_end obey(struct sim_run *run)
{
    if (run->input.ask_help) {
        run->input.ask_help = false;
        (void)fputs(escape_help(), stderr);
    }
    if (run->input.ask_exit)
        return RUN_LEFT;
    if (replay_is_over(run))
        return RUN_REPLAYED;
    return run->input.ask_snapshot ? snapshot_by_key(run) : RUN_ON;
}

static uint64_t host_time(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static const char *why_no_input(const struct sim_run *run)
{
    if (run->input.control_next < run->input.nr_control)
        return "the console never printed the text of --control-on";
    if (run->input.held)
        return "the console never printed the text of --input-on";
    return "there is no more input";
}

/* --- The network --- */

static bool net_replay(struct sim_run *run)
{
    const struct record_event *event = record_peek(run->input.replay);
    uint64_t now = sim_machine_now(run->machine);
    bool any = false;

    while (event != NULL && event->net && event->time == now && !run->input.diverged) {
        if (run->config.net_send == NULL ||
            !sim_machine_net_input(run->machine, event->data, event->len))
            run->input.diverged = true;
        record_next(run->input.replay);
        event = record_peek(run->input.replay);
        any = true;
    }
    return any;
}

/*
 * Lets the frames enter that came: all that there is room for, and at one time of the machine's
 * once, so that a replay finds the same between two runs of it. No other input enters then.
 */
static bool net_poll(struct sim_run *run)
{
    uint64_t now = sim_machine_now(run->machine);
    const void *frame;
    size_t len;
    bool any = false;

    if (run->input.replay != NULL)
        return net_replay(run);
    if (run->net == NULL || run->net_entered == now)
        return false;
    sim_net_poll(run->net);
    while ((frame = sim_net_first(run->net, &len)) != NULL &&
           sim_machine_net_input(run->machine, frame, len)) {
        if (run->input.record != NULL)
            record_append_net(run->input.record, now, frame, len);
        sim_net_drop(run->net);
        any = true;
    }
    if (any)
        run->net_entered = now;
    return any;
}

static void take_frame(void *ctx, const void *frame, size_t len)
{
    struct sim_run *run = ctx;

    if (run->net != NULL)
        sim_net_send(run->net, frame, len);
}

static void wait_outside(struct sim_run *run, uint64_t ns)
{
    if (run->net != NULL)
        sim_net_wait(run->net, input_is_awaited(&run->input), ns);
    else
        terminal_wait(ns);
}

/*
 * All CPUs wait. With nobody to type, the clock jumps to the next event. With somebody, time passes
 * as it does for him, until he types: the moment at which it enters is what a recording keeps.
 */
static enum run_end idle(struct sim_run *run, bool *is_idle)
{
    uint64_t now = sim_machine_now(run->machine);
    uint64_t next = sim_machine_next_event(run->machine);
    uint64_t event = next > now ? next : now;
    uint64_t to = event;

    if (run->net != NULL || input_is_awaited(&run->input)) {
        uint64_t start = host_time();
        wait_outside(run, event == UINT64_MAX ? TERMINAL_FOREVER : event - now);
        uint64_t passed = host_time() - start;
        to = passed < event - now ? now + passed : event;
    } else if (run->input.replay != NULL) {
        to = earlier(to, input_next_time(&run->input));
        to = earlier(to, record_ended(run->input.replay)->time);
    }
    if (to == UINT64_MAX)
        return fail(run, "the guests wait for ever: no timer is set, and %s", why_no_input(run));
    if (to > now)
        sim_machine_advance(run->machine, to);
    *is_idle = to < event;
    return RUN_ON;
}

static enum run_end judge_halt(struct sim_run *run)
{
    const char *failure = sim_console_failure(&run->console);
    bool written = sim_console_flush(&run->console);

    switch (sim_machine_halt_reason(run->machine)) {
    case HAL_HALT_OFF:
        if (failure != NULL)
            return fail(run, "%s", failure);
        return written ? RUN_POWERED_OFF : fail_output(run);
    case HAL_HALT_RESET:
        return fail(run, "the hypervisor asked for a reset of the machine, which there is not");
    case HAL_HALT_PANIC:
        break;
    }
    return fail(run, "the hypervisor panicked: %s",
                failure != NULL ? failure : "its report is above");
}

static enum run_end run_turn(struct sim_run *run, bool *idle)
{
    enum sim_stop stop = sim_machine_run(run->machine, next_stop(run));

    *idle = stop == SIM_STOP_IDLE;
    if (stop == SIM_STOP_TIME || stop == SIM_STOP_IDLE)
        return RUN_ON;
    run->halted = true;
    if (stop == SIM_STOP_HALTED)
        return judge_halt(run);
    (void)sim_console_flush(&run->console);
    return fail(run, "the simulator: %s", sim_machine_failure(run->machine));
}

/* A plan that came to nothing is a failure: who waits for the file must not take an old one, and
 * who gave a command counts on it. */
static enum run_end check_plan(struct sim_run *run, enum run_end end)
{
    if (end == RUN_FAILED || end == RUN_SIGNAL)
        return end;
    if (run->input.control_next < run->input.nr_control)
        return fail(run, "the run ended before it came to --control '%s'",
                    run->input.control[run->input.control_next].command);
    if (!run->snapshot_planned)
        return end;
    return fail(run, "the run ended before the point at which the snapshot was to be made");
}

/* The cursor stands where the guest left it: what is said now, and the shell's prompt, come below.
 */
static void end_console_line(const struct sim_run *run)
{
    if (terminal_is_raw() && run->console.state.line_len > 0)
        (void)fputs("\r\n", stderr);
}

/* The text for the next of --control counts from where the one before entered. */
static void watch_for_control(struct sim_run *run)
{
    const struct sim_input *input = &run->input;

    if (run->control_watched != input->control_next || input->control_next == input->nr_control)
        return;
    sim_console_watch(&run->console, SIM_CONSOLE_CONTROL, input->control[input->control_next].on);
    run->control_watched++;
}

/* Whether input may enter that waits for a text of the console. */
static void look_for_texts(struct sim_run *run)
{
    run->input.held = !sim_console_seen(&run->console, SIM_CONSOLE_INPUT);
    run->input.control_due = sim_console_seen(&run->console, SIM_CONSOLE_CONTROL);
}

enum run_end run_machine(struct sim_run *run)
{
    enum run_end end = RUN_ON;
    bool is_idle = false;

    watch_for_control(run);
    while (end == RUN_ON) {
        end = look_around(run);
        look_for_texts(run);
        if (end == RUN_ON && (net_poll(run) || input_poll(&run->input, run->machine))) {
            watch_for_control(run);
            is_idle = false;
        }
        if (end == RUN_ON)
            end = obey(run);
        if (end == RUN_ON)
            end = is_idle ? idle(run, &is_idle) : run_turn(run, &is_idle);
    }
    end_console_line(run);
    return check_plan(run, end);
}

/* --- What the machine calls --- */

static bool write_out(void *ctx, const char *text, size_t len)
{
    struct sim_run *run = ctx;

    if (terminal_write(text, len))
        return true;
    run->write_error = errno;
    return false;
}

static void take_console(void *ctx, const char *text, size_t len)
{
    struct sim_run *run = ctx;

    sim_console_take(&run->console, text, len);
}

static void take_trace(void *ctx, const struct trace_record *record)
{
    struct sim_run *run = ctx;

    tracer_take(&run->tracer, record);
}

void run_connect(struct sim_run *run, bool traced, bool net)
{
    sim_console_start(&run->console, write_out, run);
    run->config.console_write = take_console;
    run->config.trace = traced ? take_trace : NULL;
    run->config.net_send = net ? take_frame : NULL;
    run->net_entered = UINT64_MAX;
    run->config.ctx = run;
}
