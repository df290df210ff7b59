// SPDX-License-Identifier: GPL-2.0

//! The C face of what address spaces, shared memory and the OOM killer ask.

use crate::{
    bean::Beancounter,
    counter::{
        Severity,
        UNLIMITED, //
    },
    glue,
    oom,
    resource::Resource,
    vm::{
        Class,
        Space, //
    }, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::from_result,
    prelude::*,
    sync::aref::ARef, //
};

/// Charges address space before it is mapped.
///
/// # Safety
///
/// `mm` must be valid and its mmap lock held for writing.
#[export]
pub(crate) unsafe extern "C" fn ubc_vm_reserve_slow(
    mm: *mut bindings::mm_struct,
    pages: usize,
    severity: bindings::ubc_severity,
) -> c_int {
    // SAFETY: The caller's promise.
    reserve(unsafe { Space::new(mm) }, Class::Private, pages, severity)
}

/// Charges address space before it is locked.
///
/// # Safety
///
/// As for [`ubc_vm_reserve_slow`].
#[export]
pub(crate) unsafe extern "C" fn ubc_locked_reserve_slow(
    mm: *mut bindings::mm_struct,
    pages: usize,
    severity: bindings::ubc_severity,
) -> c_int {
    // SAFETY: The caller's promise.
    reserve(unsafe { Space::new(mm) }, Class::Locked, pages, severity)
}

fn reserve(
    mut space: Space<'_>,
    class: Class,
    pages: usize,
    severity: bindings::ubc_severity,
) -> c_int {
    match space.reserve(class, pages, Severity::from_c(severity)) {
        Ok(()) => 0,
        Err(_) => ENOMEM.to_errno(),
    }
}

/// Brings the charges of an address space in line with its size.
///
/// # Safety
///
/// As for [`ubc_vm_reserve_slow`].
#[export]
pub(crate) unsafe extern "C" fn ubc_vm_sync_slow(mm: *mut bindings::mm_struct) {
    // SAFETY: The caller's promise.
    unsafe { Space::new(mm) }.sync();
}

/// Returns the charges of an address space that has no user any more.
///
/// # Safety
///
/// `mm` must be valid and nobody else may use it.
#[export]
pub(crate) unsafe extern "C" fn ubc_mm_exit_slow(mm: *mut bindings::mm_struct) {
    // SAFETY: The caller's promise.
    unsafe { Space::new(mm) }.exit();
}

/// Charges pages of shared memory, to shmpages and privvmpages. A `test` that fails is no refusal.
///
/// # Safety
///
/// `ub` must be valid and kept so by something else than this charge.
#[export]
pub(crate) unsafe extern "C" fn ubc_shm_charge_slow(
    ub: *mut bindings::ubc,
    pages: usize,
    test: bool,
) -> c_int {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };

    from_result(|| {
        let n = i64::try_from(pages).map_err(|_| ENOMEM)?;
        let charge = |res| {
            if test {
                ub.try_charge(res, n, Severity::Hard)
            } else {
                ub.charge(res, n, Severity::Hard)
            }
            .map_err(|_| ENOMEM)
        };

        charge(Resource::SHMPAGES)?;
        charge(Resource::PRIVVMPAGES).inspect_err(|_| ub.uncharge(Resource::SHMPAGES, n))?;
        Ok(0)
    })
}

/// Returns pages of shared memory.
///
/// # Safety
///
/// They must have been charged by [`ubc_shm_charge_slow`], and a reference must keep `ub`.
#[export]
pub(crate) unsafe extern "C" fn ubc_shm_uncharge_slow(ub: *mut bindings::ubc, pages: usize) {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };
    let n = glue::from_ulong(pages);

    ub.uncharge(Resource::SHMPAGES, n);
    ub.uncharge(Resource::PRIVVMPAGES, n);
}

/// What part of `pages` of RAM a UB may use.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_ram_slow(ub: *mut bindings::ubc, pages: usize) -> usize {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };
    let ram = ub.glue().memory(false).map_or(UNLIMITED, |m| m.limit);
    let most = if ram < UNLIMITED {
        ram
    } else {
        ub.counter(Resource::PRIVVMPAGES).limit()
    };

    usize::try_from(most).map_or(pages, |most| pages.min(most))
}

/// Whether a UB is within its vmguarpages.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_vm_guaranteed_slow(ub: *mut bindings::ubc) -> bool {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };

    ub.in_use(Resource::PRIVVMPAGES) <= ub.counter(Resource::VMGUARPAGES).barrier()
}

/// The next UB to look for a victim in, with a reference; takes the last one's.
///
/// # Safety
///
/// The caller holds `oom_lock`, and `tried` is what this returned before, or null to begin.
#[export]
pub(crate) unsafe extern "C" fn ubc_oom_worst(tried: *mut bindings::ubc) -> *mut bindings::ubc {
    // SAFETY: The reference was returned below.
    let tried = NonNull::new(tried.cast()).map(|ub| unsafe { ARef::<Beancounter>::from_raw(ub) });

    // SAFETY: The caller's promise.
    unsafe { oom::worst(tried.is_none()) }.map_or(core::ptr::null_mut(), |ub| {
        ARef::into_raw(ub).as_ptr().cast()
    })
}
