/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/input.h"
#include "sim/terminal.h"
#include <string.h>

static void note_command(struct sim_input *input, enum escape_command command)
{
    input->ask_exit = input->ask_exit || command == ESCAPE_EXIT;
    input->ask_help = input->ask_help || command == ESCAPE_HELP;
    input->ask_snapshot = input->ask_snapshot || command == ESCAPE_SNAPSHOT;
}

/* What is typed at a terminal may hold commands; other input goes to the guest as it is. */
static void read_live(struct sim_input *input)
{
    char *room = input->data + input->pending;
    size_t len = terminal_read(room, sizeof(input->data) - input->pending);
    size_t at = 0;

    if (!terminal_is_raw()) {
        input->pending += len;
        return;
    }
    while (at < len) {
        size_t kept;
        size_t used;
        enum escape_command command =
            escape_filter(&input->escape, room + at, len - at, &kept, &used);

        memmove(input->data + input->pending, room + at, kept);
        input->pending += kept;
        at += used;
        note_command(input, command);
    }
}

static bool poll_live(struct sim_input *input, struct sim_machine *machine)
{
    size_t taken;

    if (input->pending < sizeof(input->data))
        read_live(input);
    if (input->pending == 0 || input->held)
        return false;
    taken = sim_machine_input(machine, input->data, input->pending);
    if (taken == 0)
        return false;
    if (input->record != NULL)
        record_append(input->record, sim_machine_now(machine), input->data, taken);
    input->entered++;
    input->pending -= taken;
    memmove(input->data, input->data + taken, input->pending);
    return true;
}

static bool poll_replay(struct sim_input *input, struct sim_machine *machine)
{
    const struct record_event *event = record_peek(input->replay);
    uint64_t now = sim_machine_now(machine);

    if (event == NULL || event->time > now || input->diverged)
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
    bool room = input->pending == 0 || (terminal_is_raw() && input->pending < sizeof(input->data));

    return input->replay == NULL && room && terminal_has_input();
}

uint64_t input_next_time(const struct sim_input *input)
{
    const struct record_event *event = input->replay != NULL ? record_peek(input->replay) : NULL;

    return event != NULL ? event->time : UINT64_MAX;
}
