#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The arithmetic of the traces: run by "make check"."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import trace  # noqa: E402

KERNEL = trace.functions("""\
0000000000000000 D per_cpu_start
ffffffff81000000 T _text
ffffffff81000100 t helper
ffffffff81000100 T helper_alias
ffffffff81000200 T __x64_sys_sendto
""".splitlines())
END = 0x403050


def line(address):
    """As QEMU 7.2 to 10.0 log an instruction."""
    return b"Trace 0: 0x7f1c0a000100 [0000000000000000/%016x/0040c2b3/ff020001] \n" % address


def taken_back(address):
    return b"Stopped execution of TB chain before 0x7f1c0a000100 [%016x] \n" % address


def traced(*pieces):
    got = trace.Trace(END)
    for piece in pieces:
        got.feed(piece)
    return got


class Reading(unittest.TestCase):
    """What QEMU logs becomes instructions by address."""

    def test_each_line_is_one(self):
        got = traced(line(0x401000) + line(0x401004), line(0x401000))
        self.assertEqual(got.by_address(), {0x401000: 2, 0x401004: 1})
        self.assertFalse(got.ended)

    def test_lines_come_in_pieces(self):
        text = line(0x401000) + line(0x401004) + line(0x401000)
        for cut in range(len(text)):
            self.assertEqual(traced(text[:cut], text[cut:]).by_address(), {0x401000: 2, 0x401004: 1}, cut)

    def test_one_that_was_not_executed(self):
        got = traced(line(0x401000) + taken_back(0x401000) + line(0x401004), line(0x401008), taken_back(0x401008))
        self.assertEqual(got.by_address(), {0x401004: 1})

    def test_other_lines_are_ignored(self):
        self.assertEqual(traced(b"hello\n" + line(0x401000) + b"IN: Trace 0: [\n").by_address(), {0x401000: 1})

    def test_the_end(self):
        text = line(0x401000) + line(END) + line(0x401004)
        for cut in range(len(text)):
            got = traced(text[:cut], text[cut:], line(0x401008))
            self.assertTrue(got.ended)
            self.assertEqual(got.by_address(), {0x401000: 1}, cut)


class Summing(unittest.TestCase):
    """Addresses become functions."""

    def test_data_and_second_names_are_left_out(self):
        self.assertEqual(KERNEL[1], ["_text", "helper", "__x64_sys_sendto"])

    def test_a_name_of_rust(self):
        names = trace.functions(["ffffffff81000000 T <a[57a2d9116296588b]::B as c::D>::e"])[1]
        self.assertEqual(names, ["<a::B as c::D>::e"])

    def test_function(self):
        self.assertEqual(trace.function(KERNEL, 0xFFFFFFFF810001FF), "helper")
        self.assertEqual(trace.function(KERNEL, 0xFFFFFFFF81000200), "__x64_sys_sendto")
        self.assertIsNone(trace.function(KERNEL, 0))

    def test_by_function(self):
        counts = {0xFFFFFFFF81000100: 5, 0xFFFFFFFF81000104: 2, 0x401000: 3, 0x401004: 1, 0xFFFFFE0000001000: 4}
        self.assertEqual(trace.by_function(counts, KERNEL), {"helper": 7, "(program)": 4, "(other)": 4})

    def test_calls(self):
        counts = {0xFFFFFFFF81000200: 5, 0xFFFFFFFF81000204: 6, 0xFFFFFFFF81000100: 2}
        self.assertEqual(trace.per_call("sendto", counts, KERNEL), 5)
        self.assertEqual(trace.per_call("helper", counts, KERNEL), 2)
        with self.assertRaisesRegex(SystemExit, "read is never called; system calls seen: sendto"):
            trace.per_call("read", counts, KERNEL)


class Showing(unittest.TestCase):
    """The table is sorted by difference; nothing is lost in it."""

    places = {"container": {"f": 10, "g": 20, "h": 5}, "inside": {"f": 11, "g": 12, "new": 4}}

    def table(self, *args):
        return [" ".join(line.split()) for line in trace.table(*args)]

    def test_difference(self):
        self.assertEqual(self.table(self.places), [
            "instructions per operation container inside difference",
            "new 0.0 4.0 +4.0", "f 10.0 11.0 +1.0", "h 5.0 0.0 -5.0", "g 20.0 12.0 -8.0", "total 35.0 27.0 -8.0",
        ])  # fmt: skip

    def test_the_smallest_are_others(self):
        self.assertEqual(self.table(self.places, 2)[1:], [
            "h 5.0 0.0 -5.0", "g 20.0 12.0 -8.0", "2 others 10.0 15.0 +5.0", "total 35.0 27.0 -8.0",
        ])  # fmt: skip

    def test_no_difference_is_not_shown(self):
        same = {"container": {"f": 10, "g": 20}, "inside": {"f": 10.04, "g": 21}}
        self.assertEqual(self.table(same)[1:], ["g 20.0 21.0 +1.0", "1 others 10.0 10.0 +0.0", "total 30.0 31.0 +1.0"])

    def test_one_place(self):
        self.assertEqual(self.table({"host": {"f": 1, "g": 2}}), [
            "instructions per operation host", "g 2.0", "f 1.0", "total 3.0",
        ])  # fmt: skip


if __name__ == "__main__":
    unittest.main()
