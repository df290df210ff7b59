// SPDX-License-Identifier: GPL-2.0

//! `ENTER2`: a process of the host becomes a process of a VE.

use crate::{
    abi,
    object::{
        State,
        Ve, //
    },
    sys, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::Arc, //
};

/// Moves the calling process into `ve`.
///
/// The order is: beancounter, control group, namespaces.  The first two are undone if the third
/// fails.  From the moment the caller is in the control group the VE cannot be declared stopped,
/// and from the moment it has the VE's credentials a stop kills it.
///
/// # Errors
///
/// `EBUSY` if the VE is not running, frozen or locked, `EINVAL` for a caller with threads, `ESRCH` if the
/// VE stops meanwhile, `ENOMEM`.
pub(crate) fn enter(ve: &Arc<Ve>, args: &abi::Enter) -> Result {
    if args.flags & !bindings::VZCTL_ENTER_SKIPLOCK != 0 {
        return Err(EINVAL);
    }
    let skip_lock = args.flags & bindings::VZCTL_ENTER_SKIPLOCK != 0;
    let (init, group, _charged) = {
        let inner = ve.inner.lock();
        // In a frozen VE the caller would freeze, too, and whoever waits for it wait for ever.
        if inner.state != State::Running || (inner.locked && !skip_lock) {
            return Err(EBUSY);
        }
        let resources = inner.resources.as_ref().ok_or(EBUSY)?;
        let init = inner.init.as_ref().ok_or(EBUSY)?.clone();
        let group = resources.cgroups.enter_group();
        (init, group, resources.ub.attach_current()?)
    };
    sys::enter(ve, &init, &group)?;
    _charged.keep();
    Ok(())
}
