#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Bugs at EL2, committed on purpose by tests/conformance/el2/panic.c: each ends in a report that names the culprit.

The report has the exception in words, and a backtrace whose offsets addr2line turns into the right functions; the
machine ends by itself.
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import BUILD, qemu_command  # noqa: E402

IMAGE = BUILD / "aarch64" / "panic.img"
TIMEOUT = 20
EXCEPTION = "halcyon PANIC: synchronous exception at EL2 on CPU "
# ESR_EL2.EC (DDI 0487, D17.2.37): an abort without a change of Exception level, and "Unknown reason".
DATA_ABORT, INSTRUCTION_ABORT, UNKNOWN = 0x25, 0x21, 0x00

# Crime: (EC, what the words must say, function at the top of the backtrace or None if the pc is no code, its caller).
CRIMES = {
    "read-unmapped": (DATA_ABORT, r"[Dd]ata [Aa]bort.*translation fault", "crime_read_unmapped", "commit"),
    "write-text": (DATA_ABORT, r"[Dd]ata [Aa]bort.*permission fault", "crime_write_text", "commit"),
    "write-rodata": (DATA_ABORT, r"[Dd]ata [Aa]bort.*permission fault", "crime_write_rodata", "commit"),
    "execute-data": (INSTRUCTION_ABORT, r"[Ii]nstruction [Aa]bort.*permission fault", None, "commit"),
    "jump-null": (INSTRUCTION_ABORT, r"[Ii]nstruction [Aa]bort.*translation fault", None, "commit"),
    "overflow-stack": (DATA_ABORT, r"[Dd]ata [Aa]bort.*translation fault", "crime_overflow_stack",
                       "crime_overflow_stack"),
    "undefined": (UNKNOWN, r"[Uu]nknown", "crime_undefined", "commit"),
    "fail-check": (None, r"check failed on CPU \d: value == 42 \(\S*panic\.c:\d+\)", "crime_fail_check", "commit"),
}

# Who commits which: the boot CPU all of them; another CPU, or both at once, some.
CASES = {crime: ("0", crime) for crime in CRIMES}
for crime in ("read-unmapped", "write-text", "jump-null", "overflow-stack", "undefined", "fail-check"):
    CASES[f"cpu1-{crime}"] = ("1", crime)
for crime in ("overflow-stack", "fail-check"):
    CASES[f"both-{crime}"] = ("[01]", crime)
# CPU 2, while the other two write to the console without a pause.
for crime in ("read-unmapped", "fail-check"):
    CASES[f"loud-{crime}"] = ("2", crime)
CPUS = {"0": 1, "2": 3}


def resolve(offsets):
    """Names of the functions at offsets of the image, with addr2line as the report itself says."""
    done = subprocess.run(["aarch64-linux-gnu-addr2line", "-f", "-e", find_elf(), *offsets], capture_output=True,
                          text=True, check=True)
    return done.stdout.splitlines()[::2]


def find_elf():
    found = sorted((BUILD / "aarch64").rglob("panic.elf"))
    check(found, "build/aarch64 has no panic.elf; fix: cmake --preset aarch64 && cmake --build build/aarch64")
    return str(found[0])


def check_backtrace(console, first, second, starts):
    frames = re.findall(r"^  (at|lr|by) (?:halcyon\.elf\+(0x[0-9a-f]+)|0x[0-9a-f]{16})$", console, re.MULTILINE)
    check(frames and frames[0][0] == "at", f"no backtrace:\n{halcyon.tail(console)}")
    names = [resolve([offset])[0] if offset else None for _, offset in frames[:12]]
    check(names[0] == first, f"the backtrace starts in {names[0]}, not in {first}:\n{halcyon.tail(console)}")
    check(second in names[1:4], f"{second} is not a caller in {names}:\n{halcyon.tail(console)}")
    if second == "commit":
        check(set(starts) & set(names), f"the backtrace reaches none of {starts}: {names}\n{halcyon.tail(console)}")


def test(case):
    cpu, crime = CASES[case]
    exception_class, words, first, second = CRIMES[crime]
    halcyon.require(IMAGE)
    command = qemu_command("halcyon", kernel=IMAGE, append=case, memory="256M", cpus=CPUS.get(cpu, 2))
    result = halcyon.run_command(command, TIMEOUT)
    halcyon.check_ended(result)
    console = result.console
    check(f"about to {case}\n" in console, f"the program did not start:\n{halcyon.tail(console)}")
    check("survived" not in console, f"nothing stopped it:\n{halcyon.tail(console)}")
    check(console.count("halcyon PANIC: ") == 2, f"not one report with an end:\n{halcyon.tail(console)}")
    check(re.search(words, console), f"/{words}/ is not in the report:\n{halcyon.tail(console)}")
    report = console[console.index("halcyon PANIC: "):]
    check("noise" not in report, f"another CPU writes into the report:\n{halcyon.tail(console)}")
    check(re.match(rf"halcyon PANIC: [^\n]* on CPU {cpu}\b", report), f"not of CPU {cpu}:\n{halcyon.tail(console)}")
    if exception_class is not None:
        check(re.search(EXCEPTION + cpu, console), f"no headline:\n{halcyon.tail(console)}")
        syndrome = re.search(r"ESR 0x([0-9a-f]+)  ELR 0x([0-9a-f]{16})", console)
        check(syndrome and int(syndrome.group(1), 16) >> 26 == exception_class,
              f"ESR is not of class {exception_class:#x}:\n{halcyon.tail(console)}")
    if crime == "overflow-stack":
        check("stack overflow" in console, f"the overflow is not called one:\n{halcyon.tail(console)}")
    starts = {"0": ["core_main"], "1": ["secondary_main"], "2": ["secondary_main"]}.get(cpu, ["core_main", "secondary_main"])
    check_backtrace(console, first, second, starts)


if __name__ == "__main__":
    halcyon.run_cases(__doc__, CASES, test)
