#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Boots a guest in QEMU, runs tests or a console in it, and judges the result.

  run.py kselftest [--only SUB:TEST]...   static test programs in an initramfs
  run.py guest [--only NAME]...           scripts of tests/guest in the node image
  run.py console [--demo]                 the node on this terminal

The guest's console goes to one file, its KTAP report to another (a second serial
port).  A guest that hangs, dies or logs a kernel complaint fails the run; the end of
its console is printed.  QEMU emulates (TCG) unless VZ_ACCEL=kvm is set.
"""

import argparse
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import report  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
HERE = Path(__file__).resolve().parent

# Time from power-on to the first line of the report, under emulation.
BOOT_LIMIT = {"kselftest": 240, "guest": 900, "console": 240}
# What a guest may need beyond a test's own limit before it counts as hung.
GRACE = 60
# Guests that may be lost before the run gives up.
MAX_RESTARTS = 8
DEFAULT_LIMIT = 600

held = []  # Locks, until this process ends.

# What runs one test in the guest: its time limit in seconds and its words.
Test = namedtuple("Test", "limit command")


def say(text):
    print(f"==> {text}", flush=True)


def die(text):
    sys.exit(f"error: {text}")


def kernel_image(flavour):
    path = BUILD / flavour / "arch/x86/boot/bzImage"
    if os.environ.get("VZ_KERNEL"):
        path = Path(os.environ["VZ_KERNEL"])
    if not path.exists():
        die(f"{path} is missing: run make kernel or make kernel-debug")
    return path


def qemu(kernel, append, memory, extra):
    """The command line every guest has in common."""
    kvm = os.environ.get("VZ_ACCEL") == "kvm"
    return [
        # No guest survives its runner.
        "setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot",
        "-accel", "kvm" if kvm else "tcg,thread=multi", "-cpu", "host" if kvm else "max",
        "-machine", "q35", "-smp", os.environ.get("VZ_CPUS", "2"), "-m", memory,
        "-kernel", str(kernel), "-append", append,
        "-device", "virtio-rng-pci", *extra,
    ]  # fmt: skip


def environment():
    """QEMU's snapshot files go where there is room, not to /tmp."""
    return {**os.environ, "TMPDIR": str(run_directory())}


class Guest:
    """One QEMU process whose two serial ports are files."""

    def __init__(self, command, directory):
        self.console_path = directory / "console.log"
        self.report_path = directory / "report.log"
        for path in (self.console_path, self.report_path):
            path.write_bytes(b"")
        command = [
            *command,
            "-chardev", f"file,id=console,path={self.console_path}", "-serial", "chardev:console",
            "-chardev", f"file,id=report,path={self.report_path}", "-serial", "chardev:report",
            "-monitor", "none",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment())
        self.report_file = self.report_path.open("rb")
        self.partial = b""

    def new_lines(self):
        """Complete lines of the report that have come since the last call."""
        *lines, self.partial = (self.partial + self.report_file.read()).split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()
        self.report_file.close()

    def console(self):
        return self.console_path.read_text(errors="replace").replace("\r", "").split("\n")


def watch(guest, results, boot_limit, deadline_slack=GRACE):
    """Follows a guest until it ends. True if it came to its own end."""
    deadline = time.monotonic() + boot_limit
    done = False
    while True:
        alive = guest.alive()
        for line in guest.new_lines():
            results.line(line)
            begin = re.match(r"# begin (\S+) (\d+)", line)
            if begin:
                deadline = time.monotonic() + int(begin[2]) + deadline_slack
            elif line == "# done":
                done = True
                deadline = time.monotonic() + GRACE
        if not alive:
            return done
        if time.monotonic() > deadline:
            guest.kill()
            results.hung = not done
            return done
        time.sleep(0.1)


def run_guests(tests, start, directory, boot_limit):
    """Runs all tests; a guest that is lost costs one test, the rest go on."""
    results = report.Results()
    left = list(tests)
    for attempt in range(MAX_RESTARTS + 1):
        where = directory / str(attempt)
        where.mkdir(parents=True)
        guest = start(left, where)
        try:
            finished = watch(guest, results, boot_limit)
        finally:
            guest.kill()
        console = guest.console()
        results.complaints(console, where / "console.log")
        if finished:
            return results
        why = "hung and was killed" if results.hung else "died"
        results.lost(why, console, where / "console.log")
        seen = results.started()
        if not (set(left) & seen):
            return results  # It does not even boot.
        left = [n for n in left if n not in seen]
        if not left:
            return results
        say(f"starting another guest for {len(left)} more test(s)")
    for name in left:
        results.fail(name, "not run: too many guests were lost")
    return results


def initramfs(directory, selftests, listing):
    """An archive of the programs, busybox and our init."""
    root = directory / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy2(BUILD / "busybox", root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    shutil.copy2(HERE / "init", root / "init")
    shutil.copytree(selftests, root / "selftests", ignore=shutil.ignore_patterns("obj"))
    (root / "tests.run").write_text(listing)
    return archive(root, directory / "initramfs.cpio")


def archive(root, path):
    """Packs a tree as an initramfs, and removes it."""
    with path.open("wb") as out:
        find = subprocess.run(["find", ".", "-print0"], cwd=root, check=True, stdout=subprocess.PIPE)
        subprocess.run(
            ["cpio", "--null", "-o", "-H", "newc", "--quiet", "-R", "0:0"],
            cwd=root, check=True, input=find.stdout, stdout=out,
        )  # fmt: skip
    shutil.rmtree(root)
    return path


def scaled(seconds, scale):
    """Limits are written down for a tenth of the stated counts."""
    return max(seconds, seconds * 10 // scale)


def read_list(path, scale):
    """Lines "sub:test seconds program [argument...]" of build/selftests/list."""
    tests = {}
    for line in path.read_text().splitlines():
        words = line.split("#")[0].split()
        if len(words) >= 3:
            tests[words[0]] = Test(scaled(int(words[1]), scale), words[2:])
        elif words:
            die(f"{path}: not a test: {line}")
    return tests


def select(tests, only):
    """The tests asked for: "ve", "ve:enter", or "ve:enter/case" for some cases."""
    if not only:
        return tests
    chosen = {}
    for want in only:
        want, _, case = want.partition("/")
        found = {n: t for n, t in tests.items() if n == want or n.startswith(want + ":")}
        if not found:
            die(f"no such test: {want}; there are: {' '.join(tests)}")
        for name, test in found.items():
            chosen[name] = Test(test.limit, [*test.command, case]) if case else test
    return chosen


def tests_run(tests, left):
    """What the guest reads: "name seconds program argument..." a line."""
    return "".join(f"{n} {tests[n].limit} {' '.join(tests[n].command)}\n" for n in left)


def kselftest(args):
    selftests = BUILD / "selftests"
    if not (selftests / "list").exists():
        die("build/selftests is missing: run make selftests")
    tests = select(read_list(selftests / "list", args.scale), args.only)
    kernel = kernel_image("debug")

    def start(left, where):
        packed = initramfs(where, selftests, tests_run(tests, left))
        append = f"console=ttyS0 loglevel=5 panic=-1 oops=panic VZ_SCALE={args.scale}"
        return Guest(qemu(kernel, append, args.memory, ["-initrd", str(packed)]), where)

    say(f"kselftest: {len(tests)} test(s), scale 1/{args.scale}")
    return run_guests(tests, start, fresh("kselftest"), BOOT_LIMIT["kselftest"])


def guest(args):
    tests = {}
    for path in sorted((TOP / "tests/guest").glob("*.sh")):
        found = re.search(r"^# time limit: (\d+)", path.read_text(), re.M)
        limit = scaled(int(found[1]) if found else DEFAULT_LIMIT, args.scale)
        tests[f"guest:{path.stem}"] = Test(limit, [path.name])
    tests = select(tests, args.only)
    kernel = kernel_image("debug")
    image = built("node.img", "node")
    more = built("guest.tar", "guest-disk")

    def start(left, where):
        (where / "tests.run").write_text(tests_run(tests, left))
        disk = where / "tests.tar"
        subprocess.run(
            ["tar", "-cf", disk, "-C", TOP / "tests", "guest", "-C", where, "tests.run"], check=True
        )
        append = (
            "console=ttyS0 loglevel=5 panic=-1 oops=panic root=/dev/vda rw "
            f"vz.mode=test systemd.setenv=VZ_SCALE={args.scale}"
        )
        disks = [*drive(image), *drive(disk, "on"), *drive(more, "on")]
        return Guest(qemu(kernel, append, args.memory, disks), where)

    say(f"guest: {len(tests)} script(s) on the node")
    return run_guests(tests, start, fresh("guest"), BOOT_LIMIT["guest"])


def built(name, target):
    path = BUILD / name
    if not path.exists():
        die(f"build/{name} is missing: run make {target}")
    return path


def drive(path, readonly="off"):
    # Every boot starts from the same image: writes go to a temporary file.
    mode = "readonly=on" if readonly == "on" else "snapshot=on"
    return ["-drive", f"file={path},format=raw,if=virtio,cache=unsafe,{mode}"]


def run_directory():
    path = BUILD / "run"
    path.mkdir(parents=True, exist_ok=True)
    return path


def fresh(name):
    """An empty directory for the logs of a run; one run of a kind at a time."""
    path = run_directory() / name
    lock = (run_directory() / f".{name}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another {name} run to finish")
        fcntl.flock(lock, fcntl.LOCK_EX)
    held.append(lock)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path


def console(args):
    """The node on this terminal; returns the status the guest reported."""
    where = Path(tempfile.mkdtemp(prefix="console.", dir=run_directory()))
    status = where / "report.log"
    terminal = sys.stdin.isatty()
    # TERM is systemd's: it would ask a real terminal questions at each start.
    append = "console=ttyS0 quiet root=/dev/vda rw panic=-1 TERM=dumb"
    append += f" vz.mode={'demo' if args.demo else 'shell'} vz.after={'shell' if terminal else 'poweroff'}"
    if terminal:
        size = shutil.get_terminal_size()
        append += f" vz.rows={size.lines} vz.columns={size.columns} vz.term={os.environ.get('TERM', 'linux')}"
    serial = ["-serial", "mon:stdio"] if terminal else ["-serial", "stdio", "-monitor", "none"]
    serial += ["-chardev", f"file,id=report,path={status}", "-serial", "chardev:report"]
    command = qemu(kernel_image(args.flavour), append, args.memory, [*drive(built("node.img", "node")), *serial])
    if terminal:
        say("booting the node; Ctrl-D in its shell powers it off, Ctrl-A X kills it")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    started = time.monotonic()
    process = subprocess.Popen(command, stdin=None if terminal else subprocess.DEVNULL, env=environment())
    limit = None if terminal else args.limit
    try:
        process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        die(f"the node did not power off within {limit} s and was killed")
    finally:
        text = status.read_text(errors="replace") if status.exists() else ""
        shutil.rmtree(where)
    if process.returncode:
        die(f"QEMU failed with status {process.returncode}")
    if not args.demo:
        return 0
    found = re.search(r"^vz-demo: exit (\d+)", text, re.M)
    if not found:
        die("the node ended before the demonstration did")
    if found[1] != "0":
        die("the demonstration failed, see above")
    say(f"the demonstration passed ({time.monotonic() - started:.0f} s after power-on)")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kselftest", "guest", "console"))
    parser.add_argument("--only", action="append", default=[], help="run only this test")
    parser.add_argument("--scale", type=int, default=10, help="divide long loops by this (1: full)")
    parser.add_argument("--memory", default="2G")
    parser.add_argument("--flavour", default="release", help="kernel of the console")
    parser.add_argument("--limit", type=int, default=900, help="seconds a console without terminal may take")
    parser.add_argument("--demo", action="store_true", help="run the demonstration first")
    parser.add_argument("--summary", type=Path, help="write counts and failures there as JSON")
    args = parser.parse_args()

    # Leave through the finally clauses that end the guest.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if args.what == "console":
        return console(args)
    results = (kselftest if args.what == "kselftest" else guest)(args)
    results.show()
    if args.summary:
        args.summary.write_text(json.dumps(results.summary()))
    print(results.last_line())
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
