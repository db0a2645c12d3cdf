#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""VMs that want all the time that they can get (tests/guest/programs/spin.c) get it by their weights, as `list` counts it.

Ten seconds of the simulator's time, by default. A share is right if it is within --limit of what is due, in per cent of that.
"""
import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import HALCYON_SIM, HOST_BUILD, ROOT, sim_command  # noqa: E402

# Guest programs are of the host build, whichever simulator runs them.
PROGRAM = ROOT / "build" / "host" / "guest" / "spin.bin"
# After that the VMs go on, so that none has ended when `list` comes.
MORE = 400
ROW = re.compile(r"^ *\d+ +(\S+) +running .* (\d+) ms of CPU time$", re.MULTILINE)


def run(options):
    program = HOST_BUILD / "guest" / "spin.bin"
    program = program if program.is_file() else PROGRAM
    halcyon.require(HALCYON_SIM, program)
    weights = options.weights.split(",")
    arguments = ["--kernel", program, "--memory", "8M", "--vms", len(weights), "--weights", options.weights, "--smp", options.smp,
                 "--pcpus", options.pcpus, "--console", "lines", "--append", f"say={options.ms} end={options.ms + MORE}",
                 "--control-on", "# time", "--control", "list"]
    result = halcyon.run_sim(sim_command(*arguments), options.timeout, silence=True)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    return result.console, [int(weight) for weight in weights]


def test(options):
    console, weights = run(options)
    rows = ROW.findall(console)
    check([name for name, _ in rows] == [f"vm{i}" for i in range(len(weights))], f"not a row for each VM:\n{halcyon.tail(console)}")
    times = [int(time) for _, time in rows]
    total = sum(times)
    # Not less than was to be measured: by the clock, on all CPUs.
    check(total >= options.ms * options.pcpus * 0.98, f"only {total} ms of CPU time in all, in {options.ms} ms on {options.pcpus} CPUs")
    for i, weight in enumerate(weights):
        due = total * weight / sum(weights)
        off = (times[i] - due) / due * 100
        print(f"vm{i}: weight {weight}, {times[i]} ms of {total}, due {due:.0f}: {off:+.2f} %")
    worst = max(abs(times[i] * sum(weights) / (total * weight) - 1) * 100 for i, weight in enumerate(weights))
    check(worst <= options.limit, f"{worst:.2f} % off, more than {options.limit}: {times} ms with weights {weights}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="100,200,400", help="of the VMs")
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--pcpus", type=int, default=1)
    parser.add_argument("--ms", type=int, default=10000, help="how long")
    parser.add_argument("--limit", type=float, default=2, help="per cent")
    parser.add_argument("--machine", choices=["sim"], default="sim", help="whose time is counted")
    halcyon.add_timeout_option(parser, 200)
    halcyon.run_test(test, parser.parse_args())


if __name__ == "__main__":
    main()
