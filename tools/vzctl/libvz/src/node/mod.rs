// SPDX-License-Identifier: GPL-2.0
//! The node's memory and CPUs, and what VEs use, are promised and may take of
//! them.

mod claim;
mod memory;
mod scale;
pub mod vzcalc;
pub mod vzcfgscale;
pub mod vzcpucheck;
pub mod vzmemcheck;
pub mod vzsplit;

pub use claim::Claim;
pub use memory::Memory;
pub use memory::threads_max;
