// SPDX-License-Identifier: GPL-2.0
//! Configuration files: `NAME="value"` lines, never run as shell.

mod file;
mod global;
mod memory;
mod ve;

pub use file::File;
pub use global::Global;
pub use memory::Simple;
pub use ve::Limit;
pub use ve::Source;
pub use ve::VeConfig;
