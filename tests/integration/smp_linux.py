#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Linux with several vCPUs on as many physical CPUs, fewer or more, as the guest of ci/quickstart --cmd.

boot: all CPUs are there, and IPIs were taken by each. hotplug: each CPU goes off and comes back, so many times, and then all
but the first at once. stress: checksums and forks of all CPUs at once, for so many seconds of the guest's time. None of it may
make the kernel complain: of a stall, a lockup, a bug or a warning.
"""
import argparse
import hashlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402

COMPLAINT = re.compile(r"rcu:.*stall|soft lockup|hard lockup|blocked for more than|\bBUG\b|WARNING:|Call trace:|Oops|"
                       r"failed to come online|may not have shut down cleanly")
MIB = 1 << 20
ZEROES = 1  # MiB of each checksum

BOOT = "echo cpus $(nproc); "
# Every CPU off and on; then all but the first at once, and work for each of them.
HOTPLUG = """
cd /sys/devices/system/cpu
i=0
while [ $i -lt {times} ]; do
    for c in 0 {others}; do
        echo 0 > cpu$c/online && [ $(cat cpu$c/online) = 0 ] || exit 10
        echo 1 > cpu$c/online && [ $(cat cpu$c/online) = 1 ] || exit 11
    done
    i=$((i+1))
done
for c in {others}; do echo 0 > cpu$c/online || exit 12; done
echo alone $(nproc)
for c in {others}; do echo 1 > cpu$c/online || exit 13; done
for c in {others}; do taskset -c $c true || exit 14; done
echo cpus $(nproc)
"""
# Two kinds of checksum and forks, more of them than CPUs: zeroes, whose sum is known, and random bytes, whose sum
# each of the others has to find again.
STRESS = """
head -c {random} /dev/urandom > /tmp/random
want=$(sha256sum < /tmp/random)
end=$(($(cut -d. -f1 /proc/uptime) + {seconds}))
more() {{
    [ $(cut -d. -f1 /proc/uptime) -lt $end ]
}}
zeroes() {{
    while true; do
        [ "$(dd if=/dev/zero bs=64k count={blocks} 2>/dev/null | sha256sum)" = "{zero_sum}  -" ] || echo wrong sum of zeroes
        echo z >> /tmp/done
        more || break
    done
}}
randoms() {{
    while true; do
        [ "$(dd if=/tmp/random bs=64k 2>/dev/null | sha256sum)" = "$want" ] || echo wrong sum of random bytes
        echo r >> /tmp/done
        more || break
    done
}}
forks() {{
    while true; do
        for i in 1 2 3 4 5 6 7 8; do ( exit $i ) & done
        wait
        echo f >> /tmp/done
        more || break
    done
}}
for i in {workers}; do zeroes & randoms & forks & done
while more; do
    echo $(cut -d' ' -f1 /proc/uptime) s: $(grep -c . /tmp/done) rounds
    sleep 1
done
wait
for kind in z r f; do echo did $kind $(grep -c $kind /tmp/done); done
echo cpus $(nproc)
"""


def quickstart(options, command):
    arguments = ["--smp", options.smp, "--pcpus", options.pcpus, "--cmd", command + "cat /proc/interrupts"]
    arguments += ["--seed", options.seed] if options.machine == "sim" else []
    return halcyon.run_quickstart(options.machine, *arguments, timeout=options.timeout)


def check_quiet(text):
    complaints = [line for line in text.splitlines() if COMPLAINT.search(line)]
    check(not complaints, f"the kernel complains: {complaints}\n{halcyon.tail(text)}")


def check_cpus(text, options):
    """As many as there are to be, each with IPIs and ticks of its own timer."""
    check(re.search(rf"^cpus {options.smp}$", text, re.MULTILINE), f"not {options.smp} CPUs:\n{halcyon.tail(text)}")
    rows = {}
    for line in text.splitlines():
        match = re.match(rf"\s*(IPI\d+|\d+):((?:\s+\d+){{{options.smp}}})\s+(.*)", line)
        if match:
            rows[match.group(3)] = [int(count) for count in match.group(2).split()]
    calls = [row for name, row in rows.items() if name.startswith(("Rescheduling", "Function call"))]
    ticks = [row for name, row in rows.items() if name.endswith("arch_timer")]
    check(len(calls) == 2 and len(ticks) == 1, f"not the interrupts of {options.smp} CPUs:\n{halcyon.tail(text)}")
    for cpu in range(options.smp):
        check(sum(row[cpu] for row in calls) > 0, f"no IPI was taken by CPU {cpu}:\n{halcyon.tail(text)}")
        check(ticks[0][cpu] > 0, f"no tick on CPU {cpu}:\n{halcyon.tail(text)}")
    print(f"IPIs: {[sum(row[cpu] for row in calls) for cpu in range(options.smp)]}, ticks: {ticks[0]}")


def test_boot(options):
    text = quickstart(options, BOOT)
    check_quiet(text)
    check_cpus(text, options)


def test_hotplug(options):
    others = " ".join(str(cpu) for cpu in range(1, options.smp))
    text = quickstart(options, HOTPLUG.format(times=options.times, others=others))
    check_quiet(text)
    check_cpus(text, options)
    check(re.search(r"^alone 1$", text, re.MULTILINE), f"not all went off:\n{halcyon.tail(text)}")
    for cpu in range(options.smp):
        count = len(re.findall(rf"psci: CPU{cpu} killed", text))
        wanted = options.times + (cpu != 0)
        check(count == wanted, f"CPU {cpu} went off {count} times, not {wanted}:\n{halcyon.tail(text)}")
    print(f"off and on: {options.times} times each of {options.smp} CPUs, and once all but the first")


def test_stress(options):
    zero_sum = hashlib.sha256(bytes(ZEROES * MIB)).hexdigest()
    workers = " ".join(str(cpu) for cpu in range(options.smp))
    text = quickstart(options, STRESS.format(random=MIB + 12345, seconds=options.seconds, blocks=ZEROES * 16, zero_sum=zero_sum,
                                             workers=workers))
    check_quiet(text)
    check_cpus(text, options)
    check("wrong sum" not in text, f"a wrong sum:\n{halcyon.tail(text)}")
    did = dict(re.findall(r"^did ([zrf]) (\d+)$", text, re.MULTILINE))
    check(set(did) == set("zrf") and all(int(count) >= options.smp for count in did.values()),
          f"work was left undone: {did}\n{halcyon.tail(text)}")
    print(f"right sums: {did['z']} of zeroes, {did['r']} of random bytes; {did['f']} times 8 forks")


CASES = {"boot": test_boot, "hotplug": test_hotplug, "stress": test_stress}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--smp", type=int, default=4)
    parser.add_argument("--pcpus", type=int, default=2)
    parser.add_argument("--times", type=int, default=3, help="hotplug: how often each CPU goes off")
    parser.add_argument("--seconds", type=int, default=1, help="stress: of the guest's time")
    parser.add_argument("--seed", type=int, default=1, help="of the simulator")
    halcyon.add_timeout_option(parser)
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    halcyon.run_test(CASES[options.case], options)


if __name__ == "__main__":
    main()
