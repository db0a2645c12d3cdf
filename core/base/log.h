/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Levelled log with a level for each module. The log is an object: each hypervisor instance has its
 * own. A line reads "[halcyon <seconds>.<micros>] <level> <module>: <text>": seconds without
 * padding, micros of 6 digits, a level of error warn notice info debug, a module of boot mem vgic
 * vm dev psci exit role. The sink gets one whole line a call and makes it start at the beginning of
 * a line of the console that it shares with guests. A line cannot be forged: a byte of the text
 * that is not printable ASCII comes out as '?'; log_escape() keeps such bytes readable.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"
#include "base/lock.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_NOTICE, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };

enum log_module {
    LOG_MOD_BOOT,
    LOG_MOD_MEM,
    LOG_MOD_VGIC,
    LOG_MOD_VM,
    LOG_MOD_DEV,
    LOG_MOD_PSCI,
    LOG_MOD_EXIT,
    LOG_MOD_ROLE,
    LOG_MOD_COUNT
};

/* Where the text goes and what the time is; link-time functions of the HAL in a real image, doubles
 * in a test. */
struct log_sink {
    /* One whole line: `len` bytes, at most LOG_LINE_MAX, the last one is the newline; not
     * NUL-terminated. */
    void (*write)(void *ctx, const char *text, size_t len);
    uint64_t (*micros)(void *ctx); /* microseconds since start */
    void *ctx;
};

struct log {
    struct spinlock lock;
    struct log_sink sink;
    uint8_t level[LOG_MOD_COUNT];
};

/* Longest line, including the prefix and the newline; longer text is cut and ends in "...". */
#define LOG_LINE_MAX 256u

/* All modules start at LOG_NOTICE. */
void log_init(struct log *log, const struct log_sink *sink);

/*
 * Sets levels from a specification "LEVEL" or "LEVEL,MODULE=LEVEL,..." or "MODULE=LEVEL,...".
 * HV_ERR_FORMAT if any word of it is unknown; then nothing has changed. A later word wins over an
 * earlier one. Levels are read without the lock: only for the time before other pCPUs use this log.
 */
HV_MUST_CHECK hv_err log_set_levels(struct log *log, const char *spec);

static inline bool log_enabled(const struct log *log, enum log_module module, enum log_level level)
{
    return (uint8_t)level <= log->level[module];
}

/* Writes one line if the level of `module` admits it. Takes log->lock (rank log). `format` has no
 * newline. */
void log_write(struct log *log, enum log_module module, enum log_level level, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

/*
 * Copies `text` (at most `len` bytes, up to a NUL) to `out` with every byte that is not printable
 * ASCII, and the backslash, as \xNN (lower case); cut to fit, never within an \xNN, terminated
 * unless out_size is 0. Returns `out`. For names that come from outside.
 */
const char *log_escape(char *out, size_t out_size, const char *text, size_t len);

#endif
