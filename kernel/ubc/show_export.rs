// SPDX-License-Identifier: GPL-2.0

//! What `proc.c` and its neighbours ask of `show`.

use crate::{
    bean::Beancounter,
    show, //
};
use kernel::{
    bindings,
    prelude::*,
    seq_file::SeqFile, //
};

/// Prints the first two lines of a table.
///
/// # Safety
///
/// `m` must be the seq_file that is being shown.
#[export]
pub(crate) unsafe extern "C" fn ubc_show_header(m: *mut bindings::seq_file) {
    // SAFETY: The caller's promise.
    show::header(unsafe { SeqFile::from_raw(m) });
}

/// Prints the lines of one UB.
///
/// # Safety
///
/// As for [`ubc_show_header`], and `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_show(
    m: *mut bindings::seq_file,
    ub: *mut bindings::ubc,
    table: bindings::ubc_table,
) {
    let layout = match table {
        bindings::ubc_table_UBC_TABLE_ALL => show::Layout::Classic,
        bindings::ubc_table_UBC_TABLE_BC => show::Layout::Full,
        _ => show::Layout::Bare,
    };

    // SAFETY: The caller's promises.
    let (m, ub) = unsafe { (SeqFile::from_raw(m), Beancounter::from_raw(ub)) };
    show::table(m, ub, layout);
}

/// Brings the pressure of what is counted elsewhere up to date.
///
/// # Safety
///
/// `ub` must be valid; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_look(ub: *mut bindings::ubc) {
    // SAFETY: The caller's promise.
    unsafe { Beancounter::from_raw(ub) }.look();
}

/// Prints the events of one UB: name, failcnt and pressure.
///
/// # Safety
///
/// As for [`ubc_show`].
#[export]
pub(crate) unsafe extern "C" fn ubc_show_events(
    m: *mut bindings::seq_file,
    ub: *mut bindings::ubc,
) {
    // SAFETY: The caller's promises.
    let (m, ub) = unsafe { (SeqFile::from_raw(m), Beancounter::from_raw(ub)) };
    show::events(m, ub);
}

/// Prints what each resource holds in per-CPU stock.
///
/// # Safety
///
/// As for [`ubc_show`].
#[export]
pub(crate) unsafe extern "C" fn ubc_show_precharge(
    m: *mut bindings::seq_file,
    ub: *mut bindings::ubc,
) {
    // SAFETY: The caller's promises.
    let (m, ub) = unsafe { (SeqFile::from_raw(m), Beancounter::from_raw(ub)) };
    show::precharge(m, ub);
}
