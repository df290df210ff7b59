#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The judge of the guests is judged: run by "make check"."""

import contextlib
import io
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from report import Results  # noqa: E402


def judge(text, console=""):
    results = Results()
    with contextlib.redirect_stdout(io.StringIO()):
        for line in text.strip("\n").split("\n"):
            results.line(line)
        results.complaints(console.split("\n"), "console.log")
    return results


class Report(unittest.TestCase):
    """One property of the counting each."""

    def counts(self, results):
        return results.passed, [name for name, _ in results.failed], [name for name, _ in results.skipped]

    def test_leaves_are_counted(self):
        got = judge("1..1\n# begin a:b 5\n  1..2\n  ok 1 x\n  not ok 2 y\nnot ok 1 a:b # exit status 1")
        self.assertEqual(self.counts(got), (1, ["a:b/y"], []))

    def test_program_without_cases(self):
        got = judge("# begin kernel:b 5\nok 1 kernel:b\n# begin a:c 5\n  boom\nnot ok 2 a:c # exit status 3")
        self.assertEqual(self.counts(got), (1, ["a:c"], []))
        self.assertIn("boom", got.failed[0][1])

    def test_output_that_is_lost(self):
        got = judge("# begin a:b 5\nok 1 a:b")
        self.assertEqual(self.counts(got), (0, ["a:b"], []))

    def test_crash_after_the_last_case(self):
        got = judge("# begin a:b 5\n  1..1\n  ok 1 x\nnot ok 1 a:b # exit status 139")
        self.assertEqual(self.counts(got), (1, ["a:b"], []))

    def test_short_plan(self):
        got = judge("# begin a:b 5\n  1..3\n  ok 1 x\nok 1 a:b")
        self.assertEqual(self.counts(got), (1, ["a:b"], []))

    def test_no_case_at_all(self):
        got = judge("# begin a:b 5\n  1..0\nok 1 a:b")
        self.assertEqual(self.counts(got), (0, ["a:b"], []))

    def test_skip_is_no_pass(self):
        got = judge("# begin a:b 5\n  1..1\n  # SKIP no swap\n  ok 1 x # SKIP\nok 1 a:b")
        self.assertEqual(self.counts(got), (0, [], ["a:b/x"]))
        self.assertEqual(got.skipped[0][1], "no swap")

    def test_complaint_of_the_kernel(self):
        for line in (
            "------------[ cut here ]------------",
            "WARNING: CPU: 0 PID: 1 at kernel/fork.c:1 copy_process",
            "WARNING: possible circular locking dependency detected",
            "BUG: KASAN: slab-use-after-free in x",
            "BUG: sleeping function called from invalid context",
            "unreferenced object 0xffff (size 8):",
            "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "INFO: task init:1 blocked for more than 120 seconds.",
            "refcount_t: underflow; use-after-free.",
            "Oops: general protection fault",
            "rust_kernel: panicked at x",
        ):
            got = judge("# begin a:b 5\n  1..1\n  ok 1 x\nok 1 a:b", f"[ 1.0] vz-test: begin a:b\n[ 1.1] {line}\n[ 1.2] vz-test: end a:b")
            self.assertEqual(self.counts(got), (1, ["kernel log in a:b"], []), line)

    def test_quiet_log(self):
        got = judge("# begin a:b 5\n  1..1\n  ok 1 x\nok 1 a:b", "[ 1.0] Linux version 7.3\n[ 1.1] Memory cgroup out of memory: Killed process 9")
        self.assertEqual(self.counts(got), (1, [], []))

    def test_lost_guest(self):
        got = judge("# begin a:b 5\n  1..2\n  ok 1 x")
        with contextlib.redirect_stdout(io.StringIO()):
            got.lost("died", ["last words"], "console.log")
        self.assertEqual(self.counts(got), (1, ["a:b"], []))
        self.assertIn("last words", got.failed[0][1])
        self.assertEqual(got.last_line(), "1 passed, 1 failed")


if __name__ == "__main__":
    unittest.main()
