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
use crate::guard::Guard;
use crate::id::Veid;
use crate::kernel::Kernel;
use crate::logging::timestamp;
use crate::paths::Paths;
use crate::undo;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::FlockOperation;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::flock;
use rustix::fs::linkat;
use rustix::fs::open;
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;
use std::time::UNIX_EPOCH;

/// Step of taking a lock, a fault point.
pub const STEP: &str = "lock";

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
    /// Open file with an exclusive flock, which a crash gives back at once
    /// or when the guard is done.
    file: File,
    pid: u32,
    /// Removes the file if we are killed.
    guard: Option<Guard>,
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
    /// Seconds since 1970 when it asked for the lock.
    pub since: u64,
}

impl Lock {
    /// A guard that holds nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { held: None }
    }

    /// Takes the lock of a VE. The process must have one thread: a guard is
    /// forked that gives the lock back if the process is killed.
    ///
    /// # Errors
    /// Held (9), `LOCKDIR` is missing (77), system error (3).
    pub fn take(
        kernel: &dyn Kernel,
        paths: &Paths,
        id: Veid,
        status: &str,
        wait: Duration,
    ) -> Result<Self> {
        let path = paths.lock_file(id);
        Self::acquire(Some(kernel), &path, &format!("VE {id}"), status, wait)
    }

    /// Takes the lock of the node.
    ///
    /// # Errors
    /// Held (9), `LOCKDIR` is missing (77), system error (3).
    pub fn take_node(paths: &Paths, status: &str, wait: Duration) -> Result<Self> {
        Self::acquire(None, &paths.node_lock_file(), "the node", status, wait)
    }

    fn acquire(
        kernel: Option<&dyn Kernel>,
        path: &Path,
        what: &str,
        status: &str,
        wait: Duration,
    ) -> Result<Self> {
        let file = unnamed(path, what, status)?;
        let guard = kernel
            .map(|k| Guard::new(k, Some((path, &file))))
            .transpose()?;
        let start = Instant::now();
        let mut tries = 0;
        loop {
            if link(&file, path, what)? {
                let pid = std::process::id();
                let path = path.to_path_buf();
                let held = Some(Held {
                    path,
                    file,
                    pid,
                    guard,
                });
                let lock = Self { held };
                undo::fault(STEP)?;
                return Ok(lock);
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

    /// What watches over the process that holds the lock.
    pub(crate) fn guard(&self) -> Option<&Guard> {
        self.held.as_ref()?.guard.as_ref()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let Some(held) = &self.held else { return };
        // A forked child has a copy of the guard but not the lock.
        if held.pid == std::process::id() {
            unlink(&held.path, &held.file);
        }
    }
}

/// Who holds the lock of a VE now. Takes no lock.
#[must_use]
pub fn holder(paths: &Paths, id: Veid) -> Option<Holder> {
    read_holder(&paths.lock_file(id)).filter(|h| alive(h.pid, h.since))
}

/// The lock file with its content and its flock, not in the directory yet.
fn unnamed(path: &Path, what: &str, status: &str) -> Result<File> {
    let failed = || format!("cannot lock {what}");
    let dir = path.parent().unwrap_or(Path::new("/"));
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = match open(dir, flags, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => File::from(fd),
        Err(Errno::NOENT) => {
            return Err(Error::new(Code::NoLockDir, failed())
                .why(format!("LOCKDIR {} does not exist", dir.display()))
                .hint(format!("mkdir -p -m 700 {}", dir.display())));
        }
        Err(Errno::ACCESS | Errno::PERM) => {
            return Err(Error::new(Code::Permission, failed())
                .why(format!("permission denied on {}", dir.display()))
                .hint("run the command as root"));
        }
        Err(e) => return Err(e).or_err(Code::System, failed),
    };
    let text = format!("{}\n{status}\n", std::process::id());
    file.write_all_at(text.as_bytes(), 0)
        .or_err(Code::System, failed)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).or_err(Code::System, failed)?;
    Ok(file)
}

/// Makes the file appear; `false` if there is one.
fn link(file: &File, path: &Path, what: &str) -> Result<bool> {
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    match linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(e) => Err(e).or_err(Code::System, || format!("cannot lock {what}")),
    }
}

/// Removes the file that [`link`] made. Nobody else replaces it meanwhile:
/// the caller's open file has the flock.
pub(crate) fn unlink(path: &Path, file: &File) {
    if same_file(file, path) {
        drop(std::fs::remove_file(path));
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
        Lock::acquire(None, path, "VE 101", "starting", Duration::ZERO)
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
        assert_eq!(read_holder(&path).unwrap().status, "starting");
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
                    let lock = Lock::acquire(None, &path, "VE 101", "testing", wait).unwrap();
                    assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    sleep(Duration::from_millis(5));
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    drop(lock);
                });
            }
        });
    }
}
