# SPDX-License-Identifier: MIT OR Apache-2.0
"""Traces of the same guest on two machines, and the table of what is known to differ in them, twin_differences.txt,
which says what its columns are.

    lines = lines_of("timer", read_table(TABLE.read_text()))
    halves = [apply(lines, read_trace(path), side) for side, path in (("qemu", A), ("sim", B))]
    check_needed("timer", lines, records)       # each line makes a difference
"""
import dataclasses
import pathlib
import re
import struct
import typing

from halcyon import check

TABLE = pathlib.Path(__file__).resolve().parent / "twin_differences.txt"

# core/abi/trace.h: a record, what a file and a buffer in memory begin with, and the class of a file's last record.
RECORD = struct.Struct("<QQQQQIIHHHBBQ")
FILE_MAGIC, BUFFER_MAGIC = b"HALTRACE", b"HALTRBUF"
END = 255
CLASSES = ("sync", "wfx", "hvc", "smc", "sysreg", "mmio", "fetch", "irq", "serror")
# Not of the instructions that a guest executes, but of when something came.
ASYNCHRONOUS = {CLASSES.index("irq"), CLASSES.index("serror")}
SIDES = ("qemu", "sim")


class Record(typing.NamedTuple):
    time: int
    pc: int
    addr: int
    arg: int
    value: int
    esr: int
    pstate: int
    vm: int
    vcpu: int
    pcpu: int
    kind: int
    outcome: int
    reserved: int

    @property
    def identity(self):
        """All but the time."""
        return self[1:]


FIELDS = ("pc", "addr", "arg", "value", "esr", "pstate", "outcome")


def read_trace(path, cut=False):
    """The synchronous records of a trace: of a file that was ended, or of a buffer that had room for all (or, with
    `cut`, for those at the beginning)."""
    data = pathlib.Path(path).read_bytes()
    check(len(data) >= RECORD.size and len(data) % RECORD.size == 0, f"{path}: {len(data)} bytes are no trace")
    records = [Record._make(each) for each in RECORD.iter_unpack(data[RECORD.size:])]
    if data.startswith(BUFFER_MAGIC):
        _, _, _, _, capacity, count = struct.unpack_from("<8sIIQQQ", data)
        check(len(records) == (min(count, capacity) if cut else count), f"{path}: {len(records)} of {count} records")
    else:
        check(data.startswith(FILE_MAGIC), f"{path}: no trace: {data[:8]!r}")
        end = records.pop() if records else None
        check(end and end.kind == END and (end.addr, end.value) == (len(records), 0), f"{path}: not ended: {end}")
    return [record for record in records if record.kind not in ASYNCHRONOUS]


def write_trace(path, records):
    """Writes records as a file that halcyon-trace reads; returns its path."""
    end = Record(0, 0, len(records), 0, 0, 0, 0, 0, 0, 0, END, 0, 0)
    header = struct.pack("<8sIIQ40x", FILE_MAGIC, 1, RECORD.size, 1000000000)
    path.write_bytes(header + b"".join(RECORD.pack(*each) for each in [*records, end]))
    return path


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the table; `number` is where it stands."""

    number: int
    tests: tuple
    kind: int
    write: typing.Optional[bool]      # None: both ways
    ranges: tuple                     # of addr, each a pair; none: any
    effect: str                       # "absent", "repeated", or a field of which `mask` is not compared
    side: str = ""                    # of "absent": where there is none of them
    mask: int = 0

    def selects(self, record):
        return (record.kind == self.kind or self.kind < 0) and \
            (self.write is None or self.write == is_write(record)) and \
            (not self.ranges or any(low <= record.addr <= high for low, high in self.ranges))


def is_write(record):
    """Of a System register (ISS of EC 0x18: bit 0 is set for a read), or of memory (bit 6 is set for a write)."""
    if record.kind == CLASSES.index("sysreg"):
        return not record.esr & 1
    return bool(record.esr & 1 << 6)


def parse_address(text):
    """A number; or a System register as the architecture writes those without a name, in the encoding of its trap (ISS of
    EC 0x18, DDI 0487, D17.2.37)."""
    match = re.fullmatch(r"S([23])_([0-7])_C(\d+)_C(\d+)_([0-7])", text)
    if not match:
        return int(text, 0)
    op0, op1, crn, crm, op2 = map(int, match.groups())
    return op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1


def parse_records(words, where):
    """The column "records": a class or "all", "read" or "write" if only one of these, and addresses or LOW-HIGH."""
    chosen = {"kind": CLASSES.index(words[0]) if words[0] in CLASSES else -1, "write": None, "ranges": ()}
    check(words[0] in CLASSES or words[0] == "all", f"{where}: no class of records: {words[0]}")
    for word in words[1:]:
        if word in ("read", "write"):
            check(words[0] in ("sysreg", "mmio"), f"{where}: {words[0]} records neither read nor write")
            chosen["write"] = word == "write"
        else:
            low, _, high = word.partition("-")
            chosen["ranges"] += ((parse_address(low), parse_address(high or low)),)
    return chosen


def parse_effect(words, where):
    """The column "what"."""
    if words == ["repeated"]:
        return {"effect": "repeated"}
    if len(words) == 2 and words[0] == "absent" and words[1] in (*SIDES, "both"):
        return {"effect": "absent", "side": words[1]}
    check(len(words) in (1, 2) and words[0] in FIELDS, f"{where}: not a known difference: {' '.join(words)}")
    return {"effect": words[0], "mask": int(words[1], 0) if len(words) == 2 else 2**64 - 1}


def read_table(text):
    """All lines of the table's text."""
    table = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{TABLE.name}:{number}"
        columns = [column.strip() for column in line.split("|")]
        check(len(columns) == 4 and all(columns), f"{where}: not 'tests | records | what | reason': {line}")
        tests, records, what, _ = columns
        try:
            table.append(Line(number=number, tests=tuple(tests.split()), **parse_records(records.split(), where),
                              **parse_effect(what.split(), where)))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return table


def lines_of(test, table):
    return [line for line in table if test in line.tests]


def apply(lines, records, side):
    """What is left to compare of one side's records."""
    if not lines:
        return records
    absent = [line for line in lines if line.effect == "absent" and line.side != side]
    repeated = [line for line in lines if line.effect == "repeated"]
    masks = [line for line in lines if line.mask]
    left = []
    for record in records:
        if any(line.selects(record) for line in absent):
            continue
        record = blank(record, masks)
        if left and record.identity == left[-1].identity and any(line.selects(record) for line in repeated):
            continue
        left.append(record)
    return left


def blank(record, masks):
    for line in masks:
        if line.selects(record):
            old = getattr(record, line.effect)
            record = record._replace(**{line.effect: old & ~line.mask})
    return record


def same(halves):
    return len(halves[0]) == len(halves[1]) and all(one.identity == other.identity for one, other in zip(*halves))


def apply_both(lines, traces, cut=False):
    """The same for both sides; traces: {side: records}. With `cut`, as far as both go."""
    halves = [apply(lines, traces[side], side) for side in SIDES]
    shortest = min(map(len, halves))
    return [half[:shortest] for half in halves] if cut else halves


def check_needed(lines, traces, cut=False):
    """Of a comparison that finds no difference: without any of its lines it would find one."""
    for line in lines:
        check(not same(apply_both([each for each in lines if each is not line], traces, cut)),
              f"{TABLE.name}:{line.number}: this difference does not occur any more; fix: take the test out of the line")
