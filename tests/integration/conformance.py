#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""tests/conformance on hal-aarch64: the HAL's contract, checked at EL2 in place of the hypervisor."""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from guest_program import CPUS, check_tap  # noqa: E402
from machine import BUILD, qemu_command  # noqa: E402

IMAGE = BUILD / "aarch64" / "conformance.img"
TIMEOUT = 30


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", choices=CPUS, default="cortex-a57")
    options = parser.parse_args()
    halcyon.require(IMAGE)
    result = halcyon.run_command(qemu_command("halcyon", kernel=IMAGE, memory="256M", cpu=CPUS[options.cpu]), TIMEOUT)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    check_tap(result.console, "hal-aarch64")
    print(result.console.splitlines()[-1])


if __name__ == "__main__":
    halcyon.run_test(main)
