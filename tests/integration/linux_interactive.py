#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""ci/quickstart on a pseudo-terminal, used as a person uses it."""
import argparse
import hashlib
import pathlib
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import HALCYON_IMAGE, ROOT, Terminal  # noqa: E402

PROMPT = r"~ # "
BOOT_TIMEOUT = 120
TIMEOUT = 20
# One line of this length goes into the terminal at once, and is more than the FIFO and any buffer on the way have.
PASTE = 500
# Index of the local modes in what tcgetattr() returns.
LFLAG = 3


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


def test_escape(terminal, before):
    check(not termios.tcgetattr(terminal.terminal)[LFLAG] & termios.ICANON, "the terminal is not in raw mode")
    terminal.send("\x01x")
    result = terminal.wait(TIMEOUT)
    check(not result.timed_out, "Ctrl-A x does not leave")
    check(result.exit_code == 0, f"status {result.exit_code} after Ctrl-A x:\n{halcyon.tail(result.console)}")
    check(termios.tcgetattr(terminal.terminal) == before, "the terminal's settings were not put back")


def test_shell():
    halcyon.require(HALCYON_IMAGE)
    with Terminal([ROOT / "ci" / "quickstart"]) as terminal:
        before = termios.tcgetattr(terminal.terminal)
        terminal.expect(PROMPT, BOOT_TIMEOUT)
        test_command(terminal)
        test_interrupt(terminal)
        test_paste(terminal)
        test_escape(terminal, before)


def test_leave_shell():
    """The end of the shell is the end of the machine, with status 0."""
    halcyon.require(HALCYON_IMAGE)
    with Terminal([ROOT / "ci" / "quickstart", "--append", "quiet"]) as terminal:
        before = termios.tcgetattr(terminal.terminal)
        terminal.expect(PROMPT, BOOT_TIMEOUT)
        terminal.send("exit\r")
        result = terminal.wait(BOOT_TIMEOUT)
        check(not result.timed_out and result.exit_code == 0,
              f"status {result.exit_code} after the shell's exit:\n{halcyon.tail(result.console)}")
        check(termios.tcgetattr(terminal.terminal) == before, "the terminal's settings were not put back")


CASES = {"shell": test_shell, "leave-shell": test_leave_shell}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    CASES[parser.parse_args().case]()


if __name__ == "__main__":
    halcyon.run_test(main)
