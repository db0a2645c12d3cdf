/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "explore/driver.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool parse_number(const char *text, uint64_t *out)
{
    char *rest;

    errno = 0;
    *out = strtoull(text, &rest, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *rest == '\0';
}

static bool take(struct driver_options *out, const char *option, const char *value)
{
    if (strcmp(option, "--test") == 0)
        out->test = value;
    else if (strcmp(option, "--guests") == 0)
        out->guests = value;
    else if (strcmp(option, "--seed") == 0)
        return parse_number(value, &out->seed);
    else if (strcmp(option, "--runs") == 0)
        return parse_number(value, &out->runs);
    else
        return false;
    return true;
}

static bool parse(int argc, char *argv[], struct driver_options *out)
{
    *out = (struct driver_options){.guests = ".", .seed = 1, .runs = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            out->list = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            out->verbose = true;
        } else if (i + 1 == argc || !take(out, argv[i], argv[i + 1])) {
            (void)fprintf(stderr,
                          "error: '%s': there are --list, --verbose, --test NAME, --seed N, "
                          "--runs N, --guests DIRECTORY\n",
                          argv[i]);
            return false;
        } else {
            i++;
        }
    }
    return true;
}

int driver_main(int argc, char *argv[], const char *(*test_name)(unsigned n),
                bool (*test_run)(unsigned n, const struct driver_options *options))
{
    struct driver_options options;
    bool found = false;
    bool passed = true;

    if (!parse(argc, argv, &options))
        return 2;
    for (unsigned n = 0; test_name(n) != NULL; n++) {
        if (options.test != NULL && strcmp(options.test, test_name(n)) != 0)
            continue;
        found = true;
        if (options.list)
            (void)printf("%s\n", test_name(n));
        else
            passed = test_run(n, &options) && passed;
    }
    if (!found)
        (void)fprintf(stderr, "error: there is no test '%s': see --list\n", options.test);
    /* Without a search for leaks, which here can only be of what the process was made with. */
    (void)fflush(stdout);
    _exit(found && passed ? 0 : 1);
}
