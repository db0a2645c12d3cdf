#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Linux VMs and the network between them.

ping: each of several VMs pings each other. nc: one sends data to another, with the right checksum. empty: the same while it floods a third VM
whose driver has stopped, so that its receive ring stays empty. flood: the same while a third VM floods a fourth one, the receiver, and all. Both print
what that costs. uplink: a guest fetches a file from a server on this host's loopback, and what connects to a forwarded port
reaches the guest; the recording of that, replayed, is the same run (simulator only).
"""
import argparse
import base64
import functools
import hashlib
import http.server
import pathlib
import random
import re
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
import initramfs  # noqa: E402
from halcyon import check  # noqa: E402
from machine import sim_command  # noqa: E402

VM_MIB = 96
VM = """        vm{i} {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; vcpus = <1>; bootargs = "console=ttyAMA0 quiet halcyon.cmd={cmd}";
            {images}
            {devices}
        }};
"""
UP = "ip link set eth0 up; ip addr add 10.0.0.{i}/24 dev eth0; "
# A server's nc ends with its own input, which never comes.
LISTEN = "mkfifo /tmp/in; sleep 10000 >/tmp/in & nc -l -p 99 </tmp/in"
SEND = ("dd if=/dev/urandom of=/tmp/data bs=1M count={mib} 2>/dev/null; echo sum $(md5sum </tmp/data); "
        "until nc 10.0.0.{to} 99 </tmp/data; do sleep 0.2; done")
SUM = re.compile(r"^vm(\d): sum ([0-9a-f]{32})", re.MULTILINE)


def run_vms(options, commands, *, devices=None, initrd=None):
    """A VM with a network device, or `devices` says how many, for each command; vmN has the address 10.0.0.(N + 1). Returns what the console said."""
    vms, memory = "", VM_MIB + options.mib + options.mib // 8 & ~1  # the sender has its data in a file in memory
    for i, command in enumerate(commands):
        images = f'kernel = /incbin/("{halcyon.LINUX}"); initrd = /incbin/("{initrd or halcyon.INITRAMFS}");' if i == 0 else 'images-of = "vm0";'
        encoded = base64.b64encode((UP.format(i=i + 1) + command).encode()).decode()
        nets = " ".join(f'net@{n} {{ compatible = "halcyon,net"; guarded; }};' for n in range((devices or {}).get(i, 1)))
        vms += VM.format(i=i, memory=memory << 20, cmd=encoded, images=images, devices=nets)
    source = f'/dts-v1/;\n/ {{\n    compatible = "halcyon,bundle";\n    halcyon {{ console = "lines"; }};\n    vms {{\n{vms}    }};\n}};\n'
    with halcyon.scratch() as directory:
        bundle = halcyon.compile_dts(directory / "bundle.dtb", source)
        result = halcyon.run_halcyon(options.machine, bundle, timeout=options.timeout, vm_mib=memory * len(commands) + 128,
                                     pcpus=options.pcpus, silence=True)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    for i in range(len(commands)):
        check(f"vm{i}: halcyon-guest: exit 0" in result.console, f"vm{i} failed:\n{halcyon.tail(result.console)}")
    return result.console


def check_sums(text, sender, receiver):
    sums = dict(SUM.findall(text))
    check(str(sender) in sums and sums[str(sender)] == sums.get(str(receiver)),
          f"vm{receiver} has not what vm{sender} sent: {sums}\n{halcyon.tail(text)}")


def test_ping(options):
    commands = []
    for i in range(options.vms):
        others = " ".join(f"10.0.0.{n + 1}" for n in range(options.vms) if n != i)
        commands.append(f"for a in {others}; do until ping -c 1 -W 1 $a >/dev/null; do :; done; ping -c 3 $a | grep -q ' 3 packets received' "
                        "&& echo reached $a; done; sleep 6")
    text = run_vms(options, commands)
    reached = len(re.findall(r"^vm\d: reached 10\.0\.0\.\d+", text, re.MULTILINE))
    check(reached == options.vms * (options.vms - 1), f"{reached} pairs:\n{halcyon.tail(text)}")
    print(f"pings of {options.vms} VMs: {reached} pairs")


def test_nc(options):
    text = run_vms(options, [LISTEN + " | (echo sum $(md5sum))", SEND.format(mib=options.mib, to=1)])
    check_sums(text, 1, 0)
    print(f"{options.mib} MiB, and the sum is right")


# --- Shares ---

# Frames without end to an Ethernet address, and how many there were.
FLOODER = pathlib.Path(__file__).resolve().parent / "net_flood.c"
FLOOD = "echo flood $(cat /sys/class/net/eth0/statistics/tx_packets); /net_flood $(cat /sys/class/net/eth0/ifindex) {mac} $(tr -d : </sys/class/net/eth0/address) & flood=$!; "
STOP = "kill $flood; echo flood $(cat /sys/class/net/eth0/statistics/tx_packets); "
MAC_VM0, MAC_VM1, MAC_VM2_SECOND, MAC_VM3, MAC_NOBODY = "0268636c0100", "0268636c0200", "0268636c0301", "0268636c0400", "020000000099"
# The file to a port of vm0, when it began and ended, and what was sent twice. An attempt before vm0 listens does not count.
NOW = "$(sed -n 's/^now at \\([0-9]*\\).*/\\1/p' /proc/timer_list)"
SEND_TIMED = (f"until {{{{ begin={NOW}; nc 10.0.0.1 {{port}} </tmp/data; }}}}; do sleep 0.2; done; end={NOW}; "
              "echo took $begin $end $(awk '/^Tcp: [0-9]/ {{ print $13 }}' /proc/net/snmp); ")
TOOK = re.compile(r"^vm1: took (\d+) (\d+) (\d+)", re.MULTILINE)
FRAMES = re.compile(r"^vm\d: flood (\d+)", re.MULTILINE)
# One waits until another one says so.
FIFO = "mkfifo /tmp/in; sleep 10000 >/tmp/in & "
AWAIT = "nc -l -p {port} </tmp/in; "
TELL = "until nc 10.0.0.{to} {port} </dev/null; do sleep 0.2; done; "


def flood_initrd(directory, commands):
    """The usual initramfs with the program that floods, and /vmN.sh for each command: a kernel's command line is too short for them."""
    root = directory / "root"
    root.mkdir()
    for i, command in enumerate(commands):
        (root / f"vm{i}.sh").write_text(command)
    initramfs.compile_program(FLOODER, root / "net_flood")
    return initramfs.with_root(directory, root)


def run_phases(options, phases, before, after, others, **more):
    """vm1 sends its file to vm0 in each of `phases`: (what is printed, against which phase it is measured, the least share of that one's bytes in a
    second). `before` and `after` are what vm1 does before each and at the end, `others` the commands of vm2 and so on. Each VM has a CPU.
    Prints what vm0 got in a second of the machine's time; in the simulator, which counts that, it is checked."""
    ports = range(100, 100 + len(phases))
    servers = "".join(f"(nc -l -p {port} </tmp/in | (echo sum $(md5sum))) & pids=\"$pids $!\"; " for port in ports)
    data = f"dd if=/dev/urandom of=/tmp/data bs=1M count={options.mib} 2>/dev/null; echo sum $(md5sum </tmp/data); "
    sends = "".join(do + SEND_TIMED.format(port=port) for do, port in zip(before, ports))
    options.pcpus = 2 + len(others)
    with halcyon.scratch() as directory:
        commands = [FIFO + servers + "wait $pids", data + sends + after, *others]
        text = run_vms(options, [f". /vm{i}.sh" for i in range(len(commands))], initrd=flood_initrd(directory, commands), **more)
    sums = [digest for _, digest in SUM.findall(text)]
    check(len(sums) == len(phases) + 1 and len(set(sums)) == 1, f"vm0 has not what vm1 sent: {sums}\n{halcyon.tail(text)}")
    took = [tuple(map(int, row)) for row in TOOK.findall(text)]
    rates = [(options.mib << 20) * 1000 / (end - begin) for begin, end, _ in took]
    again = [after - before for before, after in zip([0] + [count for *_, count in took], [count for *_, count in took])]
    counts = list(map(int, FRAMES.findall(text)))
    floods = iter([end - begin for begin, end in zip(counts[::2], counts[1::2])])
    for (what, of, least), rate, lost in zip(phases, rates, again, strict=True):
        share = rate / rates[of]
        print(f"{what}: {rate:.2f} MB/s, {100 * share:.0f} % of what it is {phases[of][0]}; {lost} frames sent again", end="")
        if "flood" in what:
            frames = next(floods)
            print(f"; {frames} frames of the flood", end="")
            check(frames > options.mib * 500, f"{what}: that is no flood")
            check(options.machine != "sim" or lost == 0, f"{what}: frames of vm1 were lost")
        print()
        check(options.machine != "sim" or share >= least, f"{what}: less than {100 * least:.0f} %")


def test_empty(options):
    """vm1 itself floods besides. First vm2's second device, whose driver takes that; then its own address, where the switch drops it at once: that
    is a faster flood, which takes more of vm1's CPU from its other work. Then vm2's again, whose driver is stopped, so that its ring stays empty:
    that must cost no more than what goes nowhere."""
    floods = [FLOOD.format(mac=mac) for mac in (MAC_VM2_SECOND, MAC_VM1, MAC_VM2_SECOND)]
    run_phases(
        options,
        [("alone", 0, 1), ("beside its own flood to vm2", 0, 0.4), ("beside its own flood to itself", 0, 0.4),
         ("beside its own flood to vm2, whose ring is empty", 2, 0.95)],
        ["", floods[0], STOP + floods[1], STOP + TELL.format(to=3, port=90) + floods[2]], STOP + TELL.format(to=3, port=91),
        [FIFO + "ip link set eth1 up; " + AWAIT.format(port=90) + "ip link set eth1 down; " + AWAIT.format(port=91)], devices={2: 2})


def test_flood(options):
    """vm2 sends all that it can while vm1 sends to vm0: to vm3, to vm0, and to everybody. The simulator's CPUs share its time, so that a VM which computes
    takes some of it, too: more than that the flood must not cost who has nothing to do with it. Who gets it pays for that besides."""
    compute, stop = "while :; do :; done & busy=$!; ", "kill $busy; "
    vm2, vm3 = [TELL.format(to=3, port=port) for port in range(80, 86)], [TELL.format(to=4, port=port) for port in range(90, 93)]
    run_phases(
        options,
        [("alone", 0, 1), ("while vm2 computes", 0, 0.25), ("while vm2 and vm3 compute", 0, 0.2), ("while vm2 floods vm3", 2, 0.95),
         ("while vm2 floods vm0", 1, 0.5), ("while vm2 floods all", 2, 0.5)],
        ["", vm2[0], vm3[0], vm3[1] + vm2[1], vm2[2], vm2[3]], vm2[4] + vm3[2],
        [FIFO + AWAIT.format(port=80) + compute + AWAIT.format(port=81) + stop + FLOOD.format(mac=MAC_VM3) + AWAIT.format(port=82) + STOP +
         FLOOD.format(mac=MAC_VM0) + AWAIT.format(port=83) + STOP + FLOOD.format(mac=MAC_NOBODY) + AWAIT.format(port=84) + STOP,
         FIFO + AWAIT.format(port=90) + compute + AWAIT.format(port=91) + stop + AWAIT.format(port=92)])


# --- The uplink ---

class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def connect_until_told(port, done):
    while not done.is_set():
        time.sleep(0.3)
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"hello from the host\n")
                done.wait(0.5)
        except OSError:
            pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_uplink(options):
    data = random.Random(1).randbytes(options.mib << 20)
    with halcyon.scratch() as directory:
        (directory / "file").write_bytes(data)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(directory)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port, done = free_port(), threading.Event()
        command = ("ip link set eth0 up; udhcpc -n -q -f -i eth0 -s /bin/true && echo leased; ip addr add 10.0.2.15/24 dev eth0; "
                   f"wget -q -O /tmp/f http://10.0.2.2:{server.server_port}/file; echo sum $(md5sum </tmp/f); "
                   "mkfifo /tmp/in; sleep 10000 >/tmp/in & nc -l -p 80 </tmp/in")
        encoded = base64.b64encode(command.encode()).decode()
        arguments = ["--kernel", halcyon.LINUX, "--initrd", halcyon.INITRAMFS, "--memory", "128M",
                     "--append", f"console=ttyAMA0 quiet halcyon.cmd={encoded}", "--hash"]
        threading.Thread(target=connect_until_told, args=(port, done), daemon=True).start()
        result = halcyon.run_command(sim_command("--no-input", "--net", f"user,hostfwd=tcp:127.0.0.1:{port}-:80", "--record", directory / "r", *arguments),
                                     options.timeout, silence=True)
        done.set()
        server.shutdown()
        halcyon.check_ended(result)
        for want in ("leased", f"sum {hashlib.md5(data).hexdigest()}", "hello from the host", "halcyon-guest: exit 0"):
            check(want in result.console, f"no '{want}':\n{halcyon.tail(result.console)}")
        again = halcyon.run_command(sim_command("--net", "user", "--replay", directory / "r", *arguments), options.timeout, silence=True)
        check("replay agrees" in again.stderr, f"the replay differs: {again.stderr}")
        check(again.console == result.console, "the replay's console differs")
    print(f"{options.mib} MiB through the uplink, a forwarded port, and a replay that agrees")


CASES = {"ping": test_ping, "nc": test_nc, "empty": test_empty, "flood": test_flood, "uplink": test_uplink}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--vms", type=int, default=3, help="ping: how many")
    parser.add_argument("--mib", type=int, default=4, help="of data")
    parser.add_argument("--pcpus", type=int, default=2, help="of ping and nc; the others have one for each VM")
    parser.add_argument("--timeout", type=int, default=280)
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    halcyon.run_test(CASES[options.case], options)


if __name__ == "__main__":
    main()
