// SPDX-License-Identifier: GPL-2.0

//! The VE object and its states.

use crate::{
    sys,
    table, //
};
use kernel::{
    bindings,
    impl_has_work, //
    new_mutex,
    new_poll_condvar,
    new_work,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        poll::PollCondVar,
        Arc,
        Mutex, //
    },
    types::Opaque,
    workqueue::Work,
};

/// Where a VE is in its life.  It only moves forward, but for the freezer.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum State {
    /// The id is taken; `RUN` was not called yet.
    Starting = bindings::VZCTL_STATE_STARTING,
    /// Init may run.
    Running = bindings::VZCTL_STATE_RUNNING,
    /// As running, but no task gets CPU time.
    Frozen = bindings::VZCTL_STATE_FROZEN,
    /// Init is dying, or there will never be one.
    Stopping = bindings::VZCTL_STATE_STOPPING,
    /// Nothing is left but this object.
    Dead = bindings::VZCTL_STATE_DEAD,
}

impl State {
    /// Has it processes?
    pub(crate) fn is_up(self) -> bool {
        matches!(self, State::Running | State::Frozen)
    }

    /// Will there be no init any more?
    pub(crate) fn is_down(self) -> bool {
        matches!(self, State::Stopping | State::Dead)
    }
}

/// Why a VE stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Reason {
    /// It did not.
    None = bindings::VZCTL_REASON_NONE,
    /// Given up before `RUN`.
    Aborted = bindings::VZCTL_REASON_ABORTED,
    /// Init exited by itself.
    Exit = bindings::VZCTL_REASON_EXIT,
    /// `reboot(2)` inside, halt or power off.
    Halt = bindings::VZCTL_REASON_HALT,
    /// `reboot(2)` inside, restart.
    Reboot = bindings::VZCTL_REASON_REBOOT,
    /// SIGKILL from the host.
    Killed = bindings::VZCTL_REASON_KILLED,
}

/// What a VE holds in the rest of the kernel from `RESERVE` until its stop.
pub(crate) struct Resources {
    /// `ve/<id>` and the two groups in it.
    pub(crate) cgroups: sys::Cgroups,
    /// The beancounter; the charges of the VE's objects outlive this handle.
    pub(crate) ub: sys::Beancounter,
}

/// Longest host name or kernel release, in bytes.
pub(crate) const UTS_LEN: usize = 64;

/// What changes, under the operation lock.
pub(crate) struct Inner {
    /// Where in its life the VE is.
    pub(crate) state: State,
    /// How many changes of `state` there were; open files remember which they saw.
    pub(crate) version: u64,
    /// Is `ENTER2` refused?
    pub(crate) locked: bool,
    /// Is a `CREATE2` on its way?
    pub(crate) creating: bool,
    /// How many VE descriptors are open?
    pub(crate) files: usize,
    /// Pid of init, from `CREATE2` until the object is dead.
    pub(crate) init: Option<sys::Pid>,
    /// Boot time of `RUN`, in nanoseconds, 0 before.
    pub(crate) start_time: u64,
    /// Why it stopped; `None` while it lives.
    pub(crate) reason: Reason,
    /// Wait status of init once it is dead.
    pub(crate) code: i32,
    /// Kernel release its first task is to see, a C string; empty for the host's.
    pub(crate) osrelease: [u8; UTS_LEN + 1],
    /// What it owns; `None` while that is being made and once it is given back.
    pub(crate) resources: Option<Resources>,
}

impl Inner {
    /// Moves to another state.  The caller tells those who poll.
    pub(crate) fn set_state(&mut self, state: State) {
        self.state = state;
        self.version += 1;
    }
}

/// The part of a VE that C reads.
#[repr(transparent)]
struct Identity(Opaque<bindings::ve>);

// SAFETY: `veid` and `serial` never change; the rest is written as `Ve::set_identity()` and
// `sys::NewTask::pid()` describe, and nothing in it is owned or dereferenced.
unsafe impl Send for Identity {}
// SAFETY: As above.
unsafe impl Sync for Identity {}

/// One Virtual Environment.
///
/// There is one for each id in use.  References are held by the table, by each user namespace of
/// the VE (`user_namespace.ve`), by open VE descriptors and by the stop work.  The last of them
/// frees it; a leaked namespace therefore keeps this memory but neither the id nor anything in
/// [`Resources`].
#[pin_data]
#[repr(C)]
pub(crate) struct Ve {
    /// The part that C reads, see `struct ve`.  First, so that the two pointers are the same.
    identity: Identity,
    /// Everything else, under the operation lock.
    #[pin]
    pub(crate) inner: Mutex<Inner>,
    /// Woken at each change of state.
    #[pin]
    pub(crate) changed: PollCondVar,
    /// Takes the VE down; queued once.
    #[pin]
    stop_work: Work<Ve>,
    /// Keeps the hooks on while this object exists.  Dropped last.
    _hooks: sys::HooksOn,
}

impl_has_work! {
    impl HasWork<Self> for Ve { self.stop_work }
}

/// Serial numbers given out so far.
static SERIALS: Atomic<u64> = Atomic::new(0);

impl Ve {
    fn new(veid: u32) -> Result<Arc<Self>> {
        let identity = bindings::ve {
            veid,
            serial: SERIALS.fetch_add(1, Relaxed) + 1,
            ..pin_init::zeroed()
        };
        let hooks = sys::HooksOn::new();
        Arc::pin_init(
            pin_init!(Ve {
                identity: Identity(Opaque::new(identity)),
                inner <- new_mutex!(Inner {
                    state: State::Starting,
                    version: 1,
                    locked: false,
                    creating: false,
                    files: 0,
                    init: None,
                    start_time: 0,
                    reason: Reason::None,
                    code: 0,
                    osrelease: [0; UTS_LEN + 1],
                    resources: None,
                }, "Ve::inner"),
                changed <- new_poll_condvar!("Ve::changed"),
                stop_work <- new_work!("Ve::stop_work"),
                _hooks: hooks,
            }),
            GFP_KERNEL,
        )
    }

    /// Takes the id `veid` and makes what a VE needs before its first task.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an id out of range, `EEXIST` if it is in use, `EBUSY` if host processes sit
    /// in a control group of that name, `ENOMEM`.
    pub(crate) fn reserve(veid: u32) -> Result<Arc<Self>> {
        if !(bindings::VZCTL_VEID_MIN..=bindings::VZCTL_VEID_MAX).contains(&veid) {
            return Err(EINVAL);
        }
        let ve = Ve::new(veid)?;
        table::insert(&ve)?;
        match ve.make_resources() {
            Ok(resources) => {
                ve.inner.lock().resources = Some(resources);
                Ok(ve)
            }
            Err(e) => {
                table::remove(&ve);
                // Somebody may have opened it meanwhile.
                ve.inner.lock().set_state(State::Dead);
                ve.changed.notify_all();
                Err(e)
            }
        }
    }

    fn make_resources(&self) -> Result<Resources> {
        let cgroups = sys::Cgroups::new(self.veid())?;
        let ub = sys::Beancounter::new(self.veid(), &cgroups);
        match ub {
            Ok(ub) => Ok(Resources { cgroups, ub }),
            Err(e) => {
                // Nobody can be in groups that were made a moment ago.
                let _ = cgroups.destroy();
                Err(e)
            }
        }
    }

    /// The id.
    pub(crate) fn veid(&self) -> u32 {
        // SAFETY: `veid` is never written after `new()`.
        unsafe { (*self.identity.0.get()).veid }
    }

    /// The number no other VE has ever had.
    pub(crate) fn serial(&self) -> u64 {
        // SAFETY: `serial` is never written after `new()`.
        unsafe { (*self.identity.0.get()).serial }
    }

    /// First id of the range on the host, 0 if none was chosen yet.
    pub(crate) fn uid_base(&self, _table: &table::Guard) -> u32 {
        // SAFETY: `uid_base` is written with the table lock held only, which the guard shows.
        unsafe { (*self.identity.0.get()).uid_base }
    }

    /// Chooses id range and capabilities.
    pub(crate) fn set_identity(&self, _table: &table::Guard, uid_base: u32, bset: u64) {
        // SAFETY: The table lock is held, so nobody reads or writes these fields through
        // `uid_base()` and `set_identity()`.  C code reads them only through a user namespace of
        // this VE, and the caller is the one that has yet to create the first.
        unsafe {
            (*self.identity.0.get()).uid_base = uid_base;
            (*self.identity.0.get()).bset = bset;
        }
    }

    /// The pointer C code knows this VE by.
    pub(crate) fn as_c(&self) -> *mut bindings::ve {
        self.identity.0.get()
    }
}
