#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The simulator does the same to the instruction, run after run, whatever the host is doing.

  linux  boots Debian's Linux, runs a command that asks for random numbers, and powers off
  guest  a guest program with interrupts and timers
  seeds  another seed makes another run, and the same seed the same

Runs differ in what must not matter: a CPU hog for each host CPU beside every second one, the size of the environment,
and address space randomisation, which every third does without. Hash, counts and the console's bytes are compared.
"""
import argparse
import base64
import collections
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import HOST_BUILD, end_with_parent, program_environment, sim_command  # noqa: E402

TIMEOUT = 120
GUEST = HOST_BUILD / "guest" / "sgi.bin"
COMMAND = "head -c 64 /dev/urandom | md5sum; cat /proc/interrupts; cat /proc/uptime"
# Enough for a difference that is there half of the time to show; the acceptance of a release asks for 20 of Linux.
RUNS = {"linux": 4, "guest": 20}
REPORT = re.compile(r"^halcyon-sim: hash ([0-9a-f]{32}) instructions (\d+) idle (\d+)$", re.MULTILINE)

Run = collections.namedtuple("Run", "hash instructions idle console")


def linux_arguments():
    halcyon.require(halcyon.LINUX, halcyon.INITRAMFS)
    append = "console=ttyAMA0 halcyon.cmd=" + base64.b64encode(COMMAND.encode()).decode()
    return ["--kernel", halcyon.LINUX, "--initrd", halcyon.INITRAMFS, "--append", append]


def guest_arguments():
    halcyon.require(GUEST)
    return ["--kernel", GUEST, "--memory", "64M"]


ARGUMENTS = {"linux": linux_arguments, "guest": guest_arguments}


@contextlib.contextmanager
def hogs(wanted):
    """As many processes as there are CPUs, each as busy as one can be."""
    busy = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(busy, preexec_fn=end_with_parent) for _ in range(os.cpu_count() if wanted else 0)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run(arguments, number=0):
    """One run; its number decides about the surroundings."""
    command = sim_command("--hash", *arguments)
    if number % 3 == 2:
        command = ["setarch", "-R", *command]
    environment = program_environment(HALCYON_PADDING="x" * (number * 997))
    with hogs(number % 2 == 1):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False,
                              env=environment)
    stderr = done.stderr.decode("utf-8", "replace")
    check(done.returncode == 0, f"run {number}: status {done.returncode}: {stderr}\n{halcyon.tail(done.stdout)}")
    report = REPORT.search(stderr)
    check(report, f"run {number}: no hash was printed: {stderr}")
    return Run(report.group(1), int(report.group(2)), int(report.group(3)), done.stdout)


def check_equal(first, other, number):
    check(first == other, f"run {number} is not like run 0: {other[:3]} after {first[:3]}; the consoles "
          + ("are the same" if first.console == other.console else f"differ:\n{halcyon.tail(other.console)}"))


def test_same(case, runs):
    arguments = ARGUMENTS[case]()
    first = run(arguments)
    print(f"hash {first.hash}, {first.instructions} instructions, {first.idle} ticks idle", flush=True)
    for number in range(1, runs):
        start = time.monotonic()
        check_equal(first, run(arguments, number), number)
        print(f"run {number + 1} of {runs} agrees ({time.monotonic() - start:.1f} s)", flush=True)


def test_seeds():
    arguments = linux_arguments()
    runs = {seed: run(["--seed", str(seed), *arguments]) for seed in (1, 2, 3)}
    check(len({each.hash for each in runs.values()}) == 3, f"seeds make no difference: {runs}")
    check_equal(runs[1], run(arguments), 1)  # 1 is the default


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=[*RUNS, "seeds"])
    parser.add_argument("--runs", type=int, help="how many")
    options = parser.parse_args()
    if options.case == "seeds":
        test_seeds()
    else:
        test_same(options.case, options.runs or RUNS[options.case])


if __name__ == "__main__":
    halcyon.run_test(main)
