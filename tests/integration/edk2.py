#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""EDK2 as a guest, in the VM's flash: its shell, the filesystem on a disk, and a variable that survives a reset; in the
simulator with --disk, or with --flash, one that survives the machine: on a disk of it, or in the file of the simulator's
--flash."""
import argparse
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import Machine, qemu_command, sim_command, to_text  # noqa: E402

EDK2 = halcyon.EDK2
PROMPT = r"Shell> "
TIMEOUT = 200
MEMORY_MIB = 256
CONTENT = b"This is in a file.\r\n"
VARIABLE = "-guid 97e7a1b4-5b5c-4b4e-9d0b-6f1c1f0c5a11"


def reach_shell(machine, timeout):
    """The shell counts down from 5, spinning, before it looks for startup.nsh, which there is not; a key ends that after
    a second of the guest's, which takes longer in the simulator."""
    machine.expect(r"UEFI firmware \(version", timeout)
    machine.expect(r"UEFI Interactive Shell v2\.", timeout)
    machine.expect(r"Press .*ESC.* in 5 seconds", timeout)
    machine.send("\r")
    machine.expect(PROMPT, timeout)


def command(machine, text, answer="", timeout=TIMEOUT):
    """What it echoes has the cursor's movements in it, and matches nothing."""
    machine.send(text + "\r")
    machine.expect(answer, timeout)
    machine.expect(PROMPT, timeout)


def make_esp(path):
    """A disk with a GPT, and an EFI system partition whose FAT filesystem has two files, one of them in a directory."""
    def run(*words, **options):
        try:
            done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **options)
        except FileNotFoundError:
            raise halcyon.Failure(f"{words[0]} is not installed; fix: ci/setup") from None
        check(done.returncode == 0, f"{words[0]} failed: {done.stderr}")
    with open(path, "wb") as file:
        file.truncate(8 << 20)
    run("sfdisk", "--quiet", path, input="label: gpt\nstart=2048, size=12288, type=uefi\n")
    file = path.with_name("file")
    file.write_bytes(CONTENT)
    volume = f"{path}@@1M"
    run("mformat", "-i", volume, "-T", "12288", "-v", "HALCYON", "::")
    run("mmd", "-i", volume, "::/below")
    run("mcopy", "-i", volume, file, "::/hello.txt")
    run("mcopy", "-i", volume, file, "::/below/deep.txt")
    return path


def list_disk(machine):
    """The shell finds the partition by its GPT, and its filesystem."""
    command(machine, "map -r", r"FS0:.*\s+.*HD\(1,GPT,")
    command(machine, "ls fs0:", rf"Directory of: .*fs0:(?s:.*)<DIR>.*below(?s:.*) {len(CONTENT)}  hello\.txt(?s:.*)1 File\(s\)")
    command(machine, "ls fs0:\\below", rf" {len(CONTENT)}  deep\.txt")
    command(machine, "type fs0:\\below\\deep.txt", CONTENT.decode().strip())


def bare_command(directory):
    """QEMU wants both banks as files of their size."""
    firmware, variables = directory / "firmware.fd", directory / "variables.fd"
    firmware.write_bytes(EDK2.read_bytes())
    for path in (firmware, variables):
        with open(path, "ab") as file:
            file.truncate(64 << 20)
    extra = []
    for path in (firmware, variables):
        extra += ["-drive", f"if=pflash,format=raw,file={path}"]
    extra += ["-drive", f"if=none,id=disk,format=raw,file={make_esp(directory / 'disk')}", "-device", "virtio-blk-device,drive=disk"]
    words = qemu_command("bare", memory=f"{MEMORY_MIB}M", extra=extra)
    words.remove("-no-reboot")
    return words


DISK_TREE = """/dts-v1/;
/ {{
    compatible = "halcyon,bundle";
    vms {{
        edk2 {{
            compatible = "halcyon,vm";
            memory-size = /bits/ 64 <{memory:#x}>;
            firmware = /incbin/("{firmware}");
            flash {{ compatible = "halcyon,flash"; machine = <0>; }};
        }};
    }};
}};
"""


def set_variable(machine):
    command(machine, f"setvar halcyon {VARIABLE}", "Unable to get")
    command(machine, f"setvar halcyon {VARIABLE} -nv -bs =12345678")
    command(machine, f"setvar halcyon {VARIABLE}", "12 34 56 78")


def disk_command(directory):
    disk = directory / "variables"
    with open(disk, "wb") as file:
        file.truncate(1 << 20)
    source = DISK_TREE.format(memory=MEMORY_MIB << 20, firmware=EDK2)
    bundle = halcyon.compile_dts(directory / "bundle.dtb", source)
    return halcyon.halcyon_command("sim", bundle, vm_mib=MEMORY_MIB, typed=True, options=("--disk", disk))


def flash_command(directory):
    return sim_command("--firmware", EDK2, "--memory", f"{MEMORY_MIB}M", "--flash", directory / "flash", typed=True)


def over_power_cycle(make_command, timeout):
    """The simulator is killed once the shell has its prompt back."""
    with halcyon.scratch() as directory:
        words = make_command(directory)
        with Machine(words) as machine:
            reach_shell(machine, timeout)
            set_variable(machine)
            machine.kill()
        with Machine(words) as machine:
            reach_shell(machine, timeout)
            command(machine, f"setvar halcyon {VARIABLE}", "12 34 56 78")
            console = to_text(bytes(machine.output))
    check(not halcyon.PANIC.search(console), f"the hypervisor panicked:\n{halcyon.tail(console)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bare", action="store_true", help="on QEMU without the hypervisor, to try the test itself")
    halcyon.add_machine_option(parser)
    parser.add_argument("--disk", action="store_true", help="variables on a disk, over the end of the machine")
    parser.add_argument("--flash", action="store_true", help="the same, in a file that the simulator makes")
    parser.add_argument("--timeout", type=float, default=TIMEOUT,
                        help="seconds for each step on the way to the shell (%(default)s)")
    options = parser.parse_args()
    halcyon.require(EDK2)
    if options.disk or options.flash:
        over_power_cycle(disk_command if options.disk else flash_command, options.timeout)
        return
    with halcyon.scratch() as directory:
        if options.bare:
            words = bare_command(directory)
        else:
            bundle = halcyon.make_firmware_bundle(directory / "bundle.dtb", EDK2, memory=f"{MEMORY_MIB}M",
                                                  disks=[f"{make_esp(directory / 'disk')},ram"])
            words = halcyon.halcyon_command(options.machine, bundle, vm_mib=MEMORY_MIB, typed=True)
        with Machine(words) as machine:
            reach_shell(machine, options.timeout)
            command(machine, "ver", r"UEFI Interactive Shell v2\.")
            list_disk(machine)
            set_variable(machine)
            machine.send("reset\r")
            reach_shell(machine, options.timeout)
            command(machine, f"setvar halcyon {VARIABLE}", "12 34 56 78")
            console = to_text(bytes(machine.output))
    check(not halcyon.PANIC.search(console), f"the hypervisor panicked:\n{halcyon.tail(console)}")


if __name__ == "__main__":
    halcyon.run_test(main)
