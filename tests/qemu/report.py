# SPDX-License-Identifier: GPL-2.0
"""Reads a guest's KTAP report and its console, and counts.

A case is a leaf of the report: the inner lines of a test, which prints its own KTAP,
or the line of one the guest makes itself (kernel:NAME).  A test whose own line says
"not ok" although all its cases passed (a crash after the last one, a short plan)
counts as one more failure, and so does one that printed nothing.
"""

import re

# Lines of a kernel log that fail a run.
COMPLAINT = re.compile(
    r"WARNING: |WARNING!|\bBUG:|kernel BUG at|\bOops\b|KASAN|KCSAN:|UBSAN|ODEBUG|general protection fault"
    r"|INFO: (possible|inconsistent|task .* blocked|rcu_|trying to register|HARDIRQ|SOFTIRQ)"
    r"|possible (circular|recursive|irq) lock|suspicious RCU usage|inconsistent lock state"
    r"|detected stall|self-detected stall|\bstall(s|ed)? on CPU|soft lockup|hung.?task|refcount_t"
    r"|unreferenced object|sleeping function called|DEBUG_LOCKS_WARN_ON|lock held when returning"
    r"|held lock freed|still has locks held|bad unlock balance|list_(add|del) corruption|Bad page"
    r"|rust_kernel: panicked|Kernel panic|scheduling while atomic|corrupted stack|cut here"
)
# One complaint prints many lines: further matches this close belong to it.
SPAN = 60
TAIL = 40


class Results:
    """The outcome of one or more guests."""

    def __init__(self):
        self.passed = 0
        self.skipped = []
        self.failed = []  # (name, text)
        self.hung = False
        self.current = None
        self.lines = []
        self.begun = []
        self.inner = [0, 0]
        self.plan = None

    def line(self, text):
        """One line of the report."""
        begin = re.match(r"# begin (\S+) ", text)
        if begin:
            self.current = begin[1]
            self.begun.append(begin[1])
            self.lines, self.inner, self.plan = [], [0, 0], None
            print(f"{self.current}", flush=True)
            return
        self.lines.append(text)
        found = re.match(r"(\s*)(ok|not ok)\s+\d+\s*(?:- )?(.*)$", text)
        if not found:
            plan = re.match(r"\s+1\.\.(\d+)", text)
            if plan:
                self.plan = int(plan[1])
            return
        indent, verdict, rest = found.groups()
        name, _, directive = rest.partition(" # ")
        if indent:
            self.case(f"{self.current}/{name.strip()}", verdict, directive)
        else:
            self.end(name.strip(), verdict, directive)

    def case(self, name, verdict, directive):
        if verdict == "not ok":
            self.inner[1] += 1
            self.fail(name, "\n".join(self.lines[-TAIL:]))
        else:
            self.inner[0] += 1
            if directive.upper().startswith("SKIP"):
                self.skipped.append((name, directive[4:].strip(" :") or self.reason()))
            else:
                self.passed += 1
        self.lines = []

    def end(self, name, verdict, directive):
        """The line of a whole test."""
        cases = sum(self.inner)
        if verdict == "not ok":
            if not self.inner[1]:
                self.fail(name, directive + "\n" + "\n".join(self.lines[-TAIL:]))
        elif self.plan == 0 and not directive.upper().startswith("SKIP"):
            self.fail(name, "ran no case")
        elif self.plan is not None and self.plan != cases:
            self.fail(name, f"planned {self.plan} cases, reported {cases}")
        elif not cases:
            if directive.upper().startswith("SKIP"):
                self.skipped.append((name, self.reason()))
            elif name.startswith("kernel:"):
                self.passed += 1
            else:
                self.fail(name, "reported nothing")
        self.current = None
        self.lines = []

    def reason(self):
        """The text of the last "# SKIP reason" line of a case."""
        found = (re.match(r"[\s#]*# SKIP\s+(.*)", line) for line in reversed(self.lines))
        return next((m[1] for m in found if m), "no reason given")

    def fail(self, name, text):
        self.failed.append((name, text.rstrip()))
        print(f"  not ok {name}", flush=True)

    def started(self):
        return set(self.begun)

    def lost(self, why, console, path):
        """The guest ended before its tests did."""
        tail = "\n".join(console[-TAIL:])
        name = self.current or ("boot" if not self.begun else f"after {self.begun[-1]}")
        report = "\n".join(self.lines[-10:])
        self.fail(name, f"the guest {why}; end of its console ({path}):\n{tail}\nend of its report:\n{report}")
        self.current, self.hung = None, False

    def complaints(self, console, path):
        """Fails the run for each thing the kernel complains of."""
        test = "boot"
        quiet_until = 0
        for number, line in enumerate(console):
            mark = re.search(r"vz-test: (begin|end) (\S+)", line)
            if mark:
                test = mark[2] if mark[1] == "begin" else f"after {mark[2]}"
                quiet_until = 0
            elif number >= quiet_until and COMPLAINT.search(line):
                quiet_until = number + SPAN
                end = next(
                    (n for n in range(number, min(number + TAIL, len(console))) if "vz-test: " in console[n]),
                    number + TAIL,
                )
                text = "\n".join(console[number:end])
                self.fail(f"kernel log in {test}", f"{path}:{number + 1}:\n{text}")

    def summary(self):
        return {"passed": self.passed, "failed": [n for n, _ in self.failed], "skipped": [n for n, _ in self.skipped]}

    def show(self):
        for name, why in self.skipped:
            print(f"skipped: {name} ({why})")
        for name, text in self.failed:
            print(f"\nFAILED: {name}")
            print("\n".join("    " + line for line in text.split("\n")))

    def last_line(self):
        return f"{self.passed} passed, {len(self.failed)} failed"
