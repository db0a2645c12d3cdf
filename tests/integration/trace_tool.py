#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""halcyon-trace as its users meet it: command lines, output, status, on traces that this test makes byte by byte."""
import argparse
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402

# struct trace_record, trace_file_header and trace_buffer of core/abi/trace.h (docs/trace.md).
RECORD = struct.Struct("<5Q2I3H2BQ")
HEADER = struct.Struct("<8sIIQ40x")
BUFFER = struct.Struct("<8sIIQQQ24x")
HVC, MMIO, IRQ = 2, 5, 7
RESUMED, INJECTED, BLOCKED, STOPPED = 0, 2, 3, 4
USAGE_HINT = "halcyon-trace: see halcyon-trace --help\n"


def record(n, **changes):
    """Number n of a trace in which calls, accesses and interrupts take turns."""
    kind = (HVC, MMIO, IRQ)[n % 3]
    values = {"time": 1000 + 10 * n, "pc": 0x40080000 + 4 * n, "addr": (0x84000000, 0x9000000, 27)[n % 3],
              "arg": 0, "value": (0x10001, 0x41, 0)[n % 3], "esr": (0x5a000000, 0x93c08047, 0)[n % 3],
              "pstate": 0x3c5, "vm": 0, "vcpu": n % 2, "pcpu": 0, "class": kind, "outcome": RESUMED, "reserved": 0}
    values.update(changes)
    return RECORD.pack(*values.values())


def trace_file(records, end=None):
    closing = RECORD.pack(0, 0, len(records), 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0) if end is None else end
    return HEADER.pack(b"HALTRACE", 1, 64, 62500000) + b"".join(records) + closing


class Program:
    def __init__(self, path, directory):
        self.path, self.directory = path, directory

    def write(self, name, content):
        (self.directory / name).write_bytes(content)

    def run(self, *arguments, status=0, **options):
        done = subprocess.run([self.path, *map(str, arguments)], cwd=self.directory, text=True, timeout=20, check=False,
                              stdin=options.pop("stdin", subprocess.DEVNULL), stderr=subprocess.PIPE,
                              stdout=options.pop("stdout", subprocess.PIPE), **options)
        check(done.returncode == status, f"{arguments}: status {done.returncode}, not {status}:\n{done.stdout}"
              f"{done.stderr}")
        return done

    def numbers(self, *arguments):
        """Of the records that `print` shows."""
        return [int(line.split()[0]) for line in self.run("print", *arguments, "a").stdout.splitlines()]


def test_usage(program):
    out = program.run("--help").stdout
    for option in re.findall(r"--[a-z]+", pathlib.Path(__file__).read_text(encoding="utf-8")):
        check(option in out or option in ("--help", "--nonsense"), f"{option} is not in the help")
    program.write("a", trace_file([]))
    for arguments, words in (((), "no command"), (("list", "a"), "list: no such command"),
                             (("print",), "print takes one file"), (("print", "a", "a"), "print takes one file"),
                             (("diff", "a"), "diff takes two files"), (("diff", "-", "-"), "only be one of the two"),
                             (("print", "--nonsense", "a"), "nonsense"), (("print", "a", "--limit"), "limit"),
                             (("print", "--class", "hvc,", "a"), "hvc,: not classes"),
                             (("print", "--outcome", "gone", "a"), "gone: not outcomes"),
                             (("hash", "--ignore", "x0", "a"), "x0: not fields"),
                             (("print", "--pc", "2-1", "a"), "2-1: not a number, or LOW-HIGH"),
                             (("print", "--vm", "-1", "a"), "-1: not a number"),
                             (("print", "--from", "1s", "a"), "1s: not a number of ticks"),
                             (("print", "--limit", "", "a"), ": not a number of records"),
                             (("diff", "--context", "1001", "a", "a"), "1001: not a number of records, at most 1000")):
        done = program.run(*arguments, status=2)
        check(words in done.stderr and done.stderr.endswith(USAGE_HINT) and not done.stdout,
              f"{arguments}: {done.stderr}")


def test_filters(program):
    program.write("a", trace_file([record(i, **({"outcome": BLOCKED} if i == 7 else {})) for i in range(9)]))
    for arguments, expected in (
            ((), range(9)), (("--class", "hvc"), [0, 3, 6]), (("--class", "hvc,irq", "--vcpu", "1"), [3, 5]),
            (("--outcome", "blocked"), [7]), (("--outcome", "stopped"), []), (("--vm", "0"), range(9)),
            (("--vm", "1"), []), (("--pcpu", "0"), range(9)), (("--pcpu", "1-9"), []),
            (("--pc", "0x40080004-0x40080008"), [1, 2]), (("--addr", "27"), [2, 5, 8]),
            (("--from", "1050"), [5, 6, 7, 8]), (("--from", "1010", "--to", "1020"), [1, 2]),
            (("--limit", "2"), [0, 1]), (("--limit", "0"), []), (("--class", "mmio", "--limit", "2"), [1, 4])):
        got = program.numbers(*arguments)
        check(got == list(expected), f"{arguments}: records {got}, not {list(expected)}")
    line = program.run("print", "--limit", "1", "a").stdout
    check(line == "      0         1000 cpu0 vm0.0 hvc    pc 0x0000000040080000 resumed  PSCI_VERSION(0x0) -> 0x10001\n",
          line)
    stats = program.run("stats", "--class", "mmio,hvc", "a").stdout
    check(stats.startswith("6 records, time 1000 to 1070\n") and re.search(r"^mmio +2 +0 +0 +1 +0 +3$", stats, re.M) and
          re.search(r"^irq( +0){6}$", stats, re.M) and re.search(r"^all +5 +0 +0 +1 +0 +6$", stats, re.M), stats)


def test_hash(program):
    program.write("a", trace_file([record(i) for i in range(9)]))
    program.write("late", trace_file([record(i, time=5000 + i) for i in range(9)]))
    whole = program.run("hash", "a").stdout
    check(re.fullmatch(r"[0-9a-f]{32}  9\n", whole), whole)
    check(program.run("hash", "late").stdout != whole, "the time makes no difference")
    check(program.run("hash", "--ignore", "time", "late").stdout == program.run("hash", "--ignore", "time", "a").stdout,
          "--ignore time makes a difference")
    program.write("b", trace_file([record(i) for i in range(9) if i % 3 == 0]))
    check(program.run("hash", "--class", "hvc", "a").stdout == program.run("hash", "b").stdout,
          "the filter does not decide what is hashed")
    check(program.run("hash", "--limit", "0", "a").stdout == "0" * 32 + "  0\n", "no records have no hash")
    with open(program.directory / "a", "rb") as file:
        check(program.run("hash", "-", stdin=file).stdout == whole, "standard input is not read")


def test_diff(program):
    good = [record(i) for i in range(20)]
    changed = list(good)
    changed[10] = record(10, value=0x42, pc=0x40090000)
    program.write("a", trace_file(good))
    program.write("b", trace_file(changed))
    program.write("shorter", trace_file(good[:15]))
    check(program.run("diff", "a", "a").stdout == "no difference in 20 records\n", "a file differs from itself")
    out = program.run("diff", "--context", "2", "a", "b", status=1).stdout.splitlines()
    check(out[:3] == ["--- a", "+++ b", "@@ record 10 | record 10: pc, value @@"], f"headline: {out}")
    marks = [line[0] + line.split()[1 if line[0] != " " else 0] for line in out[3:] if " | " not in line]
    check(marks == [" 8", " 9", "-10", "-11", "-12", "+10", "+11", "+12"], f"records: {marks}")
    check("  pc       0x40080028 | 0x40090000" in out and "  value    0x41 | 0x42" in out, f"fields: {out}")
    check(program.run("diff", "--ignore", "pc,value", "a", "b").stdout == "no difference in 20 records\n", "ignored")
    check(program.run("diff", "--class", "hvc,irq", "a", "b").stdout == "no difference in 13 records\n", "filtered")
    check(program.run("diff", "--limit", "10", "a", "b").stdout == "no difference in 10 records\n", "limited")
    for pair in (("a", "shorter"), ("shorter", "a")):
        out = program.run("diff", "--context", "0", *pair, status=1).stdout
        check("@@ shorter ends after 15 records @@" in out and len(out.splitlines()) == 4, out)
    # Numbers are those of the files, even if a filter passes other records of each.
    program.write("c", trace_file(good[:1] + good[:9] + [record(9, addr=1)]))
    out = program.run("diff", "--class", "hvc", "--from", "1001", "a", "c", status=1).stdout
    check("@@ record 9 | record 10: addr @@" in out, out)


def test_bad_input(program):
    good = trace_file([record(i) for i in range(3)])
    damaged = bytearray(good)
    damaged[64 + 64 + 54] = 77
    for name, content, words in (("empty", b"", "not a trace"), ("text", b"hello\n" * 99, "not a trace"),
                                 ("cut", good[:-1], "cut off"), ("damaged", damaged, "record 1 is none"),
                                 ("more", good + b"x", "goes on behind its end"),
                                 ("huge", BUFFER.pack(b"HALTRBUF", 1, 64, 1, 2**64 - 1, 2**64 - 1), "cut off")):
        program.write(name, content)
        for command in ("print", "hash", "stats"):
            done = program.run(command, name, status=2)
            check(f"halcyon-trace: {name}: " in done.stderr and words in done.stderr, f"{command} {name}: {done.stderr}")
        program.write("a", good)
        done = program.run("diff", "a", name, status=2)
        check(f"{name}: " in done.stderr, f"diff: {done.stderr}")
    for name, words in (("none", "No such file"), (".", "Is a directory")):
        check(words in program.run("print", name, status=2).stderr, name)
    program.write("full", BUFFER.pack(b"HALTRBUF", 1, 64, 1, 2, 7) + record(0) + record(1))
    done = program.run("print", "full")
    check("full: there was no room for the last 5 records" in done.stderr and len(done.stdout.splitlines()) == 2,
          done.stderr)


def test_output(program):
    program.write("a", trace_file([record(i) for i in range(20000)]))
    program.write("b", trace_file([record(0, pc=0)]))
    for arguments, status in ((("print", "a"), 1), (("hash", "a"), 1), (("stats", "a"), 1), (("diff", "a", "a"), 2),
                              (("diff", "a", "b"), 2), (("--help",), 1)):
        with open("/dev/full", "wb") as full:
            done = program.run(*arguments, status=status, stdout=full)
        check("standard output: No space left on device" in done.stderr, f"{arguments}: {done.stderr}")
        reader, writer = os.pipe()
        os.close(reader)
        done = program.run(*arguments, status=-signal.SIGPIPE, stdout=writer)
        check(not done.stderr, f"{arguments}: a reader who left is told of: {done.stderr}")
        done = program.run(*arguments, status=status, stdout=writer,
                           preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
        os.close(writer)
        check("standard output: Broken pipe" in done.stderr, f"{arguments}: {done.stderr}")
        done = program.run(*arguments, status=status, preexec_fn=lambda: os.close(1))
        check("standard output: Bad file descriptor" in done.stderr, f"{arguments}: {done.stderr}")


CASES = {"usage": test_usage, "filters": test_filters, "hash": test_hash, "diff": test_diff,
         "bad-input": test_bad_input, "output": test_output}


def run(path):
    for name, test in CASES.items():
        print(f"case {name}", flush=True)
        with halcyon.scratch() as directory:
            test(Program(path, directory))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="halcyon-trace")
    path = pathlib.Path(parser.parse_args().program).resolve()
    halcyon.run_test(run, path)


if __name__ == "__main__":
    main()
