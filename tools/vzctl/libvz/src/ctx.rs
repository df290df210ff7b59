// SPDX-License-Identifier: GPL-2.0
//! What every command needs: paths, output settings, the kernel and the log.

use crate::config::VeConfig;
use crate::error::Result;
use crate::id::Veid;
use crate::kernel::Kernel;
use crate::lock::Lock;
use crate::logging::Log;
use crate::output::Output;
use crate::paths::Paths;
use std::time::Duration;

/// Global options of a command line that change what commands do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--skiplock`: take no lock. Dangerous, the command line parser warns.
    pub skip_lock: bool,
    /// `--lock-timeout SECONDS`: wait for a lock instead of failing.
    pub lock_timeout: Duration,
    /// `--dry-run`: say what would be done, do nothing.
    pub dry_run: bool,
    /// `--yes`: the answer to every question.
    pub yes: bool,
}

/// Context of one command. There is one per process, made by the dispatcher.
pub struct Ctx<'k> {
    /// Directories and vz.conf.
    pub paths: Paths,
    /// Console: data, notes, warnings.
    pub out: Output,
    /// Global options.
    pub opts: Options,
    /// The running kernel, or the fake of the tests.
    pub kernel: &'k dyn Kernel,
    /// The log file.
    pub log: Log,
}

impl Ctx<'_> {
    /// Takes the lock of a VE for an operation named by its status word
    /// ("starting"). With `--skiplock` the guard holds nothing.
    ///
    /// # Errors
    /// Held by another process (9), no such directory (77), system error (3).
    pub fn lock(&self, id: Veid, status: &str) -> Result<Lock> {
        if self.opts.skip_lock || self.opts.dry_run {
            return Ok(Lock::none());
        }
        Lock::take(self.kernel, &self.paths, id, status, self.opts.lock_timeout)
    }

    /// Configuration of a VE.
    ///
    /// # Errors
    /// Missing (14) or broken (85).
    pub fn config(&self, id: Veid) -> Result<VeConfig> {
        VeConfig::load(&self.paths, id)
    }

    /// "VE 101 (web1)" or "the node", for messages.
    #[must_use]
    pub fn label(&self, id: Veid) -> String {
        if id.is_node() {
            return "the node".into();
        }
        match VeConfig::load(&self.paths, id)
            .ok()
            .and_then(|c| c.name().map(str::to_string))
        {
            Some(name) => format!("VE {id} ({name})"),
            None => format!("VE {id}"),
        }
    }
}
