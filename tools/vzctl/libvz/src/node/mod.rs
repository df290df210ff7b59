// SPDX-License-Identifier: GPL-2.0
//! The node's memory.

mod memory;

pub use memory::Memory;
pub use memory::threads_max;
