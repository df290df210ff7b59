// SPDX-License-Identifier: GPL-2.0
//! `vzctl set`: the kernel first, then the configuration. If the kernel
//! refuses, it has changed nothing, and the configuration is untouched.

mod plan;
mod sample;

use crate::cli::args;
use crate::cli::args::SetMode;
use crate::config::File;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::dist;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::id::Veid;
use crate::kernel::Limit;
use crate::names;
use crate::node::Memory;
use crate::output::Outcome;
use crate::params;
use crate::status;
use crate::ubc::rules::Class;
use crate::ubc::rules::Rules;
use crate::units::Pair;
use crate::ve;
use plan::Plan;
use serde_json::json;

/// Changes parameters of a VE, or of the node.
///
/// # Errors
/// Unknown VE (14), locked (9), refused by the kernel (1), needs a stop or a
/// restart (32), could not start with what would be saved (28), cannot be
/// saved (139).
pub fn set(ctx: &Ctx<'_>, id: Veid, args: &args::Set) -> Result<Outcome> {
    let old = load(ctx, id)?;
    let lock = ctx.lock(id, "setting")?;
    let live = match ctx.kernel.running(id)? {
        _ if id.is_node() => true,
        found => found.is_some_and(|v| v.state.is_up()),
    };
    let plan = Plan::new(ctx, &old, args, live)?;
    if args.reset_ub {
        return reset(ctx, &old, live);
    }
    if args.save && !args.force {
        plan.startable(ctx, &old)?;
    }
    judge(ctx, &old, &plan, args.save);
    if ctx.opts.dry_run {
        return Ok(plan.describe(ctx, &old));
    }
    if !live && !args.save {
        return apply_stopped(ctx, id, &plan, args);
    }
    if live {
        let applied = apply(ctx, id, &old, &plan);
        match applied {
            Err(err) if args.force && args.save => {
                ctx.out
                    .warn(&format!("{}; saved because of --force", err.message()));
            }
            other => other?,
        }
    }
    passwords(ctx, &plan.new, args)?;
    if args.save {
        save(ctx, id, &old, &plan)?;
    }
    let names = plan.log_names();
    ctx.log.event(
        id,
        &format!("set {names}{}", if args.save { ", saved" } else { "" }),
    );
    if !args.save && !plan.settings.is_empty() {
        ctx.out
            .note("this lasts until the VE stops; add --save to keep it");
    }
    if live && !plan.restart.is_empty() {
        let needs = plan.restart.join(", ");
        if args.mode == Some(SetMode::Restart) {
            // restart takes the lock itself.
            drop(lock);
            ve::restart(ctx, id, &args::Restart::default())?;
        } else {
            ctx.out.note(&format!(
                "{needs}: takes effect when the VE is started again"
            ));
        }
    }
    Ok(outcome(ctx, id, &plan, args.save))
}

/// Warns of what the change makes worse, and says how to mend it.
fn judge(ctx: &Ctx<'_>, old: &VeConfig, plan: &Plan, save: bool) {
    // Nothing starts with what is not saved, so that it need not be complete.
    if !save && plan.new.limits().is_err() {
        return;
    }
    let rules = Rules::new(Memory::read(&ctx.paths).ok());
    for finding in rules.news(old.file(), plan.new.file()) {
        let class = match finding.class {
            Class::Error => "inconsistent",
            Class::Warning => "unusual",
            Class::Advice => continue,
        };
        let fix = finding.fix.as_ref().map_or(String::new(), |fix| {
            let (id, option) = (old.id(), finding.param.option);
            format!("\n  try: vzctl set {id} --{option} {fix} --save")
        });
        ctx.out
            .warn(&format!("{class} limits: {}{fix}", finding.text));
    }
}

fn outcome(ctx: &Ctx<'_>, id: Veid, plan: &Plan, saved: bool) -> Outcome {
    let label = ctx.label(id);
    let tail = if saved { " and saved" } else { "" };
    let verb = if plan.names.len() == 1 { "was" } else { "were" };
    let names = plan.names.join(", ");
    let text = match &plan.sample {
        Some(sample) if names.is_empty() => format!("sample {sample} was applied to {label}{tail}"),
        Some(sample) => format!("sample {sample} was applied to {label}, {names} {verb} set{tail}"),
        None => format!("{names} of {label} {verb} set{tail}"),
    };
    Outcome::done(text)
        .with("saved", saved)
        .with("changes", plan.changes_json())
}

/// The configuration; the node works without one.
fn load(ctx: &Ctx<'_>, id: Veid) -> Result<VeConfig> {
    match ctx.config(id) {
        Err(e) if id.is_node() && e.code() == Code::NoConfig => {
            Ok(VeConfig::from_file(id, File::empty(ctx.paths.ve_conf(id))))
        }
        other => other,
    }
}

/// `--reset_ub`: everything the configuration says, applied again.
fn reset(ctx: &Ctx<'_>, conf: &VeConfig, live: bool) -> Result<Outcome> {
    let id = conf.id();
    if !live {
        return Err(Error::new(
            Code::NotRunning,
            format!("cannot reset limits of {}", ctx.label(id)),
        )
        .why("it is not running; its configuration is applied when it starts"));
    }
    let pairs: Vec<_> = match id.is_node() {
        true => plan::set_pairs(conf)?,
        false => conf.limits()?.iter().map(|l| (l.param, l.pair)).collect(),
    };
    if ctx.opts.dry_run {
        return Ok(Outcome::done(format!(
            "{} limits would be applied",
            pairs.len()
        )));
    }
    limits(ctx, id, &pairs)?;
    ctx.log.event(id, "limits set again from the configuration");
    Ok(Outcome::done(format!(
        "{} limits of {} were applied",
        pairs.len(),
        ctx.label(id)
    )))
}

/// Without --save, a stopped VE has nothing that could change but passwords.
fn apply_stopped(ctx: &Ctx<'_>, id: Veid, plan: &Plan, args: &args::Set) -> Result<Outcome> {
    passwords(ctx, &plan.new, args)?;
    if plan.settings.is_empty() {
        ctx.log.event(id, "passwords set");
        return Ok(outcome(ctx, id, plan, false));
    }
    let label = ctx.label(id);
    ctx.out.warn(&format!(
        "{label} is not running and --save was not given: nothing was changed"
    ));
    Ok(Outcome::silent()
        .with("saved", false)
        .with("changes", json!([])))
}

fn apply(ctx: &Ctx<'_>, id: Veid, old: &VeConfig, plan: &Plan) -> Result<()> {
    ctx.kernel.check()?;
    limits(ctx, id, &plan.pairs)?;
    if let Some(name) = &plan.hostname {
        if let Some(ve) = ctx.kernel.open(id)? {
            ve.set_hostname(name)?;
        }
        dist::set_hostname(ctx, id, &old.root(&ctx.paths), name)?;
    }
    Ok(())
}

/// Sets limits, all of them or none.
fn limits(ctx: &Ctx<'_>, id: Veid, pairs: &[(&'static params::Param, Pair)]) -> Result<()> {
    let named: Vec<_> = pairs.iter().filter(|(p, _)| p.resource.is_some()).collect();
    let list: Vec<_> = named
        .iter()
        .filter_map(|(param, pair)| {
            Some(Limit {
                resource: param.resource?,
                barrier: pair.barrier,
                limit: pair.limit,
            })
        })
        .collect();
    ctx.kernel.set_ubc(id, &list).map_err(|e| {
        let label = ctx.label(id);
        // The only one is to blame for everything.
        let at = e.at.or((named.len() == 1).then_some(0));
        let what = match at.and_then(|at| named.get(at)) {
            Some((param, pair)) => {
                format!(
                    "cannot set {} of {label} to {}",
                    param.name,
                    pair.to_config()
                )
            }
            None => format!("cannot set the limits of {label}"),
        };
        let code = match e.error.code() {
            Code::BadKernel | Code::Permission => e.error.code(),
            _ => Code::SetUbc,
        };
        e.error.context(what).with_code(code)
    })
}

fn passwords(ctx: &Ctx<'_>, conf: &VeConfig, args: &args::Set) -> Result<()> {
    let mounted = status::is_mounted(ctx, conf);
    let tree = if mounted {
        conf.root(&ctx.paths)
    } else {
        conf.private(&ctx.paths)
    };
    for password in &args.passwords {
        dist::set_password(ctx, conf.id(), &tree, password)?;
    }
    Ok(())
}

/// Names and the configuration change together or not at all.
fn save(ctx: &Ctx<'_>, id: Veid, old: &VeConfig, plan: &Plan) -> Result<()> {
    if plan.settings.is_empty() {
        return Ok(());
    }
    let (before, after) = (old.name(), plan.new.name());
    if before != after {
        if let Some(name) = after {
            names::link(&ctx.paths, id, name)?;
        }
    }
    if let Err(err) = plan.new.file().save() {
        if let Some(name) = after.filter(|n| before != Some(n)) {
            drop(names::unlink(&ctx.paths, id, name));
        }
        return Err(err);
    }
    match before.filter(|b| after != Some(b)) {
        Some(name) => names::unlink(&ctx.paths, id, name),
        None => Ok(()),
    }
}
