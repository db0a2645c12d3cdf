#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Debian's Linux as the guest of ci/quickstart --cmd: what a new user does first.

On "sim" it is the simulator of the build under test, with its sanitizers; only first-use leaves the choice to
ci/quickstart, as that user does.
"""
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import HALCYON_SIM, ROOT, program_environment  # noqa: E402

FIRST_COMMAND = "uname -a; cat /proc/interrupts; cat /proc/iomem; " \
    "echo rtc $(cat /sys/class/rtc/rtc0/name /sys/class/rtc/rtc0/since_epoch); hwclock -u"
BOOTS = 10
TIMEOUT = 90


def quickstart(machine, *arguments):
    halcyon.require(halcyon.MACHINES[machine])
    environment = program_environment(HALCYON_SIM=str(HALCYON_SIM))
    return run_script(["--qemu", *arguments] if machine == "qemu" else arguments, environment)


def run_script(arguments, environment):
    command = [str(ROOT / "ci" / "quickstart"), "--timeout", str(TIMEOUT), *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * TIMEOUT, check=False,
                          encoding="utf-8", errors="replace", env=environment)


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


def check_clock(machine, text):
    """The simulator is turned on at the beginning of 2026; QEMU's machine has the host's time."""
    seconds = int(check_found(r"^rtc rtc-pl031 9010000.pl031 (\d+)$", text, "the clock").group(1))
    late = seconds - (1767225600 if machine == "sim" else int(time.time()))
    check(-300 <= late <= 300, f"the clock says {seconds}, {late} seconds off")
    check_found(r"^\w{3} \w{3} .* 20\d\d .*0\.000000 seconds", text, "what hwclock says")


def check_first_command(machine, text):
    check_found(r"^Linux \S+ 6\.1\.\S+ .* aarch64 ", text, "Debian's 6.1 kernel")
    check_found(r"GICv3: .*\d+ SPIs implemented", text, "the distributor as the kernel saw it")
    check(count_interrupts(text, r"GICv3\s+27\s+Level\s+arch_timer") > 0, "no interrupt of the virtual timer")
    check_found(r"^\s*\d+:\s+\d+\s+GICv3\s+33\s+Level\s+uart-pl011", text, "the PL011's interrupt")
    check_found(r"^\s*09000000-09000fff : .*pl011", text, "the PL011's registers")
    check_found(r"^40000000-5fffffff : System RAM", text, "the VM's 512 MiB of RAM")
    check_clock(machine, text)


def test_boot(machine):
    done = quickstart(machine, "--cmd", FIRST_COMMAND)
    check_status(done, 0)
    check_first_command(machine, done.stdout)
    check("[halcyon " not in done.stdout, "with --cmd the hypervisor's log is on standard output")


def test_boot_max(machine):
    done = quickstart(machine, "--cpu", "max", "--cmd", FIRST_COMMAND)
    check_status(done, 0)
    check_first_command(machine, done.stdout)


def test_exit_status(machine):
    done = quickstart(machine, "--append", "quiet", "--cmd", "exit 7")
    check_status(done, 7)


def test_guest_panic(machine):
    """A guest that crashes is a failure with the reason, and soon."""
    done = quickstart(machine, "--cmd", "echo c > /proc/sysrq-trigger")
    check_status(done, 1)
    check("Kernel panic - not syncing" in done.stderr, f"no reason on standard error:\n{halcyon.tail(done.stderr)}")


def test_ten_boots(machine):
    for number in range(1, BOOTS + 1):
        done = quickstart(machine, "--cmd", "cat /proc/interrupts")
        check(done.returncode == 0, f"boot {number} of {BOOTS}: status {done.returncode}\n"
              f"{halcyon.tail(done.stdout)}\nstandard error:\n{halcyon.tail(done.stderr)}")
        check(count_interrupts(done.stdout, r"GICv3\s+27\s+Level\s+arch_timer") > 0,
              f"boot {number} of {BOOTS}: no interrupt of the virtual timer")
        print(f"boot {number} of {BOOTS} passed", flush=True)


def test_same(machine):
    """The simulator prints the same each time, times of the kernel's messages included; another seed differs."""
    texts = [quickstart(machine, "--seed", seed, "--cmd", "head -c 32 /dev/urandom | md5sum").stdout
             for seed in ("1", "1", "2")]
    check(" 0.000000] " in texts[0] and "halcyon" in texts[0], f"no boot at all:\n{halcyon.tail(texts[0])}")
    check(texts[0] == texts[1], "two runs differ")
    check(texts[0] != texts[2], "another seed makes no difference")


def test_first_use(_):
    """Without any choice made: ci/quickstart builds the simulator that it wants."""
    environment = {name: value for name, value in program_environment().items() if name != "HALCYON_SIM"}
    done = run_script(["--cmd", "uname -a"], environment)
    check_status(done, 0)
    check_found(r"^Linux \S+ 6\.1\.\S+ .* aarch64 ", done.stdout, "Debian's 6.1 kernel")


def stop(machine, command):
    """What is printed when the console's stop comes while `command` runs, which says "at " and "work" as one word."""
    done = quickstart(machine, "--append", "quiet", "--cmd", command + "; echo at wo''rk; sleep 1000",
                      "--control-on", "at work", "--control", "stop 0")
    check_status(done, 1)
    check_found(r"^linux: asked to shut down; in 10 s, ", done.stdout, "the command's answer")
    return done


def test_stop(machine):
    """The power button is pressed, Linux sees a key, and acpid's script powers off."""
    done = stop(machine, "true")
    check_found(r"^guest-init: the power button was pressed", done.stdout, "the script's line")
    check_found(r"linux off: powered off by PSCI SYSTEM_OFF", done.stderr, "the guest's own end")


def test_stop_deaf(machine):
    """Nobody reads the key."""
    done = stop(machine, "killall acpid")
    check("power button" not in done.stdout, f"acpid is still there:\n{halcyon.tail(done.stdout)}")
    check_found(r"linux off: stopped from the console: did not shut down within 10 s", done.stderr, "the end")


BOTH = {"boot": test_boot, "boot-max": test_boot_max, "exit-status": test_exit_status, "guest-panic": test_guest_panic,
        "stop": test_stop, "stop-deaf": test_stop_deaf}
CASES = {"qemu": {**BOTH, "ten-boots": test_ten_boots},
         "sim": {**BOTH, "same": test_same, "first-use": test_first_use}}


def run(case, machine):
    CASES[machine][case](machine)


if __name__ == "__main__":
    halcyon.run_cases_on(__doc__, CASES, run)
