#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Functions have at most 70 lines and files at most 500, in core, hal, the HALs, sim and the tests' doubles."""
import sys

from harness import find_files, main, read, strip_literals

FUNCTION_LINES = 70
FILE_LINES = 500
DIRECTORIES = ("core", "hal", "hal-aarch64", "hal-sim", "sim", "tests/fakehal", "tests/fuzz", "tests/guest")


def blank_directives(text):
    """Without preprocessor lines, whose braces need not pair up."""
    lines, continued = [], False
    for line in text.split("\n"):
        is_directive = continued or line.lstrip().startswith("#")
        continued = is_directive and line.endswith("\\")
        lines.append("" if is_directive else line)
    return "\n".join(lines)


def find_functions(text):
    """(name, first line, last line) of each function: a brace at file level that follows a parenthesis."""
    text = blank_directives(strip_literals(text))
    depth, line, start, head, is_function, functions = 0, 1, None, "", False, []
    for char in text:
        if char == "\n":
            line += 1
        if depth == 0 and not char.isspace() and start is None:
            start = line
        if char == "{":
            if depth == 0:
                is_function = head.rstrip().endswith(")")
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                if is_function:
                    functions.append((head.split("(")[0].split()[-1], start, line))
                    start, head = None, ""
        elif depth == 0:
            head += char
            if char == ";":
                start, head = None, ""
    return functions


def check(root, _):
    findings = []
    for path in find_files(root, DIRECTORIES, (".c", ".h", ".S")):
        text = read(path)
        if text.count("\n") > FILE_LINES:
            findings.append(f"{path}:1: {text.count(chr(10))} lines, more than {FILE_LINES}")
        for name, first, last in find_functions(text) if path.suffix != ".S" else ():
            if last - first + 1 > FUNCTION_LINES:
                findings.append(f"{path}:{first}: {name}() has {last - first + 1} lines, more than {FUNCTION_LINES}")
    return findings


def function(lines, inner="    x++;\n"):
    return "static int\nf(int x)\n{\n" + inner * (lines - 4) + "}\n"


FITS = 'struct s {\n  int a;\n};\n#define M(x) {\nconst int t[] = {\n' + "1,\n" * 90 + "};\n" + function(70)
SOUND = {"core/base/a.c": FITS + "int after(void)\n{\n}\n", "hal/a.h": "\n" * 500}
BROKEN = {
    "a long function": ({"core/base/a.c": FITS + function(71)}, "f() has 71 lines"),
    "braces in strings and comments": ({"core/base/a.c": function(71, '    puts("}"); /* } */\n')}, "f() has 71 lines"),
    "a long function after a directive": ({"core/base/a.c": "#define A(x) \\\n    {\n" + function(99)}, "f() has 99 lines"),
    "a long file": ({"hal/a.h": "\n" * 501}, "501 lines"),
}

if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN))
