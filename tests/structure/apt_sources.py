#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""ci/guest-apt-sources takes a machine's own entries for Debian, whatever its release, and no one else's.

Each case is an apt directory and what must come out of it: the mirrors with their suites, or nothing and status 1.
"""
import pathlib
import subprocess
import sys
import tempfile

from harness import ROOT, lay_out, main, read

PROGRAM = "ci/guest-apt-sources"
TIMEOUT = 20
DEBIAN = "http://debian.example/debian"
SECURITY = "http://debian.example/security"
OTHER = "http://other.example/deb"
BOOKWORM = f"""Types: deb
URIs: {DEBIAN}
Suites: bookworm bookworm-updates bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: {SECURITY}
Suites: bookworm-security
Components: main contrib
"""

# name: (files of the apt directory, the suite asked for, lines "mirror suite" that must come out)
CASES = {
    "the suite itself": (
        {"sources.list.d/debian.sources": BOOKWORM}, "bookworm",
        [f"{DEBIAN} bookworm", f"{DEBIAN} bookworm-updates", f"{SECURITY} bookworm-security"]),
    "a newer suite from an older release's entries": (
        {"sources.list.d/debian.sources": BOOKWORM}, "trixie",
        [f"{DEBIAN} trixie", f"{DEBIAN} trixie-updates", f"{SECURITY} trixie-security"]),
    "an older suite from a newer release's entries": (
        {"sources.list": f"deb {DEBIAN} trixie main\n"}, "bookworm", [f"{DEBIAN} bookworm"]),
    "entries of the suite go before those of another": (
        {"sources.list": f"deb {DEBIAN} trixie main\n", "sources.list.d/debian.sources": BOOKWORM}, "trixie",
        [f"{DEBIAN} trixie"]),
    "a part of the suite alone is not enough": (
        {"sources.list": f"deb {SECURITY} trixie-security main\ndeb {DEBIAN} bookworm main\n"}, "trixie",
        [f"{DEBIAN} trixie", f"{SECURITY} trixie-security"]),
    "stable is whatever was asked for": (
        {"sources.list": f"deb {DEBIAN} stable main non-free # a note\n"}, "trixie", [f"{DEBIAN} trixie"]),
    "security's old name": (
        {"sources.list": f"deb {DEBIAN} buster main\ndeb {SECURITY} buster/updates main\n"}, "trixie",
        [f"{DEBIAN} trixie", f"{SECURITY} trixie-security"]),
    "an entry for one architecture serves another": (
        {"sources.list": f"deb [arch=i386] {DEBIAN} bookworm main\n"}, "bookworm", [f"{DEBIAN} bookworm"]),
    "a third party with a key of its own": (
        {"sources.list": f"deb [signed-by=/etc/other.gpg] {OTHER} bookworm main\n"}, "bookworm", []),
    "another distribution": ({"sources.list": f"deb {OTHER} jammy main universe\n"}, "trixie", []),
    "backports alone": ({"sources.list": f"deb {DEBIAN} bookworm-backports main\n"}, "trixie", []),
    "no main": ({"sources.list": f"deb {DEBIAN} bookworm contrib\n"}, "bookworm", []),
    "sources of programs alone": ({"sources.list": f"deb-src {DEBIAN} bookworm main\n"}, "bookworm", []),
    "a disabled entry": ({"sources.list.d/a.sources": "Enabled: no\n" + BOOKWORM.split("\n\n", 1)[0]}, "trixie", []),
    "a disc": ({"sources.list": "deb cdrom:[Debian]/ bookworm main\n"}, "bookworm", []),
    "half an entry": ({"sources.list": f"deb\ndeb {DEBIAN}\n", "sources.list.d/a.sources": "Types: deb\n \0\n"},
                      "bookworm", []),
    "no files": ({}, "bookworm", []),
}


def run_case(program, case):
    """What is wrong with the answer to a case; empty if nothing is."""
    files, suite, expected = case
    with tempfile.TemporaryDirectory() as directory:
        lay_out(pathlib.Path(directory), files)
        # Without the site's modules python starts in half the time.
        command = [sys.executable, "-IS", str(program), suite, "riscv64", "/the/keyring", directory]
        result = subprocess.run(command, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
    wanted = "".join("Types: deb\nURIs: {}\nSuites: {}\nComponents: main\nArchitectures: riscv64\nTargets: Packages\n"
                     "Signed-By: /the/keyring\n\n".format(*line.split()) for line in expected)
    if result.returncode != (0 if expected else 1) or result.stdout != wanted:
        return f"status {result.returncode} and {result.stdout!r}, not {expected}"
    return ""


def check(root, _):
    answers = {name: run_case(root / PROGRAM, case) for name, case in CASES.items()}
    return [f"{root / PROGRAM}:1: {name}: {wrong}" for name, wrong in answers.items() if wrong]


def break_program(old, new):
    text = read(ROOT / PROGRAM)
    assert text.count(old) == 1, f"{PROGRAM} no longer has {old!r} once"
    return {PROGRAM + "*": text.replace(old, new)}


SOUND = {PROGRAM + "*": read(ROOT / PROGRAM)}
BROKEN = {
    "one architecture": (break_program("{architecture}", "amd64"), "the suite itself"),
    "suites as they are": (break_program("(uri, suite + part)", "(uri, release + part)"), "a newer suite"),
    "both releases": (break_program("named if any(name == suite for _, name in named) else ", ""), "go before"),
    "everybody's releases": (break_program(" or release in RELEASES", " or True"), "another distribution"),
    "everybody's keys": (break_program('(not signed_by or "debian-archive" in signed_by)', "True"), "a third party"),
    "a crash": (break_program("if len(words) < 2:", "if not words:"), "half an entry"),
}

if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN))
