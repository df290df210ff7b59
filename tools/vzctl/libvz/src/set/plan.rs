// SPDX-License-Identifier: GPL-2.0
//! What a `set` command is going to do, settled before anything is done.

use crate::cli::args;
use crate::config::Simple;
use crate::config::Source;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::output::Outcome;
use crate::params;
use crate::params::Apply;
use crate::params::Kind;
use crate::params::Param;
use crate::params::Setting;
use crate::set::sample::Sample;
use crate::status;
use crate::units::Pair;
use serde_json::Value;
use serde_json::json;

pub(super) struct Plan {
    /// The configuration as it will be.
    pub(super) new: VeConfig,
    /// What was asked for, in the form that is stored.
    pub(super) settings: Vec<Setting>,
    /// What to print: names of all that changes by its own option.
    pub(super) names: Vec<String>,
    /// The sample whose values are taken.
    pub(super) sample: Option<String>,
    /// Limits for the kernel, in the order of the table.
    pub(super) pairs: Vec<(&'static Param, Pair)>,
    /// New host name of a running VE.
    pub(super) hostname: Option<String>,
    /// Parameters that wait for the next start.
    pub(super) restart: Vec<&'static str>,
    /// Name, old value, new value.
    changes: Vec<(&'static str, Option<String>, String)>,
}

impl Plan {
    pub(super) fn new(ctx: &Ctx<'_>, old: &VeConfig, args: &args::Set, live: bool) -> Result<Self> {
        let mut plan = Plan {
            new: old.clone(),
            settings: Vec::new(),
            names: Vec::new(),
            sample: args.sample.clone(),
            pairs: Vec::new(),
            hostname: None,
            restart: Vec::new(),
            changes: Vec::new(),
        };
        let node = old.id().is_node();
        if node && !args.passwords.is_empty() {
            return Err(node_refuses("userpasswd"));
        }
        if node && args.sample.is_some() {
            return Err(node_refuses("applyconfig"));
        }
        let sample = match &args.sample {
            Some(name) => Some(Sample::read(ctx, old, name, args.save)?),
            None => None,
        };
        for setting in sample.iter().flat_map(|s| &s.settings) {
            let by_option = |s: &Setting| std::ptr::eq(s.param, setting.param);
            if args.settings.iter().any(by_option) {
                continue;
            }
            if setting.param.apply == Apply::Restart {
                allowed(ctx, old, setting, args, live)?;
            }
            let differs = old.get(setting.param.name).unwrap_or_default() != setting.value;
            plan.add(old, setting.clone(), differs)?;
        }
        for setting in &args.settings {
            let param = setting.param;
            if node && param.resource.is_none() {
                return Err(node_refuses(param.option));
            }
            allowed(ctx, old, setting, args, live)?;
            plan.names.push(param.name.to_string());
            plan.add(old, merged(old, setting), true)?;
        }
        for password in &args.passwords {
            plan.names
                .push(format!("password of user {}", password.user));
        }
        plan.pairs = match sample.is_some_and(|s| s.has_limits) {
            true => plan
                .new
                .limits()?
                .iter()
                .map(|l| (l.param, l.pair))
                .collect(),
            false => plan.limits()?,
        };
        Ok(plan)
    }

    fn add(&mut self, old: &VeConfig, setting: Setting, report: bool) -> Result<()> {
        let name = setting.param.name;
        if report {
            let was = old.get(name).map(str::to_string);
            self.changes.push((name, was, setting.value.clone()));
        }
        self.new.set(name, &setting.value)?;
        if setting.param.apply == Apply::Restart {
            self.restart.push(name);
        }
        if name == "HOSTNAME" {
            self.hostname = Some(setting.value.clone());
        }
        self.settings.push(setting);
        Ok(())
    }

    /// Limits that were named, and those that follow from RAM and swap.
    fn limits(&self) -> Result<Vec<(&'static Param, Pair)>> {
        let mut pairs = Vec::new();
        let named = |p: &Param| self.settings.iter().any(|s| s.param.name == p.name);
        for param in params::TABLE
            .iter()
            .filter(|p| p.resource.is_some() && named(p))
        {
            if let Some(pair) = self.new.pair(param.name)? {
                pairs.push((param, pair));
            }
        }
        let derive = self
            .settings
            .iter()
            .any(|s| Simple::SOURCES.contains(&s.param.name));
        if derive && self.new.simple()?.is_some() {
            let implied = self.new.limits()?;
            let implied = implied.iter().filter(|l| {
                l.source == Source::Implied
                    || (l.source == Source::Default && l.param.name == "PRIVVMPAGES")
            });
            pairs.extend(implied.map(|l| (l.param, l.pair)));
        }
        Ok(pairs)
    }

    /// Refuses what would leave a configuration that can be started as one
    /// that cannot: without a limit on RAM, and without all counters.
    pub(super) fn startable(&self, ctx: &Ctx<'_>, old: &VeConfig) -> Result<()> {
        if old.limits().is_err() {
            return Ok(());
        }
        self.new.limits().map(drop).map_err(|err| {
            err.context(format!(
                "cannot save {} of {}",
                self.log_names(),
                ctx.label(old.id())
            ))
        })
    }

    /// What the log says was set.
    pub(super) fn log_names(&self) -> String {
        let sample = self.sample.iter().map(|s| format!("sample {s}"));
        let all: Vec<String> = sample.chain(self.names.iter().cloned()).collect();
        all.join(", ")
    }

    /// `--dry-run`: old and new value of each parameter.
    pub(super) fn describe(&self, ctx: &Ctx<'_>, old: &VeConfig) -> Outcome {
        let mut text: Vec<String> = Vec::new();
        for (name, was, new) in &self.changes {
            let was = was.as_deref().unwrap_or("(unset)");
            let new = if new.is_empty() { "(unset)" } else { new };
            text.push(format!("{name}: {was} -> {new}"));
        }
        for (param, pair) in &self.pairs {
            if !self.changes.iter().any(|(name, ..)| *name == param.name) {
                let was = old.limits().ok();
                let was = was.and_then(|l| {
                    l.iter()
                        .find(|l| l.param.name == param.name)
                        .map(|l| l.pair.to_config())
                });
                // A sample has all limits; what stays is not worth a line.
                if self.sample.is_some() && was.as_ref() == Some(&pair.to_config()) {
                    continue;
                }
                let was = was.unwrap_or_else(|| "(unknown)".into());
                text.push(format!(
                    "{}: {was} -> {} (follows)",
                    param.name,
                    pair.to_config()
                ));
            }
        }
        if !self.restart.is_empty() {
            text.push(format!(
                "a restart is needed for {}",
                self.restart.join(", ")
            ));
        }
        ctx.out.detail(1, "nothing was changed");
        Outcome::done(text.join("\n"))
            .with("changes", self.changes_json())
            .with("restart", !self.restart.is_empty())
    }

    pub(super) fn changes_json(&self) -> Value {
        self.changes
            .iter()
            .map(|(name, was, new)| json!({ "name": name, "old": was, "new": new }))
            .collect()
    }
}

/// Pairs that a configuration names, for the node, which needs not have all.
pub(super) fn set_pairs(conf: &VeConfig) -> Result<Vec<(&'static Param, Pair)>> {
    let mut pairs = Vec::new();
    for param in params::TABLE.iter().filter(|p| p.resource.is_some()) {
        if let Some(pair) = conf.pair(param.name)? {
            pairs.push((param, pair));
        }
    }
    Ok(pairs)
}

fn node_refuses(option: &str) -> Error {
    Error::new(
        Code::BadValue,
        format!("--{option} cannot be set for the node"),
    )
    .why("VE 0 has beancounters only")
}

/// Whether the parameter can be changed in the state the VE is in.
fn allowed(
    ctx: &Ctx<'_>,
    old: &VeConfig,
    setting: &Setting,
    args: &args::Set,
    live: bool,
) -> Result<()> {
    let param = setting.param;
    let option = param.option;
    let id = old.id();
    let refuse = |code, why: &str| {
        Error::new(
            code,
            format!("cannot set {} of {}", param.name, ctx.label(id)),
        )
        .why(why)
    };
    match param.apply {
        Apply::Stopped if live => Err(refuse(Code::Running, "the VE is running").hint(format!(
            "vzctl stop {id} && vzctl set {id} --{option} {} --save",
            setting.value
        ))),
        Apply::Stopped if status::is_mounted(ctx, old) => {
            Err(refuse(Code::Mounted, "the VE is mounted").hint(format!("vzctl umount {id}")))
        }
        Apply::Restart if live && args.mode.is_none() && !args.force => Err(refuse(
            Code::Running,
            "the VE is running, and this needs a restart",
        )
        .hint("add --setmode restart --save, or --setmode ignore --save")),
        Apply::Saved | Apply::Restart | Apply::Stopped if !args.save => {
            Err(
                refuse(Code::Usage, "it only lives in the configuration").hint(format!(
                    "vzctl set {id} --{option} {} --save",
                    shown(&setting.value)
                )),
            )
        }
        _ => Ok(()),
    }
}

fn shown(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:/,+-".contains(c);
    match !value.is_empty() && value.chars().all(plain) {
        true => value.to_string(),
        false => format!("'{value}'"),
    }
}

/// Capabilities are added to those named before; other values replace.
fn merged(old: &VeConfig, setting: &Setting) -> Setting {
    if setting.param.kind != Kind::Capabilities {
        return setting.clone();
    }
    let before = old.get(setting.param.name).unwrap_or_default();
    let text = format!("{before} {}", setting.value);
    params::normalise(setting.param, &text).unwrap_or_else(|_| setting.clone())
}
