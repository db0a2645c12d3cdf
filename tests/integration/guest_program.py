#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""One guest program (tests/guest/programs.txt) under Halcyon and, if its group is "both", on bare QEMU at EL1.

Everything it prints is a TAP stream in which all has to be ok. What both machines print has to be the same to the
byte, once the hypervisor's own lines are taken out. The machine has to end as the program's row says.
"""
import argparse
import difflib
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import HALCYON_IMAGE, Machine, qemu_command, to_text  # noqa: E402

MEMORY_MIB = 256
TIMEOUT = 40
# QEMU computes the architected pointer authentication algorithm very slowly.
CPUS = {"cortex-a57": "cortex-a57", "max": "max,pauth-impdef=on"}


def check_tap(text, where):
    """All results are ok, numbered in turn, and as many as the plan at the end says."""
    results, plan = 0, None
    for line in text.splitlines():
        match = re.fullmatch(r"(not ok|ok) (\d+) - .*", line)
        if match:
            results += 1
            check(match.group(1) == "ok", f"{where}: {line}\n{halcyon.tail(text)}")
            check(int(match.group(2)) == results, f"{where}: result {results} is missing before: {line}")
        elif re.fullmatch(r"1\.\.\d+", line):
            check(plan is None, f"{where}: a second plan: {line}")
            plan = int(line[3:])
        else:
            check(line.startswith("#") or not line, f"{where}: not TAP: {line!r}\n{halcyon.tail(text)}")
    check(results > 0, f"{where}: no result at all:\n{halcyon.tail(text)}")
    check(plan == results, f"{where}: the plan is {plan}, and {results} results came:\n{halcyon.tail(text)}")


def check_same(bare, nested):
    if bare == nested:
        return
    difference = "\n".join(difflib.unified_diff(repr_lines(bare), repr_lines(nested), "bare", "halcyon", lineterm=""))
    raise halcyon.Failure(f"bare QEMU and Halcyon print different bytes:\n{difference}")


def repr_lines(data):
    return [repr(line) for line in data.splitlines(keepends=True)]


def test_to_the_end(options, bundle):
    """Endings "off" and "stopped": the machine ends by itself, and says why."""
    nested = halcyon.run_halcyon(bundle, timeout=TIMEOUT, vm_mib=MEMORY_MIB, cpu=CPUS[options.cpu])
    halcyon.check_ended(nested)
    halcyon.check_no_panic(nested)
    nested_bytes = halcyon.guest_bytes(nested.output)
    check_tap(to_text(nested_bytes), "under Halcyon")
    stopped = halcyon.STOPPED.search(nested.console)
    if options.ending == "stopped":
        check(stopped, f"the VM was not stopped with a reason:\n{halcyon.tail(nested.console)}")
        return
    check(not stopped, f"the VM was stopped: {stopped and stopped.group()}")
    check(halcyon.OFF.search(nested.console), f"no word of an orderly end:\n{halcyon.tail(nested.console)}")
    if options.group == "both":
        bare = halcyon.run_bare(options.binary, timeout=TIMEOUT, memory_mib=MEMORY_MIB, cpu=CPUS[options.cpu])
        halcyon.check_ended(bare, "bare QEMU")
        check_tap(bare.console, "on bare QEMU")
        check_same(bare.output, nested_bytes)


def test_reset(options, bundle):
    """Ending "reset": the VM starts again from its image, and would for ever."""
    halcyon.require(HALCYON_IMAGE)
    command = qemu_command("halcyon", initrd=bundle, cpu=CPUS[options.cpu],
                           memory=f"{MEMORY_MIB + halcyon.HYPERVISOR_MIB}M")
    plans = 0
    with Machine(command) as machine:
        deadline = time.monotonic() + TIMEOUT
        while plans < 3:
            machine.expect(r"^1\.\.\d+\r?$", timeout=deadline - time.monotonic())
            plans += 1
        machine.kill()
        text = to_text(halcyon.guest_bytes(bytes(machine.output)))
    check(not halcyon.PANIC.search(text), f"the hypervisor panicked:\n{halcyon.tail(text)}")
    for run in re.findall(r"(.*?^1\.\.\d+\n)", text, re.MULTILINE | re.DOTALL):
        check_tap(run, "one run of several")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", help="the flat image")
    parser.add_argument("--group", choices=["both", "hv"], required=True)
    parser.add_argument("--ending", choices=["off", "stopped", "reset"], required=True)
    parser.add_argument("--cpu", choices=CPUS, default="cortex-a57")
    options = parser.parse_args()
    halcyon.require(options.binary, HALCYON_IMAGE)
    with halcyon.scratch() as directory:
        bundle = halcyon.make_bundle(directory / "bundle.dtb", options.binary, memory=f"{MEMORY_MIB}M")
        (test_reset if options.ending == "reset" else test_to_the_end)(options, bundle)


if __name__ == "__main__":
    halcyon.run_test(main)
