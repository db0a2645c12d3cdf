#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""tests/conformance: the HAL's contract, checked on hal-aarch64 at EL2 or on hal-sim, in place of the hypervisor."""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from guest_program import check_tap  # noqa: E402
from machine import BUILD, CPUS, HOST_BUILD, Machine, qemu_command, sim_command  # noqa: E402

IMAGE = BUILD / "aarch64" / "conformance.img"
PROGRAM = HOST_BUILD / "tests" / "conformance" / "conformance-sim"
TIMEOUT = 50


def run(command, cpus):
    """With several CPUs the program asks for a key: the console's interrupt is to go from one to another."""
    with Machine(command) as machine:
        if cpus > 1:
            machine.expect("^# waiting for a key", TIMEOUT)
            machine.send("k")
        return machine.wait(TIMEOUT)


def run_qemu(options):
    halcyon.require(IMAGE)
    return run(qemu_command("halcyon", kernel=IMAGE, memory="256M", cpu=CPUS[options.cpu], cpus=options.cpus),
               options.cpus)


def run_sim(options):
    """What the checks get for a guest's image they do not look at."""
    halcyon.require(PROGRAM)
    return run(sim_command("--kernel", PROGRAM, "--pcpus", str(options.cpus), "--seed", str(options.seed),
                           program=PROGRAM, cpu=options.cpu, typed=options.cpus > 1), options.cpus)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", choices=CPUS, default="cortex-a57")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the order in which the simulator's CPUs take turns")
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    result = {"qemu": run_qemu, "sim": run_sim}[options.machine](options)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    halcyon.check(result.exit_code == 0, f"status {result.exit_code}: {result.stderr}")
    check_tap(result.console, f"the HAL of {options.machine}")
    print(result.console.splitlines()[-1])


if __name__ == "__main__":
    halcyon.run_test(main)
