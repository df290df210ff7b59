// SPDX-License-Identifier: GPL-2.0

//! `CREATE2` and `RUN`: the first task of a VE.

use crate::{
    abi,
    object::{
        State,
        Ve, //
    },
    sys,
    table, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::Arc, //
};

/// Forks the calling process into a new VE and returns the new task's pid.
///
/// The new task leaves the same system call with 0.
///
/// # Errors
///
/// See `CREATE2` in `include/uapi/linux/vzctl.h`, and whatever `fork(2)` fails with.
pub(crate) fn create(ve: &Arc<Ve>, args: &abi::Create) -> Result<isize> {
    abi::must_be_zero(&[args.flags, args.pad])?;
    let slot = args.uid_base / bindings::VZCTL_ID_RANGE;
    // The last slot contains (uid_t)-1, which is no id.
    if args.uid_count != bindings::VZCTL_ID_RANGE
        || args.uid_base % bindings::VZCTL_ID_RANGE != 0
        || slot == 0
        || slot >= u32::MAX / bindings::VZCTL_ID_RANGE
    {
        return Err(EINVAL);
    }

    let ub = {
        let mut inner = ve.inner.lock();
        if inner.state != State::Starting || inner.creating || inner.init.is_some() {
            return Err(EBUSY);
        }
        let resources = inner.resources.as_ref().ok_or(EBUSY)?;
        if !resources.cgroups.inner_is_fd(args.cgroup_fd) {
            return Err(EINVAL);
        }
        let ub = resources.ub.as_ptr();
        inner.creating = true;
        ub
    };
    // `creating` keeps everybody else out: the resources stay where they are, because only a dead
    // init or the release of the descriptor this call came through could take them.
    let result = fork(ve, args, ub);
    if result.is_err() {
        ve.set_identity(&table::lock(), 0, 0);
        ve.inner.lock().creating = false;
    }
    result
}

fn fork(ve: &Arc<Ve>, args: &abi::Create, ub: *mut bindings::ubc) -> Result<isize> {
    {
        let table = table::lock();
        if table
            .iter()
            .any(|other| !Arc::ptr_eq(other, ve) && other.uid_base(&table) == args.uid_base)
        {
            return Err(EEXIST);
        }
        ve.set_identity(&table, args.uid_base, args.bset);
    }
    let task = sys::NewTask::copy(ve, ub, args.cgroup_fd)?;
    let init = task.pid(ve);
    let nr = init.nr();
    {
        let mut inner = ve.inner.lock();
        // From here on nothing may fail: the task can only be woken.
        match CStr::from_bytes_until_nul(&inner.osrelease) {
            Ok(release) if !release.is_empty() => {
                let _ = init.set_uts(true, release);
            }
            _ => (),
        }
        inner.init = Some(init);
        inner.creating = false;
    }
    task.wake();
    Ok(nr)
}

/// Declares the VE started.
///
/// # Errors
///
/// `EBUSY` in any state but `Starting`, `ESRCH` without init.
pub(crate) fn run(ve: &Arc<Ve>) -> Result {
    {
        let mut inner = ve.inner.lock();
        if inner.state != State::Starting {
            return Err(EBUSY);
        }
        if inner.init.is_none() {
            return Err(ESRCH);
        }
        inner.start_time = sys::boottime_ns();
        inner.set_state(State::Running);
        // Under the lock: an init that dies at once reports that later.
        sys::uevent(c"start", ve);
    }
    ve.changed.notify_all();
    Ok(())
}
