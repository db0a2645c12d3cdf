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

from machine import GUEST, HALCYON_IMAGE, ROOT, Machine, MachineError, qemu_command, to_text

LINUX = GUEST / "Image"
INITRAMFS = GUEST / "initramfs.cpio.gz"
U_BOOT = GUEST / "u-boot.bin"

# What RAM the hypervisor's machine has beyond that of the VM: the image, the bundle and its tables.
HYPERVISOR_MIB = 256

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
    fixes = {HALCYON_IMAGE: "cmake --preset aarch64 && cmake --build build/aarch64", LINUX: "ci/guest",
             INITRAMFS: "ci/guest", U_BOOT: "ci/guest"}
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


@contextlib.contextmanager
def scratch():
    """A directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="halcyon-test.") as name:
        yield pathlib.Path(name)


def make_bundle(output, kernel, *, memory="512M", initrd=None, append="", log=None):
    """Makes a bundle of one VM, named "linux", with ci/bundle; returns `output`."""
    command = [ROOT / "ci" / "bundle", "--output", output, "--memory", memory, f"--append={append}",
               "--kernel", kernel]
    command += ["--initrd", initrd] if initrd else []
    command += ["--log", log] if log else []
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"ci/bundle failed: {done.stderr}")
    return output


def compile_dts(output, source):
    """Makes a bundle of devicetree source text; returns `output`."""
    done = subprocess.run(["dtc", "-q", "-f", "-I", "dts", "-O", "dtb", "-o", str(output), "-"], input=source.encode(),
                          capture_output=True, check=False)
    check(done.returncode == 0, f"dtc failed: {done.stderr.decode()}")
    return output


def run_bare(kernel, *, timeout, memory_mib=512, cpu="cortex-a57", **options):
    """Runs a kernel at EL1 with no hypervisor below until the machine ends. Returns a Result."""
    require(kernel)
    command = qemu_command("bare", kernel=kernel, memory=f"{memory_mib}M", cpu=cpu, **options)
    return run_command(command, timeout)


def run_halcyon(bundle, *, timeout, image=HALCYON_IMAGE, vm_mib=512, cpu="cortex-a57", **options):
    """Runs a bundle (None: no bundle) under the hypervisor until the machine ends. Returns a Result."""
    require(image)
    command = qemu_command("halcyon", kernel=image, initrd=bundle, memory=f"{vm_mib + HYPERVISOR_MIB}M", cpu=cpu,
                           **options)
    return run_command(command, timeout)


def run_command(command, timeout):
    with Machine(command) as machine:
        result = machine.wait(timeout)
    if not result.timed_out and result.exit_code != 0:
        raise Failure(f"QEMU ended with status {result.exit_code}: {result.stderr}\n{tail(result.console)}")
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
