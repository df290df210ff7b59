// SPDX-License-Identifier: GPL-2.0

//! What administrators ask of a UB.

use crate::table;
use kernel::{
    bindings,
    prelude::*,
    sync::aref::ARef, //
};

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
