# SPDX-License-Identifier: MIT OR Apache-2.0
"""ci/bench sim: the simulator's speed, in the host's time, with QEMU's for the same work beside it."""
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

from bench_lib import (LINUX_MIB, SIMULATOR, TIMEOUT, bootargs, halcyon, halcyon_on_qemu, linux_bundle,
                       print_table, run_quietly, say)
from halcyon import check
from machine import CPUS, Machine, qemu_command, sim_command

SHELL = "at-the-shell"
COMMAND = f"echo {SHELL}; echo behind-it"
LOOP_MIB = 64
# Copies, and from where: a time (ticks) shortly before the shell.
FORKS = 50
FORK_AT = 900_000_000
# So many round trips take long enough to be told from a start, also where nothing traps.
ROUNDS = 1 << 20

# A guest that does one thing in a loop, and powers off. x20: the PL011; x21: the distributor.
LOOP = """
        mov     x20, #0x09000000
        mov     x21, #0x08000000
        ldr     x19, =ROUNDS
1:      {insns}
        sub     x19, x19, #1
        cbnz    x19, 1b
        ldr     w0, =0x84000008         // PSCI SYSTEM_OFF
        hvc     #0
        b       .
"""
# Names, and what is in the loop.
OPERATIONS = {
    "no trap": "nop",
    "HVC: PSCI_VERSION": "mov w0, #0x84000000; hvc #0",
    "MMIO read: UARTFR of the PL011": "ldr w0, [x20, #0x18]",
    "MMIO read: GICD_CTLR": "ldr w0, [x21]",
    "System register read: ID_AA64PFR0_EL1": "mrs x0, id_aa64pfr0_el1",
}


def seconds(value):
    return f"{value:.2f} s"


def timed(command, text=None, statuses=(0,)):
    """The seconds from a program's start to this text on its console, or to its end."""
    start = time.monotonic()
    with Machine(command) as machine:
        if text:
            machine.expect(text, TIMEOUT)
            return time.monotonic() - start
        result = machine.wait(TIMEOUT)
    halcyon.check_ended(result, command[0])
    check(result.exit_code in statuses, f"{command[0]} ended with status {result.exit_code}: {result.stderr}\n"
          f"{halcyon.tail(result.console)}")
    return time.monotonic() - start


def in_turn(rounds, commands, **options):
    """How many seconds each of some commands, {name: command}, took each time. They take turns, so that a host that gets slower
    meanwhile does so for all."""
    times = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(timed(command, **options))
    return times


def medians(times):
    return {name: statistics.median(each) for name, each in times.items()}


def count_instructions(command):
    """What --hash says of a run in the simulator."""
    done = subprocess.run([*command, "--hash"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT,
                          check=False)
    match = re.search(r"^halcyon-sim: hash \w+ instructions (\d+) ", done.stderr, re.MULTILINE)
    check(done.returncode == 0 and match, f"the simulator failed: {done.stderr}")
    return int(match.group(1))


def measure_boot(options, directory):
    """Prints the table. Returns the ratio to QEMU with the hypervisor and to bare QEMU, each of its best time, which whatever
    else runs on the host disturbs least."""
    say(f"Linux to its shell, {options.rounds} times on each of three machines")
    append = bootargs(COMMAND)
    bundle = linux_bundle(directory, append)
    simulator = sim_command(bundle, program=SIMULATOR, cpu=options.cpu)
    times = in_turn(options.rounds, {
        "simulator": simulator,
        "QEMU": halcyon_on_qemu(bundle, LINUX_MIB, cpu=options.cpu),
        "bare": qemu_command("bare", kernel=halcyon.LINUX, initrd=halcyon.INITRAMFS, append=append,
                             memory=f"{LINUX_MIB}M", cpu=CPUS[options.cpu]),
    }, text=rf"^{SHELL}")
    count = count_instructions(simulator)
    middle, best = medians(times), {name: min(each) for name, each in times.items()}
    ours = middle["simulator"]
    print(f"Linux, from the program's start to the shell, on {options.cpu}; median of {options.rounds}")
    print_table([["", "time", "the simulator is"],
                 ["simulator", seconds(ours), ""],
                 ["QEMU TCG, under Halcyon", seconds(middle["QEMU"]), f"{ours / middle['QEMU']:.2f} x"],
                 ["QEMU TCG, bare", seconds(middle["bare"]), f"{ours / middle['bare']:.2f} x"]])
    print(f"In the simulator these are {count:,} instructions, the way to the power-off included.\n")
    return best["simulator"] / best["QEMU"], best["simulator"] / best["bare"]


def make_loop(name, insns, rounds, directory):
    """A bundle with the program, as a flat image."""
    stem = directory / re.sub(r"\W+", "-", f"{name}-{rounds}")
    run_quietly(f"assembling the loop of {name}", ["aarch64-linux-gnu-as", "--defsym", f"ROUNDS={rounds}", "-o",
                                                   f"{stem}.o", "-"], LOOP.format(insns=insns))
    run_quietly("making an image", ["aarch64-linux-gnu-objcopy", "-O", "binary", f"{stem}.o", f"{stem}.bin"])
    return halcyon.make_bundle(pathlib.Path(f"{stem}.dtb"), f"{stem}.bin", memory=f"{LOOP_MIB}M")


def measure_operation(options, name, insns, directory):
    """Nanoseconds of one round in the simulator and on QEMU."""
    commands = {}
    for rounds in (1, 1 + ROUNDS):
        bundle = make_loop(name, insns, rounds, directory)
        commands["sim", rounds] = sim_command(bundle, program=SIMULATOR, cpu=options.cpu)
        commands["qemu", rounds] = halcyon_on_qemu(bundle, LOOP_MIB, cpu=options.cpu)
    times = medians(in_turn(options.rounds, commands))
    return [(times[where, 1 + ROUNDS] - times[where, 1]) / ROUNDS * 1e9 for where in ("sim", "qemu")]


def measure_exits(options, directory):
    say(f"round trips of an exit, {ROUNDS:,} of each kind, {options.rounds} times")
    rows = [["one round", "simulator", "QEMU TCG"]]
    loop = [0.0, 0.0]
    for name, insns in OPERATIONS.items():
        figures = measure_operation(options, name, insns, directory)
        rows.append([name, *(f"{figure - base:.1f} ns" for figure, base in zip(figures, loop))])
        loop = loop if any(loop) else figures
    print(f"Exits that core handles, to the next instruction of the guest, less the loop; median of {options.rounds}")
    print_table(rows)
    print()


def measure_snapshot(options, directory):
    say("a snapshot at the shell, and its restore")
    bundle = linux_bundle(directory, bootargs(COMMAND))
    snapshot = directory / "snapshot"
    timed(sim_command("--snapshot", snapshot, "--snapshot-on", SHELL, "--snapshot-quit", bundle, program=SIMULATOR,
                      cpu=options.cpu))
    restore = ("--restore", snapshot)
    # A limit that was reached before the snapshot was made ends the run where it would go on.
    times = {what: statistics.median(timed([str(SIMULATOR), "--no-input", *map(str, words)], statuses=(status,))
                                     for _ in range(options.rounds))
             for what, status, words in (("start", 0, ("--version",)), ("restore", 1, (*restore, "--max-insns", 1)),
                                         ("end", 0, restore))}
    print(f"A snapshot of a guest of {LINUX_MIB} MiB at its shell, {snapshot.stat().st_size / 1e6:.0f} MB; "
          f"median of {options.rounds}")
    print_table([["", "time"],
                 ["a new process that does nothing", f"{times['start'] * 1e3:.0f} ms"],
                 ["one that restores it, and ends", f"{times['restore'] * 1e3:.0f} ms"],
                 ["one that restores it, and runs to the guest's power-off", f"{times['end'] * 1e3:.0f} ms"]])


def measure_fork(options, directory):
    say("copies of the process, from one point of a run")
    bundle = linux_bundle(directory, bootargs(COMMAND))
    command = [str(SIMULATOR.parent / "bench-fork"), str(FORKS), str(FORK_AT), "--cpu", options.cpu, str(bundle)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    check(done.returncode == 0, f"bench-fork failed: {done.stderr}")
    lines = [[float(word) for word in line.split()] for line in done.stdout.splitlines()]
    print(f"Going on from one point of Linux's boot in the same process; median and worst of {FORKS}")
    print_table([["", "median", "worst"]] +
                [[what, f"{statistics.median(times) / 1e3:.2f} ms", f"{max(times) / 1e3:.2f} ms"]
                 for what, times in zip(("until the copy has executed a block", "until its end is known"), zip(*lines))])


def measure(options):
    with tempfile.TemporaryDirectory(prefix="halcyon-bench.") as name:
        directory = pathlib.Path(name)
        ratios = measure_boot(options, directory)
        measure_exits(options, directory)
        measure_snapshot(options, directory)
        print()
        measure_fork(options, directory)
    if options.limit is not None:
        check(max(ratios) <= options.limit, f"{max(ratios):.2f} times QEMU TCG's best time to the shell; the limit is "
              f"{options.limit}")
