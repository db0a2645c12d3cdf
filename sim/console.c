/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/console.h"
#include <string.h>

static const char log_prefix[] = "[halcyon ";
static const char log_error[] = "] error ";
static const char panic_prefix[] = "halcyon PANIC: ";

void sim_console_start(struct sim_console *console, bool (*write)(void *, const char *, size_t),
                       void *ctx)
{
    memset(console, 0, sizeof(*console));
    console->write = write;
    console->ctx = ctx;
}

void sim_console_watch(struct sim_console *console, enum sim_console_watch_for what,
                       const char *text)
{
    console->watch[what] = (struct sim_console_watch){.text = text};
}

bool sim_console_seen(const struct sim_console *console, enum sim_console_watch_for what)
{
    return console->watch[what].text == NULL;
}

/* The first of a kind is the cause; later ones are likely its effects. */
static void keep_first(char kept[SIM_CONSOLE_LINE_MAX], const char *text)
{
    if (kept[0] == '\0')
        memcpy(kept, text, strlen(text) + 1);
}

static void end_line(struct sim_console_state *state)
{
    char text[SIM_CONSOLE_LINE_MAX];
    size_t len = state->line_len;
    const char *error;

    while (len > 0 && state->line[len - 1] == '\r')
        len--;
    if (len == sizeof(text))
        len--;
    memcpy(text, state->line, len);
    text[len] = '\0';
    memset(state->line, 0, sizeof(state->line));
    state->line_len = 0;
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            text[i] = '?';
    if (strncmp(text, panic_prefix, strlen(panic_prefix)) == 0)
        keep_first(state->panic, text + strlen(panic_prefix));
    if (strncmp(text, log_prefix, strlen(log_prefix)) != 0)
        return;
    error = strchr(text, ']');
    if (error != NULL && strncmp(error, log_error, strlen(log_error)) == 0)
        keep_first(state->failure, error + strlen(log_error));
}

static void note_line(struct sim_console_state *state, char c)
{
    state->count++;
    if (c == '\n')
        end_line(state);
    else if (state->line_len < sizeof(state->line))
        state->line[state->line_len++] = c;
}

/* How much of `text` the bytes matched so far and `c` end with. */
static size_t match_on(const char *text, size_t matched, char c)
{
    for (;;) {
        if (text[matched] == c)
            return matched + 1;
        if (matched == 0)
            return 0;
        /* The longest shorter beginning that the matched bytes end with. */
        size_t shorter = matched - 1;
        while (shorter > 0 && memcmp(text, text + matched - shorter, shorter) != 0)
            shorter--;
        matched = shorter;
    }
}

static void look_for(struct sim_console_watch *watch, char c)
{
    if (watch->text == NULL)
        return;
    watch->matched = match_on(watch->text, watch->matched, c);
    if (watch->text[watch->matched] == '\0')
        watch->text = NULL;
}

void sim_console_take(struct sim_console *console, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        note_line(&console->state, text[i]);
        for (size_t n = 0; n < SIM_CONSOLE_WATCHES; n++)
            look_for(&console->watch[n], text[i]);
        if (console->used == sizeof(console->buffer))
            (void)sim_console_flush(console);
        console->buffer[console->used++] = text[i];
    }
}

bool sim_console_flush(struct sim_console *console)
{
    if (!console->failed && console->used > 0)
        console->failed = !console->write(console->ctx, console->buffer, console->used);
    console->used = 0;
    return !console->failed;
}

const char *sim_console_failure(const struct sim_console *console)
{
    if (console->state.panic[0] != '\0')
        return console->state.panic;
    return console->state.failure[0] != '\0' ? console->state.failure : NULL;
}
