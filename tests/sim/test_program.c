/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* halcyon-sim as its users see it. */
#include "program_fixture.h"

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
    cr_expect_str_eq(said, "hello\r\n> x\x01\x01yz", "the machine's console has Ctrl-A, too");
    expect_reason("halcyon-sim keys:");
    expect_reason("the hypervisor's:");
    expect_hash(first);
    cr_expect_eq(RUN("", "--replay", path("rec")), 0, "%s", reasons);
    expect_hash(second);
    cr_expect_str_eq(first, second);
    cr_expect_eq(TYPE("W\x03\x1a\x1c\x01\x13\x01X", "--stats"), 0, "%s", reasons);
    cr_expect_str_eq(said, "hello\r\n> W\x03\x1a\x1c\x01\x13", "no key but Ctrl-A is special");
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
    expect_reason("halcyon-sim keys:");
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
