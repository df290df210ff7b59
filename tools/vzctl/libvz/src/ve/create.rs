// SPDX-License-Identifier: GPL-2.0
//! `vzctl create`: configuration, ids, file tree.

use crate::cli::args;
use crate::config::File;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::dist;
use crate::dist::Tree;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id;
use crate::id::Veid;
use crate::lock;
use crate::lock::Lock;
use crate::names;
use crate::output::Outcome;
use crate::pkg;
use crate::undo;
use crate::undo::Stack;
use crate::undo::Undo;
use crate::ve::mount::private_dir;
use crate::ve::script;
use crate::ve::slot;
use crate::ve::unpack;
use std::path::Path;
use std::path::PathBuf;

/// Steps of create, in order; each is a fault point.
pub const STEPS: &[&str] = &[
    lock::STEP,
    "ids",
    "private",
    "unpack",
    "post-create",
    "passwords",
    "rename",
    "config",
    "name",
    "root",
    "create-scripts",
    "commit",
];

/// `vzctl create`.
///
/// # Errors
/// See the exit codes; everything done is undone.
pub fn create(ctx: &Ctx<'_>, wanted: Option<Veid>, args: &args::Create) -> Result<Outcome> {
    ctx.kernel.check()?;
    if let Some(id) = wanted.filter(|id| id.is_reserved() && !args.force_reserved) {
        return Err(
            Error::new(Code::BadValue, format!("VE id {id} is reserved"))
                .why(format!(
                    "ids up to {} are kept back for the system",
                    id::RESERVED
                ))
                .hint("vzctl create 101")
                .hint(format!("vzctl create {id} --force-reserved")),
        );
    }
    let (id, lock) = take_lock(ctx, wanted)?;
    let (mut conf, sample) = config(ctx, id, args)?;
    let private = conf.private(&ctx.paths);
    if private.symlink_metadata().is_ok() {
        return Err(Error::new(Code::PrivateExists, format!("VE {id} exists"))
            .why(format!("{} is there", private.display()))
            .hint(format!("vzctl destroy {id}")));
    }
    conf.limits()?;
    let template = template(ctx, &conf, &sample)?;
    room(ctx, &template, &private)?;
    if ctx.opts.dry_run {
        return Ok(plan(ctx, &conf, &template));
    }
    undo::catch_interrupts();
    let stack = Stack::new(ctx.kernel, &lock)?;
    stack.step("ids")?;
    let base = slot::choose(ctx, &conf, &stack)?;
    conf.set("LOCAL_UID", &base.to_string())?;
    conf.set("LOCAL_GID", &base.to_string())?;
    tree(ctx, &conf, &template, base, &args.passwords, &stack)?;
    stack.step("config")?;
    if !ctx.paths.ve_conf(id).exists() {
        stack.push(Undo::RemoveFile(ctx.paths.ve_conf(id)))?;
    }
    conf.file().save()?;
    stack.step("name")?;
    if let Some(name) = conf.name() {
        if names::lookup(&ctx.paths, name)?.is_none() {
            stack.push(Undo::RemoveFile(ctx.paths.names_dir().join(name)))?;
        }
        names::link(&ctx.paths, id, name)?;
    }
    stack.step("root")?;
    let root = conf.root(&ctx.paths);
    if !root.exists() {
        stack.push(Undo::RemoveDir(root.clone()))?;
        private_dir(&root, Code::NewRoot)?;
    }
    stack.step("create-scripts")?;
    script::run(ctx, id, "create")?;
    stack.step("commit")?;
    stack.commit()?;
    slot::release(&ctx.paths, base);
    drop(lock);
    ctx.log.event(
        id,
        &format!(
            "created from {}",
            conf.get("OSTEMPLATE").unwrap_or_default()
        ),
    );
    Ok(Outcome::done(format!("{} was created", ctx.label(id)))
        .with("veid", id.get())
        .with("private", private.to_string_lossy())
        .with("local_uid", base))
}

/// Takes the lock of the wanted id, or of the next free one.
fn take_lock(ctx: &Ctx<'_>, wanted: Option<Veid>) -> Result<(Veid, Lock)> {
    if let Some(id) = wanted {
        return Ok((id, ctx.lock(id, "creating")?));
    }
    loop {
        let id = id::next_free(&ctx.paths)?;
        match ctx.lock(id, "creating") {
            // Another create was faster.
            Err(e) if e.code() == Code::Locked => {}
            Err(e) => return Err(e),
            Ok(lock) if ctx.paths.ve_conf(id).exists() => drop(lock),
            Ok(lock) => return Ok((id, lock)),
        }
    }
}

/// The configuration the VE will have, and the name of its sample.
fn config(ctx: &Ctx<'_>, id: Veid, args: &args::Create) -> Result<(VeConfig, String)> {
    let path = ctx.paths.ve_conf(id);
    let existing = File::read(&path)?;
    let sample = match &args.sample {
        Some(name) => name.clone(),
        None => ctx.paths.global().get("CONFIGFILE").to_string(),
    };
    let honoured = existing.is_some();
    let file = match existing {
        Some(_) if args.sample.is_some() => {
            return Err(
                Error::new(Code::PrivateExists, format!("VE {id} has a configuration"))
                    .why(format!(
                        "{} exists, so --config cannot be used",
                        path.display()
                    ))
                    .hint(format!("vzctl create {id}")),
            );
        }
        Some(file) => file,
        None => {
            let from = ctx.paths.sample(&sample);
            match File::read(&from)? {
                Some(file) => file.with_path(&path),
                None => {
                    return Err(
                        Error::new(Code::CopyConfig, format!("no sample \"{sample}\""))
                            .why(format!("there is no {}", from.display()))
                            .hint("ls /etc/vz/conf/*.conf-sample"),
                    );
                }
            }
        }
    };
    let mut conf = VeConfig::from_file(id, file);
    for setting in &args.settings {
        conf.set(setting.param.name, &setting.value)?;
    }
    if !honoured {
        conf.set("ORIGIN_SAMPLE", &sample)?;
    }
    for name in ["VE_ROOT", "VE_PRIVATE"] {
        if conf.get(name).is_none() {
            conf.set(name, ctx.paths.global().get(name))?;
        }
    }
    let template = args.ostemplate.as_deref().or(conf.get("OSTEMPLATE"));
    let template = template
        .unwrap_or(ctx.paths.global().get("DEF_OSTEMPLATE"))
        .to_string();
    if template.is_empty() {
        return Err(
            Error::new(Code::NoOsTemplate, format!("no OS template for VE {id}"))
                .why(format!(
                    "neither the command nor sample {sample} nor vz.conf names one"
                ))
                .hint(format!("vzctl create {id} --ostemplate debian-13-x86_64"))
                .hint("vzpkg list -O"),
        );
    }
    let canonical = pkg::canonical(&ctx.paths, &template);
    conf.set("OSTEMPLATE", &canonical)?;
    if let Some(name) = conf.name() {
        names::check(name)?;
        if let Some(owner) = names::lookup(&ctx.paths, name)?.filter(|o| *o != id) {
            return Err(
                Error::new(Code::Name, format!("cannot name VE {id} \"{name}\""))
                    .why(format!("VE {owner} has that name")),
            );
        }
    }
    Ok((conf, sample))
}

/// The archive of the template; it is built if only its recipe is there.
fn template(ctx: &Ctx<'_>, conf: &VeConfig, _sample: &str) -> Result<PathBuf> {
    let name = conf.get("OSTEMPLATE").unwrap_or_default();
    if let Some(path) = pkg::archive(&ctx.paths, name) {
        return Ok(path);
    }
    let missing = || {
        Error::new(
            Code::NoTemplate,
            format!("there is no OS template \"{name}\""),
        )
        .why(format!(
            "no {name}.tar.* in {}",
            ctx.paths.cache_dir().display()
        ))
    };
    if !pkg::has_recipe(&ctx.paths, name) {
        let near = names::nearest(name, &pkg::known(&ctx.paths));
        let err = match near.is_empty() {
            true => missing(),
            false => missing().why(format!("did you mean {}?", near.join(" or "))),
        };
        return Err(err.hint("vzpkg list -O --available"));
    }
    if ctx.opts.dry_run {
        return Err(missing().hint(format!("vzpkg create cache {name}")));
    }
    ctx.out.note(&format!(
        "OS template {name} is not there yet and is built first"
    ));
    pkg::create_cache(ctx, name).map_err(|e| {
        e.with_code(Code::NoTemplate)
            .hint(format!("vzpkg create cache {name}"))
    })
}

/// Checks that the tree will fit.
fn room(ctx: &Ctx<'_>, template: &Path, private: &Path) -> Result<()> {
    let Some(there) = private.ancestors().find(|p| p.is_dir()) else {
        return Ok(());
    };
    let what = || format!("cannot look at {}", there.display());
    let fs = rustix::fs::statvfs(there).or_err(Code::System, what)?;
    let need = pkg::unpacked_size(ctx, template);
    let free = fs.f_bavail.saturating_mul(fs.f_frsize);
    if free < need.bytes {
        return Err(Error::new(
            Code::NoSpace,
            format!("no room for the tree in {}", there.display()),
        )
        .why(format!(
            "{} MiB are free, {} are needed",
            free >> 20,
            need.bytes >> 20
        )));
    }
    // Filesystems that make inodes as needed report none.
    if fs.f_files > 0 && fs.f_favail < need.files {
        return Err(Error::new(
            Code::NoSpace,
            format!("no room for the tree in {}", there.display()),
        )
        .why(format!(
            "{} inodes are free, {} are needed",
            fs.f_favail, need.files
        )));
    }
    Ok(())
}

fn plan(ctx: &Ctx<'_>, conf: &VeConfig, template: &Path) -> Outcome {
    let id = conf.id();
    let private = conf.private(&ctx.paths);
    for step in [
        format!("unpack {} to {}", template.display(), private.display()),
        format!("write {}", ctx.paths.ve_conf(id).display()),
        format!("make {}", conf.root(&ctx.paths).display()),
    ] {
        ctx.out.note(&format!("would {step}"));
    }
    Outcome::silent().with("veid", id.get())
}

/// Name of a tree that is not complete.
#[must_use]
pub fn unfinished(private: &Path) -> PathBuf {
    let mut name = private.as_os_str().to_os_string();
    name.push(".tmp");
    PathBuf::from(name)
}

fn tree(
    ctx: &Ctx<'_>,
    conf: &VeConfig,
    template: &Path,
    base: u32,
    passwords: &[args::Password],
    stack: &Stack<'_>,
) -> Result<()> {
    let id = conf.id();
    let private = conf.private(&ctx.paths);
    let tmp = unfinished(&private);
    stack.step("private")?;
    if let Some(dir) = private.parent() {
        private_dir(dir, Code::NewPrivate)?;
    }
    let what = || format!("cannot make {}", tmp.display());
    stack.push(Undo::RemoveTree(tmp.clone()))?;
    // We hold the lock: what is there was left by a node that crashed.
    undo::remove_tree(&tmp).or_err(Code::NewPrivate, what)?;
    std::fs::create_dir(&tmp).or_err(Code::NewPrivate, what)?;
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&tmp, Some(base), Some(base)).or_err(Code::NewPrivate, what)?;
    }
    stack.step("unpack")?;
    unpack::unpack(ctx, template, &tmp, base)?;
    stack.step("post-create")?;
    dist::post_create(&Tree::open(&tmp)?, id)?;
    if let Some(name) = conf.get("HOSTNAME") {
        dist::set_hostname(ctx, id, &tmp, name)?;
    }
    stack.step("passwords")?;
    for password in passwords {
        dist::set_password(ctx, id, &tmp, password)?;
    }
    stack.step("rename")?;
    let dir = std::fs::File::open(&tmp).or_err(Code::NewPrivate, what)?;
    dir.sync_all().or_err(Code::NewPrivate, what)?;
    stack.push(Undo::RemoveTree(private.clone()))?;
    std::fs::rename(&tmp, &private).or_err(Code::NewPrivate, || {
        format!("cannot rename {} to {}", tmp.display(), private.display())
    })
}
