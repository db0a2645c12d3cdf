/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/program.h"
#include "sim/bundle_make.h"
#include "sim/run.h"
#include "sim/setup.h"
#include "sim/stats.h"
#include "sim/terminal.h"
#include "sim/trace/file_out.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Whatever goes wrong can be told. */
_Static_assert(SETUP_REASON_MAX >= RECORD_REASON_MAX, "a reason fits");
_Static_assert(SETUP_REASON_MAX >= TRACE_REASON_MAX, "a reason fits");
_Static_assert(SETUP_REASON_MAX >= FILE_OUT_REASON_MAX, "a reason fits");

struct program {
    const struct sim_options *options;
    struct sim_run run;
    struct record_identity identity;
    char reason[SETUP_REASON_MAX];
    struct stats_cost cost;
    bool failed; /* something went wrong that the run itself does not know */
};

static void complain(const char *reason)
{
    (void)fprintf(stderr, "halcyon-sim: error: %s\n", reason);
}

int program_write_bundle(const struct sim_options *options)
{
    char reason[SETUP_REASON_MAX];
    struct bundle_blob bundle;
    struct file_out *file;
    bool done = bundle_make(options, &bundle, reason);

    /* A full disk or a reader who left is a reason to tell, not a signal. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (done) {
        file = file_out_open(options->write_bundle, reason);
        done = file != NULL;
        if (done) {
            (void)file_out_write(file, bundle.data, bundle.size);
            done = file_out_commit(file, reason);
        }
        bundle_free(&bundle);
    }
    if (!done)
        complain(reason);
    return done ? 0 : 1;
}

/* --- Before the run --- */

/* Whether core is to make trace records: for whatever needs them or their hash. */
static bool wants_trace(const struct sim_options *options)
{
    return options->trace != NULL || options->hash || options->stats || options->record != NULL ||
           options->replay != NULL || options->snapshot != NULL || options->restore != NULL;
}

/* A snapshot was made in the middle of a run: a recording of that run from its start has input that
 * has entered before. That it is that very run, the hash will tell at the end. */
static bool skip_entered(struct program *p, struct record_reader *reader)
{
    for (uint64_t i = 0; i < p->run.input.entered; i++) {
        if (record_peek(reader) == NULL ||
            record_peek(reader)->time > sim_machine_now(p->run.machine)) {
            (void)snprintf(p->reason, sizeof(p->reason),
                           "%s: not a recording of the run that the snapshot was made in",
                           p->options->replay);
            return false;
        }
        record_next(reader);
    }
    return true;
}

/* Either begins where this process does, or where the run of the snapshot began. */
static bool open_replay(struct program *p)
{
    struct record_reader *reader = record_open(p->options->replay, p->reason);
    char other[RECORD_REASON_MAX];

    p->run.input.replay = reader;
    if (reader == NULL)
        return false;
    if (record_matches(reader, &p->identity, p->reason))
        return true;
    return p->options->restore != NULL && record_matches(reader, &p->run.origin, other) &&
           skip_entered(p, reader);
}

/* Nothing is made before all that is read has been found good. */
static bool open_files(struct program *p)
{
    const struct sim_options *options = p->options;

    if (options->replay != NULL && !open_replay(p))
        return false;
    if (options->record != NULL) {
        p->run.input.record = record_create(options->record, &p->identity, p->reason);
        if (p->run.input.record == NULL)
            return false;
    }
    if (options->trace != NULL) {
        p->run.tracer.writer = trace_writer_open(options->trace, SIM_TIMER_HZ, p->reason);
        if (p->run.tracer.writer == NULL)
            return false;
    }
    return true;
}

/* A replay needs nobody outside. */
static bool open_net(struct program *p)
{
    if (!p->options->net_user || p->options->replay != NULL)
        return true;
    p->run.net = sim_net_start(p->options, p->reason);
    return p->run.net != NULL;
}

static bool prepare(struct program *p)
{
    const struct sim_options *options = p->options;

    run_connect(&p->run, wants_trace(options), options->net_user);
    sim_console_watch(&p->run.console, SIM_CONSOLE_SNAPSHOT, options->snapshot_on);
    sim_console_watch(&p->run.console, SIM_CONSOLE_INPUT, options->input_on);
    p->run.input.raw = options->input_raw;
    p->run.input.control = options->control;
    p->run.input.nr_control = options->nr_control;
    p->run.max_insns = options->max_insns;
    p->run.snapshot = options->snapshot;
    p->run.snapshot_at = options->snapshot_on == NULL ? options->snapshot_at : 0;
    p->run.snapshot_planned = options->snapshot_at != UINT64_MAX || options->snapshot_on != NULL;
    p->run.snapshot_quit = options->snapshot_quit;
    if (options->restore != NULL ? !setup_restore(&p->run, options, &p->identity, p->reason)
                                 : !setup_new(&p->run, options, &p->identity, p->reason))
        return false;
    return open_files(p) && open_net(p);
}

/* --- After it --- */

static void note_failure(struct program *p)
{
    complain(p->reason);
    p->failed = true;
}

/* A recording is good however the run ended: the one that failed is the one to look at again. */
static void commit_files(struct program *p, const struct sim_stats *stats)
{
    struct record_end end = {.time = p->run.halted ? RECORD_TIME_HALTED
                                                   : sim_machine_now(p->run.machine),
                             .instructions = stats->instructions};

    trace_hash_digest(&p->run.tracer.state.hash, end.hash);
    if (p->run.input.record != NULL && !record_commit(p->run.input.record, &end, p->reason))
        note_failure(p);
    if (p->run.tracer.writer != NULL && !trace_writer_commit(p->run.tracer.writer, p->reason))
        note_failure(p);
    p->run.input.record = NULL;
    p->run.tracer.writer = NULL;
}

/* A replay's reason to be is that it comes to the same end. */
static void compare_replay(struct program *p, enum run_end how, const struct sim_stats *stats)
{
    const struct record_end *end;
    uint8_t hash[RECORD_DIGEST_SIZE];

    if (p->run.input.replay == NULL || how == RUN_SIGNAL || how == RUN_SNAPSHOT)
        return;
    end = record_ended(p->run.input.replay);
    trace_hash_digest(&p->run.tracer.state.hash, hash);
    if (memcmp(hash, end->hash, sizeof(hash)) == 0 && end->instructions == stats->instructions) {
        (void)fputs("halcyon-sim: replay agrees with the recording\n", stderr);
        return;
    }
    if (end->instructions == stats->instructions)
        (void)snprintf(p->reason, sizeof(p->reason),
                       "the replay differs from the recording: as many instructions, other exits");
    else
        (void)snprintf(p->reason, sizeof(p->reason),
                       "the replay differs from the recording: %" PRIu64
                       " instructions, recorded were %" PRIu64,
                       stats->instructions, end->instructions);
    note_failure(p);
}

static void report(struct program *p, const struct sim_stats *stats)
{
    char text[TRACE_HASH_TEXT_SIZE];

    if (p->options->stats)
        stats_print(stderr, stats, &p->run.tracer.state, &p->cost);
    if (p->options->hash)
        (void)fprintf(stderr, "halcyon-sim: hash %s instructions %" PRIu64 " idle %" PRIu64 "\n",
                      trace_hash_text(&p->run.tracer.state.hash, text), stats->instructions,
                      stats->idle);
}

static void discard(struct program *p)
{
    record_discard(p->run.input.record);
    record_close(p->run.input.replay);
    trace_writer_discard(p->run.tracer.writer);
    if (p->run.machine != NULL)
        sim_machine_destroy(p->run.machine);
    disk_files_close(&p->run.disks);
    sim_net_stop(p->run.net);
}

static double host_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run_and_report(struct program *p)
{
    double start = host_seconds();
    struct sim_stats stats;
    enum run_end end;

    sim_machine_stats(p->run.machine, &stats);
    p->cost.instructions = stats.instructions;
    end = run_machine(&p->run);
    p->cost.seconds = host_seconds() - start;
    int by_signal = end == RUN_SIGNAL ? terminal_signal() : 0;
    /* The signals stay ours until the files are in their places. */
    terminal_leave();
    sim_machine_stats(p->run.machine, &stats);
    p->cost.instructions = stats.instructions - p->cost.instructions;
    commit_files(p, &stats);
    compare_replay(p, end, &stats);
    report(p, &stats);
    if (end == RUN_FAILED)
        complain(p->run.reason);
    discard(p);
    if (by_signal != 0) {
        (void)fprintf(stderr, "halcyon-sim: ended by a signal: %s\n", strsignal(by_signal));
        terminal_die(by_signal);
    }
    terminal_stop();
    return end == RUN_FAILED || p->failed ? 1 : 0;
}

int program_run(const struct sim_options *options)
{
    struct program *p = calloc(1, sizeof(*p));
    int status = 1;

    if (p == NULL) {
        complain("no memory");
        return 1;
    }
    p->options = options;
    terminal_start(!options->no_input && options->replay == NULL);
    if (prepare(p)) {
        status = run_and_report(p);
    } else {
        terminal_stop();
        complain(p->reason);
        discard(p);
    }
    free(p);
    return status;
}
