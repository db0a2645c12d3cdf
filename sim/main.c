/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* halcyon-sim: a machine with Halcyon and its guests in this process. */
#include "sim/bundle_make.h"
#include "sim/options.h"
#include "sim/program.h"
#include "sim/terminal.h"
#include <stdio.h>
#include <string.h>

static int print(const char *text)
{
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
        return 0;
    (void)fputs("halcyon-sim: error: standard output cannot be written\n", stderr);
    return 1;
}

int main(int argc, char *argv[])
{
    struct sim_options options;
    char message[OPTIONS_MESSAGE_MAX];

    terminal_secure_descriptors();
    if (!options_parse(argc, argv, &options, message)) {
        (void)fprintf(stderr, "halcyon-sim: error: %s\n", message);
        return 2;
    }
    switch (options.action) {
    case SIM_ACTION_HELP:
        return print(options_help());
    case SIM_ACTION_VERSION:
        return print(options_version());
    case SIM_ACTION_WRITE_BUNDLE:
        return program_write_bundle(&options);
    case SIM_ACTION_RUN:
        break;
    }
    return program_run(&options);
}
