// SPDX-License-Identifier: GPL-2.0
//! Action scripts of the administrator: `vps.ACTION`, `vps.d/ACTION/*`,
//! `ID.ACTION` in the configuration directory.

use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use rustix::fs::Access;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// Fixed search path of scripts.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of a script's errors is quoted.
const QUOTED: usize = 4096;

/// Runs the scripts of an action on the node, global ones first.
///
/// # Errors
/// A script failed (79); later ones are not run.
pub fn run(ctx: &Ctx<'_>, id: Veid, action: &str) -> Result<()> {
    for script in on_node(ctx, id, action) {
        run_one(ctx, id, &script)?;
    }
    Ok(())
}

/// Scripts of an action that exist and may be executed.
fn on_node(ctx: &Ctx<'_>, id: Veid, action: &str) -> Vec<PathBuf> {
    let dir = ctx.paths.conf_dir();
    let mut list = vec![dir.join(format!("vps.{action}"))];
    if let Ok(entries) = std::fs::read_dir(dir.join("vps.d").join(action)) {
        let mut more: Vec<_> = entries.flatten().map(|e| e.path()).collect();
        more.sort();
        list.extend(more);
    }
    list.push(dir.join(format!("{id}.{action}")));
    list.retain(|path| usable(ctx, path));
    list
}

fn usable(ctx: &Ctx<'_>, path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let executable = rustix::fs::access(path, Access::EXEC_OK).is_ok();
    if !executable {
        ctx.out.warn(&format!(
            "{} is not executable and was not run",
            path.display()
        ));
    }
    executable
}

/// The script of one VE that is run inside it, if there is one.
///
/// # Errors
/// It cannot be read.
pub fn inside(ctx: &Ctx<'_>, id: Veid, action: &str) -> Result<Option<Vec<u8>>> {
    let path = ctx.paths.conf_dir().join(format!("{id}.{action}"));
    if !usable(ctx, &path) {
        return Ok(None);
    }
    std::fs::read(&path)
        .map(Some)
        .or_err(Code::ActionScript, || {
            format!("cannot read {}", path.display())
        })
}

fn run_one(ctx: &Ctx<'_>, id: Veid, script: &Path) -> Result<()> {
    let failed = || format!("action script {} of VE {id} failed", script.display());
    ctx.out.detail(1, &format!("running {}", script.display()));
    let mut child = Command::new(script)
        .env_clear()
        .env("VEID", id.to_string())
        .env("VE_CONFFILE", ctx.paths.ve_conf(id))
        .env("HOME", "/")
        .env("TERM", "linux")
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .or_err(Code::ActionScript, failed)?;
    let mut tail = Vec::new();
    if let Some(mut pipe) = child.stderr.take() {
        let mut buf = [0u8; 4096];
        while let Ok(n @ 1..) = pipe.read(&mut buf) {
            tail.extend_from_slice(&buf[..n]);
            let over = tail.len().saturating_sub(QUOTED);
            tail.drain(..over);
        }
    }
    let status = child.wait().or_err(Code::ActionScript, failed)?;
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&tail);
    let why = match text.trim() {
        "" => status.to_string(),
        said => format!("{status}: {said}"),
    };
    Err(Error::new(Code::ActionScript, failed()).why(why))
}
