/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The terminal is raw while a program has it, and what it was on every way out. */
#include "cases.h"
#include "sim/terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PATIENCE_MS 10000

static int master;
static int slave;
static struct termios before;

static void begin(void)
{
    cr_assert_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
    cr_assert_eq(tcgetattr(slave, &before), 0);
    cr_assert(before.c_lflag & ICANON);
}

static void finish(void)
{
    close(master);
    close(slave);
}

static bool is_as_before(void)
{
    struct termios now;

    return tcgetattr(slave, &now) == 0 && now.c_iflag == before.c_iflag &&
           now.c_oflag == before.c_oflag && now.c_lflag == before.c_lflag &&
           now.c_cflag == before.c_cflag && memcmp(now.c_cc, before.c_cc, sizeof(now.c_cc)) == 0;
}

static bool is_raw(void)
{
    struct termios now;

    return tcgetattr(slave, &now) == 0 && (now.c_lflag & (ICANON | ECHO | ISIG | IEXTEN)) == 0 &&
           (now.c_oflag & OPOST) == 0 && (now.c_iflag & (ICRNL | IXON)) == 0;
}

static bool wait_until(bool (*condition)(void))
{
    for (int i = 0; i < PATIENCE_MS && !condition(); i++)
        usleep(1000);
    return condition();
}

/* A process with the pseudo-terminal as input and output, its controlling one if `session`. */
static pid_t start(void (*body)(void), bool session)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid != 0)
        return pid;
    if (session && (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0))
        _exit(98);
    int null = open("/dev/null", O_WRONLY);
    if (dup2(slave, 0) < 0 || dup2(slave, 1) < 0 || dup2(null, 2) < 0)
        _exit(99);
    body();
    _exit(97);
}

static int end_of(pid_t pid)
{
    int status = -1;

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* As the program's loop: until a signal asks for the end. */
static void loop(void)
{
    terminal_start(true);
    while (terminal_signal() == 0)
        terminal_wait(TERMINAL_FOREVER);
    terminal_die(terminal_signal());
}

static void spin(void)
{
    terminal_start(true);
    for (;;)
        usleep(1000);
}

static void end_by_stop(void)
{
    terminal_start(true);
    if (!terminal_is_raw())
        _exit(1);
    terminal_stop();
    _exit(terminal_is_raw() ? 1 : 0);
}

static void end_by_exit(void)
{
    terminal_start(true);
    exit(terminal_is_raw() ? 0 : 1); /* NOLINT(concurrency-mt-unsafe) */
}

static void end_by_leave(void)
{
    terminal_start(true);
    terminal_leave();
    _exit(terminal_is_raw() || terminal_has_input() ? 1 : 0);
}

CASE(terminal, restored_by_the_program)
{
    void (*const bodies[])(void) = {end_by_stop, end_by_exit, end_by_leave};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        int status = end_of(start(bodies[i], true));
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%zu: %d", i, status);
        cr_expect(is_as_before(), "%zu", i);
    }
}

CASE(terminal, restored_by_signals)
{
    static const int signals[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                  SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        pid_t pid = start(loop, true);
        cr_assert(wait_until(is_raw));
        cr_assert_eq(kill(pid, signals[i]), 0);
        int status = end_of(pid);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == signals[i], "%d: %d", signals[i],
                  status);
        cr_expect(is_as_before(), "%d", signals[i]);
    }
}

CASE(terminal, the_second_signal_ends_at_once)
{
    pid_t pid = start(spin, true);
    int status;

    cr_assert(wait_until(is_raw));
    cr_assert_eq(kill(pid, SIGTERM), 0);
    usleep(50000);
    cr_expect_eq(waitpid(pid, &status, WNOHANG), 0, "the first is only noted");
    cr_assert_eq(kill(pid, SIGINT), 0);
    status = end_of(pid);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT, "%d", status);
    cr_expect(is_as_before());
}

CASE(terminal, a_signal_that_nobody_looks_at)
{
    pid_t pid = start(spin, true);

    cr_assert(wait_until(is_raw));
    cr_assert_eq(kill(pid, SIGTERM), 0);
    cr_expect_eq(end_of(pid), SIGTERM, "killed by it, and no core dumped");
    cr_expect(is_as_before());
}

static void ignore_hangup(void)
{
    signal(SIGHUP, SIG_IGN);
    loop();
}

CASE(terminal, what_was_ignored_stays_so)
{
    pid_t pid = start(ignore_hangup, true);
    int status;

    cr_assert(wait_until(is_raw));
    cr_assert_eq(kill(pid, SIGHUP), 0);
    usleep(50000);
    cr_assert_eq(waitpid(pid, &status, WNOHANG), 0);
    cr_assert_eq(kill(pid, SIGTERM), 0);
    cr_expect_eq(end_of(pid), SIGTERM);
}

static volatile uintptr_t nowhere = 8;

static void crash_by_access(void)
{
    terminal_start(true);
    *(volatile int *)nowhere = 1; /* NOLINT(performance-no-int-to-ptr) */
}

static void crash_by_abort(void)
{
    terminal_start(true);
    abort();
}

static volatile int depth_sink;

/* NOLINTNEXTLINE(misc-no-recursion) */
static int overflow(volatile int *below)
{
    volatile int here[1000];

    here[0] = *below + 1;
    here[1] = 0;
    return depth_sink < 0 ? 0 : overflow(here) + here[1];
}

static void crash_by_depth(void)
{
    volatile int start_at = 0;

    terminal_start(true);
    depth_sink = overflow(&start_at);
}

CASE(terminal, restored_by_crashes)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    void (*const bodies[])(void) = {crash_by_access, crash_by_abort, crash_by_depth};
    int status;

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        pid_t pid = start(spin, true);
        cr_assert(wait_until(is_raw));
        cr_assert_eq(kill(pid, signals[i]), 0);
        status = end_of(pid);
        cr_expect(WIFSIGNALED(status) || WEXITSTATUS(status) == 1, "%d: %d", signals[i], status);
        cr_expect(is_as_before(), "%d", signals[i]);
    }
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        status = end_of(start(bodies[i], true));
        /* A sanitizer ends it with a report and status 1. */
        cr_expect(WIFSIGNALED(status) || WEXITSTATUS(status) == 1, "%zu: %d", i, status);
        cr_expect(is_as_before(), "%zu", i);
    }
}

/* What a shell does: the program is a job of its own, which is stopped and goes on. */
static void shell(void)
{
    int status;
    pid_t job = fork();

    if (job == 0) {
        setpgid(0, 0);
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(0, getpgrp());
        signal(SIGTTOU, SIG_DFL);
        loop();
    }
    signal(SIGTTOU, SIG_IGN);
    if (!wait_until(is_raw))
        _exit(1);
    kill(job, SIGTSTP);
    if (waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status) ||
        WSTOPSIG(status) != SIGTSTP || !is_as_before())
        _exit(2);
    /* In the background it keeps its hands off the shell's terminal. */
    tcsetpgrp(0, getpgrp());
    kill(job, SIGCONT);
    usleep(50000);
    if (!is_as_before() || waitpid(job, &status, WUNTRACED | WNOHANG) != 0)
        _exit(3);
    tcsetpgrp(0, job);
    kill(job, SIGCONT);
    if (!wait_until(is_raw))
        _exit(4);
    kill(job, SIGTSTP);
    if (waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status) || !is_as_before())
        _exit(5);
    kill(job, SIGCONT);
    if (!wait_until(is_raw))
        _exit(6);
    kill(job, SIGTERM);
    if (waitpid(job, &status, 0) != job || !WIFSIGNALED(status) || !is_as_before())
        _exit(7);
    _exit(0);
}

CASE(terminal, stopped_and_continued)
{
    int status = end_of(start(shell, true));

    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "at step %d", WEXITSTATUS(status));
}

/* Sends back what it reads, until 'q'. */
static void echo(void)
{
    char data[64];

    terminal_start(true);
    for (;;) {
        size_t len = terminal_read(data, sizeof(data));
        if (len == 0)
            terminal_wait(TERMINAL_FOREVER);
        if (len > 0 && !terminal_write(data, len))
            _exit(1);
        if (terminal_signal() != 0 || (len > 0 && data[len - 1] == 'q'))
            exit(0); /* NOLINT(concurrency-mt-unsafe) */
    }
}

CASE(terminal, keys_and_window_sizes)
{
    static const char typed[] = "a\x03\x1a\x04\x11\x13\r\n\x7f\xff";
    const struct winsize size = {.ws_row = 10, .ws_col = 20};
    char got[64] = "";
    size_t used = 0;
    pid_t pid = start(echo, true);

    cr_assert(wait_until(is_raw));
    cr_assert_eq(ioctl(master, TIOCSWINSZ, &size), 0);
    cr_assert_eq(kill(pid, SIGWINCH), 0);
    cr_assert_eq(write(master, typed, sizeof(typed) - 1), (ssize_t)sizeof(typed) - 1);
    while (used < sizeof(typed) - 1) {
        ssize_t len = read(master, got + used, sizeof(got) - used);
        cr_assert_gt(len, 0);
        used += (size_t)len;
    }
    cr_expect_eq(used, sizeof(typed) - 1);
    cr_expect_eq(memcmp(got, typed, used), 0, "every key passes as it is, and no echo is made");
    cr_assert_eq(write(master, "q", 1), 1);
    cr_expect_eq(end_of(pid), 0);
    cr_expect(is_as_before());
}

/* Not in a session of its own, as under a script: the terminal is nobody's to control. */
CASE(terminal, not_the_controlling_one)
{
    pid_t pid = start(loop, false);

    cr_assert(wait_until(is_raw));
    kill(pid, SIGTERM);
    (void)end_of(pid);
    cr_expect(is_as_before());
}

/* --- Without a terminal --- */

static void expect_no_input(void)
{
    char data[16];

    terminal_secure_descriptors();
    terminal_start(true);
    if (terminal_is_raw() || terminal_read(data, sizeof(data)) != 0 || terminal_has_input())
        _exit(1);
    terminal_wait(1000);
    _exit(0);
}

static void from_path(const char *path)
{
    close(0);
    if (open(path, O_RDONLY) != 0)
        _exit(2);
    expect_no_input();
}

static void from_null(void)
{
    from_path("/dev/null");
}

static void from_directory(void)
{
    from_path("/");
}

static void from_nothing(void)
{
    close(0);
    expect_no_input();
}

static void unwanted(void)
{
    terminal_start(false);
    _exit(terminal_is_raw() || terminal_has_input() ? 1 : 0);
}

static void all_closed(void)
{
    close(0);
    close(1);
    close(2);
    terminal_secure_descriptors();
    if (fcntl(2, F_GETFD) < 0 || dup(0) <= 2)
        _exit(2);
    terminal_start(true);
    _exit(terminal_write("x", 1) ? 1 : 0);
}

CASE(terminal, no_input)
{
    void (*const bodies[])(void) = {from_null, from_directory, from_nothing, unwanted};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        int status = end_of(start(bodies[i], true));
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%zu: %d", i, status);
        cr_expect(is_as_before());
    }
}

static int pipe_fds[2];

/* A megabyte into a pipe that does not wait, and then into one that nobody reads. */
static void write_much(void)
{
    static char data[100001];

    close(pipe_fds[0]);
    if (dup2(pipe_fds[1], 1) < 0 || fcntl(1, F_SETFL, O_NONBLOCK) < 0)
        _exit(2);
    close(pipe_fds[1]);
    terminal_start(false);
    for (int i = 0; i < 10; i++) {
        memset(data, 'a' + i, sizeof(data));
        if (!terminal_write(data, sizeof(data)))
            _exit(3);
    }
    _exit(0);
}

CASE(terminal, no_output_is_lost)
{
    char data[5000];
    size_t counts[10] = {0};
    ssize_t len;
    pid_t pid;

    cr_assert_eq(pipe(pipe_fds), 0);
    pid = start(write_much, true);
    close(pipe_fds[1]);
    while ((len = read(pipe_fds[0], data, sizeof(data))) > 0) {
        for (ssize_t i = 0; i < len; i++)
            counts[data[i] - 'a']++;
        usleep(300);
    }
    close(pipe_fds[0]);
    cr_expect_eq(end_of(pid), 0);
    for (size_t i = 0; i < 10; i++)
        cr_expect_eq(counts[i], 100001, "%zu", i);
}

static void write_to_nobody(void)
{
    close(pipe_fds[0]);
    if (dup2(pipe_fds[1], 1) < 0)
        _exit(2);
    terminal_start(false);
    _exit(!terminal_write("x", 1) && errno == EPIPE ? 0 : 3);
}

/* The reader is there and does not read: a signal must still end it, after a second. */
static void write_to_sleeper(void)
{
    static char data[1 << 20];

    if (dup2(pipe_fds[1], 1) < 0)
        _exit(2);
    terminal_start(false);
    _exit(!terminal_write(data, sizeof(data)) && terminal_signal() == SIGTERM ? 0 : 3);
}

CASE(terminal, output_that_fails)
{
    pid_t pid;

    cr_assert_eq(pipe(pipe_fds), 0);
    pid = start(write_to_nobody, true);
    close(pipe_fds[0]);
    cr_expect_eq(end_of(pid), 0);
    close(pipe_fds[1]);
    cr_assert_eq(pipe(pipe_fds), 0);
    pid = start(write_to_sleeper, true);
    usleep(200000);
    cr_assert_eq(kill(pid, SIGTERM), 0);
    cr_expect_eq(end_of(pid), 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    cr_expect_eq(end_of(start(all_closed, true)), 0);
}

CASES_RUN(terminal, begin, finish)
