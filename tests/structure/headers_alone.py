#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every header of core/ and hal/ compiles alone, with gcc and with clang, without a warning."""
import concurrent.futures
import shutil
import subprocess
import sys

from harness import find_files, main, skip

FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wsign-conversion", "-Wundef", "-Wmissing-prototypes",
         "-DLOCK_OBSERVED=1", "-ffreestanding", "-fsyntax-only", "-x", "c"]


def compile_alone(root, compiler, header):
    # Included, not compiled itself: as a main file its unused static functions would be reported. Twice: its guard works.
    text = f'#include "{header}"\n' * 2
    result = subprocess.run([compiler, *FLAGS, f"-I{root / 'core'}", f"-I{root}", "-"], input=text, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return f"{header}:1: does not compile alone with {compiler}:\n{result.stdout}" if result.returncode else None


def check(root, _):
    compilers = [name for name in ("gcc", "clang") if shutil.which(name)]
    if not compilers:
        skip("neither gcc nor clang is installed")
    jobs = [(root, compiler, header) for header in find_files(root, ("core", "hal"), (".h",)) for compiler in compilers]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [finding for finding in pool.map(lambda job: compile_alone(*job), jobs) if finding]


SOUND = {"core/base/a.h": "#ifndef A_H\n#define A_H\n#include <stdint.h>\nstruct a { uint32_t x; };\n#endif\n",
         "hal/b.h": '#ifndef B_H\n#define B_H\n#include "base/a.h"\nstruct b { struct a a; };\n#endif\n'}
BROKEN = {
    "a type of a header that is not included": ({"hal/b.h": "struct b { struct a a; };\n"}, "hal/b.h:1"),
    "a warning": ({"core/base/c.h": "#ifndef C_H\n#define C_H\nstatic inline unsigned char c(int x) { return x; }\n#endif\n"},
                  "core/base/c.h:1"),
    "no guard": ({"core/base/c.h": "struct c { int x; };\n"}, "core/base/c.h:1"),
}

if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN))
