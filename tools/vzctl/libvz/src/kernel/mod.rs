// SPDX-License-Identifier: GPL-2.0
//! The kernel's view of VEs, behind traits so that tests can replace it.
//!
//! [`Kernel`] is the node: it finds, reserves and lists VEs and makes mounts.
//! [`Ve`] is a descriptor of one VE. `real` speaks to the control device,
//! `fake` keeps everything in memory.

pub mod abi;
pub mod fake;
pub mod real;

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::id::Veid;
use crate::paths::Paths;
use crate::ve::init::Plan;
use crate::ve::init::Spawned;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// State of a VE in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Id reserved, init not released yet.
    Starting,
    /// Init runs.
    Running,
    /// Init runs, all tasks are frozen.
    Frozen,
    /// Init is dead, the rest is being taken down.
    Stopping,
    /// Everything is gone; only a descriptor remembers the VE.
    Dead,
}

impl State {
    /// Whether processes of the VE can be entered or signalled.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, State::Running | State::Frozen)
    }
}

/// Why a VE stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has not stopped.
    None,
    /// Given up before it ran.
    Aborted,
    /// Init exited with this wait status.
    Exit(i32),
    /// Halted from inside.
    Halt,
    /// Rebooted from inside.
    Reboot,
    /// Killed from the node.
    Killed,
    /// A reason newer than this tool.
    Other(u32),
}

/// What the kernel knows of one VE.
#[derive(Debug, Clone)]
pub struct VeInfo {
    /// Identifier.
    pub id: Veid,
    /// State.
    pub state: State,
    /// Host pid of init, if there is one.
    pub init_pid: Option<u32>,
    /// Processes and threads.
    pub nproc: u32,
    /// `CLOCK_BOOTTIME` in nanoseconds when init was released, 0 before.
    pub start_time: u64,
    /// Number of this start, never reused.
    pub serial: u64,
    /// Entering is forbidden.
    pub locked: bool,
    /// First user and group id of the VE on the node.
    pub uid_base: u32,
    /// Why it stopped, once it did.
    pub reason: Reason,
}

/// Bounds of one resource; `i64::MAX` is unlimited.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Number of the resource.
    pub resource: u32,
    /// Barrier in the resource's unit.
    pub barrier: u64,
    /// Limit in the resource's unit.
    pub limit: u64,
}

/// Limits were not set, none of them.
#[derive(Debug)]
pub struct LimitError {
    /// Which of them is to blame, if it is one.
    pub at: Option<usize>,
    /// What the kernel says.
    pub error: Error,
}

/// A descriptor of one VE. Dropping the last one of a VE that was not
/// released by [`Ve::run`] makes the kernel kill and forget the VE.
pub trait Ve {
    /// State and numbers of the VE.
    fn info(&self) -> Result<VeInfo>;
    /// Sets limits, each of another resource: all of them or none.
    fn set_ubc(&self, limits: &[Limit]) -> std::result::Result<(), LimitError>;
    /// Sets the release `uname -r` shows inside.
    fn set_osrelease(&self, text: &str) -> Result<()>;
    /// Sets the node name, once init exists.
    fn set_hostname(&self, text: &str) -> Result<()>;
    /// Makes init, which builds its mounts and waits for [`Spawned::go`].
    /// The calling process must have one thread and `VE_ROOT` as its
    /// working directory.
    fn spawn(&self, plan: &Plan) -> Result<Spawned>;
    /// The VE runs from now on, whatever happens to the caller.
    fn run(&self) -> Result<()>;
    /// Signals init. `false`: there is none any more.
    fn kill(&self, signal: i32) -> Result<bool>;
    /// Waits until everything of the VE is gone. `false`: time is up, or a
    /// signal asked this process to give up.
    fn wait_dead(&self, timeout: Duration) -> Result<bool>;
    /// Moves this process, which must have one thread, into the VE. Its
    /// children are processes of the VE.
    fn enter(&self, skip_lock: bool) -> Result<()>;
}

/// Operations on the node.
pub trait Kernel {
    /// Fails with code 5 if the kernel knows no VEs.
    fn check(&self) -> Result<()>;
    /// The VE, if the kernel has it.
    fn running(&self, id: Veid) -> Result<Option<VeInfo>>;
    /// All VEs, ascending by id, without the node.
    fn list(&self) -> Result<Vec<VeInfo>>;
    /// Sets limits, each of another resource: all of them or none. The
    /// node's own id sets the node's beancounter.
    fn set_ubc(&self, id: Veid, limits: &[Limit]) -> std::result::Result<(), LimitError>;
    /// Takes the id for a VE that is about to start.
    fn reserve(&self, id: Veid) -> Result<Box<dyn Ve>>;
    /// A descriptor of a VE, if the kernel has it.
    fn open(&self, id: Veid) -> Result<Option<Box<dyn Ve>>>;
    /// Mounts a directory a second time, private and without its submounts.
    fn bind(&self, from: &Path, to: &Path) -> Result<()>;
    /// Unmounts what is mounted exactly there, with everything below it.
    /// `false`: nothing was.
    fn unmount(&self, at: &Path) -> Result<bool>;
    /// Whether something is mounted exactly there.
    fn is_mounted(&self, at: &Path) -> Result<bool>;
    /// Waits until one of these files of `/proc/bc/ID/events` has changed
    /// since it was read, the time is up, or a signal arrives.
    fn wait_events(&self, files: &[BorrowedFd<'_>], timeout: Duration) -> Result<()>;
    /// A user namespace with the ids of one VE, for work on its files.
    /// `None`: ids are not mapped here (tests of an ordinary user).
    fn id_namespace(&self, uid_base: u32) -> Result<Option<OwnedFd>>;
}

/// The kernel of this node. One without VEs is found out by the first call
/// that needs them. Tests name a directory for the fake in `VZ_FAKE_KERNEL`.
///
/// # Errors
/// The control device is there but cannot be used.
pub fn open(paths: &Paths) -> Result<Box<dyn Kernel>> {
    match std::env::var_os("VZ_FAKE_KERNEL").filter(|dir| !dir.is_empty()) {
        Some(dir) => Ok(Box::new(fake::FakeKernel::at(dir))),
        None => Ok(Box::new(real::RealKernel::open(paths))),
    }
}

/// The error of every acting command on a kernel without VEs.
#[must_use]
pub fn absent() -> Error {
    Error::new(Code::BadKernel, "the running kernel has no VE support")
        .why("/proc/vz is missing")
        .hint("install the package linux-image-vz and boot that kernel")
}
