#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Linux with the smaller virtio devices.

rng: /dev/hwrng gives random bytes, no two pieces of them alike. balloon: memory goes and comes at the console's command.
reporting: memory that the guest does not use is free for others. console: hvc0, and ports between two VMs. vsock: a socket
between two VMs.
"""
import base64
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
import initramfs  # noqa: E402
from halcyon import check  # noqa: E402

MIB = 1 << 20
VM_MIB = 192
TIMEOUT = 120
VM = """
        {name} {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; bootargs = "{bootargs}";
            kernel = /incbin/("{kernel}"); initrd = /incbin/("{initrd}");
            {devices}
        }};"""
SOURCE = """/dts-v1/;
/ {{
    compatible = "halcyon,bundle";
    vms {{{vms}
    }};
}};
"""


def vm_node(name, devices, script, initrd, mib):
    encoded = base64.b64encode(script.encode()).decode()
    return VM.format(name=name, memory=mib * MIB, kernel=halcyon.LINUX, initrd=initrd, devices=devices,
                     bootargs=f"console=ttyAMA0 quiet halcyon.cmd={encoded}")


def run_vms(machine, *vms, commands=(), initrd=halcyon.INITRAMFS, vm_mib=VM_MIB):
    """Runs VMs, each (name, devices, script), until the machine ends. Returns the console.

    commands: for the hypervisor, as halcyon.run_commands() takes them. vm_mib: of each VM."""
    halcyon.require(halcyon.LINUX, halcyon.INITRAMFS)
    with halcyon.scratch() as directory:
        source = SOURCE.format(vms="".join(vm_node(*vm, initrd, vm_mib) for vm in vms))
        bundle = halcyon.compile_dts(directory / "bundle.dtb", source)
        result = halcyon.run_commands(machine, bundle, commands, vm_mib=vm_mib * len(vms), timeout=TIMEOUT)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    check(result.console.count("halcyon-guest: exit 0\n") == len(vms), f"a command failed:\n{halcyon.tail(result.console)}")
    return result.console


RNG = """
cat /sys/class/misc/hw_random/rng_current
dd if=/dev/hwrng bs=4096 count=16 2>/dev/null | hexdump -v -e '8/1 "%02x" "\\n"' >/tmp/words
echo words $(wc -l </tmp/words) $(sort -u /tmp/words | wc -l)
echo first $(head -n 1 /tmp/words)
"""


def test_rng(machine):
    console = run_vms(machine, ("linux", 'rng { compatible = "halcyon,rng"; };', RNG))
    check(re.search(r"^virtio_rng\.0$", console, re.MULTILINE), f"no random number generator:\n{halcyon.tail(console)}")
    words = re.search(r"^words (\d+) (\d+)$", console, re.MULTILINE)
    check(words and words.group(1) == words.group(2) == "8192", f"words that are alike:\n{halcyon.tail(console)}")
    check(re.search(r"^first [0-9a-f]{16}$", console, re.MULTILINE), f"no first word:\n{halcyon.tail(console)}")


# A file in memory has a known checksum before and after; the memory of the VM goes to 128 MiB and back in between. Free
# are also the pages that Linux keeps at hand for a CPU, up to 2.8 MiB here, which MemFree leaves out.
BALLOON = """
dd if=/dev/urandom of=/tmp/file bs=64k count=256 2>/dev/null
sum=$(md5sum </tmp/file)
free_kib() { awk '$1 == "nr_free_pages" || $1 == "count:" { pages += $2 } END { print 4 * pages }' /proc/zoneinfo; }
before=$(free_kib)
echo "ready to ""give"
i=0; while [ $(free_kib) -gt $((before - 390000)) ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done
echo "low $(free_kib)"
echo "ready to ""take"
i=0; while [ $(free_kib) -lt $((before - 1000)) ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done
echo "high $(free_kib) of $before"
mkdir /full; mount -t tmpfs -o size=400m none /full || exit 1
dd if=/dev/zero of=/full/zeroes bs=1M count=380 2>/dev/null || exit 1
[ "$(md5sum </tmp/file)" = "$sum" ] && echo "the file is as it was"
echo "zeroes $(dd if=/full/zeroes bs=1M skip=340 2>/dev/null | tr -d '\\0' | wc -c)"
echo "ready to ""end"
sleep 0.5
"""
BALLOON_MIB, BALLOON_KEEPS, BALLOON_WRITES = 512, 128, 380
TABLES = 200  # KiB, at stage 2, that pages cost which were parts of blocks
BALLOON_COMMANDS = [("ready to give", "list"), ("are free", f"balloon linux {BALLOON_KEEPS}"), ("ready to take", "list"),
                    ("are free", "balloon linux"), ("it says", "balloon linux 1000"), ("ready to end", "list")]


def test_balloon(machine):
    """What the balloon takes is free for others, and what comes back is sound."""
    whole, taken = BALLOON_MIB * 1024, (BALLOON_MIB - BALLOON_KEEPS) * 1024
    console = run_vms(machine, ("linux", 'balloon { compatible = "halcyon,balloon"; };', BALLOON),
                      commands=BALLOON_COMMANDS, vm_mib=BALLOON_MIB)
    check("\nthe file is as it was\n" in console and "\nzeroes 0\n" in console, f"memory is not as it should be:\n{halcyon.tail(console)}")
    low, high, before = map(int, re.search(r"^low (\d+)\n[^\0]*^high (\d+) of (\d+)$", console, re.MULTILINE).groups())
    check(low <= before - 390000 and high >= before - 1000, f"{before} KiB free, then {low}, then {high}")
    free = [int(size) for size in re.findall(r"^(\d+) KiB of memory are free$", console, re.MULTILINE)]
    check(len(free) == 3, f"not three answers:\n{halcyon.tail(console)}")
    check(taken - TABLES <= free[1] - free[0] <= taken, f"{free[1] - free[0]} of {taken} KiB came back to the hypervisor")
    written = BALLOON_WRITES * 1024 - low
    check(written <= free[1] - free[2] <= taken, f"{free[1] - free[2]} of {written} to {taken} KiB went to the guest again")
    said = re.findall(rf"^linux: (\d+) of {whole} KiB are taken, (\d+) asked for; it says (\d+) KiB, (\d+) free$", console, re.MULTILINE)
    check(said[1][:2] == (str(taken), str(taken)) and said[2][1] == "0", f"the answers: {said}")
    check(400000 < int(said[1][2]) < whole, f"no statistics: {said}")


REPORTING = """
dd if=/dev/urandom of=/tmp/file bs=64k count=256 2>/dev/null
sum=$(md5sum </tmp/file)
echo "ready to ""report"
sleep 10
echo "ready to ""count"
dd if=/dev/zero of=/tmp/zeroes bs=1M count=60 2>/dev/null
[ "$(md5sum </tmp/file)" = "$sum" ] && echo "the file is as it was"
echo "zeroes $(tr -d '\\0' </tmp/zeroes | wc -c)"
"""


def test_reporting(machine):
    """Pages that the guest does not use are free for others, and sound when it uses them after all."""
    console = run_vms(machine, ("linux", 'balloon { compatible = "halcyon,balloon"; reporting; };', REPORTING),
                      commands=[("ready to report", "list"), ("ready to count", "list")])
    check("\nthe file is as it was\n" in console and "\nzeroes 0\n" in console, f"memory is not as it should be:\n{halcyon.tail(console)}")
    free = [int(size) for size in re.findall(r"^(\d+) KiB of memory are free$", console, re.MULTILINE)]
    check(len(free) == 2, f"not two answers:\n{halcyon.tail(console)}")
    check(free[1] - free[0] >= 60000, f"{free[1] - free[0]} KiB came back to the hypervisor")


# Files go from the one to the other and back on a port; hvc0 is a console. Both wait for each other by the port's connection.
CONSOLE = """
echo "hvc0 of {name}" >/dev/hvc0
exec 3<>/dev/vport0p1
sleep 0.3
echo name $(cat /sys/class/virtio-ports/vport0p1/name)
{talk}
echo "done with {name}" >/dev/hvc0
sleep 0.5
"""
LENGTH = 300000
ASK = f"""
head -c {LENGTH} /dev/urandom >/tmp/sent
cat /tmp/sent >&3 &
head -c {LENGTH} <&3 >/tmp/received
echo same $(md5sum </tmp/sent) $(md5sum </tmp/received)
"""
ECHO = f"""
head -c {LENGTH} <&3 >/tmp/received
cat /tmp/received >&3
"""


def test_console(machine):
    """Two VMs whose consoles name each other: one sends what the other sends back."""
    device = 'console {{ compatible = "halcyon,console"; ports = <3>; peer = "{}"; }};'
    console = run_vms(machine, ("one", device.format("two"), CONSOLE.format(name="one", talk=ASK)),
                      ("two", device.format("one"), CONSOLE.format(name="two", talk=ECHO)))
    same = re.search(r"^one: same ([0-9a-f]{32}) +- +([0-9a-f]{32}) ", console, re.MULTILINE)
    check(same and same.group(1) == same.group(2), f"not what was sent:\n{halcyon.tail(console)}")
    for name, other in (("one", "two"), ("two", "one")):
        for line in (f"{name}: name {other}.1", f"{name}.hvc: hvc0 of {name}", f"{name}.hvc: done with {name}"):
            check(line in console.splitlines(), f"no line '{line}':\n{halcyon.tail(console)}")


PEER = pathlib.Path(__file__).resolve().parent / "vsock_peer.c"
VSOCK_MODULES = ("vsock", "vmw_vsock_virtio_transport_common", "vmw_vsock_virtio_transport")
VSOCK_LOAD = "".join(f"insmod /{name}.ko || exit 1\n" for name in VSOCK_MODULES)
ECONNRESET = 104


def make_vsock_initrd(directory):
    """The usual initramfs, with the program, compiled, and with modules of the kernel's package that ci/guest has kept."""
    packages = list((halcyon.GUEST / "packages").glob("linux-image-*.deb"))
    check(len(packages) == 1, f"not one kernel package in {halcyon.GUEST}/packages: {packages}; fix: ci/guest")
    root = directory / "root"
    root.mkdir()
    initramfs.compile_program(PEER, root / "vsock_peer")
    subprocess.run(["dpkg-deb", "-x", str(packages[0]), str(directory / "kernel")], check=True)
    for name in VSOCK_MODULES:
        module, = (directory / "kernel").glob(f"lib/modules/*/kernel/net/vmw_vsock/{name}.ko")
        module.rename(root / module.name)
    return initramfs.with_root(directory, root)


def test_vsock(machine):
    """A stream from one VM to another and its sum back; nobody listens at 2, and there is no CID 9."""
    device = 'vsock {{ compatible = "halcyon,vsock"; cid = <{}>; }};'
    ask = VSOCK_LOAD + "/vsock_peer 2 once\n/vsock_peer 9 once\n/vsock_peer 4\nsleep 0.5\n"
    with halcyon.scratch() as directory:
        console = run_vms(machine, ("one", device.format(3), ask), ("two", device.format(4), VSOCK_LOAD + "/vsock_peer\nsleep 0.5\n"),
                          initrd=make_vsock_initrd(directory))
    check(len(re.findall(rf"^one: errno {ECONNRESET} $", console, re.MULTILINE)) == 2, f"not refused:\n{halcyon.tail(console)}")
    sent = re.search(r"^one: sent 2000000 (\d+) (\d+) $", console, re.MULTILINE)
    got = re.search(r"^two: got 2000000 (\d+) $", console, re.MULTILINE)
    check(sent and got and sent.group(1) == sent.group(2) == got.group(1), f"not what was sent:\n{halcyon.tail(console)}")


CASES = {"rng": test_rng, "balloon": test_balloon, "reporting": test_reporting, "console": test_console, "vsock": test_vsock}


def run(case, machine):
    CASES[case](machine)


if __name__ == "__main__":
    halcyon.run_cases_on(__doc__, dict.fromkeys(halcyon.MACHINES, CASES), run)
