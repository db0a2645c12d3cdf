#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The same guest on hal-aarch64, under QEMU -icount, and on hal-sim: the synchronous exits are the same.

The guest is a program of tests/guest or, as "linux", Debian's kernel to its shell. Both machines trace the exits; the records are
compared in all but time. What cannot be the same is in twin_differences.txt, with the reason.
"""
import argparse
import base64
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
import qemu_trace  # noqa: E402
import twin_table  # noqa: E402
from halcyon import check  # noqa: E402
from machine import CPUS, HALCYON_IMAGE, HALCYON_SIM, HOST_BUILD, Machine, qemu_command  # noqa: E402

HALCYON_TRACE = HOST_BUILD / "sim" / "trace" / "halcyon-trace"
TIMEOUT = 120
RESET = re.compile(r"^\[halcyon [^\]]*\] notice vm: \S+ reset: ", re.MULTILINE)
# As many records as the largest guest needs, mmio-sweep's 531,000.
BUFFER_KIB = 48 << 10
PROGRAM_MIB, LINUX_MIB = 256, 512
# The kernel prints no times. Its audit record of the start is printed by a thread, whose turn comes when it comes.
LINUX_APPEND = "console=ttyAMA0 nokaslr printk.time=0 audit=0 halcyon.cmd=" + base64.b64encode(b"uname -a").decode()
# A program that resets its VM for ever is compared as far as this many records, some of its lives.
ENDLESS_RECORDS = 4095
ENDLESS_INSTRUCTIONS = 100000


class Guest:
    """What runs on both machines."""

    def __init__(self, name, ending, cpu):
        self.cpu = cpu
        self.endless = ending == "reset"
        self.last_words = {"off": halcyon.OFF, "stopped": halcyon.STOPPED, "reset": RESET}[ending]
        self.linux = name == "linux"
        self.memory = LINUX_MIB if self.linux else PROGRAM_MIB
        self.kernel = halcyon.LINUX if self.linux else HOST_BUILD / "guest" / f"{name}.bin"

    def make_bundle(self, directory):
        halcyon.require(self.kernel, *([halcyon.INITRAMFS] if self.linux else []))
        more = {"initrd": halcyon.INITRAMFS, "append": LINUX_APPEND} if self.linux else {}
        return halcyon.make_bundle(directory / "bundle.dtb", self.kernel, memory=f"{self.memory}M", flash=True, **more)

    def check_console(self, result, where):
        halcyon.check_no_panic(result)
        text = result.console
        check(self.last_words.search(text) and ("halcyon-guest: exit 0" in text or not self.linux),
              f"{where}: not the end that was to come:\n{halcyon.tail(text)}")


def trace_on_qemu(guest, directory, bundle):
    """Returns the path of the trace."""
    if guest.endless:
        trace, result = trace_endless(guest, directory, bundle)
    else:
        trace, result = qemu_trace.record_trace(directory, bundle, timeout=TIMEOUT, vm_mib=guest.memory,
                                                buffer_kib=BUFFER_KIB, cpu=CPUS[guest.cpu], icount=True)
    guest.check_console(result, "QEMU")
    return trace


def trace_in_simulator(guest, directory, bundle):
    """Seed 0: no entropy for the guest, as on QEMU with machine.py's options."""
    path = directory / "sim.trace"
    options = ["--seed", 0, "--trace", path] + (["--max-insns", ENDLESS_INSTRUCTIONS] if guest.endless else [])
    result = halcyon.run_halcyon("sim", bundle, timeout=TIMEOUT, vm_mib=guest.memory, cpu=guest.cpu, options=options)
    halcyon.check_ended(result, "the simulator")
    guest.check_console(result, "the simulator")
    check("--max-insns" in result.stderr or not guest.endless, f"it ended for another reason: {result.stderr}")
    return path


def trace_endless(guest, directory, bundle):
    """As record_trace(), for a machine that does not end: it is left when the buffer is full."""
    size = (ENDLESS_RECORDS + 1) * twin_table.RECORD.size
    memory = guest.memory + halcyon.HYPERVISOR_MIB
    base = qemu_trace.RAM_BASE + (memory << 20) - size
    arguments = {"initrd": bundle, "memory": f"{memory}M", "cpu": CPUS[guest.cpu], "icount": True}
    blob = qemu_trace.dump_devicetree(directory / "machine.dtb", qemu_command("halcyon", **arguments))
    qemu_trace.add_trace_buffer(blob, base, size)
    monitor_path = directory / "qmp"
    command = qemu_command("halcyon", **arguments, extra=["-dtb", blob, *qemu_trace.stopped_options(monitor_path)])
    with Machine(command) as machine, qemu_trace.Monitor(monitor_path) as monitor:
        machine.expect(r"^1\.\.\d+\r?$", TIMEOUT)  # from the first life's end on there is a buffer
        deadline = time.monotonic() + TIMEOUT
        while qemu_trace.save_buffer(monitor, directory, base, size).stat().st_size < size:
            check(time.monotonic() < deadline, f"the buffer was not full in {TIMEOUT} s:\n{halcyon.tail(machine.output)}")
            machine.pump(0.1)
        machine.pump(0.1)  # what took the last place is there in full
        trace = qemu_trace.save_buffer(monitor, directory, base, size)
        monitor.execute("quit")
        return trace, machine.wait(10)


def show_difference(directory, halves):
    """What halcyon-trace says of records that are left to compare; their times are those of the run."""
    paths = [twin_table.write_trace(directory / side, half) for side, half in zip(twin_table.SIDES, halves)]
    done = subprocess.run([HALCYON_TRACE, "diff", "--ignore", "time", *paths], capture_output=True, text=True, check=False)
    check(done.returncode in (0, 1), f"halcyon-trace failed: {done.stderr}")
    return done.stdout


def compare(name, guest, traces, directory):
    lines = twin_table.lines_of(name, twin_table.read_table(twin_table.TABLE.read_text(encoding="utf-8")))
    halves = twin_table.apply_both(lines, traces, guest.endless)
    enough = ENDLESS_RECORDS // 2 if guest.endless else 1
    check(min(map(len, halves)) >= enough, f"too little to compare: {[len(half) for half in halves]} records")
    text = show_difference(directory, halves)
    check(text.startswith("no difference in "), f"the exits differ:\n{text}")
    twin_table.check_needed(lines, traces, guest.endless)
    print(f"{len(halves[0])} synchronous exits are the same; known differences: {len(lines)}")


def twin(options):
    halcyon.require(HALCYON_IMAGE, HALCYON_SIM, HALCYON_TRACE)
    guest = Guest(options.guest, options.ending, options.cpu)
    name = options.guest + ("" if options.cpu == "cortex-a57" else f".{options.cpu}")
    with halcyon.scratch() as directory:
        bundle = guest.make_bundle(directory)
        paths = {"qemu": trace_on_qemu(guest, directory, bundle),
                 "sim": trace_in_simulator(guest, directory, bundle)}
        for side, path in paths.items():
            if options.keep:
                shutil.copy(path, pathlib.Path(options.keep) / f"{name}.{side}.trace")
        traces = {side: twin_table.read_trace(path, cut=guest.endless) for side, path in paths.items()}
        compare(name, guest, traces, directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("guest", help="a program of tests/guest/programs.txt, or linux")
    parser.add_argument("--ending", choices=["off", "stopped", "reset"], default="off", help="of programs.txt")
    parser.add_argument("--cpu", choices=CPUS, default="cortex-a57")
    parser.add_argument("--keep", metavar="DIRECTORY", help="leave both traces there")
    halcyon.run_test(twin, parser.parse_args())


if __name__ == "__main__":
    main()
