// SPDX-License-Identifier: GPL-2.0
//! Life cycle of a VE: create, start, stop, destroy, mount, exec, enter.

mod boot;
pub mod console;
pub mod create;
pub mod destroy;
mod enter;
pub mod exec;
pub mod init;
pub mod mount;
pub mod script;
pub mod session;
pub mod slot;
pub mod start;
pub mod state;
pub mod stop;
pub mod unpack;
pub mod userns;

pub use boot::boot;
pub use create::create;
pub use destroy::destroy;
pub use enter::enter;
pub use exec::exec;

use crate::cli::args;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::id::Veid;
use crate::output::Outcome;
use crate::undo::Stack;

/// `vzctl start`.
///
/// # Errors
/// See [`start::start`].
pub fn start(ctx: &Ctx<'_>, id: Veid, args: &args::Start) -> Result<Outcome> {
    ctx.kernel.check()?;
    let conf = ctx.config(id)?;
    if ctx.opts.dry_run {
        return plan_start(ctx, &conf);
    }
    let lock = ctx.lock(id, "starting")?;
    start::start(ctx, &conf, &lock, args)?;
    drop(lock);
    Ok(Outcome::done(format!("{} was started", ctx.label(id))))
}

fn plan_start(ctx: &Ctx<'_>, conf: &VeConfig) -> Result<Outcome> {
    let (private, root) = (conf.private(&ctx.paths), conf.root(&ctx.paths));
    ctx.out.note(&format!(
        "would mount {} at {}",
        private.display(),
        root.display()
    ));
    for limit in conf.limits()? {
        let (name, pair) = (limit.param.option, limit.pair);
        ctx.out.detail(
            1,
            &format!("would set {name} to {}:{}", pair.barrier, pair.limit),
        );
    }
    ctx.out
        .note(&format!("would run init with ids from {}", slot::of(conf)?));
    Ok(Outcome::silent())
}

/// `vzctl stop`.
///
/// # Errors
/// See [`stop::stop`].
pub fn stop(ctx: &Ctx<'_>, id: Veid, args: &args::Stop) -> Result<Outcome> {
    ctx.kernel.check()?;
    let conf = ctx.config(id)?;
    if ctx.opts.dry_run {
        ctx.out
            .note(&format!("would stop and unmount {}", ctx.label(id)));
        return Ok(Outcome::silent());
    }
    let lock = ctx.lock(id, "stopping")?;
    let stopped = stop::stop(ctx, &conf, args)?;
    drop(lock);
    Ok(Outcome::done(match stopped {
        true => format!("{} was stopped", ctx.label(id)),
        false => format!("{} was not running", ctx.label(id)),
    }))
}

/// `vzctl restart`.
///
/// # Errors
/// See [`stop::stop`] and [`start::start`].
pub fn restart(ctx: &Ctx<'_>, id: Veid, args: &args::Restart) -> Result<Outcome> {
    ctx.kernel.check()?;
    let conf = ctx.config(id)?;
    if ctx.opts.dry_run {
        ctx.out.note(&format!("would stop {}", ctx.label(id)));
        return plan_start(ctx, &conf);
    }
    let lock = ctx.lock(id, "restarting")?;
    stop::stop(ctx, &conf, &args.stop)?;
    start::start(ctx, &conf, &lock, &args.start)?;
    drop(lock);
    Ok(Outcome::done(format!("{} was restarted", ctx.label(id))))
}

/// `vzctl mount`.
///
/// # Errors
/// Mounted already (41), no file tree (43), mount failed (50).
pub fn mount(ctx: &Ctx<'_>, id: Veid) -> Result<Outcome> {
    ctx.kernel.check()?;
    let conf = ctx.config(id)?;
    let root = conf.root(&ctx.paths);
    if ctx.opts.dry_run {
        ctx.out.note(&format!("would mount {}", root.display()));
        return Ok(Outcome::silent());
    }
    let lock = ctx.lock(id, "mounting")?;
    state::clean_leftover(ctx, &conf)?;
    if ctx.kernel.is_mounted(&root)? {
        return Err(Error::new(
            Code::Mounted,
            format!("{} is mounted already", ctx.label(id)),
        )
        .why(format!("at {}", root.display())));
    }
    let stack = Stack::new(ctx.kernel, &lock)?;
    mount::mount(ctx, &conf, &stack)?;
    stack.commit()?;
    drop(lock);
    ctx.log.event(id, "mounted");
    Ok(Outcome::done(format!(
        "{} was mounted at {}",
        ctx.label(id),
        root.display()
    )))
}

/// `vzctl umount`.
///
/// # Errors
/// Running (32), not mounted (40), umount failed (51).
pub fn umount(ctx: &Ctx<'_>, id: Veid) -> Result<Outcome> {
    ctx.kernel.check()?;
    let conf = ctx.config(id)?;
    if ctx.opts.dry_run {
        ctx.out.note(&format!(
            "would unmount {}",
            conf.root(&ctx.paths).display()
        ));
        return Ok(Outcome::silent());
    }
    let lock = ctx.lock(id, "unmounting")?;
    if ctx.kernel.running(id)?.is_some() {
        return Err(
            Error::new(Code::Running, format!("cannot unmount {}", ctx.label(id)))
                .why("it is running")
                .hint(format!("vzctl stop {id}")),
        );
    }
    if !mount::umount(ctx, &conf)? {
        return Err(Error::new(
            Code::NotMounted,
            format!("{} is not mounted", ctx.label(id)),
        ));
    }
    if state::is_leftover(ctx, id) {
        state::unmark(ctx, id);
    }
    drop(lock);
    ctx.log.event(id, "unmounted");
    Ok(Outcome::done(format!("{} was unmounted", ctx.label(id))))
}

/// Whether the VE's file tree is mounted. A VE that halted itself and was
/// not cleaned up yet counts as what it will be in a moment: not mounted.
#[must_use]
pub fn is_mounted(ctx: &Ctx<'_>, id: Veid, conf: &VeConfig) -> bool {
    ctx.kernel
        .is_mounted(&conf.root(&ctx.paths))
        .unwrap_or(false)
        && !state::is_leftover(ctx, id)
}

/// Changes the host name of a running VE.
///
/// # Errors
/// Not running (31), or refused by the kernel (70).
pub fn set_live_hostname(ctx: &Ctx<'_>, id: Veid, name: &str) -> Result<()> {
    match ctx.kernel.open(id)? {
        Some(ve) => ve.set_hostname(name),
        None => Err(Error::new(
            Code::NotRunning,
            format!("{} is not running", ctx.label(id)),
        )),
    }
}
