/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What comes out of the machine's UART: passed on in larger pieces, and read along. Core's log and
 * the guests share it (docs/decisions/0006): the lines that begin with "[halcyon " say how a run
 * ended. A guest that prints such a line fools its own run only.
 */
#ifndef SIM_CONSOLE_H
#define SIM_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_CONSOLE_LINE_MAX   256u
#define SIM_CONSOLE_BUFFER_MAX 4096u

/* What of it belongs to the run: plain data, equal in equal runs, kept in snapshots. */
struct sim_console_state {
    uint64_t count;                  /* bytes that came so far */
    uint32_t line_len;               /* of the line under way; its end beyond line[] is dropped */
    char line[SIM_CONSOLE_LINE_MAX]; /* no terminator */
    char failure[SIM_CONSOLE_LINE_MAX]; /* first "error" line of core's log, or empty */
    char panic[SIM_CONSOLE_LINE_MAX];   /* first line of the panic report, or empty */
    uint8_t reserved[4];
};

/* What a text in the output is looked for to do. */
enum sim_console_watch_for {
    SIM_CONSOLE_SNAPSHOT, /* --snapshot-on */
    SIM_CONSOLE_INPUT,    /* --input-on */
    SIM_CONSOLE_CONTROL,  /* --control-on */
    SIM_CONSOLE_WATCHES
};

struct sim_console_watch {
    const char *text; /* NULL: nothing, or it was seen */
    size_t matched;   /* how much of it the last bytes are */
};

struct sim_console {
    struct sim_console_state state;
    /* Where it goes; false: it cannot. Then nothing is passed on any more. */
    bool (*write)(void *ctx, const char *text, size_t len);
    void *ctx;
    bool failed;
    size_t used;
    char buffer[SIM_CONSOLE_BUFFER_MAX];
    struct sim_console_watch watch[SIM_CONSOLE_WATCHES];
};

void sim_console_start(struct sim_console *console, bool (*write)(void *, const char *, size_t),
                       void *ctx);
/* Looks for `text` from now on. The string stays the caller's; NULL: for nothing. */
void sim_console_watch(struct sim_console *console, enum sim_console_watch_for what,
                       const char *text);
/* Whether the text has come. True if there is none to wait for. */
bool sim_console_seen(const struct sim_console *console, enum sim_console_watch_for what);
/* Takes bytes of the machine. Passes on what does not fit the buffer. */
void sim_console_take(struct sim_console *console, const char *text, size_t len);
/* Passes on what there is. False if the console has failed, now or before. */
bool sim_console_flush(struct sim_console *console);
/* Why the run was no good, by what the log says; NULL if it says nothing bad. */
const char *sim_console_failure(const struct sim_console *console);

#endif
