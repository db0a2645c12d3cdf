#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""All C files are as clang-format writes them by the tree's .clang-format."""
import re
import shutil
import subprocess
import sys

from harness import C_DIRECTORIES, ROOT, find_files, main, skip


def check(root, _):
    if not shutil.which("clang-format"):
        skip("clang-format is not installed: run ci/setup")
    files = [str(path) for path in find_files(root, C_DIRECTORIES, (".c", ".h"))]
    result = subprocess.run(["clang-format", f"--style=file:{ROOT / '.clang-format'}", "--dry-run", "-Werror", *files],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    places = re.findall(r"^(.+?):(\d+):\d+: error: ", result.stdout, re.M)
    first = {}
    for path, line in places:
        first.setdefault(path, []).append(line)
    findings = [f"{path}:{lines[0]}: not formatted, {len(lines)} places; run: clang-format -i {path}"
                for path, lines in first.items()]
    if result.returncode and not findings:
        findings.append(f"clang-format: {result.stdout[-500:]}")
    return findings


SOUND = {"core/a.c": "int a(void)\n{\n    return 1;\n}\n"}
BROKEN = {
    "indentation": ({"core/a.c": "int a(void)\n{\n  return 1;\n}\n"}, "core/a.c:2: not formatted"),
    "a test": ({"tests/unit/a.c": "int a (void);\n"}, "tests/unit/a.c:1"),
}

if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN))
