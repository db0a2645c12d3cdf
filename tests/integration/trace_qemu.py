#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trace of exits on hal-aarch64: a guest program runs with a trace buffer, and halcyon-trace reads what is in it.

  program  the records are those that the program's exits have to make
  twice    two runs with the same instruction counter make the same records
  full     a buffer that is too small keeps the first records, and says how many are lost
  refused  a trace buffer where there is no RAM for it ends the boot with a reason
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
import qemu_trace  # noqa: E402
from halcyon import check  # noqa: E402
from machine import BUILD, qemu_command  # noqa: E402

GUEST = BUILD / "host" / "guest" / "hypercall.bin"
VM_MIB = 256
TIMEOUT = 40
LINE = re.compile(r" *(?P<number>\d+) +(?P<time>\d+) cpu0 vm0\.0 (?P<class>\w+) +pc 0x(?P<pc>[0-9a-f]{16})"
                  r" (?P<outcome>\w+) +(?P<words>.*)")
PL011 = "0x9000"


def halcyon_trace(*arguments, status=0):
    """What the program prints."""
    halcyon.require(qemu_trace.HALCYON_TRACE)
    done = subprocess.run([str(qemu_trace.HALCYON_TRACE), *map(str, arguments)], capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)
    check(done.returncode == status, f"halcyon-trace {arguments} ended with status {done.returncode}, not {status}: "
          f"{done.stdout[-2000:]}{done.stderr}")
    return done


def parse(text):
    records = [LINE.fullmatch(line) for line in text.splitlines()]
    check(records and all(records), f"not a line of a record:\n{halcyon.tail(text, 5)}")
    return [match.groupdict() for match in records]


def run(directory, **options):
    halcyon.require(GUEST)
    directory.mkdir(exist_ok=True)
    bundle = halcyon.make_bundle(directory / "bundle.dtb", GUEST, memory=f"{VM_MIB}M")
    trace, result = qemu_trace.record_trace(directory, bundle, timeout=TIMEOUT, vm_mib=VM_MIB, **options)
    halcyon.check_no_panic(result)
    check(halcyon.OFF.search(result.console), f"no word of an orderly end:\n{halcyon.tail(result.console)}")
    return trace, result


def program():
    """Of tests/guest/programs/hypercall.c: 200 + 500 + 28 calls that return and one that does not; the console is a
    PL011 that it polls; nothing else of it traps."""
    with halcyon.scratch() as directory:
        trace, result = run(directory)
        records = parse(halcyon_trace("print", trace).stdout)
        calls = parse(halcyon_trace("print", "--class", "hvc", trace).stdout)
    check([record["number"] for record in records] == [str(i) for i in range(len(records))], "numbers are missing")
    times = [int(record["time"]) for record in records]
    check(times == sorted(times), "time goes back")
    check({record["class"] for record in records} <= {"hvc", "mmio", "irq"}, "a class that the program has no use for")
    check(len(calls) == 729, f"{len(calls)} calls by HVC, not 729")
    check(calls[0]["words"] == "PSCI_VERSION(0x0) -> 0x10001", f"the first call: {calls[0]}")
    check(records[-1] == calls[-1] and calls[-1]["words"] == "PSCI_SYSTEM_OFF(0x0)" and
          calls[-1]["outcome"] == "stopped", f"the last record: {records[-1]}")
    check({record["outcome"] for record in records[:-1]} == {"resumed"}, "not all others resumed")
    written = bytes(int(match.group(1), 16) & 255 for record in records
                    if (match := re.match(r"write \d at IPA 0x9000000 <- 0x([0-9a-f]+)", record["words"])))
    check(written == halcyon.guest_bytes(result.output), f"what was written to the UART is not what it printed: {written[-200:]}")
    mmio = [record for record in records if record["class"] == "mmio"]
    check(all(f" at IPA {PL011}" in record["words"] for record in mmio), "an access to another device")


def twice():
    with halcyon.scratch() as directory:
        traces = [run(directory / str(i), icount=True)[0] for i in range(2)]
        same = halcyon_trace("diff", *traces)
        check(same.stdout.startswith("no difference in "), same.stdout)
        hashes = {halcyon_trace("hash", trace).stdout for trace in traces}
        check(len(hashes) == 1, f"different hashes: {hashes}")
        stats = halcyon_trace("stats", traces[0]).stdout
        check(re.search(r"^hvc +728 +0 +0 +0 +1 +729$", stats, re.MULTILINE), f"not 729 calls:\n{stats}")


def full():
    with halcyon.scratch() as directory:
        whole, _ = run(directory / "whole", icount=True)
        small, _ = run(directory / "small", icount=True, buffer_kib=64)
        count = len(halcyon_trace("print", whole).stdout.splitlines())
        done = halcyon_trace("print", small)
        check(len(done.stdout.splitlines()) == 1023, "64 KiB do not hold 1023 records")
        check(f"no room for the last {count - 1023} records" in done.stderr, f"no word of the loss: {done.stderr}")
        halcyon_trace("diff", "--limit", 1023, "--ignore", "time", whole, small)
        halcyon_trace("diff", whole, small, status=1)


def refused():
    with halcyon.scratch() as directory:
        bundle = halcyon.make_bundle(directory / "bundle.dtb", GUEST, memory=f"{VM_MIB}M")
        arguments = {"initrd": bundle, "memory": "512M"}
        for base, reason in ((0x40000000 + (512 << 20) - 0x1000, "not in RAM that is nobody else's"),
                             (0x48000000, "not in RAM that is nobody else's"),
                             (0x40200000, "the trace buffer overlaps the image")):
            blob = qemu_trace.dump_devicetree(directory / "machine.dtb", qemu_command("halcyon", **arguments))
            qemu_trace.add_trace_buffer(blob, base, 0x2000)
            result = halcyon.run_command(qemu_command("halcyon", **arguments, extra=["-dtb", blob]), TIMEOUT)
            halcyon.check_ended(result)
            halcyon.check_no_panic(result)
            check(reason in result.console and "machine off: nothing to run" in result.console,
                  f"a buffer at {base:#x} is not refused with a reason:\n{halcyon.tail(result.console)}")


CASES = {"program": program, "twice": twice, "full": full, "refused": refused}

if __name__ == "__main__":
    halcyon.run_cases(__doc__, CASES, lambda case: CASES[case]())
