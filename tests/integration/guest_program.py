#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""One guest program (tests/guest/programs.txt) under Halcyon and, if its group is "both", on bare QEMU at EL1.

Everything it prints is a TAP stream in which all has to be ok. What both machines print has to be the same to the
byte, once the hypervisor's own lines are taken out. The machine has to end as the program's row says. Results in the
table of known differences have to be "not ok". A program for several CPUs has a test of bare QEMU alone besides.
"""
import argparse
import difflib
import fnmatch
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from differences import TABLE, differences_of  # noqa: E402
from halcyon import check  # noqa: E402
from machine import CPUS, Machine, to_text  # noqa: E402

MEMORY_MIB = 256
TIMEOUT = 40
# A program that resets its VM does so for ever. Each life takes some 13,000 instructions and the clearing of the VM's
# memory, hence little of it. On QEMU, where each takes its time, few lives have to do; in the simulator many show what
# becomes of the engine's translated code.
RESETS = {"qemu": 3, "sim": 250}
# Several CPUs wait for each other in between, a time slice each.
RESETS_SMP = 3
RESET_MIB = 16
RESET_INSTRUCTIONS = 5000000
RESET_INSTRUCTIONS_SMP = 200000000


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


def check_same(bare, nested, options):
    """The same to the byte, but for the values in lines `# KEY: VALUES` that the table knows to differ."""
    name = name_program(options)
    known = [each for machine in ("bare", options.machine) for each in differences_of(f"{name}.{machine}")
             if is_value(each)]
    bare, nested = bare.splitlines(keepends=True), nested.splitlines(keepends=True)
    if len(bare) == len(nested):
        needed = set()
        for number, (one, other) in enumerate(zip(bare, nested)):
            key = one.partition(b":")[0]
            matches = [each for each in known if fnmatch.fnmatchcase(to_text(key), each.what)]
            if one != other and key == other.partition(b":")[0] and matches:
                bare[number] = nested[number] = key
                needed.update(matches)
        idle = [each.what for each in known if each not in needed]
        check(not idle, f"{TABLE.name} has these as different, and they are the same: {idle}")
    if bare == nested:
        return
    difference = "\n".join(difflib.unified_diff(repr_lines(bare), repr_lines(nested), "bare", "halcyon", lineterm=""))
    raise halcyon.Failure(f"bare QEMU and Halcyon print different bytes:\n{difference}")


def is_value(known):
    return known.what.startswith("# ")


def repr_lines(lines):
    return [repr(line) for line in lines]


def name_program(options):
    """As ctest calls it, without what it is run on: guest.PROGRAM[.CPU]."""
    cpu = "" if options.cpu == "cortex-a57" else f".{options.cpu}"
    return f"guest.{pathlib.Path(options.binary).stem}{cpu}"


def excuse(data, test):
    """Makes the results "ok" that are known not to be."""
    for known in differences_of(test):
        if is_value(known):
            continue
        result = rb"^not (ok \d+ - " + re.escape(known.what.encode()) + rb")(: .*)?$"
        data, count = re.subn(result, rb"\1", data, flags=re.MULTILINE)
        check(count == 1, f"'{known.what}' fails {count} times, not once as {TABLE.name} has it:\n{halcyon.tail(data)}")
        print(f"known difference: {known.what}: {known.reason}")
    return data


def test_to_the_end(options, bundle):
    """Endings "off" and "stopped": the machine ends by itself, and says why."""
    nested = halcyon.run_halcyon(options.machine, bundle, timeout=TIMEOUT, vm_mib=MEMORY_MIB, cpu=options.cpu,
                                 pcpus=options.pcpus)
    halcyon.check_ended(nested)
    halcyon.check_no_panic(nested)
    nested_bytes = excuse(halcyon.guest_bytes(nested.output), f"{name_program(options)}.{options.machine}")
    check_tap(to_text(nested_bytes), "under Halcyon")
    stopped = halcyon.STOPPED.search(nested.console)
    if options.ending == "stopped":
        check(stopped, f"the VM was not stopped with a reason:\n{halcyon.tail(nested.console)}")
        return
    check(not stopped, f"the VM was stopped: {stopped and stopped.group()}")
    check(halcyon.OFF.search(nested.console), f"no word of an orderly end:\n{halcyon.tail(nested.console)}")
    if options.group == "both":
        check_same(run_bare(options), nested_bytes, options)


def run_bare(options):
    """The console's bytes on bare QEMU. What it is known to do otherwise than the architecture has it is excused; Halcyon
    is not, if it does the same."""
    bare = halcyon.run_bare(options.binary, timeout=TIMEOUT, memory_mib=MEMORY_MIB, cpu=options.cpu, cpus=options.vcpus)
    halcyon.check_ended(bare, "bare QEMU")
    output = excuse(bare.output, f"{name_program(options)}.bare")
    check_tap(to_text(output), "on bare QEMU")
    return output


def count_resets(options):
    return RESETS[options.machine] if options.vcpus == 1 else RESETS_SMP


def run_resets_qemu(options, bundle):
    """The console's bytes of a VM that starts again and again, cut off after some times."""
    command = halcyon.halcyon_command("qemu", bundle, vm_mib=RESET_MIB, cpu=options.cpu, pcpus=options.pcpus)
    with Machine(command) as machine:
        deadline = time.monotonic() + TIMEOUT
        for _ in range(count_resets(options)):
            machine.expect(r"^1\.\.\d+\r?\n", timeout=deadline - time.monotonic())
        machine.kill()
        return bytes(machine.output)


def run_resets_sim(options, bundle):
    """The same, cut off after so many instructions."""
    limit = ("--max-insns", RESET_INSTRUCTIONS if options.vcpus == 1 else RESET_INSTRUCTIONS_SMP)
    result = halcyon.run_halcyon("sim", bundle, timeout=TIMEOUT, vm_mib=RESET_MIB, cpu=options.cpu, pcpus=options.pcpus,
                                 options=limit)
    halcyon.check_ended(result)
    check("--max-insns" in result.stderr, f"it ended for another reason: {result.stderr}")
    return result.output


def test_reset(options, bundle):
    """Ending "reset": the VM starts again from its image, and would for ever."""
    run = run_resets_sim if options.machine == "sim" else run_resets_qemu
    text = to_text(halcyon.guest_bytes(run(options, bundle)))
    check(not halcyon.PANIC.search(text), f"the hypervisor panicked:\n{halcyon.tail(text)}")
    runs = re.findall(r"(.*?^1\.\.\d+\n)", text, re.MULTILINE | re.DOTALL)
    check(len(runs) >= count_resets(options), f"the program ran {len(runs)} times only:\n{halcyon.tail(text)}")
    for each in runs:
        check_tap(each, "one run of several")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", help="the flat image")
    parser.add_argument("--group", choices=["both", "hv"], required=True)
    parser.add_argument("--ending", choices=["off", "stopped", "reset"], required=True)
    parser.add_argument("--cpu", choices=CPUS, default="cortex-a57")
    parser.add_argument("--vcpus", type=int, default=1, help="CPUs of the VM, and of bare QEMU's machine")
    parser.add_argument("--pcpus", type=int, default=1, help="CPUs below the hypervisor")
    parser.add_argument("--bare", action="store_true", help="on bare QEMU alone")
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    halcyon.require(options.binary)
    if options.bare:
        run_bare(options)
        return
    with halcyon.scratch() as directory:
        test, memory = (test_reset, RESET_MIB) if options.ending == "reset" else (test_to_the_end, MEMORY_MIB)
        test(options, halcyon.make_bundle(directory / "bundle.dtb", options.binary, memory=f"{memory}M", flash=True,
                                          vcpus=options.vcpus))


if __name__ == "__main__":
    halcyon.run_test(main)
