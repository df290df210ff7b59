// SPDX-License-Identifier: GPL-2.0
//! `vzctl stop`: ask init, wait, kill, unmount.

use crate::cli::args;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::kernel::Ve;
use crate::undo;
use crate::ve::exec;
use crate::ve::mount;
use crate::ve::script;
use crate::ve::state;
use nix::libc;
use std::time::Duration;
use std::time::Instant;

/// How long the kernel gets to take a killed VE down.
const KILL_TIMEOUT: Duration = Duration::from_secs(60);

/// Init may have been asked before it could listen, so it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// Stops a VE whose lock the caller holds. `false`: it was down.
///
/// # Errors
/// It cannot be stopped (33), unmounted (51), or a script failed (79).
pub fn stop(ctx: &Ctx<'_>, conf: &VeConfig, args: &args::Stop) -> Result<bool> {
    let id = conf.id();
    let Some(ve) = ctx.kernel.open(id)? else {
        state::clean_leftover(ctx, conf)?;
        return Ok(false);
    };
    if !args.fast {
        // A VE that cannot run its own script any more must still stop.
        if let Some(text) = script::inside(ctx, id, "stop")? {
            match exec::script(ctx, ve.as_ref(), id, &text) {
                Ok(0) => {}
                Ok(status) => {
                    return Err(Error::new(
                        Code::ActionScript,
                        format!("{id}.stop failed in VE {id}"),
                    )
                    .why(format!("exit status {status}"))
                    .hint(format!("vzctl stop {id} --fast")));
                }
                Err(e) => ctx.out.warn(&e.message()),
            }
        }
    }
    let timeout = Duration::from_secs(conf.stop_timeout(&ctx.paths)?);
    let asked = !args.fast && ask(ctx, ve.as_ref(), timeout)?;
    if !asked {
        undo::check_interrupt()?;
        if !args.fast {
            ctx.out.warn(&format!(
                "VE {id} did not stop in {} s and is killed",
                timeout.as_secs()
            ));
        }
        ve.kill(libc::SIGKILL)?;
        if !ve.wait_dead(KILL_TIMEOUT)? {
            undo::check_interrupt()?;
            return Err(Error::new(Code::Stop, format!("cannot stop VE {id}"))
                .why("processes of it do not die")
                .hint("dmesg"));
        }
    }
    drop(ve);
    if !args.skip_umount {
        mount::umount(ctx, conf)?;
    }
    state::unmark(ctx, id);
    ctx.log.event(id, "stopped");
    Ok(true)
}

/// Asks init to halt. `false`: it did not in time.
fn ask(ctx: &Ctx<'_>, ve: &dyn Ve, timeout: Duration) -> Result<bool> {
    let signal = halt_signal(ve.info()?.init_pid);
    let end = Instant::now() + timeout;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || undo::interrupted() {
            return Ok(false);
        }
        ctx.out
            .detail(2, &format!("sending signal {signal} to init"));
        // Without init the rest is on its way out.
        ve.kill(signal)?;
        if ve.wait_dead(left.min(ASK_AGAIN))? {
            return Ok(true);
        }
    }
}

/// The signal that makes an init halt.
fn halt_signal(init: Option<u32>) -> i32 {
    let comm = init.and_then(|p| std::fs::read_to_string(format!("/proc/{p}/comm")).ok());
    match comm.as_deref().map(str::trim) {
        Some("systemd") => libc::SIGRTMIN() + 3,
        _ => libc::SIGPWR,
    }
}
