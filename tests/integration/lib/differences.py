# SPDX-License-Identifier: MIT OR Apache-2.0
"""The table of known differences, tests/integration/known_differences.txt, which says what its columns are."""
import collections
import pathlib

from halcyon import check

TABLE = pathlib.Path(__file__).resolve().parent.parent / "known_differences.txt"

Difference = collections.namedtuple("Difference", "test what reason")


def read_table(text):
    """All lines of the table's text, as Differences."""
    table = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = [column.strip() for column in line.split("|")]
        check(len(columns) == 3 and all(columns), f"{TABLE}:{number}: not 'test | what | reason': {line}")
        difference = Difference(*columns)
        check(difference[:2] not in [each[:2] for each in table], f"{TABLE}:{number}: a second time: {line}")
        table.append(difference)
    return table


def differences_of(test):
    """What is known to be different in a test, in the table's order."""
    return [each for each in read_table(TABLE.read_text(encoding="utf-8")) if each.test == test]
