# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the integration tests share: bundles, whole runs of a machine, the hypervisor's log, and how a test fails."""
import argparse
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile
import traceback

from machine import (CPUS, GUEST, HALCYON_IMAGE, HALCYON_SIM, ROOT, Machine, MachineError,
                     qemu_command, sim_command, to_text)

LINUX = GUEST / "Image"
INITRAMFS = GUEST / "initramfs.cpio.gz"
U_BOOT = GUEST / "u-boot.bin"
EDK2 = GUEST / "QEMU_EFI.fd"

# Where the hypervisor runs: at EL2 on QEMU, or as a process. And what each needs to have been built.
MACHINES = {"qemu": HALCYON_IMAGE, "sim": HALCYON_SIM}

# What RAM the hypervisor's machine has beyond that of the VM: the image, the bundle and its tables.
HYPERVISOR_MIB = 256

# Seconds that nothing takes which goes on.
QUICKSTART_LIMIT = 100000

COMMAND_LINE = "\x01c"  # Ctrl-A c
LOG_PREFIX = "[halcyon "
OFF = re.compile(r"^\[halcyon [^\]]*\] notice role: machine off: all VMs powered off$", re.MULTILINE)
STOPPED = re.compile(r"^\[halcyon [^\]]*\] error vm: \S+ stopped: (?P<reason>\S.*)$", re.MULTILINE)
PANIC = re.compile(r"halcyon PANIC.*")


class Failure(Exception):
    """The test has failed; the text says what was expected, and what came instead."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def require(*paths):
    """Fails, with what to do about it, unless all files are there."""
    fixes = {HALCYON_IMAGE: "cmake --preset aarch64 && cmake --build build/aarch64",
             HALCYON_SIM: "cmake --preset host && cmake --build build/host", LINUX: "ci/guest",
             INITRAMFS: "ci/guest", U_BOOT: "ci/guest", EDK2: "ci/guest"}
    for path in map(pathlib.Path, paths):
        check(path.is_file(), f"{path} is missing; fix: {fixes.get(path, 'build the tree (ci/test builds all of it)')}")


def run_test(function, *arguments):
    """Runs a test and ends the program: status 0, or 1 with the reason on standard error."""
    try:
        function(*arguments)
    except (Failure, MachineError) as failure:
        sys.exit(f"FAILED: {failure}")
    except (OSError, subprocess.SubprocessError):
        traceback.print_exc()
        sys.exit(1)
    print("passed")
    sys.exit(0)


def run_cases(description, cases, run):
    """The whole of a test program with named cases: `NAME` calls run(NAME), `list` prints the names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("case", choices=[*cases, "list"], help="or list, to print their names")
    case = parser.parse_args().case
    if case == "list":
        print("\n".join(cases))
        sys.exit(0)
    run_test(run, case)


def add_machine_option(parser):
    parser.add_argument("--machine", choices=MACHINES, default="qemu", help="where the hypervisor runs")


def run_cases_on(description, cases, run):
    """As run_cases(), of cases {machine: names} for several machines: `NAME --machine M` calls run(NAME, M)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("case", metavar="case", help="its name; or list, to print the names of all")
    add_machine_option(parser)
    options = parser.parse_args()
    names = cases[options.machine]
    if options.case == "list":
        print("\n".join(names))
        sys.exit(0)
    if options.case not in names:
        parser.error(f"there is no case {options.case} on {options.machine}, but: {' '.join(names)}")
    run_test(run, options.case, options.machine)


@contextlib.contextmanager
def scratch():
    """A directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="halcyon-test.") as name:
        yield pathlib.Path(name)


def make_bundle(output, kernel, *, memory="512M", vcpus=1, initrd=None, append="", log=None, flash=False, disks=()):
    """Makes a bundle of one VM, named "linux", with ci/bundle; returns `output`. disks: as ci/bundle takes them."""
    command = [ROOT / "ci" / "bundle", "--output", output, "--memory", memory, "--vcpus", vcpus, f"--append={append}",
               "--kernel", kernel]
    command += ["--initrd", initrd] if initrd else []
    command += ["--log", log] if log else []
    command += [word for disk in disks for word in ("--disk", disk)]
    command += ["--flash"] if flash else []
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"ci/bundle failed: {done.stderr}")
    return output


def make_firmware_bundle(output, firmware, *, memory="512M", vcpus=1, disks=()):
    """Makes a bundle of one VM, named "linux", with firmware in its flash; returns `output`. disks: as ci/bundle takes them."""
    command = [ROOT / "ci" / "bundle", "--output", output, "--memory", memory, "--vcpus", vcpus, "--append=", "--firmware", firmware]
    command += [word for disk in disks for word in ("--disk", disk)]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"ci/bundle failed: {done.stderr}")
    return output


def compile_dts(output, source):
    """Makes a bundle of devicetree source text; returns `output`."""
    done = subprocess.run(["dtc", "-q", "-f", "-I", "dts", "-O", "dtb", "-o", str(output), "-"], input=source.encode(),
                          capture_output=True, check=False)
    check(done.returncode == 0, f"dtc failed: {done.stderr.decode()}")
    return output


def run_quickstart(machine, *arguments, timeout):
    """Runs ci/quickstart, of a --cmd, on a machine of MACHINES; it has to end with status 0. Returns the text on standard output.

    timeout: seconds without a word from the guests. ctest and ci/stress have limits for all of it."""
    require(MACHINES[machine])
    command = ["env", f"HALCYON_SIM={HALCYON_SIM}", ROOT / "ci" / "quickstart", "--timeout", QUICKSTART_LIMIT, *arguments]
    result = run_command(command + (["--qemu"] if machine == "qemu" else []), timeout, range(256), silence=True)
    check(not result.timed_out, f"nothing was printed for {timeout} s after:\n{tail(result.console)}")
    check(result.exit_code == 0,
          f"status {result.exit_code}:\n{tail(result.console)}\nstandard error:\n{tail(result.stderr)}")
    return result.console


def add_timeout_option(parser, default=150):
    parser.add_argument("--timeout", type=int, default=default, help="seconds without a word from the machine, which then hangs")


def run_bare(kernel, *, timeout, memory_mib=512, cpu="cortex-a57", **options):
    """Runs a kernel at EL1 with no hypervisor below until the machine ends. Returns a Result."""
    require(kernel)
    return run_command(qemu_command("bare", kernel=kernel, memory=f"{memory_mib}M", cpu=CPUS[cpu], **options), timeout)


def halcyon_command(machine, bundle, *, vm_mib=512, cpu="cortex-a57", pcpus=1, typed=False, options=()):
    """The command line of a machine of MACHINES that runs a bundle (None: no bundle; on QEMU only).

    typed: whether input comes. options: more arguments for the program.
    """
    require(MACHINES[machine])
    memory = f"{vm_mib + HYPERVISOR_MIB}M"
    if machine == "sim":
        return sim_command("--pcpus", pcpus, *options, bundle, cpu=cpu, memory=memory, typed=typed)
    return qemu_command("halcyon", initrd=bundle, memory=memory, cpu=CPUS[cpu], cpus=pcpus, extra=options)


def run_halcyon(machine, bundle, *, timeout, silence=False, **options):
    """Runs a bundle under the hypervisor until the machine ends; options as for halcyon_command(). Returns a Result."""
    command = halcyon_command(machine, bundle, **options)
    run = run_sim if machine == "sim" else run_command
    return run(command, timeout, silence=silence)


def run_commands(machine, bundle, steps, *, timeout, answered=None, **options):
    """run_halcyon() with commands for the hypervisor's console, each (the text that comes before it, the command). Returns a Result.

    The simulator gives them itself, at the same moments in each run; on QEMU they are typed, and answered(running) is called at each
    text before the next command is. timeout: seconds without a word."""
    if machine == "sim" or not steps:
        control = [word for text, command in steps for word in ("--control-on", text, "--control", command)]
        return run_halcyon(machine, bundle, options=control, timeout=timeout, silence=True, **options)
    command_line = halcyon_command(machine, bundle, **options)
    with Machine(command_line) as running:
        for text, command in steps:
            running.expect(re.escape(text), timeout)
            if answered:
                answered(running)
            running.send(f"{COMMAND_LINE}{command}\r")
        result = running.wait(timeout, silence=True)
    check_status(command_line, result)
    return result


def check_status(command, result, statuses=(0,)):
    """Of a program that has ended by itself."""
    check(result.timed_out or result.exit_code in statuses,
          f"{pathlib.Path(command[0]).name} ended with status {result.exit_code}: {result.stderr}\n{tail(result.console)}")


def run_command(command, timeout, statuses=(0,), *, silence=False):
    """Runs a program to its end, for so long (machine.Session.wait() says what `silence` is). Returns a Result."""
    with Machine(command) as machine:
        result = machine.wait(timeout, silence)
    check_status(command, result, statuses)
    return result


def run_sim(command, timeout, *, silence=False):
    """Runs the simulator, whose status must be what the console says; and 1 comes with a reason."""
    result = run_command(command, timeout, (0, 1), silence=silence)
    if result.timed_out:
        return result
    off = OFF.search(result.console) is not None
    check(off == (result.exit_code == 0), f"status {result.exit_code} after:\n{tail(result.console)}\n{result.stderr}")
    check(off or re.search(r"^halcyon-sim: error: .", result.stderr, re.MULTILINE),
          f"status 1 without a reason, but: {result.stderr!r}")
    return result


def check_ended(result, what="the machine"):
    check(not result.timed_out, f"{what} did not end by itself:\n{tail(result.console)}")


def check_no_panic(result):
    panic = PANIC.search(result.console)
    check(panic is None, f"the hypervisor panicked:\n{tail(result.console)}")


def log_lines(console):
    """The hypervisor's lines of a console, without line ends."""
    return [line for line in console.splitlines() if line.startswith(LOG_PREFIX)]


def guest_bytes(output):
    """A console without the hypervisor's lines, to the byte."""
    prefix = LOG_PREFIX.encode()
    return b"".join(line for line in output.splitlines(keepends=True) if not line.startswith(prefix))


def tail(text, lines=60):
    text = to_text(text) if isinstance(text, (bytes, bytearray)) else text
    return "\n".join("    | " + line for line in text.splitlines()[-lines:])
