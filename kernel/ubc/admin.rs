// SPDX-License-Identifier: GPL-2.0

//! What the netlink family asks of a UB.

use crate::{
    bean::Beancounter,
    resource::Resource,
    show,
    table, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::aref::ARef, //
};

/// The largest use of a resource is what is in use now.
fn reset_peak(ub: &Beancounter, res: Resource) {
    match res {
        Resource::PHYSPAGES if !ub.is_host() => ub.glue().reset_memory_peak(false),
        Resource::SWAPPAGES if !ub.is_host() => ub.glue().reset_memory_peak(true),
        // Stock would count.
        _ => ub.drain(),
    }
    let held = show::row(ub, res).held;
    ub.counter(res).reset_maxheld(held);
}

/// The UB with this id, with a reference, or NULL.
///
/// # Safety
///
/// None; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_lookup(id: u32) -> *mut bindings::ubc {
    table::by_id(id).map_or(core::ptr::null_mut(), |ub| {
        ARef::into_raw(ub).as_ptr().cast()
    })
}

/// Reads one resource.
///
/// # Safety
///
/// `ub` must be valid and `row` be so for writing; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_read(
    ub: *mut bindings::ubc,
    res: u32,
    row: *mut bindings::ubc_row,
) {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };

    if let Some(res) = Resource::from_id(res) {
        // SAFETY: The caller's promise.
        unsafe { row.write(show::row(ub, res).to_c()) };
    }
}

/// The level of pressure of a resource, in percent.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_pressure(ub: *mut bindings::ubc, res: u32) -> u32 {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };

    Resource::from_id(res).map_or(0, |res| u32::try_from(ub.pressure(res)).unwrap_or(0))
}

/// Lets maxheld of a resource start again from held.
///
/// # Safety
///
/// `ub` must be valid; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_reset_peak(ub: *mut bindings::ubc, res: u32) {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };

    if let Some(res) = Resource::from_id(res) {
        reset_peak(ub, res);
    }
}
