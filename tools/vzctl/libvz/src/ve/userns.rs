// SPDX-License-Identifier: GPL-2.0
//! A user namespace with the ids of one VE, for work on its files.
//!
//! Whatever is written from inside it belongs to the VE on disk: owner 0 of
//! an archive becomes the VE's root, file capabilities become the VE's own,
//! and a path that leaves the tree meets only what any user may touch.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use nix::libc;
use nix::sched::CloneFlags;
use nix::sys::wait::waitpid;
use nix::unistd::ForkResult;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Makes the namespace: ids 0..count inside are base..base+count outside.
///
/// # Errors
/// User namespaces are switched off, or no process to be had.
pub fn create(base: u32, count: u32) -> Result<OwnedFd> {
    let what = || "cannot make a user namespace";
    let pipe =
        || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).or_err(Code::System, what);
    let (ready_rx, ready_tx) = pipe()?;
    let (done_rx, done_tx) = pipe()?;
    // SAFETY: the commands have one thread; the child makes three system calls.
    match unsafe { nix::unistd::fork() }.or_err(Code::System, what)? {
        ForkResult::Child => {
            drop((ready_rx, done_tx));
            if nix::sched::unshare(CloneFlags::CLONE_NEWUSER).is_ok() {
                let _ = rustix::io::write(&ready_tx, &[1]);
                let mut end = [0u8; 1];
                let _ = rustix::io::read(&done_rx, &mut end);
            }
            // SAFETY: ends the process without running the parent's copies of
            // destructors.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop((ready_tx, done_rx));
            let mut ok = [0u8; 1];
            let res = match rustix::io::read(&ready_rx, &mut ok) {
                Ok(1) => map(child.as_raw(), base, count).or_err(Code::System, what),
                _ => Err(Error::new(Code::System, what()).why("the kernel refuses")),
            };
            drop(done_tx);
            let _ = waitpid(child, None);
            res
        }
    }
}

fn map(pid: i32, base: u32, count: u32) -> io::Result<OwnedFd> {
    let line = format!("0 {base} {count}\n");
    std::fs::write(format!("/proc/{pid}/uid_map"), &line)?;
    std::fs::write(format!("/proc/{pid}/gid_map"), &line)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(
        format!("/proc/{pid}/ns/user"),
        flags,
        Mode::empty(),
    )?)
}

/// Makes a command run as root of the VE's ids, in the directory `dir`.
///
/// The directory is entered before the ids change, as its parents are closed
/// to the VE.
pub fn enter(cmd: &mut Command, namespace: Option<&OwnedFd>, dir: &OwnedFd) {
    let dir = dir.as_raw_fd();
    let namespace = namespace.map(AsRawFd::as_raw_fd);
    // SAFETY: the closure only makes system calls, on descriptors that stay
    // open until the command was started: the caller holds both.
    unsafe {
        cmd.pre_exec(move || become_root(namespace, dir));
    }
}

fn become_root(namespace: Option<RawFd>, dir: RawFd) -> io::Result<()> {
    let check = |ret: i32| {
        if ret == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: plain system calls without pointers to anything but `groups`,
    // which is not read as its length is 0.
    unsafe {
        check(libc::fchdir(dir))?;
        if let Some(fd) = namespace {
            check(libc::setns(fd, libc::CLONE_NEWUSER))?;
            check(libc::setgroups(0, std::ptr::null()))?;
            check(libc::setresgid(0, 0, 0))?;
            check(libc::setresuid(0, 0, 0))?;
        }
        libc::umask(0o022);
    }
    Ok(())
}

/// Whether a program is in the path of this process.
#[must_use]
pub fn has_program(name: impl AsRef<OsStr>) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(name.as_ref()).is_file())
}
