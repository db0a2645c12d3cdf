#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Includes form the DAG base -> abi -> arch -> hal -> mem -> irq -> vm -> {virtio -> dev, psci} -> exit -> boot
-> role.

A module sees itself and what stands left of it; siblings in braces do not see each other. A HAL sees its own directory,
hal, arch, abi and base. Files include each other in no cycle. core/CMakeLists.txt links the modules in the same order.
Core takes only headers of a freestanding C, <string.h> and, in boot, <libfdt.h>.
"""
import re
import sys

from harness import find_files, main, read, strip_comments

BELOW = {
    "base": "", "abi": "base", "arch": "abi base", "hal": "arch abi base",
}
BELOW["mem"] = f"hal {BELOW['hal']}"
BELOW["irq"] = f"mem {BELOW['mem']}"
BELOW["vm"] = f"irq {BELOW['irq']}"
BELOW["virtio"] = BELOW["psci"] = f"vm {BELOW['vm']}"
BELOW["dev"] = f"virtio {BELOW['virtio']}"
BELOW["exit"] = f"dev psci {BELOW['dev']}"
BELOW["boot"] = f"exit {BELOW['exit']}"
BELOW["role"] = f"boot {BELOW['boot']}"
BELOW["hal-aarch64"] = BELOW["hal-sim"] = BELOW["mem"]
ALLOWED = {module: set(below.split()) for module, below in BELOW.items()}
ALLOWED["sim"] = set(ALLOWED) - {"hal-aarch64"}

SYSTEM = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "stdatomic.h", "limits.h", "string.h"}
SYSTEM_OF = {"boot": {"libfdt.h"}, "hal-aarch64": set()}
CMAKE_NAME = {"hal-contract": "hal", "fdt": None}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def module_of(root, path):
    parts = path.relative_to(root).parts
    return parts[1] if parts[0] == "core" and len(parts) > 2 else parts[0]


def resolve(root, path, name):
    """The file that the compiler would take, by this tree's include paths."""
    for base in (path.parent, root / "core", root):
        if (base / name).is_file():
            return (base / name).resolve()
    return None


def check_file(root, path, edges):
    module, findings = module_of(root, path), []
    text = strip_comments(read(path))
    for match in INCLUDE.finditer(text):
        where = f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        kind, name = match.groups()
        if kind == "<":
            if module in ("sim", "hal-sim") or name in SYSTEM | SYSTEM_OF.get(module, set()):
                continue
            findings.append(f"{where}: {module} may not include <{name}>")
            continue
        target = resolve(root, path, name)
        if target is None or root not in target.parents:
            findings.append(f"{where}: \"{name}\" is not in the tree")
            continue
        edges.setdefault(path, set()).add(target)
        other = module_of(root, target)
        if other != module and other not in ALLOWED[module]:
            findings.append(f"{where}: {module} may not include {other} (\"{name}\")")
    return findings


def find_cycles(root, edges):
    findings, done, trail = [], set(), []

    def visit(node):
        if node in trail:
            cycle = trail[trail.index(node):] + [node]
            findings.append("cycle: " + " -> ".join(str(path.relative_to(root)) for path in cycle))
        elif node not in done:
            trail.append(node)
            for other in sorted(edges.get(node, ())):
                visit(other)
            done.add(trail.pop())

    for node in sorted(edges):
        visit(node)
    return findings


def check_links(root):
    """What core_module() lines link, taken to its end, is what the rule allows: no more, no less."""
    path = root / "core" / "CMakeLists.txt"
    direct = {}
    for name, rest in re.findall(r"^core_module\(([\w-]+)([^)]*)\)", read(path), re.M):
        direct[name] = {CMAKE_NAME.get(lib, lib.removeprefix("core-")) for lib in rest.split()} - {None}
        if "fdt" in rest.split() and name != "boot":
            direct[name].add("fdt")
    direct.setdefault("hal", set(ALLOWED["hal"]))
    findings = []
    for name in direct:
        seen, todo = set(), set(direct[name])
        while todo:
            lib = todo.pop()
            seen.add(lib)
            todo |= direct.get(lib, set()) - seen
        wanted = ALLOWED.get(name)
        if wanted is None:
            findings.append(f"{path}: module {name} has no place in the order")
        elif seen != wanted:
            findings.append(f"{path}: {name} links {sorted(seen)}, the order says {sorted(wanted)}")
    for directory in sorted(p.name for p in (root / "core").iterdir() if p.is_dir()):
        if directory not in direct:
            findings.append(f"{path}: core/{directory} has no core_module() line")
    return findings


def check(root, _):
    edges, findings = {}, []
    for path in find_files(root, ("core", "hal", "hal-aarch64", "hal-sim", "sim"), (".c", ".h", ".S")):
        if module_of(root, path) not in ALLOWED:
            findings.append(f"{path}:1: its directory has no place in the order")
        else:
            findings += check_file(root, path.resolve(), edges)
    return findings + find_cycles(root, edges) + check_links(root)


CMAKE = "core_module(base)\ncore_module(mem hal-contract core-arch)\ncore_module(arch core-abi core-base)\ncore_module(abi core-base)\n"
SOUND = {
    "core/CMakeLists.txt": CMAKE,
    "core/base/a.h": "#include <stdint.h>\n",
    "core/abi/a.h": '#include "base/a.h"\n',
    "core/arch/a.c": '/* #include "mem/a.h" */\n#include "abi/a.h"\n',
    "core/mem/a.h": '#include "hal/hal.h"\n',
    "hal/hal.h": '#include "base/a.h"\n',
    "hal-aarch64/x.c": '#include "x.h"\n#include "hal/hal.h"\n',
    "hal-aarch64/x.h": "",
}
BROKEN = {
    "an arrow back": ({"core/base/b.h": '#include "mem/a.h"\n'}, "base may not include mem"),
    "a HAL that sees policy": ({"hal-aarch64/x.h": '#include "mem/a.h"\n'}, "hal-aarch64 may not include mem"),
    "siblings": ({"core/dev/d.h": "", "core/psci/p.c": '#include "dev/d.h"\n',
                  "core/CMakeLists.txt": CMAKE}, "psci may not include dev"),
    "a cycle": ({"core/mem/b.h": '#include "mem/c.h"\n', "core/mem/c.h": '#include "mem/b.h"\n'}, "cycle: core/mem/b.h"),
    "libc": ({"core/base/b.c": "#include <stdio.h>\n"}, "may not include <stdio.h>"),
    "a file that is not there": ({"core/base/b.c": '#include "base/none.h"\n'}, "is not in the tree"),
    "links too much": ({"core/CMakeLists.txt": CMAKE.replace("core_module(base)", "core_module(base core-abi)")},
                       "base links"),
    "links too little": ({"core/CMakeLists.txt": CMAKE.replace(" hal-contract", "")}, "mem links"),
    "a module of no library": ({"core/vm/v.h": ""}, "core/vm has no core_module() line"),
    "a module of no order": ({"core/extra/v.h": ""}, "no place in the order"),
}

if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN))
