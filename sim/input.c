/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/input.h"
#include "sim/terminal.h"
#include <stdio.h>
#include <string.h>

static void note_command(struct sim_input *input, enum escape_command command)
{
    input->ask_exit = input->ask_exit || command == ESCAPE_EXIT;
    input->ask_help = input->ask_help || command == ESCAPE_HELP;
    input->ask_snapshot = input->ask_snapshot || command == ESCAPE_SNAPSHOT;
}

/* What one key may become: Ctrl-A and itself. */
#define GROWTH 2u

static size_t room(const struct sim_input *input)
{
    return (sizeof(input->data) - input->pending) / GROWTH;
}

static void take_typed(struct sim_input *input, const char *typed, size_t len)
{
    size_t at = 0;

    while (at < len) {
        enum escape_command command;
        size_t kept;

        at += escape_filter(&input->escape, typed + at, len - at, input->data + input->pending,
                            &kept, &command);
        input->pending += kept;
        note_command(input, command);
    }
}

/* What is typed at a terminal may hold commands; other input is data, if nothing else is said. */
static void read_live(struct sim_input *input)
{
    char bytes[SIM_INPUT_MAX / GROWTH];
    size_t free_bytes = room(input);
    size_t len;

    /* One less: a Ctrl-A may be left from the last time. */
    if (free_bytes < 2)
        return;
    len = terminal_read(bytes, free_bytes - 1);
    if (terminal_is_raw()) {
        take_typed(input, bytes, len);
    } else if (input->raw) {
        memcpy(input->data + input->pending, bytes, len);
        input->pending += len;
    } else {
        input->pending += escape_double(&input->escape, bytes, len, input->data + input->pending);
    }
}

/* The machine takes what it has room for. */
static size_t enter(struct sim_input *input, struct sim_machine *machine, const char *data,
                    size_t len)
{
    size_t taken = sim_machine_input(machine, data, len);

    if (taken == 0)
        return 0;
    if (input->record != NULL)
        record_append(input->record, sim_machine_now(machine), data, taken);
    input->open = escape_is_open(data, taken, input->open);
    input->entered++;
    return taken;
}

/* Not between a Ctrl-A and its key. */
static bool command_is_due(const struct sim_input *input)
{
    return input->command_at < input->command_len ||
           (input->control_due && !input->open && input->control_next < input->nr_control);
}

/* The next of --control. What is typed waits until all of it is in. */
static bool poll_command(struct sim_input *input, struct sim_machine *machine)
{
    size_t taken;

    if (input->command_at == input->command_len) {
        int len = snprintf(input->command, sizeof(input->command),
                           "\x01"
                           "c%s\r",
                           input->control[input->control_next].command);
        input->command_at = 0;
        input->command_len = (size_t)len;
        input->control_next++;
        input->control_due = false;
    }
    taken = enter(input, machine, input->command + input->command_at,
                  input->command_len - input->command_at);
    input->command_at += taken;
    return taken > 0;
}

static bool poll_live(struct sim_input *input, struct sim_machine *machine)
{
    size_t taken;

    read_live(input);
    if (command_is_due(input))
        return poll_command(input, machine);
    if (input->pending == 0 || input->held)
        return false;
    taken = enter(input, machine, input->data, input->pending);
    input->pending -= taken;
    memmove(input->data, input->data + taken, input->pending);
    return taken > 0;
}

static bool poll_replay(struct sim_input *input, struct sim_machine *machine)
{
    const struct record_event *event = record_peek(input->replay);
    uint64_t now = sim_machine_now(machine);

    if (event == NULL || event->time > now || input->diverged || event->net)
        return false;
    input->diverged =
        event->time < now || sim_machine_input(machine, event->data, event->len) != event->len;
    input->entered++;
    record_next(input->replay);
    return !input->diverged;
}

bool input_poll(struct sim_input *input, struct sim_machine *machine)
{
    return input->replay != NULL ? poll_replay(input, machine) : poll_live(input, machine);
}

bool input_is_awaited(const struct sim_input *input)
{
    bool wanted = input->pending == 0 || (terminal_is_raw() && room(input) >= 2);

    return input->replay == NULL && wanted && terminal_has_input();
}

uint64_t input_next_time(const struct sim_input *input)
{
    const struct record_event *event = input->replay != NULL ? record_peek(input->replay) : NULL;

    return event != NULL ? event->time : UINT64_MAX;
}
