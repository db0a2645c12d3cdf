# SPDX-License-Identifier: MIT OR Apache-2.0
"""Drives machines, on QEMU or simulated, and any program on a pseudo-terminal, for the integration tests and
ci/quickstart. How a machine's command line is written is known here only.

    command = qemu_command("bare", kernel=IMAGE, initrd=INITRAMFS, append="console=ttyAMA0")
    with Machine(command) as machine:
        machine.expect(r"~ # ", timeout=60)
        machine.send("uname -r\\r")
        result = machine.wait(timeout=30)

Whatever way a `with` block is left, the program and all its children are gone afterwards. Time-outs are in seconds
and are those of the wall clock. Python's standard library only.
"""
import ctypes
import dataclasses
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import tempfile
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
GUEST = BUILD / "guest"
HALCYON_IMAGE = BUILD / "aarch64" / "halcyon.img"
QEMU = "qemu-system-aarch64"
# The simulator under test. What else a test needs of a host build is of the same build directory.
HALCYON_SIM = pathlib.Path(os.environ.get("HALCYON_SIM") or BUILD / "host" / "sim" / "halcyon-sim")
HOST_BUILD = HALCYON_SIM.parents[1]

# The names of CPU models in the tests, which are halcyon-sim's, and QEMU's for them. QEMU computes the architected
# pointer authentication algorithm very slowly.
CPUS = {"cortex-a57": "cortex-a57", "max": "max,pauth-impdef=on"}

# One executed instruction is one tick of the counter, and repeat runs are identical. The guest's command line needs
# "nokaslr" besides.
ICOUNT_CPU = "cntfrq=1000000000"
ICOUNT_OPTIONS = ["-icount", "shift=0,sleep=off", "-rtc", "clock=vm,base=2026-01-01", "-seed", "1"]
ICOUNT_MACHINE = "dtb-randomness=off"


# A report of a sanitizer is not to be taken for a failure that the program tells of, which is status 1.
SANITIZER_STATUS = 99
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": f"exitcode={SANITIZER_STATUS}",
    "UBSAN_OPTIONS": f"exitcode={SANITIZER_STATUS}:print_stacktrace=1",
}


def program_environment(**more):
    """The environment for programs under test: this process's, and how a sanitizer reports."""
    return {**SANITIZER_OPTIONS, **os.environ, **more}


class MachineError(Exception):
    """The program under test did not do what was waited for; the text says what it printed instead."""


@dataclasses.dataclass
class Result:
    """What a finished program left behind."""

    output: bytes      # everything from the console, as it came
    exit_code: int     # as from subprocess: negative for a signal; meaningless if timed_out
    timed_out: bool    # killed because it had not ended in time
    stderr: str        # what the program itself had to say, e.g. QEMU about its command line; no sanitizer's remark

    @property
    def console(self):
        """The console as text with plain line ends."""
        return to_text(self.output)


def to_text(data):
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def qemu_command(kind, *, kernel=None, initrd=None, append=None, cpu="cortex-a57", memory="1G", cpus=1,
                 icount=False, extra=()):
    """The command line of a machine whose first UART is on standard input and output.

    kind: "bare", the guest itself at EL1 without a hypervisor; or "halcyon", with EL2, where `initrd` is the bundle
          and `kernel` the hypervisor's image, build/aarch64/halcyon.img unless given.
    memory: as QEMU takes it. extra: more arguments for QEMU.
    """
    if kind not in ("bare", "halcyon"):
        raise ValueError(f"unknown kind of machine: {kind}")
    machine = ["virt", "gic-version=3"]
    if kind == "halcyon":
        machine.insert(1, "virtualization=on")
        kernel = kernel or HALCYON_IMAGE
    if icount:
        machine.append(ICOUNT_MACHINE)
        cpu += "," + ICOUNT_CPU
    command = [QEMU, "-M", ",".join(machine), "-cpu", cpu, "-m", memory, "-smp", str(cpus), "-nodefaults",
               "-nic", "none", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"]
    command += ICOUNT_OPTIONS if icount else []
    for option, value in (("-kernel", kernel), ("-initrd", initrd), ("-append", append)):
        command += [option, str(value)] if value is not None else []
    return command + list(extra)


def sim_command(*arguments, program=None, cpu=None, memory=None, typed=False):
    """The command line of the simulator, whose console is standard input and output.

    arguments: what is to run (a bundle's path, or --kernel and so on) and any other option. program: another program
    with halcyon-sim's command line. cpu: its own default if None. memory: the machine's, as QEMU takes it; by default
    what the bundle needs.
    typed: whether input comes; without, the run is the same each time and waits for nothing.
    """
    command = [str(program or HALCYON_SIM)]
    command += ["--cpu", cpu] if cpu else []
    command += ["--machine-memory", memory] if memory else []
    command += [] if typed else ["--no-input"]
    return command + [str(word) for word in arguments]


def end_with_parent(number=signal.SIGKILL):
    """Asks Linux to send this process a signal should its parent die before it can clean up (prctl(2))."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, int(number))


class Session:
    """A running program with a console: bytes out, bytes in. Base of Machine and Terminal."""

    def __init__(self, process, reader, writer, on_output=None):
        self.process = process
        self.output = bytearray()
        self._reader, self._writer = reader, writer
        self._on_output = on_output
        self._searched = 0
        self._ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def pump(self, timeout):
        """Takes in what the console has, waiting up to `timeout` for it. False once there will be no more."""
        if self._ended:
            return False
        if not select.select([self._reader], [], [], max(0.0, timeout))[0]:
            return True
        try:
            data = os.read(self._reader, 65536)
        except OSError:  # the far side of a pseudo-terminal is closed
            data = b""
        if not data:
            self._ended = True
            return False
        self.output += data
        if self._on_output:
            self._on_output(data)
        return True

    def expect(self, pattern, timeout):
        """Waits for a regular expression in what comes after the last match; returns the match (of bytes).

        "." does not match a line end and "$" matches before one ("\\r" is part of the line on a console).
        """
        expression = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.MULTILINE)
        deadline = time.monotonic() + timeout
        while True:
            match = expression.search(self.output, self._searched)
            if match:
                self._searched = match.end()
                return match
            left = deadline - time.monotonic()
            if left <= 0:
                raise MachineError(f"{pattern!r} did not come within {timeout} s, but:\n{self._tail()}")
            if not self.pump(left):
                raise MachineError(f"the program ended before {pattern!r} came:\n{self._tail()}{self.stderr()}")

    def _tail(self):
        return to_text(bytes(self.output[self._searched:]))[-4000:]

    def send(self, text):
        """Types text, as it is: a line ends with "\\r"."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self._writer, data):]

    def wait(self, timeout, silence=False):
        """Waits for the program's end, and kills it if that does not come in time. Returns a Result.

        silence: the limit is for each time without output, not for all of the run: what goes on is not hung, however
        slow the host is."""
        deadline = time.monotonic() + timeout
        size = len(self.output)
        while self.pump(deadline - time.monotonic()):
            if silence and len(self.output) > size:
                size, deadline = len(self.output), time.monotonic() + timeout
            if time.monotonic() >= deadline:
                break
        timed_out = False
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            timed_out = True
        self.kill()
        return Result(bytes(self.output), self.process.returncode, timed_out, self.stderr())

    def stderr(self):
        return ""

    def kill(self):
        """Ends the program's whole process group. The group outlives its leader, so it is always signalled."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def close(self):
        self.kill()
        for descriptor in {self._reader, self._writer}:
            if descriptor is not None:
                os.close(descriptor)
        self._reader = self._writer = None
        self._ended = True


class Machine(Session):
    """A program, QEMU or the simulator by intent, whose console is its standard input and output by way of pipes."""

    def __init__(self, command, on_output=None):
        self._stderr = tempfile.TemporaryFile()
        input_far, input_near = os.pipe()
        output_near, output_far = os.pipe()
        try:
            process = subprocess.Popen([str(word) for word in command], stdin=input_far, stdout=output_far,
                                       stderr=self._stderr, start_new_session=True, preexec_fn=end_with_parent,
                                       env=program_environment())
        except OSError as error:
            os.close(input_near)
            os.close(output_near)
            raise MachineError(f"{command[0]} could not be started: {error.strerror}; run ci/setup") from error
        finally:
            os.close(input_far)
            os.close(output_far)
        super().__init__(process, output_near, input_near, on_output)

    def stderr(self):
        self._stderr.seek(0)
        return to_text(self._stderr.read())

    @property
    def input(self):
        """The descriptor that the console's input is written to, for those who wait on several."""
        return self._writer

    @property
    def reader(self):
        """The descriptor that the console's output comes from."""
        return self._reader

    def send(self, text):
        try:
            super().send(text)
        except BrokenPipeError:
            raise MachineError(f"the machine ended before it was typed to:\n{self._tail()}") from None

    def close(self):
        super().close()
        self._stderr.close()


class Terminal(Session):
    """Any program on a pseudo-terminal of its own, which is its controlling terminal, as a person would use it."""

    def __init__(self, command, cwd=None, on_output=None, environment=None):
        near, far = pty.openpty()
        # The slave's settings are the terminal's, and stay readable after the program has gone.
        self.terminal = far
        self._settings = termios.tcgetattr(far)
        try:
            process = subprocess.Popen([str(word) for word in command], stdin=far, stdout=far, stderr=far, cwd=cwd,
                                       start_new_session=True, preexec_fn=self._take_terminal,
                                       env=environment or program_environment())
        except OSError as error:
            os.close(near)
            os.close(far)
            raise MachineError(f"{command[0]} could not be started: {error.strerror}") from error
        super().__init__(process, near, near, on_output)

    def is_raw(self):
        """Whether keys reach the program one by one."""
        local_modes = 3
        return not termios.tcgetattr(self.terminal)[local_modes] & termios.ICANON

    def is_as_before(self):
        """Whether the settings are those from before the program was started."""
        return termios.tcgetattr(self.terminal) == self._settings

    @staticmethod
    def _take_terminal():
        end_with_parent()
        # Opening a terminal makes it the controlling one of a session leader that has none (tty_ioctl(4)).
        os.close(os.open(os.ttyname(0), os.O_RDWR))

    def pump(self, timeout):
        """The slave stays open here, so the end is seen by the program's exit and not by end of file."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self.process.poll() is not None
            if select.select([self._reader], [], [], 0 if ended else min(0.1, max(0.0, timeout)))[0]:
                return super().pump(0)
            if ended:
                self._ended = True
                return False
            timeout = deadline - time.monotonic()
            if timeout <= 0:
                return True

    def close(self):
        if self._reader is not None:
            os.close(self.terminal)
        super().close()
