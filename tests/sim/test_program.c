/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* halcyon-sim as its users see it, with a scripted machine in the place of a real one. */
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
static const char *path(const char *name)
{
    static char paths[16][128];
    static unsigned next;
    char *out = paths[next++ % 16];

    snprintf(out, sizeof(paths[0]), "%s", scratch_path(name));
    return out;
}

static int child(int argc, const char *const words[])
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

static void redirect(int fd, const char *name)
{
    int opened = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (opened < 0 || dup2(opened, fd) < 0)
        _exit(99);
    close(opened);
}

static void collect(const char *name, char *to, size_t size)
{
    struct scratch_bytes bytes = scratch_read(path(name));

    cr_assert_lt(bytes.size, size);
    memcpy(to, bytes.data, bytes.size);
    to[bytes.size] = '\0';
    free(bytes.data);
}

static pid_t start(int input, const char *output, int argc, const char *const words[])
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
static int finish(pid_t pid)
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

static int input_of(const char *text)
{
    int fd;

    scratch_write(path("in"), text, strlen(text));
    fd = open(path("in"), O_RDONLY);
    cr_assert_geq(fd, 0);
    return fd;
}

/* Runs with `typed` in a file as its input. */
static int run(const char *typed, int argc, const char *const words[])
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

static void begin(void)
{
    scratch_begin();
    scratch_write(BUNDLE, "the scripted machine takes anything", 35);
}

static void expect_hash(char out[128])
{
    const char *line = strstr(reasons, "halcyon-sim: hash ");

    cr_assert_not_null(line, "%s", reasons);
    snprintf(out, 128, "%.*s", (int)strcspn(line, "\n"), line);
}

static void expect_reason(const char *text)
{
    cr_expect_not_null(strstr(reasons, text), "\"%s\" is not in: %s", text, reasons);
}

CASE(program, power_off)
{
    cr_expect_eq(RUN("echo Q", "--stats"), 0, "%s", reasons);
    cr_expect_str_eq(said, "hello\r\n> echo Q\n[halcyon 0.1] notice role: machine off: all VMs "
                           "powered off\n");
    expect_reason("exits, data abort");
    expect_reason("MIPS");
}

CASE(program, the_same_twice)
{
    char first[128];
    char second[128];

    cr_assert_eq(RUN("abcQ", "--no-input", "--max-insns=1000000"), 1);
    cr_assert_eq(RUN("hello Q", "--stats"), 0);
    expect_hash(first);
    cr_assert_eq(RUN("hello Q", "--trace", path("trace")), 0);
    expect_hash(second);
    cr_expect_str_eq(first, second);
    cr_assert_eq(RUN("hallo Q", "--stats"), 0);
    expect_hash(second);
    cr_expect_str_neq(first, second);
}

/* The scripted machine says "hello" before anything enters it, and echoes what does. */
CASE(program, input_waits_for_a_text)
{
    cr_expect_eq(RUN("xQ", "--input-on", "hello", "--record", path("rec")), 0, "%s", reasons);
    cr_expect_not_null(strstr(said, "> xQ"));
    cr_expect_eq(RUN("", "--replay", path("rec")), 0, "%s", reasons);
    expect_reason("replay agrees");
    cr_expect_eq(RUN("xQ", "--input-on", "never", "--max-insns=5000000"), 1);
    expect_reason("--max-insns");
    cr_expect_str_eq(said, "hello\r\n> ", "nothing has entered");
}

CASE(program, input_waits_for_ever)
{
    cr_assert_eq(RUN("W", "--snapshot", path("snap"), "--snapshot-on", "W", "--snapshot-quit"), 0,
                 "%s", reasons);
    cr_expect_eq(run("Q", WORDS("--restore", path("snap"), "--input-on", "never")), 1);
    expect_reason("wait for ever: no timer is set, and the console never printed the text");
    cr_expect_eq(run("", WORDS("--restore", path("snap"))), 1);
    expect_reason("wait for ever: no timer is set, and there is no more input");
}

CASE(program, failures)
{
    cr_expect_eq(RUN("F", "--stats"), 1);
    expect_reason("error: vm: linux stopped: smash");
    cr_expect_eq(RUN("P", "--stats"), 1);
    expect_reason("error: the hypervisor panicked: all is lost");
    cr_expect_eq(RUN("B", "--stats"), 1);
    expect_reason("error: the simulator: a wheel came off");
    cr_expect_eq(RUN("Z", "--stats"), 1);
    expect_reason("reset");
    cr_expect_eq(RUN("W", "--stats"), 1);
    expect_reason("wait for ever");
    cr_expect_eq(RUN("S", "--max-insns=5000000"), 1);
    expect_reason("--max-insns: 5000");
    cr_expect_eq(RUN(NULL, "--max-insns=5000000"), 1, "a closed standard input is none");
    expect_reason("--max-insns");
    cr_expect_eq(run("", WORDS(path("none"))), 1);
    expect_reason("none: No such file");
    cr_expect_eq(run("", WORDS("--frob")), 2);
    cr_expect_eq(run("", WORDS("--kernel", BUNDLE, "--memory=64G")), 1);
    expect_reason("memory");
    cr_expect_eq(RUN("Q", "--replay", BUNDLE), 1);
    cr_expect_eq(RUN("Q", "--record", path("no/such")), 1);
    cr_expect_eq(RUN("Q", "--trace", path("no/such")), 1);
    cr_expect_eq(run("Q", WORDS("--restore", BUNDLE)), 1);
}

CASE(program, output_that_fails)
{
    int input = input_of("xQ");
    int status =
        finish(start(input, "/dev/full", WORDS("--machine-memory=8M", "--no-input", BUNDLE)));

    close(input);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%d", status);
    expect_reason("the console's output is lost: standard output: No space left");
}

/* Input that comes when it likes is the worst that a replay has to do with. */
CASE(program, replay_of_a_live_run)
{
    char first[128];
    char second[128];
    int pipe_fds[2];
    pid_t pid;

    cr_assert_eq(pipe(pipe_fds), 0);
    pid = start(pipe_fds[0], path("out"),
                WORDS("--machine-memory=8M", "--hash", "--record", path("rec"), BUNDLE));
    close(pipe_fds[0]);
    for (int i = 0; i < 20; i++) {
        usleep(1000 + (useconds_t)i * 777);
        cr_assert_eq(write(pipe_fds[1], "line\r", 5), 5);
    }
    cr_assert_eq(write(pipe_fds[1], "Q", 1), 1);
    cr_assert_eq(finish(pid), 0, "%s", reasons);
    close(pipe_fds[1]);
    collect("out", said, sizeof(said));
    expect_hash(first);
    cr_assert_eq(RUN("ignored", "--replay", path("rec")), 0, "%s", reasons);
    expect_reason("replay agrees");
    expect_hash(second);
    cr_expect_str_eq(first, second);
    cr_expect_not_null(strstr(said, "line\rline\r"));
    cr_expect_eq(RUN("", "--seed=2", "--replay", path("rec")), 1, "of another run");
}

/* A run that was left in the middle is replayed as far as it went. */
static void expect_replay_of_left(int signal, const char *typed, int microseconds)
{
    int pipe_fds[2];
    int status;
    pid_t pid;

    cr_assert_eq(pipe(pipe_fds), 0);
    pid = start(pipe_fds[0], path("out"),
                WORDS("--machine-memory=8M", "--record", path("rec"), BUNDLE));
    close(pipe_fds[0]);
    cr_assert_eq(write(pipe_fds[1], typed, strlen(typed)), (ssize_t)strlen(typed));
    usleep((useconds_t)microseconds);
    cr_assert_eq(kill(pid, signal), 0);
    status = finish(pid);
    close(pipe_fds[1]);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == signal, "%d: %s", status, reasons);
    expect_reason("ended by a signal");
    cr_expect_eq(RUN("", "--replay", path("rec")), 0, "%s", reasons);
    expect_reason("replay agrees");
}

CASE(program, replay_of_a_run_that_was_left)
{
    expect_replay_of_left(SIGTERM, "abc", 200000);
    expect_replay_of_left(SIGINT, "W", 200000);
    expect_replay_of_left(SIGHUP, "S", 200000);
}

CASE(program, replay_of_a_run_that_failed)
{
    cr_assert_eq(RUN("xB", "--record", path("rec")), 1);
    cr_expect_eq(RUN("", "--replay", path("rec")), 1);
    expect_reason("replay agrees");
    expect_reason("a wheel came off");
    cr_assert_eq(RUN("xS", "--max-insns=1234567", "--record", path("rec")), 1);
    cr_expect_eq(RUN("", "--replay", path("rec")), 0);
    expect_reason("replay agrees");
}

CASE(program, snapshot_and_restore)
{
    char whole[128];
    char again[128];
    char after[sizeof(said)];

    cr_assert_eq(RUN("abcdLefgQ", "--stats"), 0);
    expect_hash(whole);
    cr_assert_eq(RUN("abcdLefgQ", "--snapshot", path("snap"), "--snapshot-on", "d"), 0, "%s",
                 reasons);
    expect_hash(again);
    cr_expect_str_eq(whole, again, "making one changes nothing");
    cr_assert_eq(
        RUN("abcdLefgQ", "--snapshot", path("snap"), "--snapshot-on", "hello", "--snapshot-quit"),
        0, "%s", reasons);
    cr_expect_null(strstr(said, "powered off"));
    strcpy(after, said);
    cr_assert_eq(run("", WORDS("--hash", "--restore", path("snap"))), 0, "%s", reasons);
    expect_hash(again);
    cr_expect_str_eq(whole, again, "and so does going on from it");
    strcat(after, said);
    cr_expect_not_null(strstr(after, "> abcdLlefgQ\n[halcyon"));
}

static bool is_raw(int terminal)
{
    struct termios now;

    return tcgetattr(terminal, &now) == 0 && (now.c_lflag & ICANON) == 0;
}

/* Types at a terminal, key by key. Returns the wait status. */
static int type(const char *keys, size_t len, int argc, const char *const words[])
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

/* A recording of the whole run is good from each of the snapshots that were made in it. */
CASE(program, replay_from_a_snapshot)
{
    char whole[128];
    char again[128];

    cr_assert_eq(TYPE("abLL\x01scdeQ", "--record", path("rec"), "--snapshot", path("snap")), 0);
    expect_hash(whole);
    cr_assert_eq(run("", WORDS("--hash", "--restore", path("snap"), "--replay", path("rec"))), 0,
                 "%s", reasons);
    expect_reason("replay agrees");
    expect_hash(again);
    cr_expect_str_eq(whole, again);
    cr_assert_eq(RUN("", "--replay", path("rec"), "--snapshot", path("snap"), "--snapshot-on", "b"),
                 0, "%s", reasons);
    cr_expect_eq(run("", WORDS("--restore", path("snap"), "--replay", path("rec"))), 0, "%s",
                 reasons);
    cr_assert_eq(TYPE("abLL\x01sxyzQ", "--record", path("other")), 0);
    cr_expect_eq(run("", WORDS("--restore", path("snap"), "--replay", path("other"))), 1,
                 "of another run");
    cr_assert_eq(RUN("Q", "--record", path("other")), 0);
    cr_expect_eq(run("", WORDS("--restore", path("snap"), "--replay", path("other"))), 1);
    expect_reason("not a recording of the run that the snapshot was made in");
    cr_assert_eq(run("xyQ", WORDS("--restore", path("snap"), "--record", path("rec"))), 0);
    cr_expect_eq(run("", WORDS("--restore", path("snap"), "--replay", path("rec"))), 0);
    expect_reason("replay agrees");
}

CASE(program, snapshot_plans)
{
    cr_expect_eq(RUN("Q", "--snapshot", path("snap"), "--snapshot-on", "never"), 1);
    expect_reason("ended before the point at which the snapshot");
    cr_expect_eq(access(path("snap"), F_OK), -1);
    cr_expect_eq(RUN("S", "--snapshot", path("snap"), "--snapshot-at=2000000", "--snapshot-quit"),
                 0);
    cr_expect_eq(access(path("snap"), F_OK), 0);
    cr_expect_eq(RUN("S", "--snapshot", path("no/such"), "--snapshot-at=2000000"), 1);
    cr_expect_eq(run("", WORDS("--restore", path("snap"), "--max-insns=3000000")), 1);
    expect_reason("--max-insns: 3000");
}

CASE(program, keys_of_a_terminal)
{
    char first[128];
    char second[128];

    cr_expect_eq(TYPE("x\x01\x01y\x01hz\x01x", "--record", path("rec")), 0, "%s", reasons);
    cr_expect_str_eq(said, "hello\r\n> x\x01yz");
    expect_reason("Ctrl-A c, h");
    expect_hash(first);
    cr_expect_eq(RUN("", "--replay", path("rec")), 0, "%s", reasons);
    expect_hash(second);
    cr_expect_str_eq(first, second);
    cr_expect_eq(TYPE("W\x03\x1a\x1c\x01\x13\x01X", "--stats"), 0, "%s", reasons);
    cr_expect_str_eq(said, "hello\r\n> W\x03\x1a\x1c", "no key but Ctrl-A is special");
    cr_expect_eq(TYPE("\x01sQ", "--stats"), 0);
    expect_reason("no snapshot: start with --snapshot F");
    cr_expect_eq(TYPE("ab\x01s", "--snapshot", path("snap"), "--snapshot-quit"), 0);
    expect_reason("snapshot made");
    cr_expect_eq(access(path("snap"), F_OK), 0);
    cr_expect_eq(TYPE("\x01sQ", "--snapshot", path("no/such")), 0, "a person can try again");
    expect_reason("no/such");
}

CASE(program, input_that_waits_leaves_the_keys)
{
    cr_expect_eq(TYPE("abc\x01hd\x01x", "--input-on", "never"), 0, "%s", reasons);
    cr_expect_str_eq(said, "hello\r\n> ", "nothing has entered");
    expect_reason("Ctrl-A c, h");
}

CASE(program, what_is_said_begins_a_line)
{
    cr_expect_eq(TYPE("x\x01x", "--stats"), 0);
    cr_expect_eq(strncmp(reasons, "\r\nhalcyon-sim: ", 15), 0, "%s", reasons);
    cr_expect_eq(TYPE("\n\x01x", "--stats"), 0, "the guest ended it");
    cr_expect_eq(strncmp(reasons, "halcyon-sim: ", 13), 0, "%s", reasons);
}

CASE(program, a_crash_leaves_a_sane_terminal)
{
    int status = TYPE("C", "--trace", path("trace"));

    cr_expect(WIFSIGNALED(status) || WEXITSTATUS(status) == 1, "%d", status);
    cr_expect_eq(access(path("trace"), F_OK), -1, "no half of a file has its name");
}

CASE(program, write_bundle)
{
    cr_expect_eq(run("", WORDS("--kernel", BUNDLE, "--write-bundle", path("made"))), 0);
    cr_expect_eq(access(path("made"), F_OK), 0);
    cr_expect_eq(run("", WORDS("--kernel", path("none"), "--write-bundle", path("made"))), 1);
    expect_reason("none: No such file");
    cr_expect_eq(run("", WORDS("--kernel", BUNDLE, "--write-bundle", "/dev/full")), 1);
    cr_expect_eq(run("", WORDS("--kernel", BUNDLE, "--write-bundle", path("no/such"))), 1);
}

CASES_RUN(program, begin, scratch_end)
