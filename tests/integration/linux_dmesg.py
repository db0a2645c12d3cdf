#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The guest's kernel has nothing to complain about under Halcyon that it does not complain about on bare QEMU.

Same kernel, initramfs, CPU, memory and command line on both. Compared are the messages of level "warning" and above,
and those of any level that speak of trouble. Numbers and addresses in them do not count.
"""
import argparse
import base64
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import CPUS  # noqa: E402

TIMEOUT = 120
# "dmesg -r" has the level in front, as <N> (the facility's bits included); 4 is "warning". The sleep shows that
# the clock and the timer go on after the boot, and leaves time for what comes late.
COMMAND = "sleep 3; echo dmesg-begin; dmesg -r; echo dmesg-end"
LEVEL_WARNING = 4
TROUBLE = re.compile(r"WARNING|[Uu]nexpected|stall|BUG|Oops|Call trace|lockup|[Ee]rror|[Ff]ailed|[Mm]alformed")


def read_messages(result, where):
    halcyon.check_ended(result, where)
    match = re.search(r"^dmesg-begin\n(.*)^dmesg-end$", result.console, re.MULTILINE | re.DOTALL)
    check(match, f"{where}: the guest did not print its messages:\n{halcyon.tail(result.console)}")
    lines = [line for line in match.group(1).splitlines() if not line.startswith(halcyon.LOG_PREFIX)]
    messages = [re.fullmatch(r"<(\d+)>\[\s*[\d.]+\] (.*)", line) for line in lines]
    check(sum(map(bool, messages)) > 100, f"{where}: hardly any messages:\n{halcyon.tail(result.console)}")
    return [(int(each.group(1)) & 7, each.group(2)) for each in messages if each]


def normalise(text):
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+", "N", text)


def find_complaints(messages):
    return {normalise(text): text for level, text in messages if level <= LEVEL_WARNING or TROUBLE.search(text)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", choices=CPUS, default="cortex-a57")
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    halcyon.require(halcyon.LINUX, halcyon.INITRAMFS)
    append = "console=ttyAMA0 log_buf_len=1M halcyon.cmd=" + base64.b64encode(COMMAND.encode()).decode()
    bare = find_complaints(read_messages(halcyon.run_bare(
        halcyon.LINUX, timeout=TIMEOUT, initrd=halcyon.INITRAMFS, append=append, cpu=options.cpu), "bare QEMU"))
    with halcyon.scratch() as directory:
        bundle = halcyon.make_bundle(directory / "bundle.dtb", halcyon.LINUX, initrd=halcyon.INITRAMFS, append=append)
        nested = find_complaints(read_messages(halcyon.run_halcyon(
            options.machine, bundle, timeout=TIMEOUT, cpu=options.cpu), "Halcyon"))
    print(f"{len(bare)} complaints on bare QEMU, {len(nested)} under Halcyon")
    new = [nested[key] for key in nested if key not in bare]
    check(not new, "the guest complains under Halcyon, and not on bare QEMU:\n" + "\n".join(new))


if __name__ == "__main__":
    halcyon.run_test(main)
