// SPDX-License-Identifier: GPL-2.0
//! The kernel's control interface, as `include/uapi/linux/vzctl.h` defines it.
//!
//! The C header is the definition.  `tests/abi.rs` compiles it and compares
//! every size, offset and number with what stands here.

use std::mem::size_of;

/// Smallest VE id the kernel takes.
pub const VEID_MIN: u32 = 1;
/// Largest VE id the kernel takes.
pub const VEID_MAX: u32 = 2_147_483_644;
/// User and group ids of one VE.
pub const ID_RANGE: u32 = 262_144;

/// Reserved, RUN not called yet.
pub const STATE_STARTING: u32 = 1;
/// Running.
pub const STATE_RUNNING: u32 = 2;
/// Running, all tasks frozen.
pub const STATE_FROZEN: u32 = 3;
/// Init is dead, being taken down.
pub const STATE_STOPPING: u32 = 4;
/// Everything is gone.
pub const STATE_DEAD: u32 = 5;

/// Still alive.
pub const REASON_NONE: u32 = 0;
/// Given up before RUN.
pub const REASON_ABORTED: u32 = 1;
/// Init exited.
pub const REASON_EXIT: u32 = 2;
/// Halted from inside.
pub const REASON_HALT: u32 = 3;
/// Rebooted from inside.
pub const REASON_REBOOT: u32 = 4;
/// Killed from the node.
pub const REASON_KILLED: u32 = 16;

/// SET key: release shown by uname.
pub const SET_OSRELEASE: u32 = 1;
/// SET key: node name.
pub const SET_HOSTNAME: u32 = 2;
/// ENTER2 flag: enter a locked VE.
pub const ENTER_SKIPLOCK: u32 = 1;
/// GET flag: the VE is locked.
pub const GET_LOCKED: u32 = 1;

/// Argument of RESERVE.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Reserve {
    /// Size of this structure.
    pub size: u32,
    /// Id to take.
    pub veid: u32,
    /// Zero.
    pub flags: u32,
    /// Zero.
    pub pad: u32,
}

/// Argument of OPEN.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Open {
    /// Size of this structure.
    pub size: u32,
    /// Id to open.
    pub veid: u32,
    /// Zero.
    pub flags: u32,
    /// Zero.
    pub pad: u32,
}

/// Argument of CREATE2.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Create {
    /// Size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// First id of the VE's range.
    pub uid_base: u32,
    /// Ids in the range.
    pub uid_count: u32,
    /// Capability bounding set.
    pub bset: u64,
    /// Directory of the VE's inner cgroup.
    pub cgroup_fd: i32,
    /// Zero.
    pub pad: u32,
}

/// Argument of SET.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Set {
    /// Size of this structure.
    pub size: u32,
    /// One of the `SET_` keys.
    pub key: u32,
    /// Address of the text.
    pub data: u64,
    /// Its length in bytes.
    pub len: u32,
    /// Zero.
    pub pad: u32,
}

/// Argument of ENTER2.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Enter {
    /// Size of this structure.
    pub size: u32,
    /// `ENTER_` flags.
    pub flags: u32,
}

/// Argument of KILL.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Kill {
    /// Size of this structure.
    pub size: u32,
    /// Signal number.
    pub signal: u32,
}

/// Argument and answer of GET.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Get {
    /// Size of this structure.
    pub size: u32,
    /// Id of the VE.
    pub veid: u32,
    /// One of the `STATE_` values.
    pub state: u32,
    /// `GET_` flags.
    pub flags: u32,
    /// Number of this start, never reused.
    pub serial: u64,
    /// Init's pid on the node, 0 if there is none.
    pub init_pid: i32,
    /// Pids in use inside.
    pub nproc: u32,
    /// Boot time clock at RUN, in nanoseconds.
    pub start_time: u64,
    /// First id of the VE's range.
    pub uid_base: u32,
    /// Ids in the range.
    pub uid_count: u32,
    /// One of the `REASON_` values.
    pub reason: u32,
    /// Init's wait status once it is dead.
    pub code: i32,
}

/// Argument of UBC.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Ubc {
    /// Size of this structure.
    pub size: u32,
    /// Beancounter, 0 on a VE descriptor.
    pub id: u32,
    /// Resource number.
    pub resource: u32,
    /// Zero.
    pub pad: u32,
    /// Barrier in the resource's unit.
    pub barrier: u64,
    /// Limit in the resource's unit.
    pub limit: u64,
}

/// The most limits UBCS takes.
pub const UBCS_MAX: u32 = 25;
/// UBCS failed, but not because of one limit.
pub const UBCS_NONE: u32 = u32::MAX;

/// One limit of UBCS.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Limit {
    /// Resource number.
    pub resource: u32,
    /// Zero.
    pub pad: u32,
    /// Barrier in the resource's unit.
    pub barrier: u64,
    /// Limit in the resource's unit.
    pub limit: u64,
}

/// Argument of UBCS.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Ubcs {
    /// Size of this structure.
    pub size: u32,
    /// Beancounter, 0 on a VE descriptor.
    pub id: u32,
    /// Address of an array of [`Limit`].
    pub limits: u64,
    /// Its length.
    pub count: u32,
    /// Which of them is wrong, or [`UBCS_NONE`].
    pub wrong: u32,
}

const IOC_TYPE: u32 = b'.' as u32;
const DIR_NONE: u32 = 0;
const DIR_WRITE: u32 = 1;
const DIR_READ_WRITE: u32 = 3;

const fn ioc(dir: u32, nr: u32, size: usize) -> u32 {
    // Every structure above is smaller than the 14 bits the size field has.
    (dir << 30) | ((size as u32) << 16) | (IOC_TYPE << 8) | nr
}

/// Take an id.
pub const RESERVE: u32 = ioc(DIR_WRITE, 32, size_of::<Reserve>());
/// Open a VE by id.
pub const OPEN: u32 = ioc(DIR_WRITE, 33, size_of::<Open>());
/// Fork into the VE as its init.
pub const CREATE2: u32 = ioc(DIR_WRITE, 34, size_of::<Create>());
/// Set a text.
pub const SET: u32 = ioc(DIR_WRITE, 35, size_of::<Set>());
/// Starting becomes running.
pub const RUN: u32 = ioc(DIR_NONE, 36, 0);
/// Move the caller into the VE.
pub const ENTER2: u32 = ioc(DIR_WRITE, 37, size_of::<Enter>());
/// Signal init.
pub const KILL: u32 = ioc(DIR_WRITE, 38, size_of::<Kill>());
/// Forbid entering.
pub const LOCK: u32 = ioc(DIR_NONE, 39, 0);
/// Allow entering.
pub const UNLOCK: u32 = ioc(DIR_NONE, 40, 0);
/// Ask for the state.
pub const GET: u32 = ioc(DIR_READ_WRITE, 41, size_of::<Get>());
/// Freeze all tasks.
pub const FREEZE: u32 = ioc(DIR_NONE, 42, 0);
/// Thaw them.
pub const THAW: u32 = ioc(DIR_NONE, 43, 0);
/// Set barrier and limit of a resource.
pub const UBC: u32 = ioc(DIR_WRITE, 44, size_of::<Ubc>());
/// Set several, or none.
pub const UBCS: u32 = ioc(DIR_READ_WRITE, 45, size_of::<Ubcs>());

/// The size field every argument starts with.
pub(super) const fn size32<T>() -> u32 {
    size_of::<T>() as u32
}
