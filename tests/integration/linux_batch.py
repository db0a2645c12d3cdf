#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Debian's Linux as the guest of ci/quickstart --cmd: what a new user does first."""
import argparse
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import HALCYON_IMAGE, ROOT  # noqa: E402

FIRST_COMMAND = "uname -a; cat /proc/interrupts; cat /proc/iomem"
BOOTS = 10
TIMEOUT = 90


def quickstart(*arguments):
    halcyon.require(HALCYON_IMAGE)
    command = [str(ROOT / "ci" / "quickstart"), "--timeout", str(TIMEOUT), *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * TIMEOUT, check=False,
                          encoding="utf-8", errors="replace")


def check_status(done, status):
    check(done.returncode == status, f"status {done.returncode} instead of {status}:\n"
          f"{halcyon.tail(done.stdout)}\nstandard error:\n{halcyon.tail(done.stderr)}")


def check_found(pattern, text, what):
    match = re.search(pattern, text, re.MULTILINE)
    check(match, f"{what} (/{pattern}/) is not in:\n{halcyon.tail(text, 120)}")
    return match


def count_interrupts(text, pattern):
    """Interrupts of the one CPU in the line of /proc/interrupts that the pattern matches."""
    return int(check_found(rf"^\s*\d+:\s+(\d+)\s+{pattern}", text, "an interrupt's line").group(1))


def check_first_command(text):
    check_found(r"^Linux \S+ 6\.1\.\S+ .* aarch64 ", text, "Debian's 6.1 kernel")
    check_found(r"GICv3: .*\d+ SPIs implemented", text, "the distributor as the kernel saw it")
    check(count_interrupts(text, r"GICv3\s+27\s+Level\s+arch_timer") > 0, "no interrupt of the virtual timer")
    check_found(r"^\s*\d+:\s+\d+\s+GICv3\s+33\s+Level\s+uart-pl011", text, "the PL011's interrupt")
    check_found(r"^\s*09000000-09000fff : .*pl011", text, "the PL011's registers")
    check_found(r"^40000000-5fffffff : System RAM", text, "the VM's 512 MiB of RAM")


def test_boot():
    done = quickstart("--cmd", FIRST_COMMAND)
    check_status(done, 0)
    check_first_command(done.stdout)
    check("[halcyon " not in done.stdout, "with --cmd the hypervisor's log is on standard output")


def test_boot_max():
    done = quickstart("--cpu", "max", "--cmd", FIRST_COMMAND)
    check_status(done, 0)
    check_first_command(done.stdout)


def test_exit_status():
    done = quickstart("--append", "quiet", "--cmd", "exit 7")
    check_status(done, 7)


def test_guest_panic():
    """A guest that crashes is a failure with the reason, and soon."""
    done = quickstart("--cmd", "echo c > /proc/sysrq-trigger")
    check_status(done, 1)
    check("Kernel panic - not syncing" in done.stderr, f"no reason on standard error:\n{halcyon.tail(done.stderr)}")


def test_ten_boots():
    for number in range(1, BOOTS + 1):
        done = quickstart("--cmd", "cat /proc/interrupts")
        check(done.returncode == 0, f"boot {number} of {BOOTS}: status {done.returncode}\n"
              f"{halcyon.tail(done.stdout)}\nstandard error:\n{halcyon.tail(done.stderr)}")
        check(count_interrupts(done.stdout, r"GICv3\s+27\s+Level\s+arch_timer") > 0,
              f"boot {number} of {BOOTS}: no interrupt of the virtual timer")
        print(f"boot {number} of {BOOTS} passed", flush=True)


CASES = {"boot": test_boot, "boot-max": test_boot_max, "exit-status": test_exit_status,
         "guest-panic": test_guest_panic, "ten-boots": test_ten_boots}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    CASES[parser.parse_args().case]()


if __name__ == "__main__":
    halcyon.run_test(main)
