// SPDX-License-Identifier: GPL-2.0

//! From the last breath of init, or the end of the last descriptor, to a free id.

use crate::{
    object::{
        Reason,
        State,
        Ve, //
    },
    sys,
    table, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::WorkItem, //
};

/// First pause between two attempts to take a VE down, in milliseconds; it doubles each time.
const PAUSE_MIN: i64 = 1;
/// Longest such pause, in milliseconds.
const PAUSE_MAX: i64 = 100;
/// After so many pauses one line in the log says what the stop waits for.
const PAUSES_QUIET: u32 = 600;

impl Ve {
    /// One descriptor less: takes down a VE that nobody can start any more.
    pub(crate) fn put_descriptor(self: &Arc<Self>) {
        let init = {
            let mut inner = self.inner.lock();
            inner.files -= 1;
            if inner.files != 0 || inner.state != State::Starting {
                return;
            }
            inner.reason = Reason::Aborted;
            match &inner.init {
                Some(init) => Some(init.clone()),
                None => {
                    inner.set_state(State::Stopping);
                    None
                }
            }
        };
        match init {
            // Its death does the rest.
            Some(init) => {
                let _ = init.kill(sys::SIGKILL);
            }
            None => {
                self.changed.notify_all();
                self.take_down();
            }
        }
    }

    /// Sends a signal to init.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bad signal number, `ESRCH` when there is no init.
    pub(crate) fn kill(&self, signal: u32) -> Result {
        let signal = i32::try_from(signal)?;
        let init = {
            let mut inner = self.inner.lock();
            if inner.state.is_down() {
                return Err(ESRCH);
            }
            let init = inner.init.as_ref().ok_or(ESRCH)?.clone();
            if signal == sys::SIGKILL && inner.reason == Reason::None {
                inner.reason = Reason::Killed;
            }
            init
        };
        init.kill(signal)
    }

    /// Makes `ENTER2` fail, or work again.
    pub(crate) fn set_locked(&self, locked: bool) -> Result {
        let mut inner = self.inner.lock();
        if inner.state.is_down() {
            return Err(ESRCH);
        }
        if inner.locked == locked {
            return Err(EALREADY);
        }
        inner.locked = locked;
        Ok(())
    }

    /// Stops all tasks and waits until they are.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the VE is not running, `EINTR` for a caller that is being killed; the VE is
    /// thawed again then.
    pub(crate) fn freeze(&self) -> Result {
        {
            let inner = self.inner.lock();
            if inner.state != State::Running {
                return Err(EBUSY);
            }
            let resources = inner.resources.as_ref().ok_or(EBUSY)?;
            resources.cgroups.freeze(true);
        }
        loop {
            {
                let mut inner = self.inner.lock();
                if inner.state != State::Running {
                    return Err(EBUSY);
                }
                let resources = inner.resources.as_ref().ok_or(EBUSY)?;
                if resources.cgroups.frozen() {
                    inner.set_state(State::Frozen);
                    break;
                }
                if sys::fatal_signal_pending() {
                    resources.cgroups.freeze(false);
                    return Err(EINTR);
                }
            }
            fsleep(Delta::from_millis(2));
        }
        self.changed.notify_all();
        Ok(())
    }

    /// Lets a frozen VE go on.  `EBUSY` if it is not frozen.
    pub(crate) fn thaw(&self) -> Result {
        {
            let mut inner = self.inner.lock();
            if inner.state != State::Frozen {
                return Err(EBUSY);
            }
            let resources = inner.resources.as_ref().ok_or(EBUSY)?;
            resources.cgroups.freeze(false);
            inner.set_state(State::Running);
        }
        self.changed.notify_all();
        Ok(())
    }

    /// Init is dying, and kills all that has a pid in its namespace; called by init itself.
    ///
    /// The stop work does not wait for init, because init may be waiting for it: a process that
    /// entered from the host has no pid inside, but has children that only it can reap.
    pub(crate) fn init_dying(self: ArcBorrow<'_, Self>, code: i32, reboot: i32) {
        {
            let mut inner = self.inner.lock();
            inner.code = code;
            inner.reason = match reboot {
                _ if inner.state == State::Starting => Reason::Aborted,
                sys::SIGHUP => Reason::Reboot,
                sys::SIGINT => Reason::Halt,
                _ if inner.reason == Reason::None => Reason::Exit,
                _ => inner.reason,
            };
            inner.set_state(State::Stopping);
        }
        self.changed.notify_all();
        // Only the death of init queues the work, and init dies once.
        let _ = sys::stop_queue().enqueue(Arc::from(self));
    }

    /// Gives back everything, frees the id and reports.
    ///
    /// Runs once, in the stop work or, when there never was an init, in the release of the last
    /// descriptor.
    fn take_down(self: &Arc<Self>) {
        let resources = self.inner.lock().resources.take();
        if let Some(resources) = resources {
            // A frozen group would keep host processes that entered from dying.
            resources.cgroups.freeze(false);
            let mut pause = PAUSE_MIN;
            let mut pauses = 0;
            // A process that is about to enter is in the groups first and has the VE's
            // credentials later: removing the groups fails until each is dead or turned back.
            while sys::kill_members(self) > 0 || resources.cgroups.destroy().is_err() {
                fsleep(Delta::from_millis(pause));
                pause = (pause * 2).min(PAUSE_MAX);
                pauses += 1;
                if pauses == PAUSES_QUIET {
                    pr_warn!(
                        "VE {}: stop waits for processes that do not die\n",
                        self.veid()
                    );
                }
            }
            // What the last closes left to work items: the host wants to unmount next.
            sys::flush_mounts();
            drop(resources);
        }
        table::remove(self);
        let (started, reason, init) = {
            let mut inner = self.inner.lock();
            inner.set_state(State::Dead);
            (inner.start_time != 0, inner.reason, inner.init.take())
        };
        drop(init);
        self.changed.notify_all();
        match (started, reason) {
            (false, _) => (),
            (true, Reason::Reboot) => sys::uevent(c"reboot", self),
            (true, _) => sys::uevent(c"stop", self),
        }
    }
}

impl WorkItem for Ve {
    type Pointer = Arc<Ve>;

    fn run(this: Arc<Ve>) {
        this.take_down();
    }
}
