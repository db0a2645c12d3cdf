#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Core has no conditional compilation but include guards: one image, no modes."""
import re
import sys

from harness import find_files, main, read, strip_comments

DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w+)[ \t]*([^\n]*)$", re.M)
CONDITIONAL = {"if", "ifdef", "ifndef", "elif", "else"}


def check(root, _):
    findings = []
    for path in find_files(root, ("core", "hal"), (".c", ".h", ".S")):
        text = strip_comments(read(path))
        directives = [(m.group(1), m.group(2).strip(), text.count("\n", 0, m.start()) + 1) for m in DIRECTIVE.finditer(text)]
        is_guarded = (path.suffix == ".h" and len(directives) > 2 and directives[0][0] == "ifndef"
                      and directives[1][:2] == ("define", directives[0][1]) and directives[-1][0] == "endif")
        if path.suffix == ".h" and not is_guarded:
            findings.append(f"{path}:1: no include guard around the whole header")
        for name, _, line in directives[1 if is_guarded else 0:]:
            if name in CONDITIONAL:
                findings.append(f"{path}:{line}: #{name} selects a mode")
    return findings


GUARDED = "/* a */\n#ifndef A_H\n#define A_H\n%s#endif\n"
SOUND = {"core/base/a.h": GUARDED % "int a(void);\n", "core/base/a.c": '/*\n#if 0\n*/\n#include "base/a.h"\n#define N 1\n'}
BROKEN = {
    "#ifdef in a source": ({"core/base/a.c": "#ifdef FAST\n#endif\n"}, "a.c:1: #ifdef"),
    "#if in a header": ({"core/base/a.h": GUARDED % "  # if X\n#else\n#endif\n"}, "a.h:4: #if"),
    "no guard": ({"core/base/a.h": "int a(void);\n"}, "a.h:1: no include guard"),
    "a guard of another name": ({"core/base/a.h": "#ifndef A_H\n#define B_H\n#endif\n"}, "a.h:1: no include guard"),
}

if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN))
