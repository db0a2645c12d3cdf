#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every command in ci/, coverage/ and here answers --help with text and status 0, and every shell script parses.

A script of /bin/sh is the guest's, not this machine's: it is parsed and never run. Nor is a script run whose text does
not show that it knows --help.
"""
import os
import subprocess
import sys

from harness import find_files, main, read

TIMEOUT = 20
HOST_SHEBANGS = ("#!/usr/bin/env bash", "#!/usr/bin/env python3")
HELP_TEXT = ("--help", "argparse", "from harness")
HELP_MINIMUM = 40  # characters: less says nothing


def check_help(path, text):
    if not any(word in text for word in HELP_TEXT):
        return [f"{path}:1: does not know --help"]
    try:
        result = subprocess.run([str(path), "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return [f"{path}:1: --help takes more than {TIMEOUT} s"]
    if result.returncode != 0:
        return [f"{path}:1: --help ends with status {result.returncode}: {result.stdout[-200:]}"]
    return [] if len(result.stdout.strip()) >= HELP_MINIMUM else [f"{path}:1: --help says too little"]


def check_syntax(path, shell):
    result = subprocess.run([shell, "-n", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return [f"{path}:1: {shell} -n: {result.stdout.strip()}"] if result.returncode else []


def check(root, _):
    findings = []
    for path in find_files(root, ("ci", "coverage", "tests/structure")):
        text = read(path)
        shebang = text.split("\n", 1)[0]
        if shebang in ("#!/usr/bin/env bash", "#!/bin/bash") or path.suffix == ".sh":
            findings += check_syntax(path, "bash")
        elif shebang == "#!/bin/sh":
            findings += check_syntax(path, "sh")
        if not os.access(path, os.X_OK):
            continue
        if shebang in HOST_SHEBANGS:
            findings += check_help(path, text)
        elif shebang != "#!/bin/sh":
            findings.append(f"{path}:1: not a script of bash, python3 or the guest's /bin/sh")
    return findings


BASH = "#!/usr/bin/env bash\n"
GOOD = BASH + 'case ${1-} in --help) echo "usage: good; a text that is long enough to help" ;; *) exit 1 ;; esac\n'
SOUND = {"ci/good*": GOOD, "ci/lib.sh": "f() {\n:\n}\n", "ci/guest-part*": "#!/bin/sh\nexit 1\n"}
BROKEN = {
    "no --help": ({"ci/bad*": BASH + "echo a text that is long enough to help somebody\n"}, "ci/bad:1: does not know"),
    "--help fails": ({"ci/bad*": BASH + "echo --help --help --help --help --help --help; exit 3\n"}, "status 3"),
    "--help is silent": ({"ci/bad*": BASH + "[ $1 = --help ]\n"}, "ci/bad:1: --help says too little"),
    "bash that does not parse": ({"ci/lib.sh": "if true; then\n"}, "bash -n"),
    "sh that does not parse": ({"ci/guest-part*": "#!/bin/sh\nif\n"}, "sh -n"),
    "another interpreter": ({"ci/bad*": "#!/usr/bin/perl\n"}, "ci/bad:1: not a script"),
}

if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN))
