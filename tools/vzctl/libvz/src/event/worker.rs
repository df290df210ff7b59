// SPDX-License-Identifier: GPL-2.0
//! What is done for one event, in a process of its own.

use crate::cli::args;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::event::uevent::Kind;
use crate::id::Veid;
use crate::lock::Lock;
use crate::ve::init::reset_signals;
use crate::ve::mount;
use crate::ve::script;
use crate::ve::start;
use crate::ve::state;
use nix::libc;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

/// A command on the VE may be running, and does itself what is to be done.
const LOCK_TIMEOUT: Duration = Duration::from_secs(600);

/// Never returns.
pub(super) fn run(ctx: &Ctx<'_>, id: Veid, kind: Kind) -> ! {
    reset_signals();
    let res = match kind {
        Kind::Start => Ok(()),
        Kind::Stop => stopped(ctx, id),
        Kind::Reboot => rebooted(ctx, id),
    };
    if let Err(e) = &res {
        ctx.out.error(e);
        ctx.log.event(id, &e.message());
    }
    hook(ctx, id, kind);
    // SAFETY: ends the process without running the parent's copies of
    // destructors.
    unsafe { libc::_exit(i32::from(res.is_err())) }
}

fn stopped(ctx: &Ctx<'_>, id: Veid) -> Result<()> {
    if !ctx.paths.ve_conf(id).exists() {
        return Ok(());
    }
    let _lock = Lock::take(ctx.kernel, &ctx.paths, id, "cleaning", LOCK_TIMEOUT)?;
    // Whoever held the lock may have cleaned up, or started it again.
    match ctx.config(id) {
        Ok(conf) => state::clean_leftover(ctx, &conf),
        Err(_) => Ok(()),
    }
}

fn rebooted(ctx: &Ctx<'_>, id: Veid) -> Result<()> {
    if !ctx.paths.ve_conf(id).exists() {
        return Ok(());
    }
    let lock = Lock::take(ctx.kernel, &ctx.paths, id, "rebooting", LOCK_TIMEOUT)?;
    // Gone after a stop from the node: then it is to stay down.
    if !state::is_leftover(ctx, id) || !ctx.paths.reboot_mark(id).exists() {
        return Ok(());
    }
    let conf = ctx.config(id)?;
    mount::umount(ctx, &conf)?;
    state::unmark(ctx, id);
    ctx.log.event(id, "rebooting");
    start::start(
        ctx,
        &conf,
        &lock,
        &args::Start {
            force: true,
            ..args::Start::default()
        },
    )
}

/// `vzevent-EVENT` beside the configurations.
fn hook(ctx: &Ctx<'_>, id: Veid, kind: Kind) {
    let name = match kind {
        Kind::Start => "vzevent-start",
        Kind::Stop => "vzevent-stop",
        Kind::Reboot => "vzevent-reboot",
    };
    let path = ctx.paths.conf_dir().join(name);
    if !path.is_file() {
        return;
    }
    let status = Command::new(&path)
        .env_clear()
        .env("VEID", id.to_string())
        .env("VE_CONFFILE", ctx.paths.ve_conf(id))
        .env("HOME", "/")
        .env("PATH", script::PATH)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => ctx
            .out
            .warn(&format!("{} for VE {id}: {status}", path.display())),
        Err(e) => ctx.out.warn(&format!("cannot run {}: {e}", path.display())),
    }
}
