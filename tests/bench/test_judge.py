#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The arithmetic of the benchmark: run by "make check"."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import judge  # noqa: E402

CALIBRATION = "calibration 100000 200005 300000 600005"


def column(**rows):
    """A column whose rows have these counts for 10 operations each."""
    lines = [f"row {name} 10 0 {' '.join(map(str, counts))}" for name, counts in rows.items()]
    return judge.Column([CALIBRATION, *lines])


def columns(**medians):
    """Columns of the rows x and y, each of one repetition."""
    return {name: column(x=[x], y=[y]) for name, (x, y) in medians.items()}


class Reading(unittest.TestCase):
    """What a guest reports becomes instructions per operation, or is refused."""

    def test_median_per_operation(self):
        got = column(x=[100, 1000, 120])
        self.assertEqual(got.median("x"), 12)
        self.assertEqual(got.summary()["x"]["max"], 100)

    def test_spread_is_half_the_quartile_distance(self):
        self.assertAlmostEqual(column(x=[90, 95, 100, 105, 110]).spread("x"), 5)
        self.assertEqual(column(x=[100] * 9 + [900]).spread("x"), 0)
        self.assertEqual(column(x=[100]).spread("x"), 0)

    def test_other_lines_are_ignored(self):
        self.assertEqual(judge.Column(["# hello", CALIBRATION, "", "rows x"]).rows, {})

    def test_a_counter_of_something_else_is_refused(self):
        for bad in (
            "calibration 100000 200005 300000 600006",
            "calibration 100000 140504 300000 340504",
            "calibration 100000 199999 300000 599999",
            "calibration 100000 201000 300000 601000",
        ):
            with self.assertRaises(judge.Unusable, msg=bad):
                judge.Column([bad])

    def test_no_calibration_is_refused(self):
        with self.assertRaises(judge.Unusable):
            judge.Column(["row x 10 0 100"])

    def test_an_empty_row_is_refused(self):
        for bad in ("row x 10 0", "row x 10 0 100 0"):
            with self.assertRaises(judge.Unusable, msg=bad):
                judge.Column([CALIBRATION, bad])

    def test_idle_time_is_refused(self):
        # Two of a hundred units of idle time in a second.
        with self.assertRaises(judge.Unusable):
            judge.Column([CALIBRATION, "row x 10 3 1000000000"])
        judge.Column([CALIBRATION, "row x 10 2 1000000000"])
        judge.Column([CALIBRATION, "row x 10 1 1000"])


class Comparing(unittest.TestCase):
    """Ratios, means and worst rows are percentages over the second column."""

    def test_rows_mean_and_worst(self):
        got = judge.compare(columns(a=(100, 100), b=(200, 50)))["b/a"]
        self.assertEqual(got["rows"], {"x": 100.0, "y": -50.0})
        self.assertAlmostEqual(got["mean"], 0)
        self.assertEqual((got["worst"], got["worst_row"]), (100.0, "x"))

    def test_only_what_was_measured(self):
        self.assertEqual(set(judge.compare(columns(b=(1, 1), c=(1, 1), d=(1, 1)))), {"d/c"})
        self.assertEqual(set(judge.compare(columns(a=(1, 1), b=(1, 1), c=(1, 1), d=(1, 1), e=(1, 1)))),
                         {"b/a", "c/a", "d/c", "d/e"})

    def test_a_row_of_one_column_is_left_out(self):
        got = judge.compare({"a": column(x=[100]), "b": column(x=[101], y=[7])})["b/a"]
        self.assertEqual(list(got["rows"]), ["x"])


class Targets(unittest.TestCase):
    """Each target is met, missed or not measured."""

    def results(self, **medians):
        return [one["result"] for one in judge.verdicts(judge.compare(columns(**medians)))]

    def test_all_met(self):
        got = self.results(a=(10000, 10000), b=(10010, 9000), c=(10000, 10000), d=(10299, 9800), e=(10299, 9900))
        self.assertEqual(got, ["met", "met", "met"])

    def test_one_row_over_stock(self):
        self.assertEqual(self.results(a=(10000, 10000), b=(10011, 10000))[0], "MISSED")

    def test_mean_and_worst_row_in_a_ve(self):
        self.assertEqual(self.results(c=(10000, 10000), d=(10301, 9000))[1], "MISSED")
        self.assertEqual(self.results(c=(10000, 10000), d=(10150, 10150))[1], "MISSED")
        self.assertEqual(self.results(c=(10000, 10000), d=(10290, 9910))[1], "met")

    def test_slower_than_the_container(self):
        self.assertEqual(self.results(d=(10001, 10), e=(10000, 100))[2], "MISSED")

    def test_not_measured(self):
        self.assertEqual(self.results(b=(1, 1)), ["not measured"] * 3)


class Showing(unittest.TestCase):
    """The report names every row, its ratios and the verdicts."""

    def test_table(self):
        text = "\n".join(judge.report(columns(a=(1000, 200000), b=(1001, 200000), a1=(1000, 200100))))
        self.assertRegex(text, r"x +100\.0 +100\.1 +\+0\.10 +0\.00")
        self.assertRegex(text, r"y +20,000 +20,000 +\+0\.00")
        self.assertIn("Repeatable: stock, once more differs by at most +0.050 % (y)", text)
        self.assertIn("met: no VE", text)
        self.assertNotIn("(a1)", text)

    def test_table_without_a_ratio(self):
        self.assertIn("x", "\n".join(judge.report(columns(b=(1, 1)))))


if __name__ == "__main__":
    unittest.main()
