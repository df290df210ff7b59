// SPDX-License-Identifier: GPL-2.0

//! What `sock_mem.c` and `sock_queue.c` ask of `sockbuf`.

use crate::{
    bean::Beancounter,
    sockbuf::{
        self,
        bytes,
        Side, //
    }, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::Relaxed, //
};

/// Charges `n` pages for sending.
///
/// # Safety
///
/// As for [`Side::new`], here and in the following functions.
#[export]
pub(crate) unsafe extern "C" fn ubc_sndbuf_charge(
    ub: *mut bindings::ubc,
    res: bindings::ubc_resource,
    held: *mut bindings::atomic_t,
    n: c_int,
    count: bool,
) -> bool {
    // SAFETY: The caller's promise.
    let side = unsafe { Side::new(ub, res, held) };

    side.request(n, side.send_bound(n), count)
}

/// Whether that would be granted.
///
/// # Safety
///
/// As above.
#[export]
pub(crate) unsafe extern "C" fn ubc_sndbuf_room(
    ub: *mut bindings::ubc,
    res: bindings::ubc_resource,
    held: *const bindings::atomic_t,
    n: c_int,
) -> bool {
    // SAFETY: The caller's promise.
    let side = unsafe { Side::new(ub, res, held) };

    side.counter().held().saturating_add(bytes(n)) <= side.send_bound(n)
}

/// Charges `n` pages for receiving, such that others can still get `segment` bytes each.
///
/// # Safety
///
/// As above.
#[export]
pub(crate) unsafe extern "C" fn ubc_rcvbuf_charge(
    ub: *mut bindings::ubc,
    res: bindings::ubc_resource,
    held: *mut bindings::atomic_t,
    n: c_int,
    segment: c_int,
    count: bool,
) -> bool {
    // SAFETY: The caller's promise.
    let side = unsafe { Side::new(ub, res, held) };

    side.request(n, side.receive_bound(segment), count)
}

/// Whether TCP has to be careful.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_tcp_pressure(ub: *mut bindings::ubc) -> bool {
    // SAFETY: The caller's promise.
    sockbuf::is_tight(unsafe { Beancounter::from_raw(ub) })
}

/// Whether a receive window may grow.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_tcp_may_grow(ub: *mut bindings::ubc, rcvbuf: c_int) -> bool {
    // SAFETY: The caller's promise.
    sockbuf::may_grow(unsafe { Beancounter::from_raw(ub) }, i64::from(rcvbuf))
}

/// Counts orphans.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_tcp_orphans_add(ub: *mut bindings::ubc, n: c_int) {
    // SAFETY: The caller's promise.
    unsafe { Beancounter::from_raw(ub) }
        .tcp_orphans
        .add(n, Relaxed);
}

/// Whether there are too many orphans.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_tcp_orphans_many(ub: *mut bindings::ubc, shift: c_int) -> bool {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };

    sockbuf::many_orphans(ub, u32::try_from(shift).unwrap_or(0))
}
