#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A VM that does nothing but try to get out (tests/guest/programs/escape.c) beside one whose work is checked (smp-work.c).

Both have four vCPUs, on four physical CPUs or fewer. The first has to power off by itself, which it does after so many steps; every
result of the second has to be "ok". In the simulator the two execute 10^8 instructions at least; a tenth of that, with --short.
"""
import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import ROOT  # noqa: E402

PROGRAMS = ROOT / "build" / "host" / "guest"
MEMORY_MIB = 64
# Simulated, a step takes some 150 instructions on each of four CPUs; on QEMU it takes its time.
STEPS = {"qemu": 20000, "sim": 100000}
ROUNDS = {"qemu": 4, "sim": 8}
INSTRUCTIONS = 10**8
SHORT = 10
SOURCE = """/dts-v1/;
/ {{
    compatible = "halcyon,bundle";
    vms {{
        escape {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; vcpus = <4>;
            bootargs = "seed={seed} steps={steps}"; kernel = /incbin/("{programs}/escape.bin");
        }};
        work {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; vcpus = <4>;
            bootargs = "rounds={rounds}"; kernel = /incbin/("{programs}/smp-work.bin");
        }};
    }};
}};
"""


def check_vm(console, name, last):
    """All results of a VM are "ok", `last` and the plan among them, and it powered off by itself."""
    lines = [line[len(name) + 2:] for line in console.splitlines() if line.startswith(f"{name}: ")]
    bad = [line for line in lines if line.startswith("not ok")]
    check(not bad, f"{name}: {bad}")
    check(last in lines, f"{name} did not come to {last!r}:\n{halcyon.tail(console)}")
    check(re.search(rf"notice vm: {name} off: powered off by PSCI SYSTEM_OFF", console),
          f"{name} did not power off by itself:\n{halcyon.tail(console)}")


def test(options):
    share = SHORT if options.short else 1
    halcyon.require(PROGRAMS / "escape.bin", PROGRAMS / "smp-work.bin")
    steps, rounds = STEPS[options.machine] // share, max(1, ROUNDS[options.machine] // share)
    source = SOURCE.format(memory=hex(MEMORY_MIB << 20), programs=PROGRAMS, seed=options.seed, steps=steps, rounds=rounds)
    more = ("--stats",) if options.machine == "sim" else ()
    with halcyon.scratch() as directory:
        bundle = halcyon.compile_dts(directory / "bundle.dtb", source)
        result = halcyon.run_halcyon(options.machine, bundle, timeout=options.timeout, silence=True, vm_mib=2 * MEMORY_MIB,
                                     pcpus=options.pcpus, options=more)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    check_vm(result.console, "escape", "ok 2 - still here, and nowhere else")
    check_vm(result.console, "work", "# OK")
    if options.machine == "sim":
        match = re.search(r"^halcyon-sim: instructions +(\d+)$", result.stderr, re.MULTILINE)
        check(match and int(match.group(1)) >= INSTRUCTIONS // share,
              f"too few instructions: {match and match.group(1)}, not {INSTRUCTIONS // share}")
        print(f"instructions: {match.group(1)}")
    print(f"steps: {steps}; rounds of work: {rounds}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pcpus", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="a tenth of it")
    halcyon.add_timeout_option(parser, 400)
    halcyon.add_machine_option(parser)
    halcyon.run_test(test, parser.parse_args())


if __name__ == "__main__":
    main()
