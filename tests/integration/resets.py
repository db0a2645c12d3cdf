#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A VM that computes, while its timer ticks, beside VMs that keep the manager busy on the same physical CPU.

endless: two VMs reset themselves for ever, one of them on the CPU of the one that computes: each does so about once a second, and
no tick is late by more than a round of the scheduler. large: a VM of 256 MiB is reset; the other goes on while it is scrubbed and made.
"""
import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import HOST_BUILD, ROOT  # noqa: E402

MIB = 1 << 20
# Guest programs are of the host build, whichever simulator runs them.
PROGRAMS = HOST_BUILD / "guest" if (HOST_BUILD / "guest" / "tick.bin").is_file() else ROOT / "build" / "host" / "guest"
BUNDLE = """/dts-v1/;
/ {{
    compatible = "halcyon,bundle";
    halcyon {{ console = "lines"; }};
    vms {{ {vms} }};
}};
"""
VM = """{name} {{
    compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; vcpus = <1>; affinity = /bits/ 64 <{affinity}>;
    bootargs = "{bootargs}"; kernel = /incbin/("{kernel}");
}};
"""
LARGE_MIB = 256
# Pieces of 1 MiB, scrubbed and then made, after each of which the others have 2 ms (docs/scheduler.md); of these lines one every 50 ms.
LARGE_LINES = 2 * LARGE_MIB * 2 // 50


def make_vm(name, program, mib, cpu, bootargs=""):
    halcyon.require(PROGRAMS / f"{program}.bin")
    return VM.format(name=name, kernel=PROGRAMS / f"{program}.bin", memory=mib * MIB, affinity=1 << cpu, bootargs=bootargs)


def run(options, vms, mib, pcpus, control=()):
    with halcyon.scratch() as directory:
        bundle = halcyon.compile_dts(directory / "bundle.dtb", BUNDLE.format(vms="".join(vms)))
        command = halcyon.halcyon_command("sim", bundle, vm_mib=mib, pcpus=pcpus, options=control)
        result = halcyon.run_command(command, options.timeout, (0, 1))
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    lines = [line.removeprefix("work: ") for line in result.console.splitlines() if line.startswith("work: ")]
    check(any(re.fullmatch(r"1\.\.\d+", line) for line in lines) and not [line for line in lines if line.startswith("not ok")],
          f"the work is not right:\n{halcyon.tail(result.console)}\n{result.stderr}")
    return result.console


def lives_of(console, name):
    return len(re.findall(rf"^\[halcyon [^\]]*\] notice vm: {name} reset: ", console, re.MULTILINE))


def test_endless(options):
    """Three seconds; the two that never end are stopped after it."""
    late = f" late={options.late}" if options.late else ""
    vms = [make_vm("work", "tick", 8, 0, f"ms=3050{late}"), make_vm("near", "reset", 8, 0), make_vm("far", "reset", 8, 1)]
    control = ["--control-on", "work off: ", "--control", "stop near", "--control-on", "far: 1..", "--control", "stop far"]
    console = run(options, vms, 24, 2, control)
    before = console[:console.index("work off: ")]
    for name in ("near", "far"):
        lives = lives_of(before, name)
        print(f"{name}: {lives} resets")
        check(3 <= lives <= 5, f"{name} was reset {lives} times in 3 seconds, and not 3 to 5 times:\n{halcyon.tail(before)}")


def test_large(options):
    vms = [make_vm("work", "tick", 8, 0, "ms=2000"), make_vm("large", "spin", LARGE_MIB, 0, "say=100 end=10000")]
    control = ["--control-on", "large: # time", "--control", "reset large", "--control-on", "work off: ", "--control", "stop large"]
    console = run(options, vms, 8 + LARGE_MIB, 1, control)
    made = console.index("large: # time", console.index("large reset: "))
    lines = console[console.index("large reset: "):made].count("work: # ")
    print(f"{lines} lines in the meantime")
    # And 100 ms pass before the large one says that it runs.
    check(lines >= LARGE_LINES, f"{lines} lines while the large VM was made, not {LARGE_LINES}:\n{halcyon.tail(console)}")


CASES = {"endless": test_endless, "large": test_large}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--late", type=int, default=2000, help="endless: microseconds; 0: as late as may be")
    parser.add_argument("--timeout", type=int, default=150)
    options = parser.parse_args()
    halcyon.run_test(CASES[options.case], options)


if __name__ == "__main__":
    main()
