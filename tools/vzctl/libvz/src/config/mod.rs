// SPDX-License-Identifier: GPL-2.0
//! Configuration files: `NAME="value"` lines, never run as shell.

mod file;
mod global;
mod memory;
mod samples;
mod ve;

pub use file::File;
pub use global::Global;
pub use memory::Simple;
pub use samples::SHIPPED;
pub use ve::Limit;
pub use ve::Source;
pub use ve::VeConfig;
