// SPDX-License-Identifier: GPL-2.0

//! The beancounter object.
//!
//! There is one [`Beancounter`] for each container that runs or that still has something charged,
//! and one for the host. It is made by the container's owner, who holds a reference until the
//! container is gone. Besides, every resource that is not zero counts as one reference, so an
//! object with a charge needs none of its own: the charge is the reference. Whoever charges must
//! be kept alive by something else meanwhile (its own numproc charge, the object it clones).

use crate::{
    counter::{
        moves_quiet,
        Counter,
        Edge,
        Refused,
        Severity, //
    },
    glue::{
        nr_cpus,
        Glue,
        Key,
        NoPreempt, //
    },
    pressure::Levels,
    resource::{
        self,
        Resource, //
    },
    stock::Stock, //
};
use core::{
    mem::{
        offset_of,
        size_of, //
    },
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    processor::cpu_relax,
    sync::{
        aref::AlwaysRefCounted,
        atomic::{
            Acquire,
            Atomic,
            AtomicFlag,
            Full,
            Relaxed, //
        },
        barrier::{
            smp_mb,
            Read, //
        },
        rcu, //
    },
    types::Opaque, //
};

/// One user beancounter (UB). C code knows it as `struct ubc`, which is its head.
#[repr(C)]
pub(crate) struct Beancounter {
    /// What C code uses on its fast paths; must be the first field.
    head: Opaque<bindings::ubc>,
    /// C code finds them there.
    counters: [Counter; resource::COUNT],
    /// How close each resource is to its bound.
    pub(crate) levels: Levels,
    /// TCP sockets that no file refers to any more. Each of them is charged to this UB.
    pub(crate) tcp_orphans: Atomic<i32>,
    /// TCP sockets in time-wait. Each of them has a reference.
    pub(crate) tcp_timewait: Atomic<i64>,
    /// Is the owner gone? No attachment and no stock any more.
    dying: AtomicFlag,
    /// What users call it. Several UBs may have the same id, all but one of them dying.
    id: u32,
    /// Counts UBs since boot; 0 is the host.
    generation: u64,
    /// CPUs that may ever be online: each may have stock.
    cpus: i64,
    /// The last search for an OOM victim that looked here.
    oom_round: Atomic<u64>,
    /// Dropped before `key`: fields are dropped in order.
    glue: Glue,
    /// The host needs no hooks.
    _key: Option<Key>,
}

// `struct ubc` ends with them.
const _: () = assert!(offset_of!(Beancounter, counters) == size_of::<bindings::ubc>());

// SAFETY: A `Beancounter` consists of atomics, constants and `Glue`, which is `Send`.
unsafe impl Send for Beancounter {}

// SAFETY: As above; `Glue` is `Sync`.
unsafe impl Sync for Beancounter {}

// SAFETY: The object is freed by `table::release`, which runs when the last reference is gone.
// All instances are made by `Beancounter::new` with one reference.
unsafe impl AlwaysRefCounted for Beancounter {
    fn inc_ref(&self) {
        self.refs().fetch_add(1, Relaxed);
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference, so the object is alive.
        unsafe { obj.as_ref() }.drop_ref();
    }
}

impl Beancounter {
    /// A UB with one reference and nothing charged, known to nobody yet.
    pub(crate) fn new(id: u32, generation: u64) -> Result<KBox<Self>> {
        let key = (generation != 0).then(Key::new);
        let glue = Glue::new()?;
        let ub = KBox::init(
            try_init!(Self {
                head: Opaque::new(bindings::ubc::default()),
                counters <- pin_init::init_array_from_fn(|index| {
                    let (barrier, limit) = Resource::from_index(index).initial_bounds();
                    Counter::new(barrier, limit)
                }),
                levels <- Levels::new(),
                tcp_orphans: Atomic::new(0),
                tcp_timewait: Atomic::new(0),
                dying: AtomicFlag::new(false),
                id,
                generation,
                cpus: nr_cpus(),
                oom_round: Atomic::new(0),
                glue,
                _key: key,
            }? Error),
            GFP_KERNEL,
        )?;
        ub.refs().store(1, Relaxed);
        ub.glue.set_owner(&ub);
        ub.stocks().for_each(|stock| stock.update());
        Ok(ub)
    }

    /// The pointer that C code knows the UB by.
    pub(crate) fn as_raw(&self) -> *mut bindings::ubc {
        core::ptr::from_ref(self).cast_mut().cast()
    }

    /// # Safety
    ///
    /// `ptr` must come from [`Self::as_raw`] of a UB that is kept alive for `'a`.
    pub(crate) unsafe fn from_raw<'a>(ptr: *const bindings::ubc) -> &'a Self {
        // SAFETY: The caller's promise.
        unsafe { &*ptr.cast() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn is_host(&self) -> bool {
        self.generation == 0
    }

    pub(crate) fn is_dying(&self) -> bool {
        self.dying.load(Acquire)
    }

    /// Forbids attachments and stock from now on.
    ///
    /// Returns whether this is the first call. Others stop using stock only after a grace period.
    pub(crate) fn set_dying(&self) -> bool {
        let first = !self.dying.xchg(true, Full);

        self.stocks().for_each(|stock| stock.forbid());
        first
    }

    /// What the fast paths may let a slot grow to, see `ubc_stock_change()`.
    pub(crate) fn stocking(&self, index: u32) -> &Atomic<u32> {
        let head = self.head.get();

        // SAFETY: `head` is valid as long as `self`; the field is read and written atomically
        // only.
        unsafe { Atomic::from_ptr(&raw mut (*head).stocking[index as usize]) }
    }

    /// The owner, open files, address spaces, and one for each resource that is not zero.
    fn refs(&self) -> &Atomic<i64> {
        let head = self.head.get();

        // SAFETY: As above; an `atomic64_t` is a wrapped `s64` that is changed atomically only.
        unsafe { Atomic::from_ptr(&raw mut (*head).refs.counter) }
    }

    pub(crate) fn glue(&self) -> &Glue {
        &self.glue
    }

    pub(crate) fn counter(&self, res: Resource) -> &Counter {
        // A `Resource` is always a valid index.
        &self.counters[res.index()]
    }

    pub(crate) fn cpus(&self) -> i64 {
        self.cpus
    }

    /// Whether this search for an OOM victim was here before.
    pub(crate) fn oom_seen(&self, round: u64) -> bool {
        self.oom_round.load(Relaxed) == round
    }

    pub(crate) fn set_oom_seen(&self, round: u64) {
        self.oom_round.store(round, Relaxed);
    }

    /// Takes a reference unless the last one is gone.
    pub(crate) fn try_get(&self) -> bool {
        let mut old = self.refs().load(Relaxed);

        while old > 0 {
            match self.refs().cmpxchg(old, old + 1, Relaxed) {
                Ok(_) => return true,
                Err(seen) => old = seen,
            }
        }
        false
    }

    /// Whether anything but the caller's own reference keeps the UB.
    pub(crate) fn is_shared(&self) -> bool {
        self.refs().load(Relaxed) > 1
    }

    fn drop_ref(&self) {
        if self.refs().fetch_sub(1, Full) == 1 {
            self.glue.release_later();
        }
    }

    /// Charges `n` units; a refusal is counted, and logged if it breaks something.
    pub(crate) fn charge(&self, res: Resource, n: i64, severity: Severity) -> Result<(), Refused> {
        let result = self.try_charge(res, n, severity);

        if result.is_err() {
            self.refuse(
                res,
                n,
                self.counter(res).bound(severity),
                severity == Severity::Soft,
            );
        }
        result
    }

    /// Charges `n` units, for callers who may try again before they call it a refusal.
    pub(crate) fn try_charge(
        &self,
        res: Resource,
        n: i64,
        severity: Severity,
    ) -> Result<(), Refused> {
        let counter = self.counter(res);

        match Stock::of(self, res) {
            None => self.enter(res, counter.try_charge(n, counter.bound(severity))),
            Some(stock) => self.charge_stocked(&stock, n, severity),
        }
    }

    /// Counts a refused charge and tells whom it concerns.
    pub(crate) fn refuse(&self, res: Resource, n: i64, bound: i64, soft: bool) {
        self.counter(res).fail();
        self.glue.refused(res, n, self.in_use(res), bound, soft);
    }

    /// Counts a refusal that was decided elsewhere.
    pub(crate) fn fail(&self, res: Resource) {
        self.counter(res).fail();
        self.glue.failed(res);
        // No charge does that for what is counted elsewhere.
        if matches!(res, Resource::PHYSPAGES | Resource::SWAPPAGES) {
            self.judge(res);
        }
    }

    /// What is left to do when C code has charged and brought `held` to this value.
    pub(crate) fn note(&self, res: Resource, held: i64) {
        self.counter(res).raise_maxheld(held);
        if self.counter(res).is_above() {
            self.judge(res);
        }
    }

    /// Charges `n` units if `held` stays within a bound of the caller's, who counts the refusal.
    ///
    /// Only for resources without stock.
    pub(crate) fn charge_to(&self, res: Resource, n: i64, bound: i64) -> Result<(), Refused> {
        self.enter(res, self.counter(res).try_charge(n, bound))
    }

    /// Gives back `n` units that were charged before.
    pub(crate) fn uncharge(&self, res: Resource, n: i64) {
        if let Some(stock) = Stock::of(self, res) {
            if stock.put(n, &rcu::read_lock()) || self.spill(&stock, n) {
                return;
            }
        }
        if self.counter(res).is_watched() {
            return self.uncharge_watched(res, n);
        }
        self.leave(self.counter(res).uncharge(n));
    }

    /// The same under pressure.
    ///
    /// A return that overtakes the mark of its own level comes here too late; the next one, or a
    /// reader, finds the level too high.
    #[cold]
    fn uncharge_watched(&self, res: Resource, n: i64) {
        // The UB is freed after a grace period: a last reference that is dropped below, or by
        // somebody else as soon as `n` is returned, leaves it until the end of this section.
        let _guard = rcu::read_lock();

        self.leave(self.counter(res).uncharge(n));
        if self.counter(res).is_below() {
            self.judge(res);
        }
    }

    /// What is in use: `held` less the per-CPU stock.
    pub(crate) fn in_use(&self, res: Resource) -> i64 {
        let stocked = Stock::of(self, res).map_or(0, |stock| stock.total());

        (self.counter(res).held() - stocked).max(0)
    }

    /// Returns all per-CPU stock to the counters.
    pub(crate) fn drain(&self) {
        for stock in self.stocks() {
            self.steal(&stock);
        }
    }

    /// All resources that may have stock.
    pub(crate) fn stocks(&self) -> impl Iterator<Item = Stock<'_>> {
        [
            Resource::NUMFILE,
            Resource::PRIVVMPAGES,
            Resource::DCACHESIZE,
        ]
        .into_iter()
        .filter_map(|res| Stock::of(self, res))
    }

    /// A refusal stands only if `held` was too high at a moment when all slots were empty.
    ///
    /// They were, when one after the other has been found empty, if none was put into since
    /// before. That alone is not enough: units may leave a slot that is still to be looked at, be
    /// used, and be returned to `held` meanwhile, which has thus to be tried after the slots.
    fn charge_stocked(&self, stock: &Stock<'_>, n: i64, severity: Severity) -> Result<(), Refused> {
        let (res, counter) = (stock.resource(), stock.counter());

        if stock.take(n, &rcu::read_lock()) {
            return Ok(());
        }
        if let Some(edge) = stock.refill(n, &NoPreempt::new()) {
            return self.enter(res, Ok(edge));
        }
        let mut seen = None;
        loop {
            let tried = counter.try_charge(n, counter.bound(severity));

            if tried.is_ok() {
                return self.enter(res, tried);
            }
            // Orders `held` before the second snapshot.
            smp_mb(Read);
            let now = (counter.moves(), stock.puts());
            if moves_quiet(now.0) && seen == Some(now) {
                return Err(Refused);
            }
            // ... and the slots after the first.
            smp_mb(Read);
            seen = (!self.steal(stock)).then_some(now);
            // ... and the slots before `held`.
            smp_mb(Read);
            cpu_relax();
        }
    }

    /// Gives back `n` units and makes room in the slot of this CPU; whether it was full.
    fn spill(&self, stock: &Stock<'_>, n: i64) -> bool {
        // Keeps the UB, as in `uncharge_watched`.
        let guard = NoPreempt::new();
        let Some(edge) = stock.spill(n, &guard) else {
            return false;
        };

        self.leave(edge);
        if stock.counter().is_below() {
            self.judge(stock.resource());
        }
        true
    }

    /// Moves the stock of all CPUs back; whether there was any.
    fn steal(&self, stock: &Stock<'_>) -> bool {
        if stock.total() == 0 {
            return false;
        }
        // A mover must not be preempted: others wait for it.
        let _guard = NoPreempt::new();
        let counter = stock.counter();

        counter.begin_move();
        let n = stock.empty();
        let edge = counter.uncharge(n);
        counter.end_move();
        self.leave(edge);
        if counter.is_below() {
            self.judge(stock.resource());
        }
        true
    }

    /// A resource that leaves zero holds a reference.
    fn enter(&self, res: Resource, charged: Result<Edge, Refused>) -> Result<(), Refused> {
        if charged? == Edge::Crossed {
            self.inc_ref();
        }
        if self.counter(res).is_above() {
            self.judge(res);
        }
        Ok(())
    }

    /// ... until it returns to zero.
    fn leave(&self, edge: Edge) {
        if edge == Edge::Crossed {
            self.drop_ref();
        }
    }
}
