#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What ci/quickstart, ci/quickstart-machine and ci/bundle do around a machine: command lines, bundles, keys, the console
of several VMs and their statuses. A program that prints what a test wants stands in for the machine.
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import HALCYON_SIM, ROOT, Terminal, program_environment  # noqa: E402

FAKE = pathlib.Path(__file__).resolve().parent / "lib" / "fake_simulator.py"
TIMEOUT = 30
LOG = r"[halcyon 0.500000] notice vm: something\r\n"


def machine_command(*options):
    return [ROOT / "ci" / "quickstart-machine", "--log", "/dev/null", "--timeout", str(TIMEOUT), *options, "--", FAKE]


def run(command, typed=b"", **environment):
    return subprocess.run([str(word) for word in command], input=typed, capture_output=True, check=False,
                          timeout=2 * TIMEOUT, env=program_environment(**environment))


def expect(done, status, output=None, error=None):
    check(done.returncode == status, f"status {done.returncode} instead of {status}: {done.stdout} {done.stderr}")
    check(output is None or done.stdout == output, f"{done.stdout}\ninstead of\n{output}")
    check(error is None or error in done.stderr, f"{error} is not in {done.stderr}")


# --- Consoles with --cmd ---

def batch(console, *options):
    return run(machine_command("--batch", "--expect-status", *options), FAKE_CONSOLE=console)


def one_vm():
    """As it always was: no prefix, and a marker behind text on its line."""
    expect(batch(LOG + r"one\r\nvm0: two\r\nthreehalcyon-guest: exit 7\r\nfour\r\n"), 7,
           b"one\nvm0: two\nthreefour\n")
    expect(batch(r"halcyon-guest: exit 1\r\nhalcyon-guest: exit 0\r\n"), 0, b"halcyon-guest: exit 1\n")
    expect(batch(r"one\r\n"), 1, b"one\n", b"the guest powered off without telling the command's status")
    expect(batch(r"Kernel panic - not syncing: x\r\n"), 1, None, b"the guest's kernel: Kernel panic")


def several_vms():
    console = (LOG + r"[halcyon] focus: vm1\r\nvm0: a\r\nvm1: b\r\nvm2: c\r\nvm1: xhalcyon-guest: exit 3\r\nvm0: d\r\n" + LOG +
               r"vm2: halcyon-guest: exit 4\r\nvm0: halcyon-guest: exit 0\r\n")
    expect(batch(console, "--vms", "3"), 3, b"vm0: a\nvm1: b\nvm2: c\nvm0: d\nvm1: x\n",
           b"VM vm1: the command's status is 3")
    expect(batch(console.replace("exit 3", "exit 0").replace("exit 4", "exit 0"), "--vms", "3"), 0)


def order_of_vms():
    """Not of their ends."""
    console = r"vm1: halcyon-guest: exit 5\r\nvm0: halcyon-guest: exit 6\r\n"
    done = batch(console, "--vms", "2")
    expect(done, 6, b"", b"VM vm0: the command's status is 6")
    check(b"vm1" not in done.stderr, f"more than one VM's status: {done.stderr}")


def last_marker_of_each():
    """What looks like a status and is followed by another of the same VM was the command's own output."""
    console = (r"vm0: halcyon-guest: exit 1\r\nvm1: halcyon-guest: exit 0\r\nvm0: more\r\n"
               r"vm0: halcyon-guest: exit 0\r\nvm1: kept\r\n")
    expect(batch(console, "--vms", "2"), 0, b"vm0: halcyon-guest: exit 1\nvm0: more\nvm1: kept\n")


def missing_status():
    """Worse than a bad one."""
    expect(batch(r"vm0: halcyon-guest: exit 9\r\nvm1: text\r\n", "--vms", "2"), 1, None,
           b"VM vm1 powered off without telling the command's status")


def failures_of_one():
    expect(batch(r"vm0: halcyon-guest: exit 0\r\nvm1: [ 1.0] Kernel panic - not syncing: x\r\n", "--vms", "2"), 1, None,
           b"VM vm1's kernel: Kernel panic - not syncing: x")
    expect(batch(r"vm0: halcyon-guest: exit 0\r\n[halcyon 0.1] error vm: vm1 stopped: it did that\r\n", "--vms", "2"), 1,
           None, b"VM vm1 was stopped: it did that")


def lines_of_nobody():
    expect(batch(r"odd\r\nvm2: odd\r\nvm0: halcyon-guest: exit 0\r\nvm1: halcyon-guest: exit 0\r\n", "--vms", "2"), 0,
           b"odd\nvm2: odd\n")


# --- Keys and other input ---

def took(typed, count, *options):
    done = run(machine_command(*options), typed, FAKE_TAKES=str(count))
    check(done.returncode == 0, f"status {done.returncode}: {done.stderr}")
    return re.search(rb"took ([0-9a-f ]*)", done.stdout).group(1).decode()


def input_from_a_pipe():
    check(took(b"a\x01b", 4) == "61 01 01 62", "a byte of a pipe is not doubled")
    check(took(b"a\x01\x01b", 3, "--no-escape") == "61 01 01", "doubled for nobody")
    check(took(b"\x01ca\x01\x01\r", 6, "--input-raw") == "01 63 61 01 01 0d", "raw input is not as it was")


def commands():
    check(took(b"", 9, "--control", "stop 1") == b"\x01cstop 1\r".hex(" "), "a command was not given")
    words = ["--control-on", "hello", "--control", "a", "--control", "b", "--control-on", "never", "--control", "c"]
    done = run(machine_command(*words), FAKE_TAKES="8")
    expect(done, 1, None, b"the run ended before it came to --control 'c'")
    check(b"took 01 63 61 0d 01 63 62 0d" in done.stdout, f"not two commands: {done.stdout}")


def keys_of_a_terminal():
    with Terminal(machine_command(), environment=program_environment(FAKE_TAKES="7")) as terminal:
        terminal.expect("hello", TIMEOUT)
        terminal.send("\x01h")
        terminal.expect(r"Ctrl-A x        end", TIMEOUT)
        terminal.expect(r"a command line", TIMEOUT)
        terminal.send("a\x01tb\x01\x01c")
        terminal.expect(r"took 61 01 74 62 01 01 63", TIMEOUT)
        check(terminal.wait(TIMEOUT).exit_code == 0, "it failed")
    with Terminal(machine_command(), environment=program_environment(FAKE_TAKES="7")) as terminal:
        terminal.expect("hello", TIMEOUT)
        terminal.send("\x01X")
        check(terminal.wait(TIMEOUT).exit_code == 0, "Ctrl-A x does not leave")


# --- Command lines ---

REFUSED = [(("--smp", "0"), "--smp 0: must be a number from 1 to 16"),
           (("--smp", "17"), "--smp 17: must be a number from 1 to 16"),
           (("--pcpus", "65"), "--pcpus 65: must be a number from 1 to 64"),
           (("--vms", "many"), "--vms many: must be a number from 1 to 16"),
           (("--vms", "100000"), "--vms 100000: must be"),
           (("--vmids", "1"), "--vmids 1: must be a number from 2 to 65535"),
           (("--weights", "1,2"), "2 of them for 1 VMs"),
           (("--vms", "2", "--weights", "1,"), "--weights : must be"),
           (("--vms", "2", "--weights", "1,1001"), "--weights 1001: must be a number from 1 to 1000"),
           (("--bundle", "/no/such.dts"), "there is no such file"),
           (("--bundle", str(FAKE), "--vms", "2"), "--vms: the bundle says it"),
           (("--bundle", str(FAKE), "--cmd", "true"), "--cmd: the bundle says it"),
           (("--flash", "x", "--vms", "2"), "--flash with --vms"),
           (("--bundle", str(FAKE), "--flash", "x"), "--flash: the bundle says it"),
           (("--control-on", "x"), "after it comes its --control"),
           (("--control-on", "x", "--control-on", "y", "--control", "z"), "--control-on twice"),
           (("--control", ""), "--control: empty"),
           (("--control", "a\tb"), "printable"),
           (("--control", "x" * 81), "at most 80 characters"),
           (("--cmd", "true", "--input-raw"), "--input-raw: with --cmd"),
           (("--qemu", "--seed", "1"), "--seed: not with --qemu"),
           (("--qemu", "--epoch", "1"), "--epoch: not with --qemu")]


def refused():
    for words, text in REFUSED:
        expect(run([ROOT / "ci" / "quickstart", *words]), 2, b"", text.encode())


def arguments_of(*words):
    """What ci/quickstart gives the simulator, whose kernel is one of our own."""
    with halcyon.scratch() as directory:
        if "--bundle" not in words:
            kernel = directory / "kernel"
            kernel.write_bytes(b"flat")
            words = [*words, "--kernel", kernel]
        done = run([ROOT / "ci" / "quickstart", *words], HALCYON_SIM=str(FAKE), FAKE_TELLS="1")
    check(done.returncode == 0, f"status {done.returncode}: {done.stderr}")
    return " " + re.search(rb"arguments (.*)\r?\n", done.stdout).group(1).decode().strip() + " "


def arguments():
    given = arguments_of("--smp", "4", "--pcpus", "2", "--vms", "3", "--weights", "1,2,4", "--vmids", "2", "--seed", "5", "--epoch", "7",
                         "--control-on", "~ # ", "--control", "stop 1")
    for words in ("--smp 4", "--pcpus 2", "--vms 3", "--weights 1,2,4", "--vmids 2", "--seed 5", "--epoch 7", "--input-raw",
                  "--control-on=~ #  --control=stop 1"):
        check(f" {words} " in given, f"{words} is not in {given}")
    check(" --flash /no/such file " in arguments_of("--flash", "/no/such file"), "--flash is not the simulator's own")
    given = arguments_of("--cmd", "true")
    check(" --no-input " in given and "--input-raw" not in given and " --vms 1 " in given, given)
    check("--console" not in given, given)
    check(" --console lines " in arguments_of("--cmd", "true", "--vms", "2"), "a console with parts of lines")


SOURCE = """/dts-v1/;
/ { compatible = "halcyon,bundle"; %s vms {
a { compatible = "halcyon,vm"; memory-size = /bits/ 64 <0x140000000>; kernel = /incbin/("k"); };
b { compatible = "halcyon,vm"; memory-size = /bits/ 64 <0x100000>; images-of = "a"; };
}; };
"""


def bundles():
    """A source is compiled where it is, a blob is taken as it is, and what it says of Ctrl-A is heard."""
    bundle = ROOT / "ci" / "bundle"
    with halcyon.scratch() as directory:
        (directory / "k").write_bytes(b"flat")
        source, blob = directory / "b.dts", directory / "b.dtb"
        source.write_text(SOURCE % "")
        given = arguments_of("--bundle", source)
        check(re.search(r" --bundle \S+\.dtb ", given) and "--kernel" not in given, given)
        expect(run([bundle, "--bundle", source, "--output", blob]), 0)
        expect(run([bundle, "--describe", blob]), 0, b"memory-kib 5243904\nescapes yes\n")
        done = run([ROOT / "ci" / "quickstart", "--bundle", blob], b"\x01", HALCYON_SIM=str(FAKE), FAKE_TAKES="2")
        check(b"took 01 01" in done.stdout, done.stdout)
        source.write_text(SOURCE % "halcyon { no-escape; };")
        done = run([ROOT / "ci" / "quickstart", "--bundle", source], b"\x01z", HALCYON_SIM=str(FAKE), FAKE_TAKES="2")
        check(b"took 01 7a" in done.stdout, done.stdout)
        source.write_text("no bundle")
        expect(run([ROOT / "ci" / "quickstart", "--bundle", source], HALCYON_SIM=str(FAKE)), 1, None, b"dtc refused")
        expect(run([bundle, "--describe", source]), 0, b"memory-kib 0\nescapes yes\n")


def normal_form(blob):
    """Its source, with what does not matter left out: the order of a node's properties."""
    done = subprocess.run(["dtc", "-q", "-s", "-I", "dtb", "-O", "dts", str(blob)], capture_output=True, check=True)
    return done.stdout


def two_makers():
    """ci/bundle and halcyon-sim --write-bundle agree."""
    cases = [[], ["--smp", "3"], ["--vms", "2"],
             ["--vms", "3", "--weights", "1,2,1000", "--vmids", "7", "--log", "warn", "--memory", "64M", "--console", "lines"]]
    with halcyon.scratch() as directory:
        for name in ("kernel", "initrd"):
            (directory / name).write_bytes(name.encode())
        images = ["--kernel", directory / "kernel", "--initrd", directory / "initrd"]
        for words in cases:
            one, other = directory / "one.dtb", directory / "other.dtb"
            expect(run([ROOT / "ci" / "bundle", "--output", one, *images, *words]), 0)
            expect(run([HALCYON_SIM, "--write-bundle", other, *images, *words]), 0)
            check(normal_form(one) == normal_form(other), f"{words}: {normal_form(one)}\n{normal_form(other)}")
        # The flash's file is no matter of the bundle's: it is the machine's disk behind the others that are files.
        disks = ["--disk", "one,ro", "--disk", "size=1M", "--disk", "two"]
        expect(run([ROOT / "ci" / "bundle", "--output", one, *images, *disks, "--flash", "disk"]), 0)
        expect(run([HALCYON_SIM, "--write-bundle", other, *images, *disks, "--flash", directory / "new"]), 0)
        check(normal_form(one) == normal_form(other), f"{normal_form(one)}\n{normal_form(other)}")
        check(re.search(rb"flash \{[^}]*machine = <0x0*2>", normal_form(one)), f"not disk 2: {normal_form(one)}")
        check(not (directory / "new").exists(), "a file was made, and nothing ran")
    for words in (["--flash", "disk", "--vms", "2"], ["--vms", "17"], ["--weights", "1,1"], ["--weights", "0"], ["--pcpus", "65"], ["--vmids", "1"]):
        expect(run([ROOT / "ci" / "bundle", "--source", *words]), 2, b"", words[0].encode())


CASES = {"one-vm": one_vm, "several-vms": several_vms, "order-of-vms": order_of_vms,
         "last-marker": last_marker_of_each, "missing-status": missing_status, "failures-of-one": failures_of_one,
         "lines-of-nobody": lines_of_nobody, "input": input_from_a_pipe, "commands": commands,
         "keys": keys_of_a_terminal, "refused": refused, "arguments": arguments, "bundles": bundles,
         "two-makers": two_makers}

if __name__ == "__main__":
    halcyon.run_cases(__doc__, CASES, lambda case: CASES[case]())
