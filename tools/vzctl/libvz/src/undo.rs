// SPDX-License-Identifier: GPL-2.0
//! Undo stack of multi-step operations, and fault points.
//!
//! Before a step changes something, [`Stack::push`] names how to take it
//! back.  A stack that is dropped without [`Stack::commit`] takes everything
//! back in reverse order.  So does the [`Guard`] when the command is killed:
//! the one of the lock that the operation holds, or else one of its own.
//!
//! What lives in the kernel (the VE, its cgroups, its mounts) needs no entry:
//! it goes with the last descriptor.
//!
//! Fault points: `VZ_FAULT=step` makes that step fail, `VZ_FAULT_KILL=step`
//! kills the command there, as SIGKILL would.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::guard::Guard;
use crate::id::Veid;
use crate::kernel::Kernel;
use crate::lock::Lock;
use nix::libc;
use nix::sys::signal::SigAction;
use nix::sys::signal::SigHandler;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::signal::sigaction;
use serde::Deserialize;
use serde::Serialize;
use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// How to take one step back. Each may be applied twice, or to a step that
/// was never made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undo {
    /// Delete a tree.
    RemoveTree(PathBuf),
    /// Delete a file or symbolic link.
    RemoveFile(PathBuf),
    /// Delete a directory if it is empty.
    RemoveDir(PathBuf),
    /// Unmount what is mounted there.
    Unmount(PathBuf),
    /// Rename back, from the second to the first.
    Rename(PathBuf, PathBuf),
    /// Wait until the kernel has forgotten a VE whose descriptor is closed.
    Gone(u32),
}

/// The undo stack of one operation.
pub struct Stack<'k> {
    kernel: &'k dyn Kernel,
    done: RefCell<Vec<Undo>>,
    /// Guard of an operation without a lock.
    own: Option<Guard>,
    lock: &'k Lock,
    committed: bool,
}

impl<'k> Stack<'k> {
    /// An empty stack. The process must have one thread.
    ///
    /// # Errors
    /// No pipe or process to be had.
    pub fn new(kernel: &'k dyn Kernel, lock: &'k Lock) -> Result<Self> {
        let own = match lock.guard() {
            Some(_) => None,
            None => Some(Guard::new(kernel, None)?),
        };
        Ok(Self {
            kernel,
            done: RefCell::new(Vec::new()),
            own,
            lock,
            committed: false,
        })
    }

    /// Names how to take back what the caller is about to do.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn push(&self, undo: Undo) -> Result<()> {
        if let Some(guard) = self.guard() {
            guard.push(&undo)?;
        }
        self.done.borrow_mut().push(undo);
        Ok(())
    }

    /// Start of a step: where faults are injected and interrupts are noticed.
    ///
    /// # Errors
    /// Interrupted (175), or the fault that was asked for.
    pub fn step(&self, name: &str) -> Result<()> {
        fault(name)?;
        check_interrupt()
    }

    /// The operation succeeded: nothing will be taken back.
    ///
    /// # Errors
    /// The guard is gone, so that nobody knows whether it agreed.
    pub fn commit(mut self) -> Result<()> {
        if let Some(guard) = self.guard() {
            guard.commit()?;
        }
        self.committed = true;
        Ok(())
    }

    fn guard(&self) -> Option<&Guard> {
        self.own.as_ref().or_else(|| self.lock.guard())
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        if !self.committed {
            take_back(self.kernel, &self.done.take());
            // What is taken back already needs no guard.
            drop(self.guard().map(Guard::commit));
        }
    }
}

/// Takes steps back, the last one first.
pub(crate) fn take_back(kernel: &dyn Kernel, list: &[Undo]) {
    for undo in list.iter().rev() {
        let res = match undo {
            Undo::RemoveTree(path) => remove_tree(path),
            Undo::RemoveFile(path) => std::fs::remove_file(path),
            Undo::RemoveDir(path) => std::fs::remove_dir(path),
            Undo::Unmount(path) => kernel
                .unmount(path)
                .map(drop)
                .map_err(|e| std::io::Error::other(e.message())),
            Undo::Rename(old, new) => std::fs::rename(new, old),
            Undo::Gone(id) => wait_gone(kernel, *id),
        };
        if let Err(e) = res {
            let quiet = matches!(undo, Undo::RemoveDir(_));
            if e.kind() != std::io::ErrorKind::NotFound && !quiet {
                // Nobody is left who could handle it; a person may.
                drop(writeln!(
                    std::io::stderr(),
                    "vzctl: cannot undo {undo:?}: {e}"
                ));
            }
        }
    }
}

/// How long the kernel gets to take down a VE that was given up.
const GONE_TIMEOUT: Duration = Duration::from_secs(20);

fn wait_gone(kernel: &dyn Kernel, id: u32) -> std::io::Result<()> {
    let Some(id) = Veid::new(id) else {
        return Ok(());
    };
    let end = Instant::now() + GONE_TIMEOUT;
    while kernel.running(id).is_ok_and(|ve| ve.is_some()) {
        if Instant::now() > end {
            return Err(std::io::Error::other("the kernel still has the VE"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Deletes a tree or a file; links in it are not followed.
///
/// # Errors
/// The tree could not be deleted; a missing one is no error.
pub fn remove_tree(path: &Path) -> std::io::Result<()> {
    let meta = match path.symlink_metadata() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if meta.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    }
}

/// The last signal that asked the operation to give up, 0 for none.
static INTERRUPTED: AtomicI32 = AtomicI32::new(0);

extern "C" fn on_interrupt(signal: libc::c_int) {
    INTERRUPTED.store(signal, Ordering::Relaxed);
}

/// From now on Ctrl-C, hang-up and SIGTERM end an operation at its next step.
pub fn catch_interrupts() {
    // Without SA_RESTART, so that a wait ends at once.
    let flags = nix::sys::signal::SaFlags::empty();
    let action = SigAction::new(SigHandler::Handler(on_interrupt), flags, SigSet::empty());
    for sig in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        // SAFETY: the handler only stores to an atomic.
        let _ = unsafe { sigaction(sig, &action) };
    }
}

/// Whether the operation was asked to give up.
#[must_use]
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed) != 0
}

/// Takes the signal that arrived, for commands that pass it on.
#[must_use]
pub fn take_signal() -> Option<i32> {
    Some(INTERRUPTED.swap(0, Ordering::Relaxed)).filter(|s| *s != 0)
}

/// Error 175 once the operation was asked to give up.
///
/// # Errors
/// Interrupted.
pub fn check_interrupt() -> Result<()> {
    if interrupted() {
        return Err(Error::new(Code::Interrupted, "interrupted"));
    }
    Ok(())
}

thread_local! {
    /// Step that fails in this thread, for tests that share a process.
    static FAULT: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Steps passed in this thread.
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Sets or clears the step that fails in this thread.
pub fn set_fault(step: Option<&str>) {
    FAULT.with_borrow_mut(|f| *f = step.map(str::to_string));
}

/// Takes the names of the steps passed so far in this thread.
#[must_use]
pub fn take_steps() -> Vec<String> {
    SEEN.take()
}

/// Name of the step that is to fail, if any.
#[must_use]
pub fn wanted_fault() -> Option<String> {
    FAULT
        .with_borrow(Clone::clone)
        .or_else(|| std::env::var("VZ_FAULT").ok())
}

/// A fault point.
///
/// # Errors
/// The fault that was asked for.
pub fn fault(name: &str) -> Result<()> {
    SEEN.with_borrow_mut(|s| s.push(name.to_string()));
    if std::env::var_os("VZ_FAULT_KILL").is_some_and(|k| k == name) {
        // SAFETY: kills this process.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    if wanted_fault().is_some_and(|f| f == name) {
        return Err(Error::new(Code::System, format!("step {name} failed"))
            .why("the fault was asked for by VZ_FAULT"));
    }
    Ok(())
}
