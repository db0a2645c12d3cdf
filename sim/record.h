/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A recording: everything that entered a run from outside, with its machine time. Together with
 * what the identity names it determines the run to the instruction. What a file holds is hostile:
 * all functions answer with a reason in words, and never with a crash.
 */
#ifndef SIM_RECORD_H
#define SIM_RECORD_H

#include "hal-sim/machine.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_DIGEST_SIZE 16u   /* XXH3-128, canonical (big-endian) */
#define RECORD_REASON_MAX  256u  /* size of every `reason` below */
#define RECORD_DATA_MAX    4096u /* bytes of one event, at least 1; SIM_INPUT_MAX */

/*
 * Which run this is a recording of. Two runs with equal identities and equal input are the same
 * run.
 */
struct record_identity {
    uint8_t build[SIM_BUILD_ID_SIZE];
    uint8_t start[RECORD_DIGEST_SIZE]; /* of the bundle, the machine's devicetree and its epoch, or
                                          of the snapshot that the run started from */
    uint64_t seed;
    uint64_t ram_size;
    uint64_t start_time; /* of the machine's clock; not 0 after a restore */
    uint32_t nr_cpus;
    uint32_t cpu_model; /* enum sim_cpu_model */
};

/* The time of a run that the machine itself ended: a replay goes on until that. */
#define RECORD_TIME_HALTED UINT64_MAX

/* How the run ended. A replay that has come to `time` and still runs ends there, too. */
struct record_end {
    uint64_t time;
    uint64_t instructions;
    uint8_t hash[RECORD_DIGEST_SIZE]; /* of the trace */
};

struct record_event {
    uint64_t time;
    bool net;     /* a frame of the machine's network, and no console input */
    uint32_t len; /* 1..RECORD_DATA_MAX */
    uint8_t data[RECORD_DATA_MAX];
};

struct record_writer;

/*
 * Starts a recording beside `path`; nothing of that name changes before record_commit(). NULL with
 * the reason if it cannot be written.
 */
struct record_writer *record_create(const char *path, const struct record_identity *identity,
                                    char *reason);
/* Appends. time: not below that of the event before; len: 1..RECORD_DATA_MAX. An error (a full
 * disk) is kept and comes out of record_commit(). */
void record_append(struct record_writer *writer, uint64_t time, const void *data, size_t len);
/* The same for a frame of the machine's network. */
void record_append_net(struct record_writer *writer, uint64_t time, const void *data, size_t len);
/* Completes the file and renames it to its name. False with the reason: the old file is as it was.
 * Frees the writer in either case. */
bool record_commit(struct record_writer *writer, const struct record_end *end, char *reason);
/* Throws the recording away. NULL is allowed. */
void record_discard(struct record_writer *writer);

struct record_reader;

/*
 * Opens a complete recording and checks all of it: format, sums, order of times. NULL with the
 * reason in words.
 */
struct record_reader *record_open(const char *path, char *reason);
/* NULL is allowed. */
void record_close(struct record_reader *reader);
/* False, with what differs in words, if the recording is of another run than `identity`. */
bool record_matches(const struct record_reader *reader, const struct record_identity *identity,
                    char *reason);
/* The event that is next in order, or NULL after the last; valid until record_next(). */
const struct record_event *record_peek(const struct record_reader *reader);
/* Goes on to the event after it. */
void record_next(struct record_reader *reader);
const struct record_end *record_ended(const struct record_reader *reader);

#endif
