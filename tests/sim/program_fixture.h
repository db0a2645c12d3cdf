/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* halcyon-sim as its users see it, with a scripted machine in the place of a real one: run with a
 * file for its input, or at a terminal. */
#ifndef TESTS_SIM_PROGRAM_FIXTURE_H
#define TESTS_SIM_PROGRAM_FIXTURE_H

#include "cases.h"
#include "scratch.h"
#include "scripted_machine.h"
#include "sim/options.h"
#include "sim/program.h"
#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>

static char said[8192];    /* standard output */
static char reasons[8192]; /* standard error */

/* scratch_path() for more than a few at a time. */
static inline const char *path(const char *name)
{
    static char paths[16][128];
    static unsigned next;
    char *out = paths[next++ % 16];

    snprintf(out, sizeof(paths[0]), "%s", scratch_path(name));
    return out;
}

static inline int child(int argc, const char *const words[])
{
    static struct sim_options options;
    char message[OPTIONS_MESSAGE_MAX];
    char *argv[24] = {NULL};

    for (int i = 0; i < argc; i++)
        argv[i] = strdup(words[i]);
    if (!options_parse(argc, argv, &options, message)) {
        fprintf(stderr, "%s\n", message);
        return 2;
    }
    return options.action == SIM_ACTION_WRITE_BUNDLE ? program_write_bundle(&options)
                                                     : program_run(&options);
}

static inline void redirect(int fd, const char *name)
{
    int opened = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (opened < 0 || dup2(opened, fd) < 0)
        _exit(99);
    close(opened);
}

static inline void collect(const char *name, char *to, size_t size)
{
    struct scratch_bytes bytes = scratch_read(path(name));

    cr_assert_lt(bytes.size, size);
    memcpy(to, bytes.data, bytes.size);
    to[bytes.size] = '\0';
    free(bytes.data);
}

static inline pid_t start(int input, const char *output, int argc, const char *const words[])
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid != 0)
        return pid;
    if (input >= 0 && dup2(input, 0) < 0)
        _exit(99);
    if (input < 0)
        close(0);
    redirect(1, output);
    redirect(2, path("err"));
    int status = child(argc, words);
    fflush(NULL);
    _exit(status);
}

/* Its wait status; `said` and `reasons` are set. */
static inline int finish(pid_t pid)
{
    int status;

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    collect("err", reasons, sizeof(reasons));
    return status;
}

#define WORDS(...)                                                                                 \
    (int)(sizeof((const char *const[]){"halcyon-sim", __VA_ARGS__}) / sizeof(char *)),             \
        (const char *const[])                                                                      \
    {                                                                                              \
        "halcyon-sim", __VA_ARGS__                                                                 \
    }

static inline int input_of(const char *text)
{
    int fd;

    scratch_write(path("in"), text, strlen(text));
    fd = open(path("in"), O_RDONLY);
    cr_assert_geq(fd, 0);
    return fd;
}

/* Runs with `typed` in a file as its input. */
static inline int run(const char *typed, int argc, const char *const words[])
{
    int input = typed != NULL ? input_of(typed) : -1;
    int status = finish(start(input, path("out"), argc, words));

    if (input >= 0)
        close(input);
    collect("out", said, sizeof(said));
    cr_assert(WIFEXITED(status), "%d: %s", status, reasons);
    return WEXITSTATUS(status);
}

#define RUN(typed, ...) run(typed, WORDS("--machine-memory=8M", "--hash", BUNDLE, __VA_ARGS__))
#define BUNDLE          path("bundle")

static inline void begin(void)
{
    scratch_begin();
    scratch_write(BUNDLE, "the scripted machine takes anything", 35);
}

static inline void expect_hash(char out[128])
{
    const char *line = strstr(reasons, "halcyon-sim: hash ");

    cr_assert_not_null(line, "%s", reasons);
    snprintf(out, 128, "%.*s", (int)strcspn(line, "\n"), line);
}

static inline void expect_reason(const char *text)
{
    cr_expect_not_null(strstr(reasons, text), "\"%s\" is not in: %s", text, reasons);
}

static inline bool is_raw(int terminal)
{
    struct termios now;

    return tcgetattr(terminal, &now) == 0 && (now.c_lflag & ICANON) == 0;
}

/* Types at a terminal, key by key. Returns the wait status. */
static inline int type(const char *keys, size_t len, int argc, const char *const words[])
{
    int master;
    int slave;
    int status;
    pid_t pid;

    cr_assert_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
    pid = start(slave, path("out"), argc, words);
    for (int i = 0; i < 10000 && !is_raw(slave); i++)
        usleep(1000);
    cr_expect(is_raw(slave));
    for (size_t i = 0; i < len; i++) {
        cr_assert_eq(write(master, keys + i, 1), 1);
        usleep(2000);
    }
    status = finish(pid);
    collect("out", said, sizeof(said));
    cr_expect_not(is_raw(slave));
    close(master);
    close(slave);
    return status;
}

#define TYPE(keys, ...)                                                                            \
    type(keys, sizeof(keys) - 1, WORDS("--machine-memory=8M", "--hash", BUNDLE, __VA_ARGS__))

#endif
