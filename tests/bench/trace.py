#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tells which kernel functions the instructions of one operation go to.

  trace.py ROW [--places PLACE...] [--kernel release|stock] [--call SYSCALL]

Boots a guest as bench.py does for each place: host, beside (on the host while a VE
runs), inside (in a VE) or container (in crun).  QEMU logs every instruction of one
repetition, from the call of the row's function to its return; their number must be about
what the guest itself counts for the next one.  All functions are in build/bench/trace-ROW.json.
"""

import argparse
import bisect
import collections
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import bench  # noqa: E402
import judge  # noqa: E402
import run  # noqa: E402
from debugger import Debugger, Ended  # noqa: E402

PLACES = ("host", "beside", "inside", "container")
# As in measure.c: the repetitions before the traced one, and who calls the row's function.
WARM_UP = 2
CALLERS = ("measure", "repeat")
# The traced repetition and one without stops, in which the guest's clock goes on.
REPETITIONS = 2
# Seconds from power-on to the end of the trace.
LIMIT = 1800
# Percent by which the guest's own count of the repetition after it may differ: memcg's
# stock of bytes may serve one repetition and not the next.
TOLERANCE = 10.0
# Functions in the table, and the least difference that is one.
SHOWN, LEAST = 40, 0.05

# An instruction is logged before it is executed; the second line takes that back.
EXECUTED = re.compile(rb"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]{16})/", re.M)
TAKEN_BACK = re.compile(rb"^Stopped execution of TB chain before \S+ \[([0-9a-f]{16})\]", re.M)
CRATE_HASH = re.compile(r"\[[0-9a-f]{16}\]")


class Trace:
    """Counts the instructions of QEMU's log by address, until the one at the end."""

    def __init__(self, end):
        self.end = b"/%016x/" % end
        self.ended = False
        self.counts = collections.Counter()
        self.partial = b""

    def feed(self, data):
        if self.ended:
            return
        text, _, self.partial = (self.partial + data).rpartition(b"\n")
        text, found, _ = text.partition(self.end)
        self.ended = bool(found)
        self.counts.update(EXECUTED.findall(text))
        self.counts.subtract(TAKEN_BACK.findall(text))

    def by_address(self):
        return {int(address, 16): number for address, number in self.counts.items() if number}


def functions(lines):
    """Addresses and names of the functions in the lines of System.map or nm, by address."""
    found = {}
    for address, kind, name in (words for words in (line.split(None, 2) for line in lines) if len(words) == 3):
        if kind in "tTwW":
            found.setdefault(int(address, 16), CRATE_HASH.sub("", name))
    return sorted(found), [found[address] for address in sorted(found)]


def output(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout.splitlines()


def function(symbols, address):
    """The one an address is in; None below all."""
    i = bisect.bisect_right(symbols[0], address)
    return symbols[1][i - 1] if i else None


def by_function(counts, kernel):
    """Function -> instructions; those of programs are one."""
    out = collections.Counter()
    for address, number in counts.items():
        out[function(kernel, address) or ("(other)" if address >> 63 else "(program)")] += number
    return out


def table(places, shown=SHOWN):
    """Of place -> function -> instructions: where the last place differs most from the first."""
    first, last = list(places.values())[0], list(places.values())[-1]
    rows = {name: [one.get(name, 0) for one in places.values()] for name in {n for one in places.values() for n in one}}
    change = {name: last.get(name, 0) - (first.get(name, 0) if len(places) > 1 else 0) for name in rows}
    order = sorted(rows, key=lambda name: (-abs(change[name]), name))
    shown = min(shown, sum(abs(one) >= LEAST for one in change.values()))
    lines = [(name, [name]) for name in sorted(order[:shown], key=lambda name: (-change[name], name))]
    if order[shown:]:
        lines.append((f"{len(order) - shown} others", order[shown:]))
    lines.append(("total", order))
    head = [*places, "difference"] if len(places) > 1 else places
    width = max(len(title) for title, _ in [("instructions per operation", None), *lines])
    out = [f"{'instructions per operation':{width}}" + "".join(f"{title:>12}" for title in head)]
    for title, names in lines:
        cells = [f"{sum(rows[name][i] for name in names):12,.1f}" for i in range(len(places))]
        if len(places) > 1:
            cells.append(f"{sum(change[name] for name in names):+12,.1f}")
        out.append(f"{title:{width}}" + "".join(cells))
    return out


def trace(kernel, place, row, program, directory):
    """One guest: instructions by address, number of operations."""
    where = directory / place
    where.mkdir()
    run.say(f"tracing {row} on the {kernel} kernel: {place}")
    debugger = Debugger(where)
    guest = bench.start(kernel, {place: place}, [row], REPETITIONS, where, *debugger.options)
    starts = [address for address, name in zip(*program) if name.endswith("_run")]
    try:
        debugger.follow(guest, LIMIT)
        while b"# begin" not in guest.report_path.read_bytes():
            debugger.wait()
        debugger.interrupt()
        # Other programs have other functions at the same addresses.
        back = debugger.reach(starts, lambda caller: function(program, caller) in CALLERS, WARM_UP + 1)
        traced = Trace(back)
        debugger.start_log(traced.feed)
        debugger.go_on()
        while not traced.ended:
            debugger.wait()
        debugger.interrupt()
        debugger.end_log()
        debugger.go_on()
        lines = bench.follow(guest)[place]
    except Ended:
        bench.follow(guest)
        run.die(f"no operations seen: the guest ended before it called a function *_run for {row}")
    finally:
        guest.kill()
    judge.Column(lines)
    words = next(words for words in map(str.split, lines) if words[:2] == ["row", row])
    total, counted = sum(traced.by_address().values()), int(words[-1])
    if abs(total / counted - 1) * 100 > TOLERANCE:
        run.die(f"{total} instructions were traced, but the guest counted {counted}")
    run.say(f"{place}: {total:,} instructions; the guest counts {counted:,} for the next repetition")
    return traced.by_address(), int(words[2])


def per_call(call, counts, kernel):
    """How often a system call, or a function of any name, was entered."""
    entered = {name: counts[address] for address, name in zip(*kernel) if address in counts}
    number = entered.get(f"__x64_sys_{call}") or entered.get(call)
    if not number:
        seen = " ".join(name[10:] for name in entered if name.startswith("__x64_sys_"))
        run.die(f"no operations seen: {call} is never called; system calls seen: {seen or 'none'}")
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", help="the only row that begins so")
    parser.add_argument("--places", nargs="+", choices=PLACES, default=["container", "inside"], help="%(default)s")
    parser.add_argument("--kernel", choices=("release", "stock"), default="release")
    parser.add_argument("--call", help="count per call of that, not per operation of the row")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    rows = bench.choose([args.row])
    if len(rows) > 1 and args.row not in rows:
        run.die(f"one row, please: {' '.join(rows)}")
    row = args.row if args.row in rows else rows[0]
    if args.kernel == "stock" and {"beside", "inside"} & set(args.places):
        run.die("the stock kernel has no VE: --places host container")
    names = bench.image(args.kernel).resolve().parents[3] / "System.map"
    if not names.exists():
        run.die(f"{names} is missing: it comes with the kernel's image")
    kernel = functions(output("c++filt", stdin=names.open()))
    program = functions(output("nm", bench.PROGRAM))
    directory = run.fresh("trace")
    places, divisors = {}, {}
    for place in dict.fromkeys(args.places):
        counts, operations = trace(args.kernel, place, row, program, directory)
        divisors[place] = per_call(args.call, counts, kernel) if args.call else operations
        places[place] = {name: n / divisors[place] for name, n in by_function(counts, kernel).most_common()}
    result = bench.BENCH / f"trace-{row}.json"
    about = {"row": row, "kernel": args.kernel, "call": args.call, "operations": divisors}
    result.write_text(json.dumps(about | {"places": places}, indent=1))
    print("\n" + "\n".join(table(places)) + "\n")
    run.say(str(result.relative_to(run.TOP)))


if __name__ == "__main__":
    sys.exit(main())
