# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the parts of ci/bench share: building, bundles, machines, tables."""
import base64
import contextlib
import fcntl
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration" / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import BUILD, CPUS, qemu_command  # noqa: E402

BENCH_BUILD = BUILD / "bench"
SIMULATOR = BUILD / "simulator" / "sim" / "halcyon-sim"
LINUX_MIB = 512
TIMEOUT = 300
DONE = "halcyon-guest: exit 0"


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def lock(path):
    """The same lock files as the shell scripts' with_lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_quietly(what, command, data=None):
    done = subprocess.run([str(word) for word in command], cwd=ROOT, input=data or "", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    check(done.returncode == 0, f"{what} failed; fix: see below\n{halcyon.tail(done.stdout)}")


def build_preset(preset, what, *arguments):
    with lock(BUILD / f"{preset}.lock"):
        run_quietly(f"configuring {what}", ["cmake", "--preset", preset])
        run_quietly(f"building {what}", ["cmake", "--build", f"build/{preset}", "-j2", *arguments])


def bootargs(command):
    """A kernel's command line for everything on the way of a boot to a shell's command and back to the power-off, and
    nothing besides. Addresses differ from run to run with KASLR, and with them the number of instructions."""
    return "console=ttyAMA0 nokaslr halcyon.cmd=" + base64.b64encode(command.encode()).decode()


def linux_bundle(directory, append):
    return halcyon.make_bundle(directory / "bundle.dtb", halcyon.LINUX, memory=f"{LINUX_MIB}M",
                               initrd=halcyon.INITRAMFS, append=append)


def run_to_the_end(where, command):
    """Runs a machine that ends by itself; returns a Result."""
    result = halcyon.run_command(command, TIMEOUT)
    halcyon.check_ended(result, where)
    halcyon.check_no_panic(result)
    return result


def halcyon_on_qemu(bundle, vm_mib, *, cpu, **options):
    """The command line of QEMU with the hypervisor; options as qemu_command() has them."""
    halcyon.require(halcyon.HALCYON_IMAGE)
    return qemu_command("halcyon", initrd=bundle, memory=f"{vm_mib + halcyon.HYPERVISOR_MIB}M", cpu=CPUS.get(cpu, cpu),
                        **options)


def print_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
