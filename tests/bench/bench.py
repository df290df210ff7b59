#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Counts guest instructions of kernel operations and compares kernels and places.

  bench.py [--only ROW]... [--quick]

QEMU emulates one processor and lets an instruction take one nanosecond of the guest's
time, so that a difference of the guest's clock is a number of instructions and does not
depend on the machine or its load.  One guest per kernel measures one column after the
other; judge.py has the arithmetic.  Everything is kept in build/bench/result.json, or
partial.json if some rows or columns were left out.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "qemu"))
sys.path.insert(0, str(HERE))
import judge  # noqa: E402
import oci  # noqa: E402
import run  # noqa: E402

BENCH = run.BUILD / "bench"
PROGRAM = BENCH / "program/bench"

# Kernel -> columns in the order they are measured, and where each is.
GUESTS = {
    "stock": {"a": "host", "a1": "host", "e": "container", "a2": "host"},
    "release": {"b": "host", "c": "beside", "d": "inside", "b2": "host"},
}
# What --quick leaves out.
SLOW = ("a", "a1", "e", "a2", "b2")
REPETITIONS = {False: 11, True: 5}
# Seconds of this machine, which may be slow and busy.
BOOT_LIMIT = 300
COLUMN_LIMIT = 1800

# The same random numbers, clock and addresses in each boot.  clear_page and
# copies move eight bytes an instruction: "rep movsb" would count each byte.
MACHINE = [
    "-machine", "q35", "-smp", "1", "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
    "-cpu", "max,erms=off,fsrm=off", "-rtc", "base=2024-01-01,clock=vm", "-seed", "1",
]  # fmt: skip
APPEND = "console=ttyS0 loglevel=4 panic=-1 oops=panic nokaslr norandmaps clocksource=tsc tsc=reliable"


class Report:
    """Collects the lines of each column, as run.watch() reads them."""

    def __init__(self):
        self.columns = {}
        self.failed = None
        self.hung = False
        self.current = None
        self.start = 0.0

    def line(self, text):
        begin = re.match(r"# begin (\S+) \d+", text)
        end = re.match(r"# end (\S+) (\d+)", text)
        if begin:
            self.current = begin[1]
            self.columns[self.current] = []
            self.start = time.monotonic()
        elif end:
            took = time.monotonic() - self.start
            if end[1] in judge.TITLES:
                print(f"    ({end[1]}) {judge.TITLES[end[1]]}: {took:.0f} s", flush=True)
            if end[2] != "0":
                said = "\n".join(self.columns[end[1]])
                self.failed = self.failed or f"column {end[1]} ended with status {end[2]}:\n{said}"
            self.current = None
        elif self.current:
            self.columns[self.current].append(text)


def image(kernel):
    """The kernel's image; VZ_KERNEL_STOCK and VZ_KERNEL_RELEASE name others."""
    other = os.environ.get(f"VZ_KERNEL_{kernel.upper()}")
    path = Path(other) if other else run.BUILD / kernel / "arch/x86/boot/bzImage"
    if not path.exists():
        run.die(f"{path} is missing: run make {'kernel-stock' if kernel == 'stock' else 'kernel'}")
    return path


def choose(only):
    """Names of the rows asked for, each by its beginning; all without any."""
    listing = subprocess.run([PROGRAM, "list"], check=True, text=True, stdout=subprocess.PIPE)
    rows = listing.stdout.split()
    for want in only:
        if not any(row.startswith(want) for row in rows):
            run.die(f"no such row: {want}; there are: {' '.join(rows)}")
    return [row for row in rows if not only or any(row.startswith(want) for want in only)]


def initramfs(where, columns, rows, repetitions):
    root = where / "root"
    shutil.copytree(BENCH / "crun", root, symlinks=True)
    for name in ("bin", "bench"):
        (root / name).mkdir()
    shutil.copy2(run.BUILD / "busybox", root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    shutil.copy2(HERE / "init", root / "init")
    shutil.copy2(PROGRAM, root / "bench/bench")
    config = oci.config(repetitions, rows)
    (root / "bench/config.json").write_text(json.dumps(config, indent=1))
    (root / "arguments.run").write_text(f"{repetitions} {' '.join(rows)}\n")
    (root / "columns.run").write_text("".join(f"{n} {COLUMN_LIMIT} {p}\n" for n, p in columns.items()))
    return run.archive(root, where / "initramfs.cpio")


def start(kernel, columns, rows, repetitions, where, *extra):
    """A guest that measures the columns."""
    archive = initramfs(where, columns, rows, repetitions)
    return run.Guest(
        ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot",
         *MACHINE, "-m", "2G", "-kernel", str(image(kernel)), "-initrd", str(archive),
         "-append", APPEND, *extra],
        where,
    )  # fmt: skip


def follow(guest):
    """Waits for the end of a guest; the lines it reported by column."""
    report = Report()
    try:
        finished = run.watch(guest, report, BOOT_LIMIT)
    finally:
        guest.kill()
    if report.failed:
        run.die(report.failed)
    if not finished:
        lost(guest, "hung" if report.hung else "died")
    for line in guest.console():
        if run.report.COMPLAINT.search(line):
            run.die(f"the kernel complains ({guest.console_path}): {line}")
    return report.columns


def lost(guest, how):
    tail = "\n".join(guest.console()[-40:])
    run.die(f"the guest {how}; end of its console ({guest.console_path}):\n{tail}")


def boot(kernel, columns, rows, repetitions, directory):
    """One guest; the lines it reported by column."""
    where = directory / kernel
    where.mkdir()
    run.say(f"counting on the {kernel} kernel: {len(rows)} row(s), {repetitions} repetitions")
    return follow(start(kernel, columns, rows, repetitions, where))


def options(kernel):
    """The kernel's configuration without what is ours."""
    path = run.BUILD / kernel / ".config"
    if os.environ.get(f"VZ_KERNEL_{kernel.upper()}") or not path.exists():
        return None
    found = set(re.findall(r"^(?:# )?CONFIG_.*$", path.read_text(), re.M))
    return {line for line in found if not re.match(r"(# )?CONFIG_(VE|UBC)(_\w+)?\b", line)}


def remarks(kernels):
    """What the reader must know about the kernels compared."""
    out = []
    digests = {kernel: hashlib.sha256(image(kernel).read_bytes()).hexdigest() for kernel in kernels}
    if len(set(digests.values())) < len(digests):
        out.append("The stock kernel is the SAME IMAGE as the other: this run shows the noise, not the cost.")
    configs = [options(kernel) for kernel in kernels]
    if len(configs) == 2 and None not in configs:
        differ = sorted(configs[0] ^ configs[1])
        if differ:
            out.append("The configurations differ in more than our options: " + "; ".join(differ))
    return digests, out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="ROW", help="rows that begin so")
    parser.add_argument("--quick", action="store_true", help="no stock kernel, fewer repetitions")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    rows = choose(args.only)
    guests = {k: {n: p for n, p in c.items() if not (args.quick and n in SLOW)} for k, c in GUESTS.items()}
    guests = {kernel: columns for kernel, columns in guests.items() if columns}
    digests, notes = remarks(guests)
    directory = run.fresh("bench")
    started = time.monotonic()
    columns = {}
    for kernel, wanted in guests.items():
        for name, lines in boot(kernel, wanted, rows, REPETITIONS[args.quick], directory).items():
            try:
                columns[name] = judge.Column(lines)
            except judge.Unusable as why:
                run.die(f"column {name}: {why}")
            missing = set(rows) - set(columns[name].rows)
            if missing:
                run.die(f"column {name} lacks {' '.join(sorted(missing))}")
    compared = judge.compare(columns)
    # A part does not replace the whole.
    result = BENCH / ("partial.json" if args.only or args.quick else "result.json")
    result.write_text(json.dumps({
        "kernels": digests,
        "remarks": notes,
        "columns": {name: column.summary() for name, column in columns.items()},
        "percent": compared | judge.compare(columns, (judge.AGAIN, *judge.AFTER)),
        "targets": judge.verdicts(compared),
    }, indent=1))  # fmt: skip
    print()
    print("\n".join([*judge.report(columns), *notes]))
    print()
    run.say(f"{result.relative_to(run.TOP)} ({time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    sys.exit(main())
