// SPDX-License-Identifier: GPL-2.0

//! tcpsndbuf, tcprcvbuf, othersockbuf, dgramrcvbuf: who may have how much.
//!
//! `sock_mem.c` and `sock_queue.c` say what a socket needs, charge it as long as that stays within
//! the barrier (`sock.h`), and come here beyond it. A socket is charged in whole pages and remembers
//! how many, so what it has charged is returned exactly, whatever was lost on the way.
//!
//! The room between barrier and limit is a reserve: beyond the barrier a sender gets only its
//! share of it, the reserve divided by the number of sockets there may be, but at least one page.
//! A TCP socket with an empty receive queue may use all of it. The callers also make progress
//! certain: a buffer for a socket with nothing outstanding is forced.
//!
//! No locks: any context but NMI.

use crate::{
    bean::Beancounter,
    counter::{
        Counter,
        Refused, //
    },
    resource::Resource, //
};
use kernel::{
    bindings,
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        Atomic,
        Full,
        Relaxed, //
    }, //
};

/// Bytes in a page. A page is smaller than any number of bytes that matters here.
const PAGE: i64 = PAGE_SIZE as i64;

/// What one socket has charged to one resource.
pub(crate) struct Side<'a> {
    ub: &'a Beancounter,
    res: Resource,
    /// Pages.
    held: &'a Atomic<i32>,
}

impl<'a> Side<'a> {
    /// # Safety
    ///
    /// For `'a`, `ub` must be valid, and so must `held`, the pages charged to `res`, which is only
    /// accessed atomically.
    pub(crate) unsafe fn new(
        ub: *mut bindings::ubc,
        res: bindings::ubc_resource,
        held: *const bindings::atomic_t,
    ) -> Self {
        Self {
            // SAFETY: The caller's promise.
            ub: unsafe { Beancounter::from_raw(ub) },
            res: Resource::from_index(res as usize),
            // SAFETY: An `atomic_t` is an aligned `i32`; the rest is the caller's promise.
            held: unsafe { Atomic::from_ptr(held.cast_mut().cast()) },
        }
    }

    pub(crate) fn counter(&self) -> &'a Counter {
        self.ub.counter(self.res)
    }

    /// Number of sockets of this kind there may be.
    fn sockets(&self) -> i64 {
        let res = match self.res {
            Resource::TCPSNDBUF | Resource::TCPRCVBUF => Resource::NUMTCPSOCK,
            _ => Resource::NUMOTHERSOCK,
        };

        self.ub.counter(res).limit().max(1)
    }

    /// What `held` of the UB may come to when this socket gets `n` more pages to send.
    pub(crate) fn send_bound(&self, n: i32) -> i64 {
        let own = bytes(self.held.load(Relaxed)) + bytes(n);

        send_bound(self.counter(), self.sockets(), own)
    }

    /// ... to receive. Every other socket must still be able to get a `segment` of bytes then.
    pub(crate) fn receive_bound(&self, segment: i32) -> i64 {
        if self.res == Resource::TCPRCVBUF {
            let reserve = self.sockets().saturating_mul(i64::from(segment));
            receive_bound(self.counter(), reserve)
        } else {
            self.counter().barrier()
        }
    }

    fn charge(&self, n: i32, bound: i64) -> Result<(), Refused> {
        self.ub.charge_to(self.res, bytes(n), bound)?;
        self.held.fetch_add(n, Full);
        Ok(())
    }

    /// Charges up to `bound` or counts a failure, if that is wanted.
    pub(crate) fn request(&self, n: i32, bound: i64, count: bool) -> bool {
        let granted = self.charge(n, bound).is_ok();

        if !granted && count {
            self.ub.refuse(self.res, bytes(n), bound, false);
        }
        granted
    }
}

/// The bound for a sender who would have `own` bytes then, one of `sockets`.
fn send_bound(counter: &Counter, sockets: i64, own: i64) -> i64 {
    let (barrier, limit) = (counter.barrier(), counter.limit());
    let share = limit.saturating_sub(barrier) / sockets;

    if own <= share.max(PAGE) {
        limit
    } else {
        barrier.min(limit)
    }
}

/// The bound for a TCP receiver when others may still need `reserve` bytes.
fn receive_bound(counter: &Counter, reserve: i64) -> i64 {
    let (barrier, limit) = (counter.barrier(), counter.limit());

    limit.saturating_sub(reserve).max(barrier).min(limit)
}

/// Far fewer than 2^63.
pub(crate) fn bytes(pages: i32) -> i64 {
    i64::from(pages) * PAGE
}

/// Whether TCP has to be careful: more than 3/4 of the barrier of tcprcvbuf are in use.
pub(crate) fn is_tight(ub: &Beancounter) -> bool {
    let counter = ub.counter(Resource::TCPRCVBUF);

    counter.held() > counter.barrier() / 4 * 3
}

/// Whether the window of a socket with this `sk_rcvbuf` may grow: always unless it is tight, then
/// up to the barrier, if the socket has less than its share.
pub(crate) fn may_grow(ub: &Beancounter, rcvbuf: i64) -> bool {
    let counter = ub.counter(Resource::TCPRCVBUF);
    let sockets = ub.counter(Resource::NUMTCPSOCK).held().max(0);
    let share = counter.barrier() / sockets.saturating_add(1);

    !is_tight(ub) || (counter.held() <= counter.barrier() && rcvbuf <= share)
}

/// Whether there are more orphaned TCP sockets, each taken `2^shift` times, than a quarter of those
/// there may be.
pub(crate) fn many_orphans(ub: &Beancounter, shift: u32) -> bool {
    let orphans = i64::from(ub.tcp_orphans.load(Relaxed)).max(0);

    orphans << shift.min(8) > ub.counter(Resource::NUMTCPSOCK).barrier() / 4
}

#[kunit_tests(ubc_sockbuf)]
mod tests {
    use super::*;
    use crate::counter::UNLIMITED;

    #[test]
    fn only_a_share_beyond_the_barrier() {
        let c = Counter::new(10 * PAGE, 30 * PAGE);

        assert_eq!(send_bound(&c, 10, 2 * PAGE), 30 * PAGE);
        assert_eq!(send_bound(&c, 10, 2 * PAGE + 1), 10 * PAGE);
        // A share is never less than a page.
        assert_eq!(send_bound(&c, UNLIMITED, PAGE), 30 * PAGE);
        assert_eq!(send_bound(&c, UNLIMITED, 2 * PAGE), 10 * PAGE);
    }

    #[test]
    fn the_limit_is_never_exceeded() {
        let c = Counter::new(UNLIMITED, PAGE);

        assert_eq!(send_bound(&c, 1, 2 * PAGE), PAGE);
        assert_eq!(receive_bound(&c, 0), PAGE);
    }

    #[test]
    fn receivers_leave_room_for_others() {
        let c = Counter::new(10 * PAGE, 30 * PAGE);

        assert_eq!(receive_bound(&c, 0), 30 * PAGE);
        assert_eq!(receive_bound(&c, 5 * PAGE), 25 * PAGE);
        assert_eq!(receive_bound(&c, UNLIMITED), 10 * PAGE);
    }
}
