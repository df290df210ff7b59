// SPDX-License-Identifier: GPL-2.0
//! Sizes that the rules and the other tools reckon with, in bytes. This is
//! the one place to change after measuring a new kernel with `make objsize`
//! (`tests/selftests/ubc/objsize.c`).

/// Kernel memory that things are assumed to need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Of one process: stack, task, address space, page tables.
    pub process: u64,
    /// Of one cached file: directory entry and inode.
    pub file: u64,
}

/// What this kernel needs on x86_64, rounded up: what `make objsize` says of a
/// process, and of the caches `dentry` and `ext4_inode_cache` together.
pub const MODERN: Sizes = Sizes {
    process: 96 * 1024,
    file: 1400,
};

/// What was assumed of kernels up to 2.6.32.
pub const LEGACY: Sizes = Sizes {
    process: 40 * 1024,
    file: 384,
};

/// The least RAM that makes a VE.
pub const LEAST_RAM: u64 = 32 << 20;
/// About one buffer: what each socket must be able to get when the common
/// pool is used up.
pub const PER_SOCKET: u64 = 2560;
/// Least barrier of the buffers of TCP.
pub const TCP_BUFFERS: u64 = 64 * 1024;
/// Least barrier of the other buffers.
pub const OTHER_BUFFERS: u64 = 32 * 1024;
/// Barrier of the other buffers that lets large datagrams through.
pub const OTHER_BUFFERS_GOOD: u64 = 129 * 1024;
/// Open files that one process is assumed to need.
pub const FILES_PER_PROCESS: u64 = 32;
