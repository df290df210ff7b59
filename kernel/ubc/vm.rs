// SPDX-License-Identifier: GPL-2.0

//! privvmpages: private writable address space.
//!
//! An operation on an address space first reserves what it may add, and when it is over the
//! charge is brought in line with what the mm itself counts (`data_vm` and `stack_vm`), so an
//! error path that forgets something cannot leak. The mmap lock, held for writing by all callers,
//! serialises this.

use crate::{
    bean::Beancounter,
    counter::{
        Refused,
        Severity, //
    },
    resource::Resource, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    sync::aref::ARef, //
};

const PRIV: Resource = Resource::PRIVVMPAGES;

/// The beancounter fields of an mm whose mmap lock is held for writing, or that nobody uses.
pub(crate) struct Space<'a> {
    ub: &'a mut *mut bindings::ubc,
    /// Pages charged for this mm.
    charged: &'a mut usize,
    data_vm: usize,
    stack_vm: usize,
}

impl<'a> Space<'a> {
    /// # Safety
    ///
    /// `mm` must be valid and, for `'a`, locked as the type demands.
    pub(crate) unsafe fn new(mm: *mut bindings::mm_struct) -> Self {
        // SAFETY: Valid by the caller's promise; only the lock's holder uses these fields. No
        // reference is made to the others, which change under different rules.
        unsafe {
            let mm = &raw mut (*mm).__bindgen_anon_1;

            Self {
                ub: &mut (*mm).ub,
                charged: &mut (*mm).ub_priv,
                data_vm: (*mm).data_vm,
                stack_vm: (*mm).stack_vm,
            }
        }
    }

    fn ub(&self) -> Option<&'a Beancounter> {
        // SAFETY: An mm holds a reference to its UB, and the lock keeps it.
        (!self.ub.is_null()).then(|| unsafe { Beancounter::from_raw(*self.ub) })
    }

    /// Charges `pages` that an operation is about to add.
    pub(crate) fn reserve(&mut self, pages: usize, severity: Severity) -> Result<(), Refused> {
        if let Some(ub) = self.ub() {
            ub.charge(PRIV, i64::try_from(pages).map_err(|_| Refused)?, severity)?;
            *self.charged = self.charged.wrapping_add(pages);
        }
        Ok(())
    }

    /// An operation is over: charge exactly what is mapped now.
    pub(crate) fn sync(&mut self) {
        let mapped = self.data_vm.wrapping_add(self.stack_vm);
        let Some(ub) = self.ub() else {
            return;
        };

        if let Some(surplus) = self.charged.checked_sub(mapped) {
            if surplus > 0 {
                ub.uncharge(PRIV, pages(surplus));
            }
        } else if ub
            .charge(PRIV, pages(mapped - *self.charged), Severity::Force)
            .is_err()
        {
            return;
        }
        *self.charged = mapped;
    }

    /// The address space is gone: return the rest and the reference.
    pub(crate) fn exit(&mut self) {
        let raw = core::mem::replace(self.ub, core::ptr::null_mut());

        if let Some(ub) = NonNull::new(raw) {
            // SAFETY: The mm's own reference, which it has given up.
            let ub = unsafe { ARef::<Beancounter>::from_raw(ub.cast()) };
            let charged = core::mem::take(self.charged);

            if charged > 0 {
                ub.uncharge(PRIV, pages(charged));
            }
        }
    }
}

/// Address spaces have far fewer pages than this type has numbers.
fn pages(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
