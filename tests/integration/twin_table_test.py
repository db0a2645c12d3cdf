#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The comparison of twin.py, and its table, on records made up for it: what has to be found is found, and nothing else is
let pass. The arguments are the names of all twin tests; the table may speak of these only.
"""
import argparse
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
import twin_table  # noqa: E402
from halcyon import Failure, check  # noqa: E402
from twin_table import Record  # noqa: E402

MMIO, SYSREG, IRQ = 5, 4, 7
BASE = Record(time=1, pc=0x1000, addr=0x9000018, arg=0, value=0x90, esr=0x93810005, pstate=0x3c5, vm=0, vcpu=0, pcpu=0,
              kind=MMIO, outcome=0, reserved=0)
WRITE = BASE._replace(addr=0x9000000, value=0x61, esr=0x93800045)
# MSR CNTP_CVAL_EL0: Op0 3, Op1 3, CRn 14, CRm 2, Op2 2 in the fields of the ISS; bit 0 is clear for a write.
CVAL = BASE._replace(kind=SYSREG, addr=3 << 20 | 2 << 17 | 3 << 14 | 14 << 10 | 2 << 1, value=7, esr=0x62000000)
COMMON = [BASE, WRITE, CVAL]


def lines(*texts):
    return twin_table.read_table("\n".join(f"one two | {text} | because" for text in texts))


def is_same(qemu, sim, *texts):
    return twin_table.same(twin_table.apply_both(lines(*texts), {"qemu": list(qemu), "sim": list(sim)}))


def changed(field, by=1):
    return COMMON[:2] + [CVAL._replace(**{field: getattr(CVAL, field) ^ by})]


def test_plain():
    check(is_same(COMMON, COMMON), "equal records differ")
    check(is_same(COMMON, changed("time")), "the time is compared")
    for field in ("pc", "addr", "arg", "value", "esr", "pstate", "vm", "vcpu", "pcpu", "kind", "outcome"):
        check(not is_same(COMMON, changed(field)), f"{field} is not compared")
    check(not is_same(COMMON, COMMON[:2]) and not is_same(COMMON[:2], COMMON), "a missing record is not found")
    check(not is_same(COMMON, [WRITE, BASE, CVAL]), "the order is not compared")
    short = {"qemu": COMMON, "sim": COMMON[:2]}
    check(twin_table.same(twin_table.apply_both([], short, True)), "records behind the shorter one's end are compared")


def test_field():
    check(is_same(COMMON, changed("value"), "sysreg S3_3_C14_C2_2 | value"), "a field that may differ")
    check(is_same(COMMON, changed("value"), "sysreg write 0x34f804 | value"), "the same with the encoding's number")
    check(is_same(COMMON, changed("value"), "sysreg 1 S3_3_C14_C2_2 9-10 | value"), "one of several addresses")
    check(not is_same(COMMON, changed("value"), "sysreg 1 9-10 | value"), "none of several addresses")
    for other in ("sysreg read S3_3_C14_C2_2", "sysreg S3_3_C14_C2_1", "mmio 0x34f804"):
        check(not is_same(COMMON, changed("value"), f"{other} | value"), f"{other} selects CNTP_CVAL_EL0")
    check(not is_same(COMMON, changed("arg"), "all | value"), "a line for value hides arg")
    check(is_same(COMMON, changed("pstate", 0x80000000), "all | pstate 0xf0000000"), "bits that may differ")
    check(not is_same(COMMON, changed("pstate", 0x80), "all | pstate 0xf0000000"), "bits that may not")


def test_absent():
    check(is_same(COMMON, [BASE, *COMMON], "mmio read 0x9000018 | absent sim") is False, "taken out of the wrong side")
    check(is_same([WRITE, CVAL], COMMON, "mmio read 0x9000018 | absent qemu"), "not taken out")
    check(not is_same(COMMON, COMMON, "mmio read 0x9000018 | absent qemu"), "QEMU has one after all")
    check(is_same([WRITE, CVAL], [CVAL, BASE, BASE], "mmio 0x9000000-0x9000018 | absent both"), "not taken out of both")
    check(not is_same([WRITE, CVAL], [CVAL], "mmio 0x9000001-0x9000018 | absent both"), "the range's end is wrong")


def test_repeated():
    check(is_same([BASE] * 3 + [WRITE], [BASE, WRITE], "mmio read | repeated"), "a loop counts twice")
    check(not is_same([WRITE] * 2, [WRITE], "mmio read | repeated"), "writes count once")
    check(not is_same([BASE, WRITE, BASE], [BASE, WRITE], "mmio | repeated"), "not one after the other")
    check(not is_same([BASE, BASE._replace(value=0)], [BASE], "mmio | repeated"), "not equal")


def refused(function, *arguments):
    try:
        function(*arguments)
    except (Failure, ValueError):
        return True
    return False


def test_needed():
    traces = {"qemu": COMMON, "sim": changed("value")}
    twin_table.check_needed(lines("sysreg | value"), traces)
    check(refused(twin_table.check_needed, lines("sysreg | value", "all | pc"), traces), "a stale line passes")
    check(refused(twin_table.check_needed, lines("sysreg | value", "all | value"), traces), "a second line passes")


def test_table():
    for text in ("bogus | value", "mmio | bogus", "sync read | value", "mmio 0xg | value", "mmio | pstate 1 2", "mmio | absent",
                 "mmio | absent nobody", "mmio 1-z | value"):
        check(refused(lines, text), f"taken for a line: {text}")
    check(refused(twin_table.read_table, "one | mmio | value\n"), "a line without a reason")
    check(len(twin_table.read_table("# one\n\n")) == 0, "a comment is a line")
    check(len(twin_table.lines_of("two", lines("all | pc"))) == 1, "a test does not find its line")
    check(not twin_table.lines_of("on", lines("all | pc")), "a test finds another's line")


def file_of(magic, *words, records=b""):
    return struct.pack("<8s", magic) + b"".join(words).ljust(56, b"\0") + records


def test_traces(directory):
    path = directory / "trace"
    interrupt = BASE._replace(kind=IRQ)
    twin_table.write_trace(path, [BASE, interrupt, WRITE])
    check(twin_table.read_trace(path) == [BASE, WRITE], "a trace does not come back, without its interrupt")
    whole = path.read_bytes()
    for data, why in ((whole[:-64], "no end"), (whole[:-1], "cut off"), (b"", "empty"), (b"x" * 64, "no trace"),
                      (whole[:64] + whole[128:], "a record is missing")):
        path.write_bytes(data)
        check(refused(twin_table.read_trace, path), f"taken for a trace: {why}")
    records = b"".join(twin_table.RECORD.pack(*each) for each in COMMON)
    for capacity, count, good in ((3, 3, True), (9, 3, True), (3, 4, False), (9, 4, False)):
        path.write_bytes(file_of(b"HALTRBUF", struct.pack("<IIQQQ", 1, 64, 1, capacity, count), records=records))
        check(refused(twin_table.read_trace, path) != good, f"a buffer of {count} records with room for {capacity}")
        check(refused(twin_table.read_trace, path, True) == (capacity == 9 and count == 4), "the beginning of one")


def run(names):
    for test in (test_plain, test_field, test_absent, test_repeated, test_needed, test_table):
        test()
    with halcyon.scratch() as directory:
        test_traces(directory)
    for line in twin_table.read_table(twin_table.TABLE.read_text(encoding="utf-8")):
        for name in line.tests:
            check(name in names, f"{twin_table.TABLE.name}:{line.number}: there is no test twin.{name}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+")
    halcyon.run_test(run, parser.parse_args().names)
