# SPDX-License-Identifier: MIT OR Apache-2.0
"""Executed instructions, counted by a plugin of QEMU's: of a whole machine, of its hypervisor, and of an item of work."""
import pathlib
import re
import statistics
import subprocess
import tempfile

from bench_lib import BENCH_BUILD, DONE, ROOT, halcyon, run_quietly, run_to_the_end, say
from halcyon import check
from machine import BUILD

PLUGIN_SOURCE = ROOT / "tests" / "integration" / "insn_count" / "insn_count.c"
PLUGIN = BENCH_BUILD / "insn_count.so"
EL2_ELF = BUILD / "aarch64" / "hal-aarch64" / "halcyon.elf"
# Where QEMU's virt puts an Image whose text_offset is 0, as the hypervisor's is.
EL2_BASE = 0x40200000


def build_plugin():
    """A QEMU of another ci/bench may have the old one mapped, which therefore is replaced, not overwritten."""
    BENCH_BUILD.mkdir(exist_ok=True)
    fresh = PLUGIN.with_suffix(".new")
    run_quietly("building QEMU's plugin",
                ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", fresh, PLUGIN_SOURCE])
    fresh.replace(PLUGIN)


def run_counted(where, directory, start, command):
    """The plugin's figures, {name: number}; start is "" for all that runs, or options of the plugin, each with a comma behind."""
    out = directory / "count"
    out.unlink(missing_ok=True)
    result = run_to_the_end(where, [*command, "-plugin", f"{PLUGIN},{start}out={out}"])
    check(DONE in result.console, f"{where}: the boot did not reach its end:\n{halcyon.tail(result.console)}")
    text = out.read_text(encoding="ascii") if out.exists() else ""
    check(re.fullmatch(r"instructions \d+\n(guest \d+\nafter \d+\n)?", text),
          f"{where}: the plugin left no count; fix: QEMU must be built with TCG plugins, as Debian's is")
    return {name: int(number) for name, number in map(str.split, text.splitlines())}


def count_bare(where, directory, command):
    """All instructions of a machine without a hypervisor."""
    return run_counted(where, directory, "", command)["instructions"]


def count_halcyon(where, directory, command):
    """{"instructions": all since the first guest was entered, "guest": those that are not EL2's, "after": EL2's since the
    last guest is off}."""
    symbols = subprocess.run(["aarch64-linux-gnu-nm", EL2_ELF], capture_output=True, text=True, check=True).stdout
    match = re.search(r"^([0-9a-f]+) \w el2_vectors$", symbols, re.MULTILINE)
    check(match, f"{EL2_ELF} has no el2_vectors")
    vectors = EL2_BASE + int(match.group(1), 16)
    counts = run_counted(where, directory, f"from=eret,vectors={vectors:#x},", command)
    check("guest" in counts, f"the hypervisor took no exception at {vectors:#x}")
    return counts


def count_both(where, directory, command, is_halcyon):
    """(all instructions, EL2's of them)."""
    if not is_halcyon:
        return count_bare(where, directory, command), 0
    counts = count_halcyon(where, directory, command)
    return counts["instructions"], counts["instructions"] - counts["guest"]


def count_work(work, commands, options):
    """What each item of `work` costs, by running each machine without and with it. commands(directory, cpu, item or None)
    yields (where, is it Halcyon, command). Returns {where: {item: (instructions, EL2's of them)}}, medians of options.rounds."""
    samples = {}
    for number in range(options.rounds):
        say(f"round {number + 1} of {options.rounds}")
        base = {}
        for item in (None, *work):
            with tempfile.TemporaryDirectory(prefix="halcyon-bench.") as name:
                for where, is_halcyon, command in commands(pathlib.Path(name), options.cpu, item):
                    counts = count_both(where, pathlib.Path(name), command, is_halcyon)
                    if item is None:
                        base[where] = counts
                    else:
                        cost = [with_it - without for with_it, without in zip(counts, base[where])]
                        samples.setdefault(where, {}).setdefault(item, []).append(cost)
    return {where: {item: tuple(map(statistics.median, zip(*costs))) for item, costs in items.items()}
            for where, items in samples.items()}


def work_rows(work, costs, describe):
    """Rows for print_table(): describe(item, instructions) is a cell. EL2's share has a column of its own."""
    places = [(where, part) for where in costs for part in ((0, 1) if any(el2 for _, el2 in costs[where].values()) else (0,))]
    yield ["executed instructions", *(f"{where}{', EL2 alone' if part else ''}" for where, part in places)]
    for item in work:
        yield [item, *(describe(item, costs[where][item][part]) for where, part in places)]
