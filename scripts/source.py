#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Keeps build/linux: upstream source + patches/ + links to this repository.

  source.py apply DEB     make the tree, or bring it up to date
  source.py refresh [P]   write edits made in the tree back into patches/
                          (edits of files no patch touches go to patch P)
  source.py steps DIR     for each patch: apply it in DIR, a copy of upstream,
                          and print what "make check" has to compile
  source.py stock DEB     unpack upstream alone into build/stock-linux

Only files whose content changes are written, so that a changed patch rebuilds
what it touches and nothing else.  For each patched file the upstream version is
kept in build/linux/.vz/orig.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
TREE = TOP / "build/linux"
META = TREE / ".vz"
PATCHES = TOP / "patches"
# Where the repository's new files appear in the kernel tree under the same name.
OVERLAY = ("kernel", "fs", "security", "include", "rust", "Documentation/ve")


def die(text):
    sys.exit(f"error: {text}")


def say(text):
    print(f"==> {text}", file=sys.stderr)


def series():
    """The patches in order, as paths."""
    path = PATCHES / "series"
    if not path.exists():
        return []
    names = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    out = [PATCHES / name for name in names if name]
    for patch in out:
        if not patch.is_file():
            die(f"patches/series names {patch.name}, which is not there")
    return out


def touched(patch):
    """The files a patch changes, makes or removes."""
    files = []
    old = None
    for line in patch.read_text(errors="surrogateescape").splitlines():
        if line.startswith(("rename from ", "copy from ", "GIT binary patch")):
            die(f"{patch.name} renames, copies or is binary: not supported in the series")
        # A blank after the prefix is not enough to be a header: "--- " also
        # starts a removed line "-- ", so the pair must be complete.
        if line.startswith("--- "):
            old = line[4:].split("\t")[0].strip()
        elif line.startswith("+++ ") and old is not None:
            new = line[4:].split("\t")[0].strip()
            name = old if new == "/dev/null" else new
            files.append(name.split("/", 1)[1])
            old = None
        else:
            old = None
    if not files:
        die(f"{patch.name} changes no file")
    return files


def digest_of(data):
    return None if data is None else hashlib.sha256(data).hexdigest()


def digest(path):
    return digest_of(path.read_bytes() if path.exists() else None)


def load_state():
    path = META / "state.json"
    return json.loads(path.read_text()) if path.exists() else {"base": None, "files": {}}


def save_state(state):
    META.mkdir(exist_ok=True)
    tmp = META / "state.json.tmp"
    tmp.write_text(json.dumps(state, indent=1, sort_keys=True))
    tmp.rename(META / "state.json")


def unpack(deb, dest, members=()):
    """Unpacks the source tar ball inside the package, or only some members."""
    listing = subprocess.run(
        f"dpkg-deb --fsys-tarfile '{deb}' | tar -t", shell=True, check=True, text=True, stdout=subprocess.PIPE
    ).stdout.split()
    inner = next((n for n in listing if n.endswith(".tar.xz") and "/linux-source-" in n), None)
    if inner is None:
        die(f"{deb} holds no kernel source")
    top = inner.rsplit("/", 1)[1].removesuffix(".tar.xz")
    dest.mkdir(parents=True, exist_ok=True)
    names = " ".join(f"'{top}/{m}'" for m in members)
    script = (
        f"set -o pipefail; dpkg-deb --fsys-tarfile '{deb}' | tar -xO '{inner}' | "
        f"xz -dcT0 | tar -x --strip-components=1 -C '{dest}' {names}"
    )
    done = subprocess.run(["bash", "-c", script], stderr=subprocess.PIPE, text=True)
    missing = [m for m in members if not (dest / m).exists()]
    if done.returncode and not missing:
        die(f"cannot unpack the kernel source: {done.stderr.strip()}")
    return missing


def extract(deb):
    """A fresh upstream tree in place of whatever is there."""
    say("unpacking the kernel source")
    tmp = TREE.with_name("linux.tmp")
    shutil.rmtree(tmp, ignore_errors=True)
    unpack(deb, tmp)
    shutil.rmtree(TREE, ignore_errors=True)
    (tmp / ".vz").mkdir()
    (tmp / ".vz/extracted").touch()
    tmp.rename(TREE)


def pristine(name):
    """Upstream's version of a file, or None if upstream has no such file."""
    kept = META / "orig" / name
    if kept.exists():
        return kept.read_bytes()
    if (META / "orig" / (name + ".vz-absent")).exists():
        return None
    path = TREE / name
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def keep_orig(names, deb):
    """Keeps upstream's version of files that a patch is about to touch."""
    stamp = (META / "extracted").stat().st_mtime
    edited = []
    for name in names:
        kept = META / "orig" / name
        absent = META / "orig" / (name + ".vz-absent")
        if kept.exists() or absent.exists():
            continue
        kept.parent.mkdir(parents=True, exist_ok=True)
        path = TREE / name
        if not path.is_file():
            absent.touch()
        elif path.stat().st_mtime > stamp:
            edited.append(name)
        else:
            tmp = kept.with_name(kept.name + ".tmp")
            shutil.copy2(path, tmp)
            tmp.rename(kept)
    if not edited:
        return
    # Edited before any patch touched them: only the package has the original.
    tmp = TOP / "build/orig.tmp"
    shutil.rmtree(tmp, ignore_errors=True)
    missing = unpack(deb, tmp, edited)
    for name in edited:
        if name in missing:
            (META / "orig" / (name + ".vz-absent")).touch()
        else:
            put(META / "orig", name, (tmp / name).read_bytes())
    shutil.rmtree(tmp)


def put(root, name, data, mode=None):
    """Writes a file below root, or removes it when data is None."""
    path = root / name
    if data is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode is None:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    tmp = path.with_name(path.name + ".vz-tmp")
    tmp.write_bytes(data)
    tmp.chmod(mode)
    tmp.replace(path)


def run_patch(root, patch):
    """Applies one patch below root; no fuzz, so that a rebase is looked at."""
    done = subprocess.run(
        ["patch", "-p1", "-s", "-f", "--fuzz=0", "--no-backup-if-mismatch", "-i", str(patch)],
        cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    if done.returncode:
        die(f"{patch.name} does not apply:\n{done.stdout.rstrip()}")


def scratch(files):
    root = TOP / "build/series.tmp"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for name in files:
        data = pristine(name)
        if data is not None:
            put(root, name, data)
    return root


def read(root, name):
    path = root / name
    return path.read_bytes() if path.exists() else None


def apply(deb):
    base = Path(deb).name
    state = load_state()
    if state["base"] != base:
        if TREE.exists() and state["files"]:
            refuse_if_edited(state, {})
        extract(deb)
        state = {"base": base, "files": {}}
        save_state(state)

    patches = series()
    wanted = sorted({name for patch in patches for name in touched(patch)})
    keep_orig([name for name in wanted if name not in state["files"]], deb)
    root = scratch(wanted)
    for patch in patches:
        run_patch(root, patch)

    files = sorted(set(wanted) | set(state["files"]))
    new = {n: read(root, n) if n in wanted else pristine(n) for n in files}
    changed = [n for n in files if read(TREE, n) != new[n]]
    # Unchanged patches and an edited tree: somebody is working in the tree.
    plan = {n: digest(root / n) for n in wanted}
    if changed and (plan != state["files"] or os.environ.get("FORCE")):
        refuse_if_edited(state, new)
        say(f"applying the series: {len(changed)} file(s) change")
        for name in changed:
            put(TREE, name, new[name])
    if plan != state["files"]:
        state["files"] = plan
        save_state(state)
    shutil.rmtree(root)
    overlay()


def refuse_if_edited(state, new):
    """Never overwrites an edit that is in no patch."""
    edited = []
    for name, was in state["files"].items():
        now = digest(TREE / name)
        if now != was and now != digest_of(new.get(name)):
            edited.append(name)
    if edited and not os.environ.get("FORCE"):
        die(
            "build/linux has edits that are in no patch: " + " ".join(edited)
            + "\n  keep them: make patches      drop them: make source FORCE=1"
        )


def overlay():
    """Links each new file of the repository into the tree."""
    links = {}

    def walk(rel):
        source = TOP / rel
        target = TREE / rel
        if source.is_dir():
            if target.is_dir() and not target.is_symlink():
                for child in sorted(source.iterdir()):
                    walk(f"{rel}/{child.name}")
            else:
                links[rel] = str(source)
        else:
            links[rel] = str(source)

    for root in OVERLAY:
        if (TOP / root).exists():
            walk(root)

    listing = META / "overlay"
    old = listing.read_text().split("\n") if listing.exists() else []
    for rel in old:
        if rel and rel not in links and (TREE / rel).is_symlink():
            (TREE / rel).unlink()
    for rel, source in links.items():
        target = TREE / rel
        if target.is_symlink():
            if os.readlink(target) == source:
                continue
            target.unlink()
        elif target.exists():
            die(f"{rel} exists upstream: change it in a patch, not in a file of this repository")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
    listing.write_text("\n".join(sorted(links)))


def has_diff(patch):
    return patch.read_text(errors="surrogateescape") != header(patch)


def header(patch):
    """The description of a patch: everything before its first diff line."""
    lines = patch.read_text(errors="surrogateescape").splitlines(keepends=True)
    for i, line in enumerate(lines):
        if line.startswith(("--- a/", "--- /dev/null", "diff --git ", "Index: ")):
            return "".join(lines[:i])
    return "".join(lines)


def diff(name, old, new):
    """A unified diff with the function names kernel patches have."""
    if old == new:
        return b""
    work = TOP / "build/diff.tmp"
    work.mkdir(parents=True, exist_ok=True)
    (work / "old").write_bytes(old or b"")
    (work / "new").write_bytes(new or b"")
    labels = ["/dev/null" if old is None else f"a/{name}", "/dev/null" if new is None else f"b/{name}"]
    done = subprocess.run(
        ["diff", "-up", "--label", labels[0], "--label", labels[1], "old", "new"], cwd=work, stdout=subprocess.PIPE
    )
    shutil.rmtree(work)
    return f"diff --git a/{name} b/{name}\n".encode() + done.stdout


def stray_edits(known, deb):
    """Upstream files edited in the tree though no patch touches them."""
    stamp = (META / "extracted").stat().st_mtime
    skip = {".vz", *(p.name for p in TREE.glob("vz-*"))}
    found = []
    for path, dirs, names in os.walk(TREE):
        if path == str(TREE):
            dirs[:] = [d for d in dirs if d not in skip]
        for name in names:
            full = Path(path) / name
            rel = str(full.relative_to(TREE))
            if rel in known or full.is_symlink() or re.search(r"(\.orig|\.rej|~|\.swp|\.pyc)$", name):
                continue
            if full.stat().st_mtime > stamp:
                found.append(rel)
    if not found:
        return []
    keep_orig(found, deb)
    new = [n for n in found if not (META / "orig" / n).exists()]
    if new:
        die("new files belong in the repository, not in build/linux: " + " ".join(new))
    return [n for n in found if (META / "orig" / n).read_bytes() != (TREE / n).read_bytes()]


def refresh(deb, extra=None):
    state = load_state()
    if not state["base"]:
        die("there is no build/linux yet: run make source")
    patches = series()
    owner = {}
    for patch in patches:
        for name in touched(patch):
            owner[name] = patch
    stray = stray_edits(set(owner), deb)
    if stray and not extra:
        die("no patch touches " + " ".join(stray) + "\n  name the one that shall: make patches P=0007-name.patch")
    if stray:
        into = PATCHES / extra
        if into not in patches:
            into.write_text(f"{extra.removesuffix('.patch')}\n\nDescribe the change here.\n\n")
            with (PATCHES / "series").open("a") as file:
                file.write(extra + "\n")
            patches.append(into)
        for name in stray:
            owner[name] = into

    # What was edited in the tree since the series was last applied to it?
    names = sorted(owner)
    root = scratch(names)
    for patch in patches:
        if has_diff(patch):
            run_patch(root, patch)
    edited = set()
    for name in names:
        base = state["files"].get(name, digest_of(pristine(name)))
        if digest(TREE / name) != base:
            edited.add(name)
            if digest(root / name) not in (base, digest(TREE / name)):
                die(f"{name} was edited in build/linux and changed in patches/ too: undo one of the two")

    # Walk the series; where a patch is the last to touch an edited file, the
    # tree's version is what the file must look like after it.
    root = scratch(names)
    count = 0
    for patch in patches:
        text = header(patch)
        mine = sorted(
            set(touched(patch) if has_diff(patch) else []) | {n for n in stray if owner[n] == patch}
        )
        before = {n: read(root, n) for n in mine}
        if has_diff(patch):
            run_patch(root, patch)
        dirty = False
        for name in mine:
            if owner[name] == patch and name in edited and read(root, name) != read(TREE, name):
                put(root, name, read(TREE, name))
                dirty = True
        if dirty:
            body = b"".join(diff(n, before[n], read(root, n)) for n in mine)
            put(PATCHES, patch.name, text.encode(errors="surrogateescape") + body)
            say(f"refreshed {patch.name}" + ("" if body else ": it is empty now, remove it from the series"))
            count += 1
    for name in edited:
        state["files"][name] = digest(TREE / name)
    save_state(state)
    shutil.rmtree(root)
    say(f"{count} patch(es) refreshed" if count else "the series matches the tree")


def steps(root):
    """Applies the series one by one in a copy; one line of objects per patch."""
    root = Path(root)
    for patch in series():
        run_patch(root, patch)
        # Helpers for Rust are parts of one file and no objects of their own.
        sources = [n for n in touched(patch) if n.endswith(".c") and (root / n).exists()
                   and not n.startswith("rust/helpers/")]
        print(patch.name, *(n[:-2] + ".o" for n in sources), flush=True)
        # The caller compiles, then answers with a line.
        if sys.stdin.readline().strip() != "next":
            sys.exit(1)


def upstream(root):
    """Turns a copy of the tree back into upstream plus links."""
    for name in load_state()["files"]:
        put(Path(root), name, pristine(name))


def stock(deb):
    """A tree nobody edits, for the kernel that ours is measured against."""
    dest = TOP / "build/stock-linux"
    mark = dest / ".vz-base"
    if mark.exists() and mark.read_text() == Path(deb).name:
        return
    say("unpacking the kernel source once more, for the stock kernel")
    tmp = dest.with_name("stock-linux.tmp")
    for path in (tmp, dest):
        shutil.rmtree(path, ignore_errors=True)
    unpack(deb, tmp)
    (tmp / ".vz-base").write_text(Path(deb).name)
    tmp.rename(dest)


def main(args):
    if len(args) == 2 and args[0] == "apply":
        apply(args[1])
    elif len(args) in (2, 3) and args[0] == "refresh":
        refresh(args[1], args[2] if len(args) == 3 else None)
    elif len(args) == 2 and args[0] == "steps":
        steps(args[1])
    elif len(args) == 2 and args[0] == "upstream":
        upstream(args[1])
    elif len(args) == 2 and args[0] == "stock":
        stock(args[1])
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
