// SPDX-License-Identifier: GPL-2.0
//! The guard: takes back what a killed command has begun.
//!
//! A process in a session of its own that receives the undo list through a
//! pipe and acts when the pipe ends.  The guard of a lock is forked before
//! the lock file appears and shares its open file: there is no moment at
//! which the command can be killed and leave the file, and the VE stays
//! locked until the guard is done.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::kernel::Kernel;
use crate::lock;
use crate::undo::Undo;
use crate::undo::take_back;
use nix::libc;
use nix::sys::signal::SigAction;
use nix::sys::signal::SigHandler;
use nix::sys::signal::SigSet;
use nix::sys::signal::SigmaskHow;
use nix::sys::signal::Signal;
use nix::sys::signal::sigaction;
use nix::sys::signal::sigprocmask;
use nix::unistd::ForkResult;
use nix::unistd::Pid;
use serde::Deserialize;
use serde::Serialize;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;

#[derive(Serialize, Deserialize)]
enum Message {
    Push(Undo),
    Commit,
}

/// A running guard, one per lock or per stack without a lock; it ends, and is
/// waited for, when this is dropped.
#[derive(Debug)]
pub struct Guard {
    /// The guard waits for its end; taken when dropped.
    pipe: Option<File>,
    pid: Pid,
    /// Process that forked it. A forked child has a copy it must not use.
    owner: u32,
}

impl Guard {
    /// Forks a guard that, at its end, also removes the lock file at a path if
    /// it is the given open one. The process must have one thread.
    ///
    /// # Errors
    /// No pipe or process to be had.
    pub fn new(kernel: &dyn Kernel, lock: Option<(&Path, &File)>) -> Result<Self> {
        let what = || "cannot start the undo guard";
        let (reader, writer) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).or_err(Code::System, what)?;
        // A Ctrl-C must not end the guard before it ignores it.
        let mut mask = SigSet::empty();
        let all = SigSet::all();
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), Some(&mut mask))
            .or_err(Code::System, what)?;
        // SAFETY: the commands have one thread, so the child may do what it likes.
        let forked = unsafe { nix::unistd::fork() };
        if matches!(forked, Ok(ForkResult::Child)) {
            detach();
        }
        // Cannot fail, and the child must not return from here.
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None);
        match forked.or_err(Code::System, what)? {
            ForkResult::Parent { child } => Ok(Self {
                pipe: Some(File::from(writer)),
                pid: child,
                owner: std::process::id(),
            }),
            ForkResult::Child => {
                drop(writer);
                take_back(kernel, &watch(File::from(reader)));
                if let Some((path, file)) = lock {
                    lock::unlink(path, file);
                }
                // SAFETY: ends the process without running the parent's copies
                // of destructors.
                unsafe { libc::_exit(0) }
            }
        }
    }

    /// Adds to the list.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn push(&self, undo: &Undo) -> Result<()> {
        self.tell(&Message::Push(undo.clone()))
    }

    /// Empties the list.
    ///
    /// # Errors
    /// The guard is gone, so that nobody knows whether it agreed.
    pub fn commit(&self) -> Result<()> {
        self.tell(&Message::Commit)
    }

    fn tell(&self, msg: &Message) -> Result<()> {
        let gone = || "the undo guard is gone";
        let mut pipe = self
            .pipe
            .as_ref()
            .ok_or_else(|| Error::new(Code::System, gone()))?;
        let mut line = serde_json::to_string(msg)
            .map_err(|e| Error::new(Code::System, "cannot note an undo step").why(e))?;
        line.push('\n');
        pipe.write_all(line.as_bytes()).or_err(Code::System, gone)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.pipe.take());
        if self.owner == std::process::id() {
            let _ = nix::sys::wait::waitpid(self.pid, None);
        }
    }
}

/// A Ctrl-C or a hang-up is for the command, which the guard outlives, and a
/// reader of the command's output must not wait for the guard.
fn detach() {
    let _ = rustix::process::setsid();
    for sig in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGPIPE,
    ] {
        let ignore = SigAction::new(
            SigHandler::SigIgn,
            nix::sys::signal::SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: ignoring a signal runs no code.
        let _ = unsafe { sigaction(sig, &ignore) };
    }
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

/// The list when the pipe ends.
fn watch(pipe: File) -> Vec<Undo> {
    let mut list = Vec::new();
    for line in BufReader::new(pipe).lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(Message::Push(undo)) => list.push(undo),
            Ok(Message::Commit) => list.clear(),
            // Cut off in the middle: the step was not begun.
            Err(_) => break,
        }
    }
    list
}
