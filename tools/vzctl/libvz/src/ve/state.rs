// SPDX-License-Identifier: GPL-2.0
//! Traces a running VE leaves on the node, and their removal.
//!
//! `/run/vz/ID/started` says that the mount at `VE_ROOT` belongs to a start
//! and not to `vzctl mount`; the reboot mark says that the VE should run.

use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::ve::mount;
use std::path::PathBuf;

/// The file that marks a VE as started.
#[must_use]
pub fn started_file(ctx: &Ctx<'_>, id: Veid) -> PathBuf {
    ctx.paths.run_dir(id).join("started")
}

/// Writes the marks.
///
/// # Errors
/// A file cannot be written.
pub fn mark(ctx: &Ctx<'_>, id: Veid, init: u32) -> Result<()> {
    let run = started_file(ctx, id);
    let boot = ctx.paths.reboot_mark(id);
    for (path, text) in [(run, format!("{init}\n")), (boot, String::new())] {
        let what = || format!("cannot write {}", path.display());
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).or_err(Code::System, what)?;
        }
        std::fs::write(&path, text).or_err(Code::System, what)?;
    }
    Ok(())
}

/// Removes the marks of a VE that is down and shall stay down.
pub fn unmark(ctx: &Ctx<'_>, id: Veid) {
    forget_run(ctx, id);
    // A mark that stays only means one start more at the next boot.
    drop(std::fs::remove_file(ctx.paths.reboot_mark(id)));
}

/// Removes the run-time state of a VE that is down.
pub fn forget_run(ctx: &Ctx<'_>, id: Veid) {
    drop(std::fs::remove_dir_all(ctx.paths.run_dir(id)));
}

/// Whether the VE is down but was left mounted: it halted itself, or its
/// start was killed, and no daemon has cleaned up yet.
#[must_use]
pub fn is_leftover(ctx: &Ctx<'_>, id: Veid) -> bool {
    started_file(ctx, id).exists() && matches!(ctx.kernel.running(id), Ok(None))
}

/// Cleans up after a VE that halted itself. The caller holds its lock.
///
/// # Errors
/// It cannot be unmounted, or a script failed.
pub fn clean_leftover(ctx: &Ctx<'_>, conf: &VeConfig) -> Result<()> {
    let id = conf.id();
    if !is_leftover(ctx, id) {
        return Ok(());
    }
    mount::umount(ctx, conf)?;
    unmark(ctx, id);
    ctx.log.event(id, "cleaned up after a stop from inside");
    Ok(())
}
