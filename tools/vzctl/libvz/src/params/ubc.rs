// SPDX-License-Identifier: GPL-2.0
//! Beancounter entries of the parameter table.

use super::Apply;
use super::Column;
use super::Group;
use super::Kind;
use super::Param;
use super::Support;
use crate::units::Unit;

const fn ubc(
    id: u32,
    name: &'static str,
    option: &'static str,
    header: &'static str,
    unit: Unit,
    help: &'static str,
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

use Unit::Bytes;
use Unit::Count;
use Unit::Pages;

/// In the order in which the kernel prints them.
pub(super) const ENTRIES: [Param; 21] = [
    ubc(
        0,
        "KMEMSIZE",
        "kmemsize",
        "KMEMSIZE",
        Bytes,
        "Kernel memory that cannot be swapped",
    ),
    ubc(
        1,
        "LOCKEDPAGES",
        "lockedpages",
        "LOCKEDP",
        Pages,
        "Memory locked with mlock",
    ),
    ubc(
        2,
        "PRIVVMPAGES",
        "privvmpages",
        "PRIVVMP",
        Pages,
        "Private writable address space",
    ),
    ubc(
        3,
        "SHMPAGES",
        "shmpages",
        "SHMP",
        Pages,
        "Shared memory and tmpfs",
    ),
    ubc(
        5,
        "NUMPROC",
        "numproc",
        "NPROC",
        Count,
        "Processes and threads",
    ),
    ubc(
        6,
        "PHYSPAGES",
        "physpages",
        "PHYSP",
        Pages,
        "RAM in use; the limit is enforced",
    ),
    ubc(
        7,
        "VMGUARPAGES",
        "vmguarpages",
        "VMGUARP",
        Pages,
        "Guaranteed address space; only the barrier counts",
    ),
    ubc(
        8,
        "OOMGUARPAGES",
        "oomguarpages",
        "OOMGUARP",
        Pages,
        "Memory kept when the node runs out of it; only the barrier counts",
    ),
    ubc(
        9,
        "NUMTCPSOCK",
        "numtcpsock",
        "NTCPSOCK",
        Count,
        "TCP sockets",
    ),
    ubc(10, "NUMFLOCK", "numflock", "NFLOCK", Count, "File locks"),
    ubc(11, "NUMPTY", "numpty", "NPTY", Count, "Pseudo terminals"),
    ubc(
        12,
        "NUMSIGINFO",
        "numsiginfo",
        "NSIGINFO",
        Count,
        "Queued signals with data",
    ),
    ubc(
        13,
        "TCPSNDBUF",
        "tcpsndbuf",
        "TCPSNDB",
        Bytes,
        "Send buffers of TCP sockets",
    ),
    ubc(
        14,
        "TCPRCVBUF",
        "tcprcvbuf",
        "TCPRCVB",
        Bytes,
        "Receive buffers of TCP sockets",
    ),
    ubc(
        15,
        "OTHERSOCKBUF",
        "othersockbuf",
        "OTHSOCKB",
        Bytes,
        "Buffers of UNIX and other sockets",
    ),
    ubc(
        16,
        "DGRAMRCVBUF",
        "dgramrcvbuf",
        "DGRAMRB",
        Bytes,
        "Receive buffers of UDP, raw and packet sockets",
    ),
    ubc(
        17,
        "NUMOTHERSOCK",
        "numothersock",
        "NOTHSOCK",
        Count,
        "Sockets other than TCP",
    ),
    alias(
        ubc(
            18,
            "DCACHESIZE",
            "dcachesize",
            "DCACHESZ",
            Bytes,
            "Cached directory entries and inodes",
        ),
        &["DCACHE"],
    ),
    ubc(19, "NUMFILE", "numfile", "NFILE", Count, "Open files"),
    alias(
        ubc(
            23,
            "NUMIPTENT",
            "numiptent",
            "NIPTENT",
            Count,
            "Packet filter rules, at least 16",
        ),
        &["IPTENTRIES"],
    ),
    ubc(
        24,
        "SWAPPAGES",
        "swappages",
        "SWAPP",
        Pages,
        "Swap space; the limit is enforced",
    ),
];
