#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Several VMs on one machine.

boot: so many Linux VMs come up, each finds a known checksum, and powers off. lives: one VM is stopped, started and reset again and again,
and destroyed in the end, by commands; no page is lost by it, and a VM with four vCPUs whose work is checked goes on beside it. crash: one VM ends in an endless abort, with the same beside it.
"""
import argparse
import functools
import hashlib
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import ROOT, to_text  # noqa: E402
from smp_linux import check_quiet  # noqa: E402

PROGRAMS = ROOT / "build" / "host" / "guest"
MIB = 1 << 20
LINUX_MIB = 192
SUM = "dd if=/dev/zero bs=64k count=16 2>/dev/null | sha256sum"
SOURCE = """/dts-v1/;
/ {{
    compatible = "halcyon,bundle";
    halcyon {{ console = "lines"; }};
    vms {{
        work {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <0x4000000>; vcpus = <4>;
            bootargs = "rounds={rounds}"; kernel = /incbin/("{programs}/smp-work.bin");
        }};
        other {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; vcpus = <{vcpus}>; bootargs = "{bootargs}";
            {images}
        }};
    }};
}};
"""
# What the other VM is in `lives`: its vCPUs, MiB, command line, images, and the words with which it is at work.
SPIN = (4, 16, "say=1 end=1000000", 'kernel = /incbin/("{programs}/spin.bin");', "other: # time")
LINUX = (4, LINUX_MIB, "console=ttyAMA0", 'kernel = /incbin/("{linux}"); initrd = /incbin/("{initramfs}");', "Run /init as init process")
# An answer to `list`: the state of the other VM, which has no line once it is destroyed, and the free memory.
FREE = re.compile(r"^(?: *1 +other +(\S+).*\n)?(\d+) KiB of memory are free$", re.MULTILINE)
ENDING = 100  # how often it is asked whether a VM has ended
WORK_OFF = "notice vm: work off: powered off by PSCI SYSTEM_OFF"


def test_boot(options):
    arguments = ["--vms", options.vms, "--pcpus", options.pcpus, "--memory", f"{LINUX_MIB}M", "--cmd", SUM]
    arguments += ["--vmids", options.vmids] if options.vmids else []
    text = halcyon.run_quickstart(options.machine, *arguments, timeout=options.timeout)
    check_quiet(text)
    want = hashlib.sha256(bytes(MIB)).hexdigest()
    for i in range(options.vms):
        check(f"\nvm{i}: {want}  -\n" in text, f"vm{i} has not the right checksum:\n{halcyon.tail(text)}")
        check(re.search(rf"^vm{i}: .*reboot: Power down", text, re.MULTILINE), f"vm{i} did not power off")
    print(f"VMs with a right sum, powered off: {options.vms}")


def read_answers(console):
    """All answers to `list`: the other VM's state ("" if it has no line) and the free KiB. What the guests and the log say
    meanwhile may stand between the lines of one."""
    lines = console.splitlines(keepends=True)
    return FREE.findall("".join(line for line in lines if not line.startswith(("work: ", "other: ", halcyon.LOG_PREFIX))))


def wait_ended(timeout, machine):
    """Nobody waits for a VM's end, so while the answer is that it is ending, or has a line no more and its memory still, this asks
    again, so often."""
    for _ in range(ENDING):
        answers = read_answers(to_text(bytes(machine.output)))
        sizes = {size for state, size in answers if state == "off"}
        if not answers or answers[-1][0] != "ending" and (answers[-1][0] or answers[-1][1] in sizes):
            break
        time.sleep(0.1)
        machine.send(f"{halcyon.COMMAND_LINE}list\r")
        machine.expect("are free", timeout)


def run_beside_work(options, other, steps=()):
    """Runs the VM `other` beside the one that works; the machine has to end by itself, and all work has to be right.

    steps: commands, as halcyon.run_commands() takes them."""
    vcpus, memory, bootargs, images, _ = other
    halcyon.require(PROGRAMS / "smp-work.bin")
    images = images.format(programs=PROGRAMS, linux=halcyon.LINUX, initramfs=halcyon.INITRAMFS)
    source = SOURCE.format(programs=PROGRAMS, rounds=options.rounds, vcpus=vcpus, memory=memory * MIB, bootargs=bootargs, images=images)
    with halcyon.scratch() as directory:
        bundle = halcyon.compile_dts(directory / "bundle.dtb", source)
        result = halcyon.run_commands(options.machine, bundle, steps, timeout=options.timeout, vm_mib=64 + memory, pcpus=options.pcpus,
                                      answered=functools.partial(wait_ended, options.timeout))
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    check(re.search(r"notice role: machine off: ", result.console), f"no orderly end:\n{halcyon.tail(result.console)}\n{result.stderr}")
    lines = [line for line in result.console.splitlines() if line.startswith("work: ")]
    check(not [line for line in lines if "not ok" in line] and "work: # OK" in lines and WORK_OFF in result.console,
          f"the work is not right:\n{halcyon.tail(result.console)}")
    return result


def make_commands(times, at_work):
    """Stop, start and reset, so many times; `list` whenever the VM is off, and whenever it is at work. Nobody waits for a VM's end,
    so the first answer after a stop may be that it is ending: the second is what counts."""
    steps = [(at_work, "list")]
    for _ in range(times):
        steps += [("are free", "stop other"), ("vm: other off: ", "list"), ("are free", "list"), ("are free", "start other"), (at_work, "list"),
                  ("are free", "reset other"), (at_work, "list")]
    steps += [("are free", "destroy other"), ("vm: other off: ", "list"), ("are free", "list")]
    return steps


def test_lives(options):
    other = LINUX if options.linux else SPIN
    result = run_beside_work(options, other, make_commands(options.times, other[-1]))
    check(result.exit_code == 0, f"status {result.exit_code}: {result.stderr}\n{halcyon.tail(result.console)}")
    free = read_answers(result.console)
    off = [size for state, size in free if state == "off"] + [size for _, size in free[-1:]]
    running = [size for state, size in free if state == "running"]
    check(len(running) == 2 * options.times + 1, f"at work {len(running)} times, not {2 * options.times + 1}: {free}")
    check(len(off) > options.times and not free[-1][0], f"off {len(off)} times, not {options.times + 1}: {free}")
    check(result.console.rindex("are free") < result.console.index(WORK_OFF), "the work was done before the last command: more --rounds")
    check(len(set(off)) == 1 and len(set(running)) == 1,
          f"free memory is not always the same: {set(running)} KiB with the VM, {set(off)} KiB without")
    print(f"lives: {options.times}; KiB free: {off[0]} after each without the VM, {running[0]} with it")


def test_crash(options):
    result = run_beside_work(options, (1, 16, "", 'kernel = /incbin/("{programs}/smash-vectors.bin");', ""))
    stopped = re.search(r"error vm: other stopped: \S.*", result.console)
    check(stopped, f"the VM was not stopped with a reason:\n{halcyon.tail(result.console)}")
    check(stopped.start() < result.console.index(WORK_OFF), "the work was done before the crash: more --rounds")
    print(stopped.group())


CASES = {"boot": test_boot, "lives": test_lives, "crash": test_crash}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--vms", type=int, default=2, help="boot: how many")
    parser.add_argument("--vmids", type=int, help="boot: of how many VMIDs")
    parser.add_argument("--pcpus", type=int, default=2)
    parser.add_argument("--times", type=int, default=10, help="lives: how often")
    parser.add_argument("--linux", action="store_true", help="lives: the VM runs Linux")
    parser.add_argument("--rounds", type=int, default=10, help="lives, crash: of the work")
    halcyon.add_timeout_option(parser)
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    halcyon.run_test(CASES[options.case], options)


if __name__ == "__main__":
    main()
