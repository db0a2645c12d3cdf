# SPDX-License-Identifier: MIT OR Apache-2.0
"""What every check of this directory shares: the tree's files, the command line and the self-test.

A check is a function check(root, options) -> list of findings, each "path:line: what is wrong". It passes if there are
none. Its self-test lays out small trees: a sound one, which must pass, and broken ones, each of which must be found.
"""
import argparse
import os
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
C_DIRECTORIES = ("core", "hal", "hal-aarch64", "hal-sim", "sim", "tests")
examined = set()  # files that find_files() gave out: a check that looked at none proves nothing
SKIP = 77  # the status that tells ctest that a test could not run; the reason is the last line of its output


def skip(reason):
    print(reason)
    sys.exit(SKIP)


def find_files(root, directories, suffixes=("",)):
    """Files below root/directories whose name ends in one of the suffixes, in a fixed order."""
    found = []
    for directory in directories:
        for parent, below, names in os.walk(root / directory):
            below[:] = sorted(name for name in below if name not in ("build", ".git", "__pycache__"))
            found += [pathlib.Path(parent) / name for name in sorted(names) if name.endswith(tuple(suffixes))]
    examined.update(found)
    return found


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


def blank(match):
    """Spaces instead of the text, so that lines and columns stay."""
    return re.sub(r"[^\n]", " ", match.group())


COMMENT = r"/\*.*?\*/|//[^\n]*"
LITERAL = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''


def strip_comments(text):
    """C without comments; literals, which may look like them, stay."""
    return re.sub(f"({LITERAL})|({COMMENT})", lambda m: m.group() if m.group(1) else blank(m), text, flags=re.S)


def strip_literals(text):
    """C without comments, strings and characters."""
    return re.sub(f"{LITERAL}|{COMMENT}", blank, text, flags=re.S)


def lay_out(root, files):
    """Writes {path: text}; a path with a trailing * is executable."""
    for name, text in files.items():
        path = root / name.rstrip("*")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if name.endswith("*") else 0o644)


def self_test(check, options, sound, broken):
    """The number of trees that were judged wrongly. `broken` is {name: (files over the sound tree, text of a finding)}."""
    wrong = 0
    for name, (files, expected) in {"sound": ({}, None), **broken}.items():
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            lay_out(root, {**sound, **files})
            findings = check(root, options)
        if expected is None:
            good = not findings
        else:
            good = any(expected in finding for finding in findings)
        print(f"{'ok' if good else 'not ok'}: {name}: {findings}")
        wrong += not good
    return wrong


def main(doc, check, sound, broken, add_arguments=None):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="the tree to check (this one)")
    parser.add_argument("--self-test", action="store_true", help="prove on small broken trees that the check can fail")
    if add_arguments:
        add_arguments(parser)
    options = parser.parse_args()
    if options.self_test:
        return 1 if self_test(check, options, sound, broken) else 0
    root = options.root.resolve()
    if not (root / "core").is_dir():
        parser.error(f"{root} is not a tree of this project: it has no core/")
    findings = check(root, options)
    for finding in findings:
        print(finding.replace(f"{root}/", ""))
    print(f"{len(findings)} findings" + (f" in {len(examined)} files" if examined else ""))
    return 1 if findings else 0
