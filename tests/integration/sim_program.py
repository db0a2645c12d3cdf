#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What halcyon-sim does with the world around it: terminals, signals, files that are not what they should be, full
devices, no memory; and recordings and snapshots of Debian's Linux.

Whatever happens there is a message and a status: 0 the guests powered off, or a person left; 1 something failed; 2 a
usage error; a signal that ends a run ends it by that signal. The terminal is never left raw.
"""
import base64
import fcntl
import os
import pathlib
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import BUILD, HOST_BUILD, MachineError, Terminal  # noqa: E402
from machine import program_environment, sim_command, to_text  # noqa: E402

GUEST = HOST_BUILD / "guest" / "hypercall.bin"
# One that prints for ever. Its VM's memory is cleared each time that it resets itself, hence little.
ENDLESS = ["--kernel", HOST_BUILD / "guest" / "reset.bin", "--memory", "8M"]
# What ci/quickstart builds: without the sanitizers, which need more address space than any limit leaves.
RELEASE = BUILD / "simulator" / "sim" / "halcyon-sim"
TIMEOUT = 60
BOOT_TIMEOUT = 120
PROMPT = r"~ # "
# Of the session that is recorded: seconds that it takes besides the boot.
SHORT_SESSION, LONG_SESSION = 6, 60
MIB = 1 << 20
HASH = re.compile(r"^halcyon-sim: (hash [0-9a-f]{32} instructions \d+ idle \d+)$", re.MULTILINE)


def run(*arguments, program=None, typed=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, prepare=None,
        timeout=TIMEOUT):
    """Runs it to its end. Returns subprocess's result; `stderr` is text without the sanitizer's remark."""
    command = sim_command(*arguments, program=program, typed=typed)
    halcyon.require(command[0])
    done = subprocess.run(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, timeout=timeout, check=False,
                          preexec_fn=prepare, env=program_environment())
    done.stderr = to_text(done.stderr)
    return done


def check_failed(done, words, status=1):
    """It said why in one line, and ended with this status."""
    check(done.returncode == status, f"status {done.returncode}, not {status}: {done.stderr}")
    lines = [line for line in done.stderr.splitlines() if line.startswith("halcyon-sim: error: ")]
    check(len(lines) == 1, f"not one line of error: {done.stderr!r}")
    check(re.search(words, lines[0]), f"/{words}/ is not in: {lines[0]}")


def check_powered_off(done):
    check(done.returncode == 0 and done.stderr == "", f"status {done.returncode}: {done.stderr}")
    check(halcyon.OFF.search(to_text(done.stdout)), f"no power-off:\n{halcyon.tail(done.stdout)}")


def find_hash(text):
    match = HASH.search(text)
    check(match, f"no hash was printed:\n{halcyon.tail(text)}")
    return match.group(1)


# --- Output, input, signals ---

def closed_output():
    check_failed(run("--kernel", GUEST, stdout=None, prepare=lambda: os.close(1)), "standard output")
    check_failed(run("--write-bundle", "/dev/full", "--kernel", GUEST), "/dev/full")


def full_device():
    with open("/dev/full", "wb") as full:
        check_failed(run("--kernel", GUEST, stdout=full), "standard output.*No space left")
        check_failed(run("--trace", "/dev/full", "--kernel", GUEST), "/dev/full")


def reader_gone():
    """A pipe whose reader has left is an error that is told, not a signal."""
    near, far = os.pipe()
    os.close(near)
    with open(far, "wb") as pipe:
        check_failed(run(*ENDLESS, stdout=pipe), "standard output.*Broken pipe")


def no_terminal():
    """Without a controlling terminal, and with standard input closed, empty, or a directory."""
    check_powered_off(run("--kernel", GUEST, typed=True, prepare=os.setsid))
    check_powered_off(run("--kernel", GUEST, typed=True, stdin=None, prepare=lambda: os.close(0)))
    with open(os.devnull, "rb") as empty:
        check_powered_off(run("--kernel", GUEST, typed=True, stdin=empty))
    directory = os.open("/", os.O_RDONLY)
    try:
        check_powered_off(run("--kernel", GUEST, typed=True, stdin=directory))
    finally:
        os.close(directory)


def start_endless():
    terminal = Terminal(sim_command(*ENDLESS, typed=True))
    terminal.expect(r"SYSTEM_RESET", TIMEOUT)
    check(terminal.is_raw(), "the terminal is not in raw mode")
    return terminal


def check_left(terminal, status):
    result = terminal.wait(TIMEOUT)
    check(not result.timed_out and result.exit_code == status, f"status {result.exit_code}, not {status}:\n"
          f"{halcyon.tail(result.console)}")
    check(terminal.is_as_before(), "the terminal's settings were not put back")
    return result


def signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        with start_endless() as terminal:
            terminal.process.send_signal(number)
            result = check_left(terminal, -number)
            check("halcyon-sim: ended by a signal" in result.console, f"no word of {number.name}")


def window_size():
    with start_endless() as terminal:
        for rows in range(10, 40):
            # The kernel sends SIGWINCH to the terminal's foreground processes.
            fcntl.ioctl(terminal.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
            terminal.pump(0.01)
        terminal.expect(r"SYSTEM_RESET", TIMEOUT)
        terminal.send("\x01x")
        check_left(terminal, 0)


def keys():
    with start_endless() as terminal:
        terminal.send("\x01h")
        terminal.expect(r"Ctrl-A x", TIMEOUT)
        terminal.send("\x01s")
        terminal.expect(r"no snapshot: start with --snapshot", TIMEOUT)
        terminal.send("\x01x")
        check_left(terminal, 0)


# --- Files, memory, usage ---

def sparse(path, size):
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def bad_files():
    with halcyon.scratch() as directory:
        empty, huge, fifo = sparse(directory / "empty", 0), sparse(directory / "huge", 1 << 42), directory / "fifo"
        os.mkfifo(fifo)
        for path in (directory / "missing", directory, empty, huge, fifo, "/dev/zero"):
            check_failed(run(path), ".")
            for option in ("--kernel", "--restore"):
                check_failed(run(option, path), ".")
            check_failed(run("--kernel", GUEST, "--replay", path), ".")
            if path != empty:
                check_failed(run("--kernel", GUEST, "--initrd", path), ".")
        nowhere = directory / "missing" / "file"
        for option in ("--trace", "--record"):
            check_failed(run("--kernel", GUEST, option, nowhere, typed=True), "No such file")
        check_failed(run(*ENDLESS, "--snapshot", nowhere, "--snapshot-at", "1"), "No such file")


FLASH_KEEP = HOST_BUILD / "guest" / "flash-keep.bin"


def kept(console):
    """How many words a life of flash-keep found, and the last number that it was told to be kept."""
    found = re.search(r"^# found: (\d+)\r?$", console, re.MULTILINE)
    check(found and "not ok" not in console, f"what was kept is not what was found:\n{halcyon.tail(console)}")
    return int(found.group(1)), [int(number) for number in re.findall(r"^# kept: (\d+)\r?$", console, re.MULTILINE)]


def flash_file():
    """Killed again and again, the last time not: each word that the guest was told to be kept is there."""
    moments = random.Random(1)
    with halcyon.scratch() as directory:
        file, total = directory / "flash", 0
        command = ("--kernel", FLASH_KEEP, "--memory", "8M", "--flash", file)
        for _ in range(5):
            with Terminal(sim_command(*command, typed=True)) as terminal:
                terminal.expect(rf"^# kept: {total + moments.randrange(1, 30)}\r?$", TIMEOUT)
                terminal.kill()
                console = to_text(bytes(terminal.output))
            found, numbers = kept(console)
            # The word that was under way may be there, or not.
            check(total <= found <= total + 1, f"{found} words are there, and {total} were kept")
            total = numbers[-1] + 1
        done = run(*command)
        check_powered_off(done)
        check(total <= kept(to_text(done.stdout))[0] <= total + 1, f"{total} words were kept:\n{halcyon.tail(done.stdout)}")
        data = file.read_bytes()
        check(len(data) == MIB and data[:256 << 10] == b"\xff" * (256 << 10), "not a new flash of 1 MiB that was erased")


def flash_replay():
    """A recording wants the file as it was."""
    with halcyon.scratch() as directory:
        file, copy, recording = directory / "flash", directory / "copy", directory / "recording"
        command = ("--hash", "--kernel", FLASH_KEEP, "--memory", "8M", "--flash")
        check_powered_off(run(*command[1:], file))
        copy.write_bytes(file.read_bytes())
        first = find_hash(run(*command, file, "--record", recording, typed=True).stderr)
        check(find_hash(run(*command, copy, "--replay", recording).stderr) == first, "the replay is another run")
        check_failed(run(*command, copy, "--replay", recording), "another|recording")


def flash_refused():
    with halcyon.scratch() as directory:
        odd, huge, file = sparse(directory / "odd", 300 << 10), sparse(directory / "huge", 65 << 20), directory / "flash"
        for path, words in ((odd, "256 KiB"), (huge, "64 MiB"), (directory, "."), ("/dev/null", "regular"),
                            (directory / "missing" / "flash", "No such file")):
            check_failed(run("--kernel", GUEST, "--flash", path), words)
        with Terminal(sim_command(*ENDLESS, "--flash", file, typed=True)) as terminal:
            terminal.expect(r"SYSTEM_RESET", TIMEOUT)
            check_failed(run("--kernel", GUEST, "--flash", file), "another machine")
            terminal.kill()


def no_memory():
    """With little address space: refused before the guest starts, or, if it is just enough for that, run."""
    outcomes = set()
    for limit in (32, 64, 128, 256, 384, 512, 1024, 1536, 2048):
        size = limit * MIB
        done = run("--kernel", GUEST, "--memory", "256M", program=RELEASE,
                   prepare=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)))
        print(f"{limit} MiB: status {done.returncode}: {done.stderr.strip()}", flush=True)
        outcomes.add(done.returncode)
        if done.returncode == 0:
            check_powered_off(done)
        else:
            check_failed(done, ".")
    check(outcomes == {0, 1}, f"the limits do not show both ends: {outcomes}")


def usage():
    for arguments in ((), ("--frobnicate",), ("--kernel",), ("--kernel", GUEST, "bundle"), ("--seed", "x", "bundle"),
                      ("--smp", "0", "--kernel", GUEST), ("--memory", "1", "--memory", "-1", "--kernel", GUEST),
                      ("--disk", "x,rw", "--kernel", GUEST), ("--flash", "x", "bundle"), ("--flash", "x", "--restore", "y"),
                      ("--flash", "x", "--kernel", GUEST, "--vms", "2"), ("--flash", "x", "--kernel", GUEST, "--snapshot", "y"), ("--record", "a", "--replay", "b", "bundle"),
                      ("--max-insns", "-1", "bundle"), ("--pcpus", "1000", "bundle"), ("bundle", "bundle")):
        check_failed(run(*arguments), ".", status=2)


# --- Linux: recordings and snapshots ---

def linux(*options, command=None):
    halcyon.require(halcyon.LINUX, halcyon.INITRAMFS)
    append = "console=ttyAMA0 quiet"
    if command:
        append += " halcyon.cmd=" + base64.b64encode(command.encode()).decode()
    return ["--hash", "--kernel", halcyon.LINUX, "--initrd", halcyon.INITRAMFS, "--append", append, *options]


def interrupt(terminal):
    """Ctrl-C until there is a prompt: one that comes before the shell has made the sleep its terminal's foreground process is lost."""
    for _ in range(TIMEOUT):
        terminal.send("\x03")
        try:
            terminal.expect(PROMPT, 1)
            return
        except MachineError:
            continue
    terminal.expect(PROMPT, 1)


def use_shell(terminal, seconds):
    """A person at the shell, for so many seconds: types slowly and quickly, waits, makes mistakes."""
    terminal.expect(PROMPT, BOOT_TIMEOUT)
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        for key in f"echo $(({number} * 7919)) ecxho\x7f\x7f\x7f\x7f":
            terminal.send(key)
            terminal.pump(0.03)
        terminal.send("\r")
        terminal.expect(rf"^{number * 7919} e\r?$", TIMEOUT)
        terminal.expect(PROMPT, TIMEOUT)
        terminal.send("echo go$((1)); sleep 100\r")
        terminal.expect(r"^go1\r?$", TIMEOUT)
        interrupt(terminal)
        terminal.send("head -c 12345 /dev/urandom | md5sum; uptime\r")
        terminal.expect(PROMPT, TIMEOUT)


def replay(seconds):
    """A session on a terminal, and the same again from its recording."""
    with halcyon.scratch() as directory:
        recording = directory / "recording"
        start = time.monotonic()
        with Terminal(sim_command(*linux("--record", recording), typed=True)) as terminal:
            use_shell(terminal, seconds)
            terminal.send("exit\r")
            result = check_left(terminal, 0)
        middle = time.monotonic()
        # A host that has become busier may take longer for it than the session did.
        again = run(*linux("--replay", recording), typed=True, timeout=3 * (TIMEOUT + seconds))
        check(again.returncode == 0, f"status {again.returncode}: {again.stderr}")
        check("halcyon-sim: replay agrees with the recording" in again.stderr, f"no agreement: {again.stderr}")
        first = find_hash(result.console)
        check(find_hash(again.stderr) == first, f"{first} recorded, but: {again.stderr}")
        check(to_text(again.stdout) == HASH.split(result.console)[0], "the consoles differ")
        check_failed(run(*linux("--seed", "2", "--replay", recording)), "seed|another")
        print(f"{first}; session {middle - start:.1f} s, replayed in {time.monotonic() - middle:.1f} s, "
              f"{recording.stat().st_size} bytes")


def snapshot():
    """Stopped in the middle and restored in another process, a run goes on as if nothing had been."""
    command = ("cat /proc/uptime; echo here; sleep 1; head -c 4321 /dev/urandom | md5sum; "
               "cat /proc/interrupts /proc/uptime")
    with halcyon.scratch() as directory:
        file = directory / "snapshot"
        whole = run(*linux(command=command))
        check(whole.returncode == 0, f"status {whole.returncode}: {whole.stderr}")
        making = run(*linux("--snapshot", file, "--snapshot-on", "here", command=command))
        check(find_hash(making.stderr) == find_hash(whole.stderr), "making a snapshot changes the run")
        for _ in range(2):
            rest = run("--hash", "--restore", file)
            check(rest.returncode == 0, f"status {rest.returncode}: {rest.stderr}")
            check(b"  -\r\n" in rest.stdout and whole.stdout.endswith(rest.stdout),
                  f"the rest is not the whole console's end: {halcyon.tail(rest.stdout)}")
            check(find_hash(rest.stderr) == find_hash(whole.stderr), f"{whole.stderr} and restored {rest.stderr}")
        print(f"{find_hash(whole.stderr)}; the snapshot has {file.stat().st_size >> 20} MiB")


def make_prompt_snapshot(file, program=None):
    command = sim_command(*linux("--snapshot", file, "--snapshot-on", "~ # ", "--snapshot-quit"), program=program)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=BOOT_TIMEOUT, check=False,
                          env=program_environment())
    check(done.returncode == 0 and file.is_file(), f"status {done.returncode}: {to_text(done.stderr)}")


def type_after_restore(file, recording):
    """Restores at the prompt, uses the shell, and leaves. Returns the Result."""
    with Terminal(sim_command("--hash", "--restore", file, "--record", recording, typed=True)) as terminal:
        terminal.send("uname -r; echo is $((17 * 23))\r")
        terminal.expect(r"is 391\r?$", TIMEOUT)
        terminal.send("exit\r")
        return check_left(terminal, 0)


def snapshot_shell():
    """A snapshot at the prompt is a shell at once; its session can be recorded and replayed from the snapshot."""
    with halcyon.scratch() as directory:
        file, recording = directory / "snapshot", directory / "recording"
        make_prompt_snapshot(file)
        result = type_after_restore(file, recording)
        again = run("--hash", "--restore", file, "--replay", recording, typed=True)
        check(again.returncode == 0 and "replay agrees" in again.stderr, f"status {again.returncode}: {again.stderr}")
        check(find_hash(again.stderr) == find_hash(result.console), "the replay has another hash")
        damaged = bytearray(file.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        (directory / "damaged").write_bytes(damaged)
        check_failed(run("--restore", directory / "damaged"), ".")
        (directory / "short").write_bytes(damaged[:len(damaged) // 2])
        check_failed(run("--restore", directory / "short"), ".")


def snapshot_prompt():
    """A session, and its second half again from a snapshot that was made at the prompt, in another process: same keys, same
    console, same hash."""
    with halcyon.scratch() as directory:
        file, recording = directory / "snapshot", directory / "recording"
        options = ("--snapshot", file, "--snapshot-on", "~ # ", "--record", recording)
        with Terminal(sim_command(*linux(*options), typed=True)) as terminal:
            use_shell(terminal, 1)
            terminal.send("exit\r")
            whole = check_left(terminal, 0)
        rest = run("--hash", "--restore", file, "--replay", recording, typed=True)
        check(rest.returncode == 0 and "replay agrees" in rest.stderr, f"status {rest.returncode}: {rest.stderr}")
        check(find_hash(rest.stderr) == find_hash(whole.console), f"{find_hash(whole.console)} as a whole, but: {rest.stderr}")
        console = HASH.split(whole.console)[0]
        check("go1" in to_text(rest.stdout) and console.endswith(to_text(rest.stdout)),
              f"not the end of the whole console:\n{halcyon.tail(rest.stdout)}")
        print(find_hash(whole.console))


CASES = {"closed-output": closed_output, "full-device": full_device, "reader-gone": reader_gone,
         "no-terminal": no_terminal, "signals": signals, "window-size": window_size, "keys": keys,
         "flash-file": flash_file, "flash-replay": flash_replay, "flash-refused": flash_refused,
         "bad-files": bad_files, "no-memory": no_memory, "usage": usage,
         "replay": lambda: replay(SHORT_SESSION), "replay-minute": lambda: replay(LONG_SESSION),
         "snapshot": snapshot, "snapshot-shell": snapshot_shell,
         "snapshot-prompt": snapshot_prompt}

if __name__ == "__main__":
    halcyon.run_cases(__doc__, CASES, lambda case: CASES[case]())
