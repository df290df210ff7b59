// SPDX-License-Identifier: GPL-2.0
//! OS templates: recipes, caches and the package managers that build them.
//! The command line of vzpkg.

pub mod apt;
pub mod cache;
mod fail;
pub mod recipe;
mod sources;

pub use cache::archive;
pub use fail::Fail;
pub use fail::Failure;

use crate::cli;
use crate::ctx::Ctx;
use crate::dist::Tree;
use crate::error::Result;
use crate::id;
use crate::list::configured;
use crate::logging::timestamp;
use crate::paths::Paths;
use crate::pkg::cache::Size;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

/// Largest package database that is read.
const MAX_STATUS: u64 = 64 << 20;

/// The full name of a template: an alias or a name without the architecture
/// is completed if that says which is meant.
#[must_use]
pub fn canonical(paths: &Paths, name: &str) -> String {
    if archive(paths, name).is_some() {
        return name.to_string();
    }
    let recipes = recipe::all(paths).unwrap_or_default();
    if let Some(recipe) = recipes.values().find(|r| r.is_called(name)) {
        return recipe.name.clone();
    }
    let full = format!("{name}-x86_64");
    if archive(paths, &full).is_some() {
        full
    } else {
        name.to_string()
    }
}

/// Whether a template can be built here.
#[must_use]
pub fn has_recipe(paths: &Paths, name: &str) -> bool {
    recipe::find(paths, name).is_ok()
}

/// Names of all templates, with and without a cache.
#[must_use]
pub fn known(paths: &Paths) -> Vec<String> {
    let mut names = cache::cached(paths);
    names.extend(recipe::all(paths).unwrap_or_default().into_keys());
    names.sort();
    names.dedup();
    names
}

/// Room the tree of a template needs.
#[must_use]
pub fn unpacked_size(_: &Ctx<'_>, archive: &Path) -> Size {
    cache::unpacked_size(archive)
}

/// Builds the cache of a template that has none.
///
/// # Errors
/// There is no recipe, or the build failed.
pub fn create_cache(ctx: &Ctx<'_>, name: &str) -> Result<PathBuf> {
    let recipe = recipe::find(&ctx.paths, name)?;
    match cache::build(ctx, &recipe, None, false)? {
        Some(path) => Ok(path),
        None => Err(Failure::new(Fail::NotCached, format!("{name} was not built")).into()),
    }
}

/// The command line.
#[must_use]
pub fn command() -> Command {
    let names = || {
        Arg::new("names")
            .value_name("NAME")
            .num_args(0..)
            .help("OS templates")
    };
    let needed = || names().num_args(1..).required(true);
    let cache = |about: &'static str, names: Arg| Command::new("cache").about(about).arg(names);
    let flag = |id: &'static str, short: char, help: &'static str| {
        Arg::new(id)
            .short(short)
            .long(id)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    cli::common(Command::new("vzpkg").about("Manage OS templates"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("create")
                .about("Build what VEs are created from")
                .subcommand_required(true)
                .subcommand(
                    cache("Build the cache of OS templates", needed())
                        .arg(flag("force", 'f', "Build again what exists"))
                        .arg(
                            Arg::new("output")
                                .long("output")
                                .value_name("FILE")
                                .value_parser(clap::value_parser!(PathBuf))
                                .help("Write FILE.tar.zst instead of the cache"),
                        ),
                ),
        )
        .subcommand(
            Command::new("update")
                .about("Bring caches to the current versions of their packages")
                .subcommand_required(true)
                .subcommand(cache("Update these caches, or all", names())),
        )
        .subcommand(
            Command::new("remove")
                .about("Remove caches")
                .subcommand_required(true)
                .subcommand(cache("Remove the caches of these templates", needed())),
        )
        .subcommand(
            Command::new("list")
                .about("List OS templates, or the packages of VEs")
                .arg(
                    Arg::new("ids")
                        .value_name("ID|NAME")
                        .num_args(0..)
                        .help("Packages of these VEs"),
                )
                .arg(flag("os", 'O', "OS templates; the default"))
                .arg(flag(
                    "cached",
                    'c',
                    "Only those that have a cache; the default",
                ))
                .arg(
                    Arg::new("available")
                        .long("available")
                        .action(ArgAction::SetTrue)
                        .help("Also those that can be built"),
                ),
        )
        .subcommand(
            Command::new("verify")
                .about("Check caches against their manifests")
                .arg(needed()),
        )
        .after_help(
            "Examples:\n  vzpkg create cache debian-13-x86_64\n  vzpkg update cache\n  \
             vzpkg list --available\n  vzpkg list 101",
        )
}

/// vzpkg from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        // Its own number for what a person mistyped.
        Err(0) => return 0,
        Err(_) => return Fail::BadArgument.number(),
    };
    cli::run::with_context("vzpkg", "vzpkg", &m, |ctx| {
        let (name, res) = run(ctx, &m);
        finish(ctx, &name, res)
    })
}

type Done = std::result::Result<(String, Value), Failure>;

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> (String, Done) {
    let Some((verb, m)) = m.subcommand() else {
        return (
            String::new(),
            Err(Failure::new(Fail::BadArgument, "no command")),
        );
    };
    let (name, m) = match m.subcommand() {
        Some((noun, m)) => (format!("{verb} {noun}"), m),
        None => (verb.to_string(), m),
    };
    let res = match name.as_str() {
        "create cache" => create(ctx, m),
        "update cache" => update(ctx, m),
        "remove cache" => remove(ctx, m),
        "list" => list(ctx, m),
        _ => verify(ctx, m),
    };
    (name, res)
}

fn finish(ctx: &Ctx<'_>, command: &str, res: Done) -> u8 {
    let status = res.as_ref().map_or_else(|e| e.kind.number(), |_| 0);
    match (res, ctx.out.json) {
        (Ok((_, data)), true) if data.is_array() => ctx.out.print(&format!("{data}\n")),
        (Ok((message, data)), true) => {
            let value = json!({
                "ok": true, "command": command, "veid": null, "code": 0, "name": null,
                "message": message, "warnings": [], "data": data,
            });
            ctx.out.print(&format!("{value}\n"));
        }
        (Ok((message, _)), false) => {
            if !message.is_empty() && !ctx.out.quiet {
                ctx.out.print(&format!("{message}\n"));
            }
        }
        (Err(e), true) => {
            let value = json!({
                "ok": false, "command": command, "veid": null, "code": status,
                "name": e.kind.symbol(), "message": e.message(), "warnings": [],
                "data": { "try": e.hints() },
            });
            ctx.out.print(&format!("{value}\n"));
        }
        (Err(e), false) => ctx.out.complain(&e.to_string()),
    }
    status
}

fn names(m: &ArgMatches) -> Vec<String> {
    m.get_many::<String>("names")
        .unwrap_or_default()
        .cloned()
        .collect()
}

fn create(ctx: &Ctx<'_>, m: &ArgMatches) -> Done {
    let names = names(m);
    let output = m.get_one::<PathBuf>("output");
    if output.is_some() && names.len() > 1 {
        return Err(Failure::new(
            Fail::BadArgument,
            "--output takes one template",
        ));
    }
    let recipes: Vec<_> = names
        .iter()
        .map(|n| recipe::find(&ctx.paths, n))
        .collect::<std::result::Result<_, _>>()?;
    let mut made = Vec::new();
    for recipe in &recipes {
        let there = match output {
            Some(path) => path.exists().then(|| path.clone()),
            None => archive(&ctx.paths, &recipe.name),
        };
        if let Some(path) = there.filter(|_| !m.get_flag("force")) {
            return Err(
                Failure::new(Fail::Exists, format!("{} is built already", recipe.name))
                    .why(format!("{} exists", path.display()))
                    .hint(format!("vzpkg update cache {}", recipe.name))
                    .hint(format!("vzpkg create cache -f {}", recipe.name)),
            );
        }
        if ctx.opts.dry_run {
            ctx.out.note(&format!("would build {}", recipe.name));
            continue;
        }
        made.extend(cache::build(
            ctx,
            recipe,
            output.map(PathBuf::as_path),
            false,
        )?);
    }
    Ok(told("built", &made))
}

fn told(verb: &str, paths: &[PathBuf]) -> (String, Value) {
    let files: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
    let message = match files.is_empty() {
        true => String::new(),
        false => format!("{} was {verb}", files.join(", ")),
    };
    (message, json!({ "files": files }))
}

fn update(ctx: &Ctx<'_>, m: &ArgMatches) -> Done {
    let wanted = names(m);
    let names = if wanted.is_empty() {
        cache::cached(&ctx.paths)
    } else {
        wanted.clone()
    };
    let mut made = Vec::new();
    for name in names {
        let recipe = match recipe::find(&ctx.paths, &name) {
            Ok(recipe) => recipe,
            // A foreign archive that nobody asked for by name.
            Err(e) if wanted.is_empty() && e.kind == Fail::NotFound => {
                ctx.out
                    .note(&format!("{name} has no recipe and is left as it is"));
                continue;
            }
            Err(e) => return Err(e),
        };
        if archive(&ctx.paths, &recipe.name).is_none() {
            return Err(
                Failure::new(Fail::NotCached, format!("{} has no cache", recipe.name))
                    .hint(format!("vzpkg create cache {}", recipe.name)),
            );
        }
        if ctx.opts.dry_run {
            ctx.out.note(&format!("would build {} again", recipe.name));
            continue;
        }
        match cache::build(ctx, &recipe, None, true)? {
            Some(path) => made.push(path),
            None => ctx.out.note(&format!("{} is up to date", recipe.name)),
        }
    }
    Ok(told("updated", &made))
}

/// VEs made from a template.
fn users(ctx: &Ctx<'_>, name: &str) -> Vec<String> {
    configured(&ctx.paths)
        .into_iter()
        .filter(|id| {
            ctx.config(*id)
                .is_ok_and(|c| c.get("OSTEMPLATE") == Some(name))
        })
        .map(|id| id.to_string())
        .collect()
}

fn remove(ctx: &Ctx<'_>, m: &ArgMatches) -> Done {
    let mut gone = Vec::new();
    for name in names(m) {
        let name = canonical(&ctx.paths, &name);
        let users = users(ctx, &name);
        if !users.is_empty() && !ctx.opts.yes {
            return Err(Failure::new(Fail::BadArgument, format!("{name} is in use"))
                .why(format!("VEs {} were made from it", users.join(", ")))
                .hint(format!("vzpkg --yes remove cache {name}")));
        }
        if ctx.opts.dry_run {
            ctx.out.note(&format!("would remove the cache of {name}"));
            continue;
        }
        cache::remove(&ctx.paths, &name)?;
        gone.push(name);
    }
    let message = if gone.is_empty() {
        String::new()
    } else {
        format!("{} was removed", gone.join(", "))
    };
    Ok((message, json!({ "names": gone })))
}

fn verify(ctx: &Ctx<'_>, m: &ArgMatches) -> Done {
    let names = names(m);
    for name in &names {
        let recipe = recipe::find(&ctx.paths, name)?;
        cache::verify(ctx, &recipe)?;
    }
    Ok((
        format!("{} is as it was built", names.join(", ")),
        json!({ "names": names }),
    ))
}

fn list(ctx: &Ctx<'_>, m: &ArgMatches) -> Done {
    if let Some(ids) = m.get_many::<String>("ids") {
        return packages(ctx, &ids.cloned().collect::<Vec<_>>());
    }
    let mut rows = Vec::new();
    for name in cache::cached(&ctx.paths) {
        let Some(path) = archive(&ctx.paths, &name) else {
            continue;
        };
        let manifest = cache::manifest(&path);
        let size = path.metadata().map_or(0, |m| m.len());
        rows.push(json!({
            "name": name, "cached": true, "size": size, "file": path.to_string_lossy(),
            "built": manifest.as_ref().map(|m| timestamp(m.built)),
            "packages": manifest.as_ref().map(|m| m.packages.len()),
        }));
    }
    if m.get_flag("available") {
        for (name, recipe) in recipe::all(&ctx.paths)? {
            if archive(&ctx.paths, &name).is_none() {
                rows.push(json!({
                    "name": name, "cached": false, "size": null, "file": null,
                    "built": null, "packages": null, "description": recipe.description,
                }));
            }
        }
    }
    if !ctx.out.json {
        for row in &rows {
            let text = |key: &str| match &row[key] {
                Value::String(s) => s.clone(),
                Value::Null => "-".into(),
                other => other.to_string(),
            };
            let size = row["size"]
                .as_u64()
                .map_or("-".into(), |s| format!("{}M", s.div_ceil(1 << 20)));
            let line = format!(
                "{:<32} {:<24} {:>6} {:>5}",
                text("name"),
                text("built"),
                size,
                text("packages")
            );
            ctx.out.print(&format!("{}\n", line.trim_end()));
        }
    }
    Ok((String::new(), Value::Array(rows)))
}

fn packages(ctx: &Ctx<'_>, ids: &[String]) -> Done {
    let mut rows = Vec::new();
    for text in ids {
        let id = id::resolve(&ctx.paths, text)?;
        let conf = ctx.config(id)?;
        let tree = Tree::open(&conf.private(&ctx.paths))?;
        let Some(status) = tree.read_up_to("/var/lib/dpkg/status", MAX_STATUS)? else {
            return Err(Failure::new(
                Fail::BadArgument,
                format!("cannot list packages of VE {id}"),
            )
            .why("it has no dpkg database"));
        };
        for p in apt::installed(&status) {
            if !ctx.out.json {
                ctx.out
                    .print(&format!("{:<32} {:<32} {}\n", p.name, p.version, p.arch));
            }
            rows.push(json!({
                "veid": id.get(), "name": p.name, "version": p.version, "arch": p.arch,
            }));
        }
    }
    Ok((String::new(), Value::Array(rows)))
}
