// SPDX-License-Identifier: GPL-2.0
//! The mount of a VE's file tree at `VE_ROOT`.

use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::undo::Stack;
use crate::undo::Undo;
use crate::ve::script;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes a directory for root only, and its parents.
///
/// # Errors
/// It cannot be made.
pub fn private_dir(path: &Path, code: Code) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .or_err(code, || format!("cannot make {}", path.display()))
}

/// Mounts, with the action scripts around it.
///
/// # Errors
/// There is no file tree (43), a script (79) or the mount (50) failed.
pub fn mount(ctx: &Ctx<'_>, conf: &VeConfig, stack: &Stack<'_>) -> Result<()> {
    let id = conf.id();
    let (private, root) = (conf.private(&ctx.paths), conf.root(&ctx.paths));
    if !private.is_dir() {
        let err = Error::new(Code::PrivateMissing, format!("VE {id} has no file tree"))
            .why(format!("there is no directory {}", private.display()))
            .hint(format!("vzctl create {id}"));
        return Err(match conf.origin("VE_PRIVATE") {
            Some(at) => err.at(at),
            None => err,
        });
    }
    stack.step("premount")?;
    script::run(ctx, id, "premount")?;
    stack.step("mountpoint")?;
    if !root.exists() {
        if let Some(dir) = root.parent() {
            private_dir(dir, Code::NewRoot)?;
        }
        stack.push(Undo::RemoveDir(root.clone()))?;
        private_dir(&root, Code::NewRoot)?;
    }
    stack.step("mount")?;
    ctx.out.detail(
        1,
        &format!("mounting {} at {}", private.display(), root.display()),
    );
    stack.push(Undo::Unmount(root.clone()))?;
    ctx.kernel.bind(&private, &root)?;
    stack.step("mount-scripts")?;
    script::run(ctx, id, "mount")
}

/// Unmounts, with the action scripts around it. `false`: was not mounted.
///
/// # Errors
/// A script (79) or the call (51) failed.
pub fn umount(ctx: &Ctx<'_>, conf: &VeConfig) -> Result<bool> {
    let id = conf.id();
    let root = conf.root(&ctx.paths);
    if !ctx.kernel.is_mounted(&root)? {
        return Ok(false);
    }
    script::run(ctx, id, "umount")?;
    ctx.out.detail(1, &format!("unmounting {}", root.display()));
    // More than once, if a script or a person mounted over it.
    while ctx.kernel.unmount(&root)? {}
    script::run(ctx, id, "postumount")?;
    Ok(true)
}
