// SPDX-License-Identifier: GPL-2.0

//! The recount: do the counters say what the objects say?
//!
//! `recount.c` and its neighbours find the objects; they are added up here, by the UB each of them
//! names as its payer, and compared with what that UB holds. A UB that is named is looked up and
//! never followed: in a kernel with a bug it may be gone.
//!
//! physpages and swappages have no counter here, that of the memory cgroup is looked at. Kernel
//! memory is what the statistics of the cgroup say. What is computed (the guarantees) is left out.
//!
//! Nothing is locked but the table, for a moment before the walk: UBs made later count as gone.

use crate::{
    bean::Beancounter,
    counter::Severity,
    glue::{
        self,
        Glue, //
    },
    resource::{
        Resource,
        COUNT, //
    },
    stock::Stock,
    table, //
};
use kernel::{
    bindings,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    str::{
        CStr,
        CStrExt, //
    },
    sync::aref::ARef, //
};

/// What one UB holds.
struct Row {
    ub: ARef<Beancounter>,
    /// By the objects that name it, for each resource.
    counts: [i64; COUNT],
    /// What its memory cgroup says.
    memory: bindings::ubc_memory,
}

/// One count of everything, made by one task.
struct Recount {
    /// By address.
    rows: KVec<Row>,
    /// Objects whose payer is not there.
    lost: [i64; COUNT],
}

impl Recount {
    /// Counts for all UBs, still zero.
    fn new() -> Result<Self> {
        let mut rows = KVec::new();

        for ub in table::all()? {
            let row = Row {
                ub,
                counts: [0; COUNT],
                memory: bindings::ubc_memory::default(),
            };
            rows.push(row, GFP_KERNEL)?;
        }
        rows.sort_unstable_by_key(|row| row.ub.as_raw());
        Ok(Self {
            rows,
            lost: [0; COUNT],
        })
    }

    /// An object that `ub` should pay `n` units for; null is the host, which pays nothing.
    fn add(&mut self, ub: *const bindings::ubc, res: Resource, n: i64) {
        if ub.is_null() {
            return;
        }
        let at = self
            .rows
            .binary_search_by_key(&ub, |row| row.ub.as_raw().cast_const())
            .ok();
        let counts = match at.and_then(|at| self.rows.get_mut(at)) {
            Some(row) => &mut row.counts,
            None => &mut self.lost,
        };

        add_to(counts, res, n);
    }

    /// Finds all objects. May sleep.
    fn walk(&mut self) {
        // SAFETY: `ubc_recount_walk` hands the pointer to `ubc_recount_add` only, on this task, and
        // forgets it before it returns.
        unsafe { bindings::ubc_recount_walk(core::ptr::from_mut(self).cast()) };
        for row in &mut self.rows {
            row.memory = row.ub.glue().recount();
            add_to(&mut row.counts, Resource::KMEMSIZE, row.memory.kmem);
            add_to(&mut row.counts, Resource::PHYSPAGES, row.memory.kernel);
        }
    }

    /// One line for each UB and resource that is not zero twice, oldest UB first.
    fn show(&mut self, m: &SeqFile) {
        self.rows.sort_unstable_by_key(|row| row.ub.generation());
        seq_print!(m, "ID GEN resource held recounted\n");
        for row in &self.rows {
            let (id, generation) = (row.ub.id(), row.ub.generation());

            lines(m, id, generation, &row.counts, |res| match res {
                Resource::PHYSPAGES => row.memory.phys,
                Resource::SWAPPAGES => row.memory.swap,
                _ => held(&row.ub, res),
            });
        }
        lines(m, u32::MAX, 0, &self.lost, |_| 0);
    }
}

impl Glue {
    /// What the memory cgroup says, if its UB pays for anything there. May sleep.
    fn recount(&self) -> bindings::ubc_memory {
        let mut memory = bindings::ubc_memory::default();

        // SAFETY: A `Glue` is valid until it is dropped, and `memory` is written before the call
        // returns.
        unsafe { bindings::ubc_glue_recount(self.as_ptr(), &mut memory) };
        memory
    }

    /// Makes a counter of the memory cgroup wrong.
    fn skew(&self, swap: bool, n: i64) -> Result {
        // SAFETY: A `Glue` is valid until it is dropped; any number is checked.
        to_result(unsafe { bindings::ubc_glue_skew(self.as_ptr(), swap, n) })
    }
}

fn add_to(counts: &mut [i64; COUNT], res: Resource, n: i64) {
    if let Some(count) = counts.get_mut(res.index()) {
        *count = count.saturating_add(n);
    }
}

/// What is in use by the counters, even if that is less than nothing.
fn held(ub: &Beancounter, res: Resource) -> i64 {
    ub.counter(res).held() - Stock::of(ub, res).map_or(0, |stock| stock.total())
}

fn lines(
    m: &SeqFile,
    id: u32,
    generation: u64,
    counts: &[i64; COUNT],
    held: impl Fn(Resource) -> i64,
) {
    for (res, &recounted) in Resource::all().zip(counts) {
        let held = held(res);

        if is_recounted(res) && (held != 0 || recounted != 0) {
            seq_print!(
                m,
                "{id} {generation} {} {held} {recounted}\n",
                res.name().to_str().unwrap_or("")
            );
        }
    }
}

fn is_recounted(res: Resource) -> bool {
    !res.is_dummy() && ![Resource::VMGUARPAGES, Resource::OOMGUARPAGES].contains(&res)
}

/// Makes a counter wrong by `n`, which may be negative.
fn skew(id: u32, name: &CStr, n: i64) -> Result {
    let ub = table::by_id(id).ok_or(ENOENT)?;
    let res = Resource::all()
        .find(|&res| is_recounted(res) && res.name() == name)
        .ok_or(EINVAL)?;

    match res {
        Resource::PHYSPAGES => return ub.glue().skew(false, n),
        Resource::SWAPPAGES => return ub.glue().skew(true, n),
        _ => {}
    }
    if n >= 0 {
        // Nothing is above this bound.
        let _ = ub.charge(res, n, Severity::Force);
    } else {
        let n = n.checked_neg().filter(|&n| n <= held(&ub, res));
        ub.uncharge(res, n.ok_or(EINVAL)?);
    }
    Ok(())
}

/// Adds an object to a recount.
///
/// # Safety
///
/// `rc` must be what the caller was given by [`Recount::walk`], which waits for it.
#[export]
pub(crate) unsafe extern "C" fn ubc_recount_add(
    rc: *mut bindings::ubc_recount,
    ub: *const bindings::ubc,
    res: bindings::ubc_resource,
    n: usize,
) {
    // SAFETY: The caller's promise; the walk is done by one task.
    let recount = unsafe { &mut *rc.cast::<Recount>() };

    recount.add(ub, Resource::from_index(res as usize), glue::from_ulong(n));
}

/// Recounts everything and prints it.
///
/// # Safety
///
/// `m` must be the seq_file that is being shown; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_recount_show(m: *mut bindings::seq_file) -> c_int {
    from_result(|| {
        let mut recount = Recount::new()?;

        recount.walk();
        // SAFETY: The caller's promise.
        recount.show(unsafe { SeqFile::from_raw(m) });
        Ok(0)
    })
}

/// Makes a counter wrong.
///
/// # Safety
///
/// `name` must be a string; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_recount_skew(id: u32, name: *const c_char, n: i64) -> c_int {
    // SAFETY: The caller's promise.
    let name = unsafe { CStr::from_char_ptr(name) };

    from_result(|| skew(id, name, n).map(|()| 0))
}

#[kunit_tests(ubc_recount)]
mod tests {
    use super::*;

    #[test]
    fn payer_that_is_not_there_is_lost() {
        let mut recount = Recount {
            rows: KVec::new(),
            lost: [0; COUNT],
        };

        recount.add(core::ptr::null(), Resource::NUMFILE, 1);
        assert_eq!(recount.lost, [0; COUNT]);
        recount.add(core::ptr::dangling(), Resource::NUMFILE, 2);
        assert_eq!(recount.lost[Resource::NUMFILE.index()], 2);
    }

    #[test]
    fn all_but_guarantees_are_recounted() {
        assert!(is_recounted(Resource::PHYSPAGES));
        assert!(!is_recounted(Resource::VMGUARPAGES));
        assert_eq!(Resource::all().filter(|&res| is_recounted(res)).count(), 19);
    }
}
