// SPDX-License-Identifier: GPL-2.0

//! All VEs by number.

use crate::object::Ve;
use kernel::{
    prelude::*,
    sync::{
        Arc,
        GlobalGuard, //
    },
};

kernel::sync::global_lock! {
    // SAFETY: `init()` runs before the device through which all users come is registered.
    pub(crate) unsafe(uninit) static TABLE: Mutex<KVec<Arc<Ve>>> = KVec::new();
}

/// Shows that the table lock is held.
pub(crate) type Guard = GlobalGuard<TABLE>;

/// Makes the table usable.  Called once, first thing at boot.
pub(crate) fn init() {
    // SAFETY: The caller calls this once.
    unsafe { TABLE.init() };
}

/// Takes the table lock.
pub(crate) fn lock() -> Guard {
    TABLE.lock()
}

/// Adds `ve`, in order of ids.  `EEXIST` if its id is in use.
pub(crate) fn insert(ve: &Arc<Ve>) -> Result {
    let mut table = TABLE.lock();
    let at = match table.binary_search_by_key(&ve.veid(), |v| v.veid()) {
        Ok(_) => return Err(EEXIST),
        Err(at) => at,
    };
    table.reserve(1, GFP_KERNEL)?;
    table
        .insert_within_capacity(at, ve.clone())
        .map_err(|_| ENOMEM)
}

/// Frees the id of `ve`.
pub(crate) fn remove(ve: &Arc<Ve>) {
    let removed = {
        let mut table = TABLE.lock();
        match table.binary_search_by_key(&ve.veid(), |v| v.veid()) {
            // A failed `RESERVE` may have freed the id before its last descriptor is closed.
            Ok(at) if table.get(at).is_some_and(|v| Arc::ptr_eq(v, ve)) => table.remove(at).ok(),
            _ => None,
        }
    };
    // Possibly a reference that frees; not under the lock.
    drop(removed);
}

/// The living VE of that number.
pub(crate) fn find(veid: u32) -> Option<Arc<Ve>> {
    let table = TABLE.lock();
    let at = table.binary_search_by_key(&veid, |v| v.veid()).ok()?;
    table.get(at).cloned()
}
