#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""clang-tidy has nothing to say about core, as .clang-tidy configures it and as the host build compiles it."""
import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys

from harness import ROOT, main, skip



def run_tidy(build, path):
    arguments = ["clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}", "-p", str(build)]
    arguments += ["--extra-arg=-Wno-unknown-warning-option", str(path)]
    result = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found = re.findall(r"^(\S+:\d+):\d+: (?:error|warning): (.*)$", result.stdout, re.M)
    if result.returncode and not found:
        return [f"{path}:1: clang-tidy ended with status {result.returncode}: {result.stdout[-500:]}"]
    return [f"{place}: {text}" for place, text in found]


def check(root, options):
    if not shutil.which("clang-tidy"):
        skip("clang-tidy is not installed: run ci/setup")
    build = root if options.self_test else options.build
    database = build / "compile_commands.json"
    if options.self_test:
        database.write_text(json.dumps([{"directory": str(root), "file": str(root / "core/a.c"),
                                         "command": "cc -std=c11 -c core/a.c"}]), encoding="utf-8")
    commands = json.loads(database.read_text(encoding="utf-8"))
    wanted = [pathlib.Path(name).resolve() for name in options.file]
    files = sorted({pathlib.Path(entry["file"]) for entry in commands
                    if root / "core" in pathlib.Path(entry["file"]).parents})
    files = [path for path in files if not wanted or path in wanted]
    if not files:
        return [f"{database}: no file of core in it"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        per_file = list(pool.map(lambda path: run_tidy(build, path), files))
    return sorted({finding for findings in per_file for finding in findings})


SOUND = {"core/a.c": "int a(int x);\nint a(int x)\n{\n    return x;\n}\n"}
BROKEN = {
    "a null dereference": ({"core/a.c": "int a(void);\nint a(void)\n{\n    int *p = 0;\n    return *p;\n}\n"}, "core/a.c:5"),
    "a macro argument": ({"core/a.c": "#define TWICE(x) (2 * x)\nint a(int x);\nint a(int x)\n{\n    return TWICE(x + 1);\n}\n"},
                         "bugprone-macro-parentheses"),
    "a file that does not compile": ({"core/a.c": "int a(\n"}, "core/a.c:1"),
}


def add_arguments(parser):
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/host", help="has compile_commands.json (build/host)")
    parser.add_argument("file", nargs="*", help="check only these files of core")


if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN, add_arguments))
