# SPDX-License-Identifier: GPL-2.0
"""Arithmetic of the benchmark: from counted instructions to a table and verdicts."""

import math
import statistics

# The columns: those with one letter are in the table.
TITLES = {
    "a": "stock", "b": "no VE", "c": "beside a VE", "d": "in a VE", "e": "crun, stock",
    "a1": "stock, once more", "a2": "stock, after crun", "b2": "after the VE",
}  # fmt: skip
RATIOS = (("b", "a"), ("c", "a"), ("d", "c"), ("d", "e"))
# How repeatable a column is; what a container leaves behind in its kernel; ours beside
# a VE against a stock kernel that has had a container.
AGAIN = ("a1", "a")
AFTER = (("a2", "a"), ("b2", "b"), ("e", "a2"), ("b2", "a2"), ("c", "a2"))

# Percent.
NO_VE = 0.1
IN_VE_MEAN = 1.0
IN_VE_WORST = 3.0

USER_HZ = 100
# A guest that counts nothing but instructions idles at most so much.
IDLE_SHARE = 0.01
# Reading the counter twice, and the loop's own move into a register.
CALIBRATION_SLACK = 64


class Unusable(Exception):
    """What was counted are not instructions."""


class Column:
    """What a guest counted in one place: row name -> instructions per operation, by repetition."""

    def __init__(self, lines):
        self.rows = {}
        self.calibrated = False
        for line in lines:
            words = line.split()
            if words[:1] == ["calibration"]:
                calibrate(*map(int, words[1:5]))
                self.calibrated = True
            elif words[:1] == ["row"]:
                name, ops, idle, *counts = words[1], *map(int, words[2:])
                if not counts or min(counts) <= 0:
                    raise Unusable(f"{name}: counted nothing")
                busy(name, idle, sum(counts))
                self.rows[name] = [count / ops for count in counts]
        if not self.calibrated:
            raise Unusable("no calibration in the report")

    def median(self, row):
        return statistics.median(self.rows[row])

    def spread(self, row):
        """Half the distance of the quartiles, in percent of the median."""
        counts = self.rows[row]
        if len(counts) < 2:
            return 0.0
        low, _, high = statistics.quantiles(counts, n=4, method="inclusive")
        return (high - low) / 2 / self.median(row) * 100

    def summary(self):
        return {
            row: {
                "median": self.median(row),
                "mean": statistics.fmean(counts),
                "min": min(counts),
                "max": max(counts),
                "spread_percent": self.spread(row),
                "repetitions": counts,
            }
            for row, counts in self.rows.items()
        }


def calibrate(short, took_short, long, took_long):
    """Loops of a known length, two instructions a turn, must take as long."""
    extra = took_short - 2 * short
    if took_long - took_short != 2 * (long - short) or not 0 <= extra <= CALIBRATION_SLACK:
        raise Unusable(
            f"the counter does not count instructions: {2 * short} took {took_short}, {2 * long} took {took_long}"
        )


def busy(name, idle, total):
    """Idle time passes without instructions and would be counted as some."""
    nanoseconds = idle * 1_000_000_000 // USER_HZ
    # One unit may be what was rounded.
    if nanoseconds > total * IDLE_SHARE + 1_000_000_000 // USER_HZ:
        raise Unusable(f"{name}: the processor idled for {idle * 100 // USER_HZ} of {total // 10_000_000} hundredths")


def percent(ratio):
    return (ratio - 1) * 100


def ratios(columns, over, under):
    """Row -> ratio of the medians, for the rows both have; None without both columns."""
    if over not in columns or under not in columns:
        return None
    top, bottom = columns[over], columns[under]
    return {row: top.median(row) / bottom.median(row) for row in top.rows if row in bottom.rows}


def mean(found):
    """Geometric mean."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in found.values()))


def worst(found):
    row = max(found, key=found.get)
    return row, found[row]


def compare(columns, pairs=RATIOS):
    """"b/a" -> mean, worst row and all rows, in percent."""
    out = {}
    for over, under in pairs:
        found = ratios(columns, over, under)
        if found:
            row, ratio = worst(found)
            out[f"{over}/{under}"] = {
                "mean": percent(mean(found)),
                "worst": percent(ratio),
                "worst_row": row,
                "rows": {name: percent(one) for name, one in found.items()},
            }
    return out


def verdict(text, comparison, limits):
    """One target; limits: "mean" or "worst" -> the most it may be."""
    if not comparison:
        return {"target": text, "result": "not measured"}
    met = all(comparison[kind] <= limit for kind, limit in limits.items())
    seen = {"mean": f"mean {comparison['mean']:+.3f} %"} if "mean" in limits else {}
    seen["worst"] = f"worst {comparison['worst']:+.3f} % ({comparison['worst_row']})"
    over = sum(1 for value in comparison["rows"].values() if value > limits["worst"])
    if over:
        seen["over"] = f"{over} of {len(comparison['rows'])} rows over it"
    return {"target": text, "result": "met" if met else "MISSED", "seen": ", ".join(seen.values())}


def verdicts(compared):
    return [
        verdict(f"no VE: at most {NO_VE} % over stock on every row", compared.get("b/a"), {"worst": NO_VE}),
        verdict(
            f"in a VE: at most {IN_VE_MEAN:g} % over the host on the mean, {IN_VE_WORST:g} % on the worst row",
            compared.get("d/c"), {"mean": IN_VE_MEAN, "worst": IN_VE_WORST},
        ),
        verdict("in a VE: never slower than the cgroup v2 container", compared.get("d/e"), {"worst": 0.0}),
    ]  # fmt: skip


def figure(value):
    """Five digits, grouped."""
    return f"{value:,.0f}" if value >= 10000 else f"{value:,.1f}"


def table(columns):
    """Instructions per operation, ratios in percent, spread of the worst column."""
    shown = [name for name in "abcde" if name in columns]
    compared = compare(columns)
    head = ["instructions per operation", *(f"({name})" for name in shown), *compared, "spread"]
    lines = [head]
    names = list(dict.fromkeys(row for name in shown for row in columns[name].rows))
    for row in names:
        have = [name for name in shown if row in columns[name].rows]
        lines.append([
            row,
            *(figure(columns[name].median(row)) if name in have else "-" for name in shown),
            *(f"{one['rows'][row]:+.2f}" if row in one["rows"] else "-" for one in compared.values()),
            f"{max(columns[name].spread(row) for name in have):.2f}",
        ])  # fmt: skip
    lines.append(["geometric mean", *("" for _ in shown), *(f"{one['mean']:+.2f}" for one in compared.values()), ""])
    lines.append(["worst", *("" for _ in shown), *(f"{one['worst']:+.2f}" for one in compared.values()), ""])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    out = ["  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths)))
           for line in lines]
    rule = "-" * len(out[0])
    out[1:1] = [rule]
    out[-2:-2] = [rule]
    legend = ", ".join(f"({name}) {TITLES[name]}" for name in shown)
    return [f"{legend}; ratios and spread in percent", "", *out]


def report(columns):
    """The table, how repeatable it is, and a line per target."""
    lines = table(columns)
    again = compare(columns, (AGAIN,)).get("a1/a")
    if again:
        row = max(again["rows"], key=lambda name: abs(again["rows"][name]))
        lines += ["", f"Repeatable: {TITLES['a1']} differs by at most {again['rows'][row]:+.3f} % ({row})."]
    for pair, one in compare(columns, AFTER).items():
        over, under = pair.split("/")
        lines.append(f"{pair}: {TITLES[over]}, over {TITLES[under]}: mean {one['mean']:+.3f} %,"
                     f" worst {one['worst']:+.3f} % ({one['worst_row']})")
    lines.append("")
    for one in verdicts(compare(columns)):
        lines.append(f"{one['result']:>12}: {one['target']}" + (f": {one['seen']}" if "seen" in one else ""))
    return lines
