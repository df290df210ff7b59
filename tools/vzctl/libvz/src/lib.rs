// SPDX-License-Identifier: GPL-2.0
//! Everything the vz commands do: identifiers, parameters, configuration
//! files, locks, output, the kernel interface and the life cycle of a VE.
//!
//! A VE ("virtual environment") is a container; VE 0 is the hardware node.

pub mod cli;
pub mod config;
pub mod ctx;
pub mod dist;
pub mod error;
pub mod event;
pub mod guard;
pub mod id;
pub mod json;
pub mod kernel;
pub mod list;
pub mod lock;
pub mod logging;
pub mod names;
pub mod node;
pub mod output;
pub mod params;
pub mod paths;
pub mod pid;
pub mod pkg;
pub mod progress;
pub mod set;
pub mod status;
pub mod table;
pub mod ubc;
pub mod undo;
pub mod units;
pub mod ve;

pub use ctx::Ctx;
pub use error::Code;
pub use error::Error;
pub use error::Result;
pub use id::Veid;
pub use output::Outcome;
