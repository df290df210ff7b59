# SPDX-License-Identifier: GPL-2.0
"""The debugger's end of QEMU's gdb stub, as far as trace.py needs it."""

import fcntl
import os
import re
import select
import time

import bench
import run

# It has another name since QEMU 8.1.
ONE_BY_ONE = ("one-insn-per-tb", "singlestep")
# Numbers of registers.
RSP, RIP = 7, 16


class Ended(Exception):
    """The guest is no more."""


class Debugger:
    """Talks to a guest and reads its log: a guest whose log nobody reads does not go on."""

    def __init__(self, where):
        paths = [where / name for name in ("gdb.in", "gdb.out", "log")]
        for path in paths:
            os.mkfifo(path)
        self.orders, self.replies, self.log = (os.open(path, os.O_RDWR | os.O_NONBLOCK) for path in paths)
        fcntl.fcntl(self.log, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.log_path = paths[2]
        # It makes QEMU warn, as the guest starts, of "no active timers": there are none yet.
        self.options = ("-gdb", f"pipe:{where}/gdb")
        self.said = b""
        self.guest = self.deadline = self.feed = None

    def follow(self, guest, limit):
        self.guest, self.deadline = guest, time.monotonic() + limit

    def wait(self):
        """For something to be said or logged, a while at most."""
        if not self.guest.alive():
            raise Ended
        if time.monotonic() > self.deadline:
            bench.lost(self.guest, "took too long")
        for file in select.select([self.replies, self.log], [], [], 0.1)[0]:
            data = os.read(file, 1 << 20)
            if file == self.replies:
                self.said += data
            elif self.feed:
                self.feed(data)

    def reply(self):
        while not (found := re.search(rb"\$([^#]*)#..", self.said)):
            self.wait()
        self.said = self.said[found.end():]
        os.write(self.orders, b"+")
        return found[1].decode()

    def ask(self, text):
        os.write(self.orders, b"$%s#%02x" % (text.encode(), sum(text.encode()) & 0xFF))
        return self.reply()

    def must(self, text):
        said = self.ask(text)
        if said != "OK":
            run.die(f"QEMU's gdb stub answers {said!r} to {text}")

    def interrupt(self):
        os.write(self.orders, b"\x03")
        self.reply()

    def go_on(self):
        """Continues; returns at once."""
        os.write(self.orders, b"$c#63")

    def reach(self, functions, accept, times):
        """Goes on until one of the functions was called so often by whom it may; where it returns to."""
        for address in functions:
            self.must(f"Z0,{address:x},1")
        while True:
            self.go_on()
            self.reply()
            back = self.returns_to()
            times -= accept(back)
            if not times:
                break
            here = self.register(RIP)
            self.must(f"z0,{here:x},1")
            self.ask("s")
            self.must(f"Z0,{here:x},1")
        for address in functions:
            self.must(f"z0,{address:x},1")
        return back

    def register(self, which):
        return number(self.ask("g")[which * 16 : which * 16 + 16])

    def returns_to(self):
        """At the first instruction of a function: the address it returns to, 0 if that cannot be read."""
        said = self.ask(f"m{self.register(RSP):x},8")
        return 0 if said.startswith("E") else number(said)

    def monitor(self, command):
        """What QEMU's monitor says to it."""
        said = self.ask("qRcmd," + command.encode().hex())
        text = b""
        while said != "OK":
            if not said.startswith("O"):
                run.die(f"QEMU's gdb stub answers {said!r} to the command {command}")
            text += bytes.fromhex(said[1:])
            said = self.reply()
        return text.decode(errors="replace").strip()

    def start_log(self, feed):
        """From here on each instruction is logged, which feed gets."""
        said = [self.monitor(f"{name} on") for name in ONE_BY_ONE]
        if all(said):
            run.die("this QEMU cannot execute one instruction at a time: " + "; ".join(said))
        said = self.monitor(f"logfile {self.log_path}") or self.monitor("log exec,nochain")
        if said:
            run.die(f"this QEMU cannot log instructions: {said}")
        self.feed = feed

    def end_log(self):
        for command in ("log none", *(f"{name} off" for name in ONE_BY_ONE)):
            self.monitor(command)
        self.feed = None


def number(digits):
    """Of a register or of memory: the lowest byte first."""
    return int.from_bytes(bytes.fromhex(digits), "little")
