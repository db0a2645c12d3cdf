#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every source file says its licence in the first line, or in the second after #!."""
import os
import sys

from harness import find_files, main, read

TAG = "SPDX-License-Identifier: MIT OR Apache-2.0"
DIRECTORIES = ("core", "hal", "hal-aarch64", "hal-sim", "sim", "tests", "ci", ".ci", "coverage")
SUFFIXES = (".c", ".h", ".S", ".ld", ".cmake", ".py", ".sh", ".dts", ".dtsi", "CMakeLists.txt", "floors")
TOP = ("CMakeLists.txt", ".clang-format", ".clang-tidy", ".editorconfig", ".gitattributes")


def is_source(path):
    return path.name.endswith(SUFFIXES) or os.access(path, os.X_OK)


def check(root, _):
    findings = []
    paths = [path for path in find_files(root, DIRECTORIES) if path.is_file() and is_source(path)]
    for path in paths + [root / name for name in TOP if (root / name).is_file()]:
        lines = read(path).split("\n", 2)[:2]
        first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
        expected = {f"/* {TAG} */"} if path.suffix in (".c", ".h", ".S", ".ld") else {f"# {TAG}", f"/* {TAG} */"}
        if first not in expected:
            findings.append(f"{path}:1: no line \"{min(expected)}\"")
    return findings


SOUND = {"core/a.c": f"/* {TAG} */\n", "ci/run*": f"#!/bin/sh\n# {TAG}\n", "core/notes.md": "free\n",
         "CMakeLists.txt": f"# {TAG}\n"}
BROKEN = {
    "no line": ({"core/a.c": "int a;\n"}, "core/a.c:1"),
    "another licence": ({"hal/a.h": "/* SPDX-License-Identifier: GPL-2.0 */\n"}, "hal/a.h:1"),
    "too late": ({"core/a.c": f"\n/* {TAG} */\n"}, "core/a.c:1"),
    "a script": ({"ci/new*": "#!/bin/sh\necho\n"}, "ci/new:1"),
    "an empty file": ({"core/a.c": ""}, "core/a.c:1"),
}

if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN))
