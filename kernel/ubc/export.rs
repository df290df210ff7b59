// SPDX-License-Identifier: GPL-2.0

//! The C face: `include/linux/ubc.h` and its parts, and `glue.h`.
//!
//! Everything here translates types and promises and calls safe code.

use crate::{
    bean::Beancounter,
    counter::{
        Refused,
        Severity, //
    },
    glue,
    resource::Resource,
    show,
    table, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::from_result,
    prelude::*,
    str::CStrExt,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::{
            Atomic,
            Relaxed, //
        }, //
    }, //
};

impl Severity {
    pub(crate) fn from_c(severity: bindings::ubc_severity) -> Self {
        match severity {
            bindings::ubc_severity_UBC_HARD => Self::Hard,
            bindings::ubc_severity_UBC_SOFT => Self::Soft,
            _ => Self::Force,
        }
    }
}

/// Moves the current task, with its numproc charge; `None` is the host.
fn attach(ub: Option<&Beancounter>) -> Result {
    let task = kernel::current!().as_ptr();
    // SAFETY: The field of the current task is changed by itself only; others read it under RCU or
    // its siglock.
    let field = unsafe { Atomic::from_ptr(&raw mut (*task).ub) };
    let old = field.load(Relaxed);

    let new = ub.map_or(core::ptr::null_mut(), Beancounter::as_raw);

    if old == new {
        return Ok(());
    }
    if let Some(ub) = ub {
        if ub.is_dying() {
            return Err(EBUSY);
        }
        ub.charge(Resource::NUMPROC, 1, Severity::Hard)
            .map_err(|_| ENOMEM)?;
    }
    // SAFETY: Whatever is charged to `new` through this task is kept by the charge made above.
    unsafe { bindings::ubc_switch_current(new) };
    if !old.is_null() {
        // SAFETY: This task's charge keeps its old UB until the next line.
        unsafe { Beancounter::from_raw(old) }.uncharge(Resource::NUMPROC, 1);
    }
    Ok(())
}

/// Makes a UB.
///
/// # Safety
///
/// None; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_create(id: u32) -> *mut bindings::ubc {
    match table::create(id) {
        Ok(ub) => ARef::into_raw(ub).as_ptr().cast(),
        Err(error) => error.to_ptr(),
    }
}

/// Ties a UB to a memory cgroup.
///
/// # Safety
///
/// Both pointers must be valid; may sleep; calls for one UB are serialised.
#[export]
pub(crate) unsafe extern "C" fn ubc_bind_cgroup(
    ub: *mut bindings::ubc,
    cgrp: *mut bindings::cgroup,
) -> c_int {
    from_result(|| {
        // SAFETY: The caller's promise.
        let ub = unsafe { Beancounter::from_raw(ub) };

        // SAFETY: The caller's promise.
        unsafe { ub.glue().bind(cgrp) }?;
        for (res, swap) in [(Resource::PHYSPAGES, false), (Resource::SWAPPAGES, true)] {
            let limit = ub.counter(res).limit();
            ub.glue().set_memory_limit(swap, limit);
        }
        ub.glue().trace_state(bindings::ubc_state_UBC_BOUND);
        Ok(0)
    })
}

/// Gives up a UB.
///
/// # Safety
///
/// `ub` must be the owner's reference, which is consumed; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_destroy(ub: *mut bindings::ubc) {
    if let Some(ub) = NonNull::new(ub.cast()) {
        // SAFETY: The owner's reference from `ubc_create`.
        table::destroy(unsafe { ARef::from_raw(ub) });
    }
}

/// Moves the current task into a UB.
///
/// # Safety
///
/// `ub` must be valid or null.
#[export]
pub(crate) unsafe extern "C" fn ubc_attach_current(ub: *mut bindings::ubc) -> c_int {
    let ub = if ub.is_null() {
        None
    } else {
        // SAFETY: The caller's promise.
        Some(unsafe { Beancounter::from_raw(ub) })
    };

    from_result(|| attach(ub).map(|()| 0))
}

/// Moves the current task into the UB of this id, which is made if there is none; 0 is the host.
/// Nobody owns a UB made so: it goes when the last charge does.
///
/// # Safety
///
/// None; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_attach_current_id(id: u32) -> c_int {
    from_result(|| {
        if id == 0 {
            return attach(None).map(|()| 0);
        }
        let ub = match table::by_id(id) {
            Some(ub) => ub,
            None => table::create(id).map_err(|_| ENOBUFS)?,
        };

        attach(Some(&ub)).map(|()| 0)
    })
}

/// Reads one resource of the UB with this id.
///
/// # Safety
///
/// `row` must be valid for writing; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_read_id(
    id: u32,
    res: u32,
    row: *mut bindings::ubc_row,
) -> c_int {
    from_result(|| {
        let ub = table::by_id(id).ok_or(ESRCH)?;
        let res = Resource::from_id(res).ok_or(EINVAL)?;

        // SAFETY: The caller's promise.
        unsafe { row.write(show::row(&ub, res).to_c()) };
        Ok(0)
    })
}

/// Charges a UB.
///
/// # Safety
///
/// `ub` must be valid and kept so by something else than this charge.
#[export]
pub(crate) unsafe extern "C" fn ubc_charge_slow(
    ub: *mut bindings::ubc,
    res: bindings::ubc_resource,
    n: usize,
    severity: bindings::ubc_severity,
) -> c_int {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };
    charge(res, n, |res, n| {
        ub.charge(res, n, Severity::from_c(severity))
    })
}

/// Tells what a charge on the fast path has made of a counter.
///
/// # Safety
///
/// As for [`ubc_charge_slow`].
#[export]
pub(crate) unsafe extern "C" fn ubc_charge_note(
    ub: *mut bindings::ubc,
    res: bindings::ubc_resource,
    held: i64,
) {
    if let Some(res) = Resource::from_id(res) {
        // SAFETY: The caller's promise.
        unsafe { Beancounter::from_raw(ub) }.note(res, held);
    }
}

/// Charges a UB; a refusal is not counted, because the caller tries again.
///
/// # Safety
///
/// As for [`ubc_charge_slow`].
#[export]
pub(crate) unsafe extern "C" fn ubc_try_charge(
    ub: *mut bindings::ubc,
    res: bindings::ubc_resource,
    n: usize,
    severity: bindings::ubc_severity,
) -> c_int {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };
    charge(res, n, |res, n| {
        ub.try_charge(res, n, Severity::from_c(severity))
    })
}

fn charge(
    res: bindings::ubc_resource,
    n: usize,
    how: impl FnOnce(Resource, i64) -> Result<(), Refused>,
) -> c_int {
    from_result(|| {
        let res = Resource::from_id(res).ok_or(EINVAL)?;
        let n = i64::try_from(n).map_err(|_| ENOMEM)?;

        how(res, n).map_err(|_| ENOMEM)?;
        Ok(0)
    })
}

/// Returns a charge.
///
/// # Safety
///
/// `n` units must have been charged to `ub`; it may be gone afterwards.
#[export]
pub(crate) unsafe extern "C" fn ubc_uncharge_slow(
    ub: *mut bindings::ubc,
    res: bindings::ubc_resource,
    n: usize,
) {
    if let Some(res) = Resource::from_id(res) {
        // SAFETY: The charge that is returned keeps it alive.
        unsafe { Beancounter::from_raw(ub) }.uncharge(res, glue::from_ulong(n));
    }
}

/// Takes a reference.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_get(ub: *mut bindings::ubc) {
    // SAFETY: The caller's promise.
    unsafe { Beancounter::from_raw(ub) }.inc_ref();
}

/// Drops a reference.
///
/// # Safety
///
/// The caller must own one.
#[export]
pub(crate) unsafe extern "C" fn ubc_put(ub: *mut bindings::ubc) {
    if let Some(ub) = NonNull::new(ub.cast::<Beancounter>()) {
        // SAFETY: The caller's promise.
        unsafe { Beancounter::dec_ref(ub) };
    }
}

/// The id of a UB.
///
/// # Safety
///
/// `ub` must be valid or have been so in this RCU read-side critical section.
#[export]
pub(crate) unsafe extern "C" fn ubc_id(ub: *const bindings::ubc) -> u32 {
    // SAFETY: The caller's promise; UBs are freed after a grace period.
    unsafe { Beancounter::from_raw(ub) }.id()
}

/// The creation number of a UB.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_generation(ub: *const bindings::ubc) -> u64 {
    // SAFETY: The caller's promise.
    unsafe { Beancounter::from_raw(ub) }.generation()
}

/// Counts a refusal that was decided elsewhere.
///
/// # Safety
///
/// As for [`ubc_id`].
#[export]
pub(crate) unsafe extern "C" fn ubc_fail(ub: *mut bindings::ubc, res: bindings::ubc_resource) {
    if let Some(res) = Resource::from_id(res) {
        // SAFETY: The caller's promise; UBs are freed after a grace period.
        unsafe { Beancounter::from_raw(ub) }.fail(res);
    }
}

/// Frees a UB; called by the C half a grace period after the last reference was dropped.
///
/// # Safety
///
/// Once for each UB.
#[export]
pub(crate) unsafe extern "C" fn ubc_release(ub: *mut bindings::ubc) {
    if let Some(ub) = NonNull::new(ub.cast()) {
        // SAFETY: The caller's promise.
        unsafe { table::release(ub) };
    }
}

/// The newest live UB not newer than `generation`, with a reference, or NULL.
///
/// # Safety
///
/// None; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_lookup_older(generation: u64) -> *mut bindings::ubc {
    table::not_newer(generation).map_or(core::ptr::null_mut(), |ub| {
        ARef::into_raw(ub).as_ptr().cast()
    })
}

/// The name of a resource.
///
/// # Safety
///
/// None.
#[export]
pub(crate) unsafe extern "C" fn ubc_resource_name(res: u32) -> *const c_char {
    let name = Resource::from_id(res).map_or(c"", Resource::name);

    name.as_char_ptr()
}
