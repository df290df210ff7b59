// SPDX-License-Identifier: GPL-2.0

//! privvmpages and lockedpages: private writable and locked address space.
//!
//! An operation on an address space first reserves what it may add, and when it is over the
//! charges are brought in line with what the mm itself counts (`data_vm + stack_vm`, `locked_vm`),
//! so an error path that forgets something cannot leak. The mmap lock, held for writing by all callers,
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

/// What an address space pays for, by the counters of the mm itself.
#[derive(Clone, Copy)]
pub(crate) enum Class {
    /// privvmpages: `data_vm + stack_vm`.
    Private,
    /// lockedpages: `locked_vm`.
    Locked,
}

/// One class of one address space.
struct Account<'a> {
    res: Resource,
    /// Pages charged.
    charged: &'a mut usize,
    /// Pages that are there.
    actual: usize,
}

/// The beancounter fields of an mm whose mmap lock is held for writing, or that nobody uses.
pub(crate) struct Space<'a> {
    ub: &'a mut *mut bindings::ubc,
    private: Account<'a>,
    locked: Account<'a>,
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
                private: Account {
                    res: Resource::PRIVVMPAGES,
                    charged: &mut (*mm).ub_priv,
                    actual: (*mm).data_vm.wrapping_add((*mm).stack_vm),
                },
                locked: Account {
                    res: Resource::LOCKEDPAGES,
                    charged: &mut (*mm).ub_locked,
                    actual: (*mm).locked_vm,
                },
            }
        }
    }

    fn ub(&self) -> Option<&'a Beancounter> {
        // SAFETY: An mm holds a reference to its UB, and the lock keeps it.
        (!self.ub.is_null()).then(|| unsafe { Beancounter::from_raw(*self.ub) })
    }

    /// Charges `pages` that an operation is about to add.
    pub(crate) fn reserve(
        &mut self,
        class: Class,
        pages: usize,
        severity: Severity,
    ) -> Result<(), Refused> {
        let Some(ub) = self.ub() else {
            return Ok(());
        };
        let account = match class {
            Class::Private => &mut self.private,
            Class::Locked => &mut self.locked,
        };

        ub.charge(
            account.res,
            i64::try_from(pages).map_err(|_| Refused)?,
            severity,
        )?;
        *account.charged = account.charged.wrapping_add(pages);
        Ok(())
    }

    /// An operation is over: charge exactly what is there now.
    pub(crate) fn sync(&mut self) {
        if let Some(ub) = self.ub() {
            self.private.sync(ub);
            self.locked.sync(ub);
        }
    }

    /// The address space is gone: return the rest and the reference.
    pub(crate) fn exit(&mut self) {
        let raw = core::mem::replace(self.ub, core::ptr::null_mut());

        if let Some(ub) = NonNull::new(raw) {
            // SAFETY: The mm's own reference, which it has given up.
            let ub = unsafe { ARef::<Beancounter>::from_raw(ub.cast()) };

            for account in [&mut self.private, &mut self.locked] {
                account.actual = 0;
                account.sync(&ub);
            }
        }
    }
}

impl Account<'_> {
    fn sync(&mut self, ub: &Beancounter) {
        if let Some(surplus) = self.charged.checked_sub(self.actual) {
            if surplus > 0 {
                ub.uncharge(self.res, pages(surplus));
            }
        } else if ub
            .charge(
                self.res,
                pages(self.actual - *self.charged),
                Severity::Force,
            )
            .is_err()
        {
            return;
        }
        *self.charged = self.actual;
    }
}

/// Address spaces have far fewer pages than this type has numbers.
fn pages(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
