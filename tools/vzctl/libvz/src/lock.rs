// SPDX-License-Identifier: GPL-2.0
//! Locks of VEs: `LOCKDIR/ID.lck` with the owner's pid and a status word.
//!
//! Lock order: the flock on `LOCKDIR` (held only while a dead owner's file is
//! replaced), then `ID.lck`. A process holds at most one `ID.lck` and, above
//! it, `node.lck`.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::logging::timestamp;
use crate::paths::Paths;
use rustix::fs::FlockOperation;
use rustix::fs::flock;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;
use std::time::UNIX_EPOCH;

/// Tries before a held lock is an error, and the pause between them.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// How long a lock is waited for whose owner was killed: its undo guard holds
/// it, and ends soon. More than the guard waits for the kernel.
const GUARD: Duration = Duration::from_secs(30);

/// A held lock; freed when dropped by the process that took it.
#[derive(Debug)]
pub struct Lock {
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    path: PathBuf,
    /// Open file with an exclusive flock, which a crash gives back at once.
    file: File,
    pid: u32,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Process.
    pub pid: u32,
    /// What it does: "starting".
    pub status: String,
    /// Its command line, as far as it can be read.
    pub command: String,
    /// Seconds since 1970 when the lock was taken.
    pub since: u64,
}

impl Lock {
    /// A guard that holds nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { held: None }
    }

    /// Takes the lock of a VE.
    ///
    /// # Errors
    /// Held (9), `LOCKDIR` is missing (77), system error (3).
    pub fn take(paths: &Paths, id: Veid, status: &str, wait: Duration) -> Result<Self> {
        Self::acquire(&paths.lock_file(id), &format!("VE {id}"), status, wait)
    }

    /// Takes the lock of the node.
    ///
    /// # Errors
    /// Held (9), `LOCKDIR` is missing (77), system error (3).
    pub fn take_node(paths: &Paths, status: &str, wait: Duration) -> Result<Self> {
        Self::acquire(&paths.node_lock_file(), "the node", status, wait)
    }

    fn acquire(path: &Path, what: &str, status: &str, wait: Duration) -> Result<Self> {
        let start = Instant::now();
        let mut tries = 0;
        loop {
            if let Some(held) = try_link(path, what, status)? {
                return Ok(Self { held: Some(held) });
            }
            if replace_stale(path, what)? {
                continue;
            }
            tries += 1;
            let holder = read_holder(path);
            let orphan = holder.as_ref().is_some_and(|h| !alive(h.pid, h.since));
            let wait = if orphan { wait.max(GUARD) } else { wait };
            if tries >= TRIES && start.elapsed() >= wait {
                return Err(held_by(holder, orphan, path, what));
            }
            sleep(PAUSE);
        }
    }

    /// Changes the status word.
    pub fn set_status(&self, status: &str) {
        if let Some(held) = &self.held {
            let text = content(held.pid, status);
            // Readers only show the word, so a failure here costs nothing.
            drop(held.file.write_all_at(text.as_bytes(), 0));
            drop(held.file.set_len(text.len() as u64));
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let Some(held) = &self.held else { return };
        // A forked child has a copy of the guard but not the lock.
        if held.pid == std::process::id() && same_file(&held.file, &held.path) {
            drop(std::fs::remove_file(&held.path));
        }
    }
}

/// Who holds the lock of a VE now. Takes no lock.
#[must_use]
pub fn holder(paths: &Paths, id: Veid) -> Option<Holder> {
    read_holder(&paths.lock_file(id)).filter(|h| alive(h.pid, h.since))
}

fn content(pid: u32, status: &str) -> String {
    format!("{pid}\n{status}\n")
}

/// Makes the lock file appear with its content and its flock in one step.
fn try_link(path: &Path, what: &str, status: &str) -> Result<Option<Held>> {
    let failed = || format!("cannot lock {what}");
    let dir = path.parent().unwrap_or(Path::new("/"));
    let made = tempfile::Builder::new().prefix(".lck-").tempfile_in(dir);
    let mut tmp = match made {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::new(Code::NoLockDir, failed())
                .why(format!("LOCKDIR {} does not exist", dir.display()))
                .hint(format!("mkdir -p -m 700 {}", dir.display())));
        }
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(Error::new(Code::Permission, failed())
                .why(format!("permission denied on {}", dir.display()))
                .hint("run the command as root"));
        }
        other => other.or_err(Code::System, failed)?,
    };
    let pid = std::process::id();
    tmp.write_all(content(pid, status).as_bytes())
        .or_err(Code::System, failed)?;
    flock(tmp.as_file(), FlockOperation::NonBlockingLockExclusive).or_err(Code::System, failed)?;
    match std::fs::hard_link(tmp.path(), path) {
        Ok(()) => {
            let file = tmp.as_file().try_clone().or_err(Code::System, failed)?;
            Ok(Some(Held {
                path: path.to_path_buf(),
                file,
                pid,
            }))
        }
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
        Err(e) => Err(e).or_err(Code::System, failed),
    }
}

/// Removes the file of a dead owner; true if it is worth trying again.
fn replace_stale(path: &Path, what: &str) -> Result<bool> {
    let failed = || format!("cannot lock {what}");
    let dir = path.parent().unwrap_or(Path::new("/"));
    // Two processes that replace at once could remove each other's new file.
    let guard = File::open(dir).or_err(Code::System, failed)?;
    flock(&guard, FlockOperation::LockExclusive).or_err(Code::System, failed)?;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(e).or_err(Code::System, failed),
    };
    // The flock decides: it outlives an owner that was killed for as long as
    // its undo guard is at work.
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    if same_file(&file, path) {
        std::fs::remove_file(path).or_err(Code::System, failed)?;
    }
    Ok(true)
}

fn same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

fn read_holder(path: &Path) -> Option<Holder> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    let status = lines.next().unwrap_or_default().trim().to_string();
    let made = path
        .metadata()
        .ok()?
        .created()
        .or_else(|_| path.metadata()?.modified())
        .ok()?;
    let since = made.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let raw = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = raw.split(|b| *b == 0).filter(|w| !w.is_empty());
    let command = hide_passwords(words.map(String::from_utf8_lossy));
    Some(Holder {
        pid,
        status,
        command,
        since,
    })
}

/// A command line for messages.
fn hide_passwords<'a>(words: impl Iterator<Item = std::borrow::Cow<'a, str>>) -> String {
    let mut shown = Vec::new();
    let mut secret = false;
    for word in words {
        if std::mem::replace(&mut secret, word == "--userpasswd") {
            shown.push("...".into());
        } else if word.starts_with("--userpasswd=") {
            shown.push("--userpasswd=...".into());
        } else {
            shown.push(word);
        }
    }
    shown.join(" ")
}

/// Whether the process exists and is older than the lock.
fn alive(pid: u32, since: u64) -> bool {
    match started_at(pid) {
        // The start of a process is known to a tick, the node's boot to a second.
        Some(start) => start <= since + 2,
        None => Path::new(&format!("/proc/{pid}")).exists(),
    }
}

/// When a process was started, in seconds since 1970.
fn started_at(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything; field 22 is the start.
    let ticks: u64 = stat
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let boot = std::fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = boot
        .lines()
        .find_map(|l| l.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()?;
    Some(boot + ticks / rustix::param::clock_ticks_per_second())
}

fn held_by(holder: Option<Holder>, orphan: bool, path: &Path, what: &str) -> Error {
    let err = Error::new(Code::Locked, format!("{what} is locked"));
    let Some(h) = holder else {
        return err.why(format!("by an unknown process, see {}", path.display()));
    };
    let since = timestamp(h.since);
    let by = if orphan {
        "which was killed; its work is being taken back".to_string()
    } else {
        format!("({})", h.command)
    };
    err.why(format!(
        "{} since {since} by process {} {by}",
        h.status, h.pid
    ))
    .hint("wait for it to finish, or use --lock-timeout SECONDS")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("101.lck");
        (dir, path)
    }

    fn take(path: &Path) -> Result<Lock> {
        Lock::acquire(path, "VE 101", "starting", Duration::ZERO)
    }

    #[test]
    fn second_taker_is_told_who_holds_it() {
        let (_dir, path) = file();
        let lock = take(&path).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            format!("{}\nstarting\n", std::process::id())
        );
        let err = take(&path).unwrap_err();
        assert_eq!(err.code(), Code::Locked);
        assert!(
            err.message().contains(&std::process::id().to_string()),
            "{err}"
        );
        lock.set_status("stopping now");
        assert_eq!(read_holder(&path).unwrap().status, "stopping now");
        lock.set_status("x");
        assert_eq!(read_holder(&path).unwrap().status, "x");
        drop(lock);
        assert!(!path.exists());
        take(&path).unwrap();
    }

    #[test]
    fn dead_owners_are_replaced() {
        let (_dir, path) = file();
        for stale in ["4194305\nstarting\n", "", "garbage", "1\nstarting\n"] {
            std::fs::write(&path, stale).unwrap();
            take(&path).unwrap_or_else(|e| panic!("{stale:?}: {e}"));
        }
    }

    #[test]
    fn undo_guards_are_waited_for() {
        let (_dir, path) = file();
        std::fs::write(&path, "4194305\nstarting\n").unwrap();
        let guard = File::open(&path).unwrap();
        flock(&guard, FlockOperation::LockExclusive).unwrap();
        let begun = Instant::now();
        std::thread::scope(|s| {
            s.spawn(|| {
                sleep(PAUSE * (TRIES + 2));
                drop(guard);
            });
            take(&path).unwrap();
        });
        assert!(begun.elapsed() >= PAUSE * (TRIES + 2));
    }

    #[test]
    fn passwords_of_others_are_not_shown() {
        let line = [
            "vzctl",
            "set",
            "1",
            "--userpasswd",
            "root:x",
            "--userpasswd=a:b",
            "--save",
        ];
        assert_eq!(
            hide_passwords(line.into_iter().map(Into::into)),
            "vzctl set 1 --userpasswd ... --userpasswd=... --save"
        );
    }

    #[test]
    fn missing_directory() {
        let err = take(Path::new("/nonexistent-dir/101.lck")).unwrap_err();
        assert_eq!(err.code(), Code::NoLockDir);
    }

    #[test]
    fn one_of_many_wins() {
        let (_dir, path) = file();
        std::fs::write(&path, "4194305\nstarting\n").unwrap();
        let inside = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|s| {
            for _ in 0..8 {
                s.spawn(|| {
                    let wait = Duration::from_secs(60);
                    let lock = Lock::acquire(&path, "VE 101", "testing", wait).unwrap();
                    assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    sleep(Duration::from_millis(5));
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    drop(lock);
                });
            }
        });
    }
}
