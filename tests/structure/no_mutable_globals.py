#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Core's static libraries hold no writable data: no global and no function static that is not const.

Const tables with addresses lie in .data.rel.ro, which is read-only once relocated, and are allowed. Symbols that the
sanitizers and gcov generate are left out by their prefix.
"""
import pathlib
import subprocess
import sys
import tempfile

from harness import main

GENERATED = ("__odr_asan", "__asan_", "___asan_", "__gcov", "__llvm_", "__prof", "__sancov", "__start___", "__stop___", "__unnamed_")
READ_ONLY = (".rodata", ".data.rel.ro")
WRITABLE_CLASSES = "bBdDcCsSgGuV"


def check_library(path):
    out = subprocess.run(["nm", "--format=sysv", "--defined-only", str(path)], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    findings, member = [], path.name
    for line in out.splitlines():
        if line.startswith("Symbols from "):
            member = line.removeprefix("Symbols from ").rstrip(":")
        columns = [column.strip() for column in line.split("|")]
        if len(columns) != 7 or columns[0] == "Name":
            continue
        name, kind, section = columns[0], columns[2], columns[6]
        writable = kind in WRITABLE_CLASSES or section.startswith((".data", ".bss", ".tdata", ".tbss"))
        if writable and not section.startswith(READ_ONLY) and not name.startswith(GENERATED):
            findings.append(f"{member}: {name} is writable ({section})")
    return findings


def check(root, options):
    if options.self_test:
        return check_compiled(root, options.compiler)
    if not options.library:
        return ["no library was named: nothing was checked"]
    return [finding for library in options.library for finding in check_library(library)]


def check_compiled(root, compiler):
    with tempfile.TemporaryDirectory() as directory:
        target = pathlib.Path(directory) / "x.o"
        subprocess.run([compiler, "-fPIE", "-c", "-o", str(target), str(root / "x.c")], check=True)
        return check_library(target)


CONSTS = "extern int e; int *const pointers[] = {&e}; static const char text[] = \"t\"; const char *f(void) { return text; }\n"
SOUND = {"x.c": CONSTS}
BROKEN = {
    "a global": ({"x.c": CONSTS + "int g;\n"}, "g is writable"),
    "an initialised global": ({"x.c": CONSTS + "int g = 1;\n"}, "g is writable"),
    "a file static": ({"x.c": "static int s = 1; int *f(void) { return &s; }\n"}, "s is writable"),
    "a function static": ({"x.c": "int f(void) { static int calls; return ++calls; }\n"}, "calls"),
    "a pointer that can change": ({"x.c": "extern int e; int *p = &e;\n"}, "p is writable"),
    "thread-local": ({"x.c": "_Thread_local int t;\n"}, "t is writable"),
}


def add_arguments(parser):
    parser.add_argument("--compiler", default="cc", help="for the self-test (cc)")
    parser.add_argument("library", nargs="*", type=pathlib.Path, help="static libraries to look into")


if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN, add_arguments))
