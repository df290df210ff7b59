// SPDX-License-Identifier: GPL-2.0
//! Beancounter entries of the parameter table.

use super::Apply;
use super::Column;
use super::Group;
use super::Kind;
use super::Param;
use super::Scale;
use super::Support;
use crate::units::Unit;

const fn ubc(
    id: u32,
    name: &'static str,
    option: &'static str,
    header: &'static str,
    unit: Unit,
    help: &'static str,
    refused: &'static str,
) -> Param {
    Param {
        name,
        read_aliases: &[],
        option,
        more_options: &[],
        kind: Kind::Pair(unit),
        apply: Apply::Live,
        support: Support::Full,
        group: Group::Ubc,
        value: match unit {
            Unit::Bytes => "BYTES[:BYTES]",
            Unit::Pages => "PAGES[:PAGES]",
            Unit::Count => "NUM[:NUM]",
        },
        help,
        default: "",
        resource: Some(id),
        refused,
        least: 0,
        scale: Scale::Numbers,
        own: false,
        column: Some(Column {
            field: option,
            header,
            width: 10,
            right: true,
        }),
    }
}

const fn alias(mut param: Param, aliases: &'static [&'static str]) -> Param {
    param.read_aliases = aliases;
    param
}

const fn least(mut param: Param, least: u64) -> Param {
    param.least = least;
    param
}

use Unit::Bytes;
use Unit::Count;
use Unit::Pages;

/// In the order in which the kernel prints them.
#[rustfmt::skip]
pub(super) const ENTRIES: [Param; 21] = [
    ubc(0, "KMEMSIZE", "kmemsize", "KMEMSIZE", Bytes, "Kernel memory that cannot be swapped",
        "ENOMEM from the call that needed kernel memory; \
         in a page fault, the VE's out-of-memory killer acts"),
    ubc(1, "LOCKEDPAGES", "lockedpages", "LOCKEDP", Pages, "Memory locked with mlock",
        "ENOMEM from mlock, mmap and shmctl; SIGSEGV when a locked stack grows"),
    ubc(2, "PRIVVMPAGES", "privvmpages", "PRIVVMP", Pages, "Private writable address space",
        "ENOMEM from mmap, brk and fork; SIGSEGV when a stack grows; SIGKILL late in exec"),
    ubc(3, "SHMPAGES", "shmpages", "SHMP", Pages, "Shared memory and tmpfs",
        "ENOMEM from shmget and mmap; ENOSPC from a write to tmpfs; \
         SIGBUS on touching a hole of a tmpfs file"),
    ubc(5, "NUMPROC", "numproc", "NPROC", Count, "Processes and threads",
        "ENOMEM from fork and clone; EAGAIN from pthread_create"),
    ubc(6, "PHYSPAGES", "physpages", "PHYSP", Pages, "RAM in use; the limit is enforced",
        "memory is reclaimed and swapped out; \
         if that gives nothing, the VE's out-of-memory killer acts"),
    ubc(7, "VMGUARPAGES", "vmguarpages", "VMGUARP", Pages,
        "Guaranteed address space; only the barrier counts",
        "nothing is refused, this is a guarantee"),
    ubc(8, "OOMGUARPAGES", "oomguarpages", "OOMGUARP", Pages,
        "Memory kept when the node runs out of it; only the barrier counts",
        "nothing is refused, this is a guarantee; \
         each failure is a process killed for want of memory"),
    ubc(9, "NUMTCPSOCK", "numtcpsock", "NTCPSOCK", Count, "TCP sockets",
        "ENOBUFS from socket; an incoming connection is not accepted"),
    ubc(10, "NUMFLOCK", "numflock", "NFLOCK", Count, "File locks",
        "ENOLCK from fcntl; ENOMEM from flock"),
    ubc(11, "NUMPTY", "numpty", "NPTY", Count, "Pseudo terminals",
        "ENOMEM from opening /dev/ptmx"),
    ubc(12, "NUMSIGINFO", "numsiginfo", "NSIGINFO", Count, "Queued signals with data",
        "EAGAIN from sigqueue and timer_create; other signals arrive without their data"),
    ubc(13, "TCPSNDBUF", "tcpsndbuf", "TCPSNDB", Bytes, "Send buffers of TCP sockets",
        "a writer sleeps or gets EAGAIN, ENOBUFS from connect; \
         connections get slower, nothing is lost"),
    ubc(14, "TCPRCVBUF", "tcprcvbuf", "TCPRCVB", Bytes, "Receive buffers of TCP sockets",
        "a segment is dropped and sent again by the peer; connections get slower, nothing is lost"),
    ubc(15, "OTHERSOCKBUF", "othersockbuf", "OTHSOCKB", Bytes, "Buffers of UNIX and other sockets",
        "a writer sleeps or gets EAGAIN; ENOBUFS for a message that is larger than the limit"),
    ubc(16, "DGRAMRCVBUF", "dgramrcvbuf", "DGRAMRB", Bytes,
        "Receive buffers of UDP, raw and packet sockets",
        "a datagram that arrives is dropped, nobody is told"),
    ubc(17, "NUMOTHERSOCK", "numothersock", "NOTHSOCK", Count, "Sockets other than TCP",
        "ENOMEM or ENOBUFS from socket; ENOMEM from connect to a UNIX socket"),
    alias(ubc(18, "DCACHESIZE", "dcachesize", "DCACHESZ", Bytes,
        "Cached directory entries and inodes",
        "ENOMEM from looking up, opening and making files"), &["DCACHE"]),
    ubc(19, "NUMFILE", "numfile", "NFILE", Count, "Open files",
        "ENFILE from open, pipe, socket, accept and all else that makes a file"),
    least(alias(ubc(23, "NUMIPTENT", "numiptent", "NIPTENT", Count,
        "Packet filter rules, at least 16",
        "ENOMEM from adding a packet filter rule"), &["IPTENTRIES"]), 16),
    ubc(24, "SWAPPAGES", "swappages", "SWAPP", Pages, "Swap space; the limit is enforced",
        "nothing more is swapped out; \
         once RAM is full as well, the VE's out-of-memory killer acts"),
];
