#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Takes a lock away from core, or an order, as a row of mutations.py says, and checks that exploration finds that.

The broken source is compiled with the build's own command and linked in front of the build's library. The test has to
fail under one of the row's seeds; and that seed, run again by itself, has to fail in the same words. A row whose function
is not in its file, or has no lock to take away, or whose text is not there once, fails: the table cannot rot.
"""
import argparse
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from mutations import MUTATIONS
from symbols import symbolised

PROGRAMS = "tests/explore/"
OBJECT = "tests/explore/CMakeFiles/explore-core-lib.dir/__/__/{}.o"
TIMEOUT = 300
CALL = re.compile(r"^[ \t]*spinlock_(?:lock|unlock)\([^;]*\);\n", re.M)
# A frame of a panic's backtrace that lies in a shared library, which is somewhere else in each run.
IN_LIBRARY = re.compile(r"(halcyon   #\d+) 0x[0-9a-f]{9,}")
FAILED = re.compile(r"^\S+: FAILED, seed (\d+)$", re.M)


class Failure(Exception):
    """The test has failed; the text says what was expected, and what came instead."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def tail(text, lines=25):
    return "\n".join("    | " + line for line in text.splitlines()[-lines:])


def run_tool(command, cwd):
    done = subprocess.run(command, cwd=cwd, shell=isinstance(command, str), capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{command if isinstance(command, str) else shlex.join(command)}\n{tail(done.stderr)}")
    return done.stdout


def body_of(text, function):
    """(start, end) of the function's body in `text`: from its name at a definition to the brace in column 0."""
    found = re.search(rf"^[^\s#/*][^;{{}}]*\b{function}\([^;{{]*\)\n\{{\n.*?^\}}\n", text, re.M | re.S)
    return found.span() if found else None


def mutate(mutation, text):
    for function in mutation.functions:
        span = body_of(text, function)
        check(span, f"mutations.py, {mutation.name}: {mutation.file} has no function {function}()")
        body, count = CALL.subn("", text[span[0]:span[1]])
        check(count > 0, f"mutations.py, {mutation.name}: {function}() of {mutation.file} takes no lock")
        text = text[:span[0]] + body + text[span[1]:]
    for old, new in mutation.edits:
        check(text.count(old) == 1, f"mutations.py, {mutation.name}: {mutation.file} has not exactly one {old!r}")
        text = text.replace(old, new)
    return text


def last_command(options, target):
    return run_tool([options.ninja, "-C", str(options.build), "-t", "commands", target],
                    options.build).splitlines()[-1]


def program_of(mutation):
    return PROGRAMS + ("explore-guest" if mutation.test.startswith("guest-") else "explore-core")


def build(mutation, options, scratch):
    """The program with the broken source in the place of core's."""
    source = options.root / mutation.file
    broken, target = scratch / source.name, scratch / "mutated.o"
    broken.write_text(mutate(mutation, source.read_text(encoding="utf-8")), encoding="utf-8")
    words = shlex.split(last_command(options, OBJECT.format(mutation.file)))
    words[words.index("-o") + 1] = str(target)
    words[words.index("-c") + 1] = str(broken)
    if "-MF" in words:
        words[words.index("-MF") + 1] = f"{target}.d"
    run_tool([*words, "-w"], options.build)
    original, program = program_of(mutation), scratch / "mutated"
    command, count = re.subn(rf" -o {re.escape(original)} ", f" {shlex.quote(str(target))} -o {program} ",
                             last_command(options, original))
    check(count == 1, f"no command that links {original}")
    run_tool(command, options.build)
    return program


def run(program, mutation, options, seed, runs):
    command = [str(program), "--guests", str(options.build / "guest"), "--test", mutation.test, "--seed", str(seed), "--runs", str(runs)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=TIMEOUT, check=False)
    found = FAILED.search(done.stdout)
    return (int(found.group(1)) if found else None), IN_LIBRARY.sub(r"\1", done.stderr)


def story(program, text, test):
    """The failure's own line, with places in core."""
    lines = [line for line in text.splitlines() if line.startswith(f"{test}: seed ")]
    return symbolised(program, lines[-1]) if lines else tail(text)


def run_mutation(mutation, options):
    with tempfile.TemporaryDirectory(prefix="halcyon-explore.") as directory:
        program = build(mutation, options, pathlib.Path(directory))
        seed, text = run(program, mutation, options, 1, mutation.seeds)
        check(seed, f"{mutation.seeds} seeds of {mutation.test} do not notice it: {mutation.what}")
        check(mutation.sign in text, f"it fails, but not by {mutation.sign!r}:\n{tail(text)}")
        again, same = run(program, mutation, options, seed, 1)
        check(again == seed and same == text, f"seed {seed} fails differently when it is run again:\n{tail(text)}\n"
              f"and\n{tail(same)}")
        print(f"passed: {mutation.what}: found by seed {seed}: {story(program, text, mutation.test)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--root", type=pathlib.Path, default=root, help="the tree that was built (this one)")
    parser.add_argument("--build", type=pathlib.Path, default=root / "build" / "explore", help="the build (build/explore)")
    parser.add_argument("--ninja", default="ninja", help="the program ninja")
    parser.add_argument("name", metavar="NAME", nargs="+", help="mutations; all; or list, for their names")
    options = parser.parse_args()
    rows = {mutation.name: mutation for mutation in MUTATIONS}
    if options.name == ["list"]:
        print("\n".join(rows))
        return
    wanted = list(rows) if options.name == ["all"] else options.name
    failed = False
    for name in wanted:
        if name not in rows:
            parser.error(f"no such mutation: {name}")
        try:
            run_mutation(rows[name], options)
        except Failure as failure:
            print(f"FAILED: {name}: {failure}")
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
