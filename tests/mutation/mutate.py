#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Breaks core on purpose, as a row of mutations.py says, and checks that a program in the simulator notices it.

The broken source (of a header: the sources of core that use what it breaks) is compiled with the build's own command,
and linked in front of the build's libraries. The program has to pass unbroken first (--sound, which leaves the number
of instructions it took in the build), so that what it then reports is the mutation's doing. A row whose text is not in
its file exactly once fails: the table cannot rot.
"""
import argparse
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import threading

from mutations import ENDLESS, MUTATIONS, PROGRAMS

TIMEOUT = 50  # seconds of the wall clock for a run
INSTRUCTIONS = 200_000_000  # more than any program takes
ENDLESS_INSTRUCTIONS = 300_000  # several lives of a program that resets for ever
# A broken run ends after five fourths of what the sound one took, and this.
MORE_INSTRUCTIONS = 50_000

# How each kind of sign looks on the console or on standard error; {} is what the row says of it.
SIGNS = {
    "not ok": r"^not ok \d+ - .*{}",
    "stopped": r"^\[halcyon [^\]]*\] error vm: \S+ stopped: .*{}",
    "panic": r"^halcyon PANIC: .*{}",
    "hang": r"^halcyon-sim: error: --max-insns: ",
    "waits": r"^halcyon-sim: error: the guests wait for ever: ",
    "error": r"^halcyon-sim: error: .*{}",
}
PLAN = re.compile(r"^1\.\.(\d+)$", re.MULTILINE)
RESULT = re.compile(r"^(not ok|ok) \d+ - .*$", re.MULTILINE)
COUNT = re.compile(r"^halcyon-sim: hash \S+ instructions (\d+) ", re.MULTILINE)
SANITIZER = re.compile(r"^.*(ERROR: \w+Sanitizer|runtime error:).*$", re.MULTILINE)


class Failure(Exception):
    """The test has failed; the text says what was expected, and what came instead."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def plain(data):
    return data.decode("utf-8", "replace").replace("\r", "")


def tail(text, lines=25):
    return "\n".join("    | " + line for line in text.splitlines()[-lines:])


def run_tool(command, cwd):
    done = subprocess.run(command, cwd=cwd, shell=isinstance(command, str), capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{command if isinstance(command, str) else shlex.join(command)}\n{tail(done.stderr)}")
    return done.stdout


# --- Building ---

class Build:
    """The build whose libraries stand behind the mutated objects, and a directory for what is made here."""

    def __init__(self, directory, ninja, root, scratch):
        self.directory, self.ninja, self.root, self.scratch = directory, ninja, root, scratch
        self.overlay = scratch / "overlay"

    def core_commands(self):
        """{source: words of the command that compiles it} for all of core."""
        try:
            database = json.loads((self.directory / "compile_commands.json").read_text(encoding="utf-8"))
        except OSError as error:
            raise Failure(f"{error}; configure the build with CMake's Ninja generator, as the presets do") from error
        core = str(self.root / "core") + "/"
        return {pathlib.Path(entry["file"]): shlex.split(entry["command"]) for entry in database
                if entry["file"].startswith(core)}

    def apply(self, mutation):
        source = self.root / mutation.file
        text = source.read_text(encoding="utf-8")
        found = text.count(mutation.old)
        check(found == 1, f"mutations.py, {mutation.name}: its text is in {mutation.file} {found} times, not once:\n"
              f"{tail(mutation.old)}")
        check(mutation.old != mutation.new, f"mutations.py, {mutation.name}: changes nothing")
        broken = self.overlay / mutation.file
        broken.parent.mkdir(parents=True)
        broken.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        return source, broken

    def compile(self, command, source, number):
        """The object of `source`, compiled as `command` compiles the original; the mutated header comes first."""
        words = list(command)
        target = self.scratch / f"{number}.o"
        words[words.index("-o") + 1] = str(target)
        words[words.index("-c") + 1] = str(source)
        if "-MF" in words:
            words[words.index("-MF") + 1] = f"{target}.d"
        # A mutation may leave something unused.
        run_tool([words[0], f"-I{self.overlay}/core", *words[1:], "-w"], self.directory)
        return str(target)

    def mutate(self, mutation):
        """The objects that differ."""
        source, broken = self.apply(mutation)
        commands = self.core_commands()
        if source.suffix == ".c":
            check(source in commands, f"{source} is not part of the build in {self.directory}")
            return [self.compile(commands[source], broken, 0)]
        symbol = re.compile(rf"\b{mutation.symbol}\b")
        users = [path for path in commands if symbol.search(path.read_text(encoding="utf-8"))]
        check(mutation.symbol and users, f"mutations.py, {mutation.name}: no source of core has the symbol")
        return [self.compile(commands[path], path, number) for number, path in enumerate(users)]

    def link(self, program, objects):
        """The executable of `program`'s target with `objects` in front of the libraries."""
        listed = run_tool([self.ninja, "-C", str(self.directory), "-t", "commands", program.target], self.directory)
        output = self.scratch / "mutated"
        command, count = re.subn(rf" -o {re.escape(program.target)} ", f" {shlex.join(objects)} -o {output} ",
                                 listed.splitlines()[-1])
        check(count == 1, f"no command that links {program.target}:\n{tail(listed, 1)}")
        run_tool(command, self.directory)
        return output


# --- Running ---

class Run:
    """A finished run: its status, and all that it printed; or up to the first line that `sign` is in."""

    def __init__(self, executable, program, build, limit, sign=None):
        command = [str(executable), "--kernel", str(build / program.kernel), "--memory", "32M", "--no-input", "--hash",
                   "--max-insns", str(limit), *program.options]
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
            except OSError as error:
                raise Failure(f"{error}; build the tree first") from error
            self.killed = False
            clock = threading.Timer(TIMEOUT, process.kill)
            clock.start()
            lines = self.read(process, sign)
            clock.cancel()
            errors.seek(0)
            self.text = "".join(lines) + "\n" + plain(errors.read())
        self.status = process.returncode
        report = SANITIZER.search(self.text)
        check(self.killed or (self.status in (0, 1) and not report), f"{shlex.join(command)}\n    ended with status "
              f"{self.status} within {TIMEOUT} s{report.group() if report else ''}:\n{tail(self.text)}")

    def read(self, process, sign):
        lines = []
        for line in process.stdout:
            lines.append(plain(line))
            if sign and sign.search(lines[-1]):
                self.killed = True
                process.kill()
        process.wait()
        return lines

    def instructions(self):
        count = COUNT.search(self.text)
        check(count, f"no count of instructions:\n{tail(self.text)}")
        return int(count.group(1))

    def complaint(self, endless):
        """Why this is not a program that passed; None if it is."""
        failed = [match.group() for match in RESULT.finditer(self.text) if match.group(1) != "ok"]
        if failed:
            return failed[0]
        plans = [int(plan) for plan in PLAN.findall(self.text)]
        if endless:
            return None if len(plans) > 1 else "fewer than two lives"
        if self.status != 0:
            return f"status {self.status}"
        results = len(RESULT.findall(self.text))
        return None if plans == [results] else f"{results} results, plans {plans}"


def sign_of(mutation):
    kind, _, words = mutation.sign.partition(":")
    words = words.strip()
    check(kind in SIGNS, f"mutations.py, {mutation.name}: no kind of sign: {mutation.sign}")
    return re.compile(SIGNS[kind].format(re.escape(words)), re.MULTILINE)


def count_file(build, name):
    return build / "tests" / "mutation" / f"{name}.instructions"


def run_sound(name, options):
    program = PROGRAMS[name]
    endless = program.ending == ENDLESS
    run = Run(options.build / program.target, program, options.build, ENDLESS_INSTRUCTIONS if endless else INSTRUCTIONS)
    complaint = run.complaint(endless)
    check(complaint is None, f"{name} does not pass as core is: {complaint}\n{tail(run.text)}")
    count_file(options.build, name).write_text(f"{run.instructions()}\n", encoding="utf-8")
    print(f"passed: {name} takes {run.instructions()} instructions")


def run_mutation(mutation, options):
    program = PROGRAMS[mutation.program]
    endless = program.ending == ENDLESS
    sign = sign_of(mutation)
    try:
        limit = int(count_file(options.build, mutation.program).read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"{error}; run mutate.py --sound {mutation.program} first, as ctest does") from error
    limit = limit if endless else limit * 5 // 4 + MORE_INSTRUCTIONS
    with tempfile.TemporaryDirectory(prefix="halcyon-mutation.") as scratch:
        build = Build(options.build, options.ninja, options.root, pathlib.Path(scratch))
        executable = build.link(program, build.mutate(mutation))
        run = Run(executable, program, options.build, limit, sign)
    seen = sign.search(run.text)
    complaint = run.complaint(endless)
    check(complaint or seen, f"nothing notices it: {mutation.what}\n{tail(run.text, 60)}")
    check(seen, f"it fails, but not by {mutation.sign!r}: {complaint}\n{tail(run.text, 60)}")
    print(f"passed: {mutation.what}: noticed by {mutation.program}: {seen.group()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--root", type=pathlib.Path, default=root, help="the tree that was built (this one)")
    parser.add_argument("--build", type=pathlib.Path, default=root / "build" / "host", help="the build (build/host)")
    parser.add_argument("--ninja", default="ninja", help="the program ninja")
    parser.add_argument("--sound", action="store_true", help="NAME is a program: check that it passes as core is")
    parser.add_argument("name", metavar="NAME", help="a mutation; or list, for all of them, each with its program")
    options = parser.parse_args()
    mutations = {mutation.name: mutation for mutation in MUTATIONS}
    if options.name == "list":
        print("\n".join(f"{mutation.name} {mutation.program}" for mutation in MUTATIONS))
        return
    if options.name not in (PROGRAMS if options.sound else mutations):
        parser.error(f"no such {'program' if options.sound else 'mutation'}: {options.name}")
    try:
        if options.sound:
            run_sound(options.name, options)
        else:
            run_mutation(mutations[options.name], options)
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")


if __name__ == "__main__":
    main()
