#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""ci/quickstart on a pseudo-terminal, used as a person uses it, and with its input from a pipe."""
import hashlib
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import HALCYON_SIM, ROOT, Terminal, program_environment, to_text  # noqa: E402

PROMPT = r"~ # "
BOOT_TIMEOUT = 120
TIMEOUT = 20
# One line of this length goes into the terminal at once, and is more than the FIFO and any buffer on the way have.
PASTE = 500


def test_command(terminal):
    """Only a shell that got every key answers with the product; the echo of the keys has no 391."""
    terminal.send("echo is $((17 * 23))\r")
    terminal.expect(r"is 391\r?$", TIMEOUT)
    terminal.expect(PROMPT, TIMEOUT)


def test_interrupt(terminal):
    terminal.send("sleep 100; echo slept $?\r")
    time.sleep(1.0)
    start = time.monotonic()
    terminal.send("\x03")
    terminal.expect(PROMPT, TIMEOUT)
    check(time.monotonic() - start < TIMEOUT, "Ctrl-C did not end the guest's sleep")
    terminal.send("echo after $((2 * 21))\r")
    terminal.expect(r"after 42\r?$", TIMEOUT)
    terminal.expect(PROMPT, TIMEOUT)


def test_paste(terminal):
    text = "".join(chr(ord("a") + i * 7 % 26) for i in range(PASTE))
    terminal.send(f"echo {text} | md5sum\r")
    terminal.expect(hashlib.md5((text + "\n").encode()).hexdigest() + r"  -\r?$", TIMEOUT)
    terminal.expect(PROMPT, TIMEOUT)


def test_escape(terminal):
    check(terminal.is_raw(), "the terminal is not in raw mode")
    terminal.send("\x01x")
    result = terminal.wait(TIMEOUT)
    check(not result.timed_out, "Ctrl-A x does not leave")
    check(result.exit_code == 0, f"status {result.exit_code} after Ctrl-A x:\n{halcyon.tail(result.console)}")
    check(terminal.is_as_before(), "the terminal's settings were not put back")


def quickstart(machine, *arguments):
    """Its command line and environment."""
    halcyon.require(halcyon.MACHINES[machine])
    options = ["--qemu"] if machine == "qemu" else []
    return [ROOT / "ci" / "quickstart", *options, *arguments], program_environment(HALCYON_SIM=str(HALCYON_SIM))


def start(machine, *arguments):
    command, environment = quickstart(machine, *arguments)
    return Terminal(command, environment=environment)


def test_shell(machine):
    with start(machine) as terminal:
        terminal.expect(PROMPT, BOOT_TIMEOUT)
        test_command(terminal)
        test_interrupt(terminal)
        test_paste(terminal)
        test_escape(terminal)


def test_leave_shell(machine):
    """The end of the shell is the end of the machine, with status 0."""
    with start(machine, "--append", "quiet") as terminal:
        terminal.expect(PROMPT, BOOT_TIMEOUT)
        terminal.send("exit\r")
        result = terminal.wait(BOOT_TIMEOUT)
        check(not result.timed_out and result.exit_code == 0,
              f"status {result.exit_code} after the shell's exit:\n{halcyon.tail(result.console)}")
        check(terminal.is_as_before(), "the terminal's settings were not put back")


def test_pipe(machine):
    """Commands from a pipe are typed when the guest is ready, and the end of input ends its shell."""
    command, environment = quickstart(machine, "--append", "quiet")
    done = subprocess.run([str(word) for word in command], input=b"echo is $((17 * 23))\n", capture_output=True,
                          timeout=BOOT_TIMEOUT, check=False, env=environment)
    console = to_text(done.stdout)
    check(done.returncode == 0, f"status {done.returncode}: {to_text(done.stderr)}\n{halcyon.tail(console)}")
    check(re.search(r"^is 391$", console, re.MULTILINE), f"the command was not typed:\n{halcyon.tail(console)}")


CASES = {"shell": test_shell, "leave-shell": test_leave_shell, "pipe": test_pipe}

if __name__ == "__main__":
    halcyon.run_cases_on(__doc__, {machine: CASES for machine in halcyon.MACHINES},
                         lambda case, machine: CASES[case](machine))
