// SPDX-License-Identifier: GPL-2.0
//! vzcfgscale: multiplies the limits of a configuration.

use super::memory::Memory;
use super::scale;
use super::scale::Milli;
use crate::cli;
use crate::cli::run::with_context;
use crate::config::File;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::output::Outcome;
use crate::params;
use crate::params::Group;
use crate::params::Scale;
use crate::ubc::rules::Class;
use crate::ubc::rules::Rules;
use crate::units;
use clap::Arg;
use clap::ArgAction;
use clap::ArgGroup;
use clap::ArgMatches;
use clap::Command;
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;

/// Option, chapter of the parameter table, help.
const KINDS: [(&str, char, Group, &str); 4] = [
    ("cpu", 'c', Group::Cpu, "CPU"),
    ("disk", 'd', Group::Disk, "disk"),
    ("ubc", 'u', Group::Ubc, "beancounter"),
    ("net", 'n', Group::Network, "network"),
];

/// The command line.
#[must_use]
pub fn command() -> Command {
    let factor = |id: &'static str, short: char, help: String| {
        Arg::new(id)
            .short(short)
            .value_name("COEFF")
            .value_parser(coefficient)
            .help(help)
    };
    let kinds = KINDS.map(|(id, short, _, what)| {
        factor(id, short, format!("Multiply the {what} values by COEFF"))
    });
    cli::common(Command::new("vzcfgscale").about("Multiply the limits of a VE configuration"))
        .override_usage("vzcfgscale -a|-c|-d|-u|-n COEFF... [-o FILE] [-r] FILE")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The configuration"),
        )
        .arg(factor(
            "all",
            'a',
            "Multiply all of them, where no other option says more".into(),
        ))
        .args(kinds)
        .group(
            ArgGroup::new("factors")
                .args(["all", "cpu", "disk", "ubc", "net"])
                .multiple(true)
                .required(true),
        )
        .args([
            Arg::new("output")
                .short('o')
                .value_name("FILE")
                .help("Write to a file, which may be FILE itself [default: stdout]"),
            Arg::new("sample")
                .short('r')
                .action(ArgAction::SetTrue)
                .help("Drop what belongs to one VE: name, addresses, directories, ids, devices"),
        ])
        .after_help(
            "COEFF is a number such as 2 or 0.5. Bare numbers are rounded, unlimited stays \
             unlimited, other lines stay as they are. A warning tells of a rule of \
             vzcfgvalidate that only the result breaks.\n\nExample:\n  \
             vzcfgscale -u 1.5 -d 2 -r -o /etc/vz/conf/ve-large.conf-sample \
             /etc/vz/conf/101.conf",
        )
}

fn coefficient(text: &str) -> std::result::Result<Milli, String> {
    match units::parse_factor(text)? {
        0 => Err("it must not be 0".into()),
        milli => Ok(milli),
    }
}

/// vzcfgscale from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    with_context("vzcfgscale", "scale", &m, |ctx| {
        let res = run(ctx, &m);
        ctx.out.finish("scale", None, res)
    })
}

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<Outcome> {
    let from = m.get_one::<String>("file").map_or("", String::as_str);
    let Some(old) = File::read(Path::new(from))? else {
        return Err(Error::new(Code::NoConfig, format!("cannot read {from}"))
            .why("no such file")
            .hint("ls /etc/vz/conf"));
    };
    let (new, changes) = scaled(&old, m)?;
    judge(ctx, &old, &new);
    let count = changes.len();
    let list: Vec<_> = changes
        .into_iter()
        .map(|(name, old, new)| json!({ "name": name, "old": old, "new": new }))
        .collect();
    let to = m.get_one::<String>("output");
    let outcome = |text: String| {
        Outcome::done(text)
            .with("file", to.cloned())
            .with("changes", list)
    };
    let Some(to) = to else {
        if !ctx.out.json {
            ctx.out.print(&String::from_utf8_lossy(&new.to_bytes()));
        }
        return Ok(outcome(String::new()));
    };
    if ctx.opts.dry_run {
        return Ok(outcome(format!("{count} values would be written to {to}")));
    }
    new.with_path(to).save()?;
    Ok(outcome(format!(
        "{count} scaled values were written to {to}"
    )))
}

type Change = (&'static str, String, String);

fn scaled(old: &File, m: &ArgMatches) -> Result<(File, Vec<Change>)> {
    let factor = |group: Group| {
        let own = KINDS
            .iter()
            .find(|(_, _, g, _)| *g == group)
            .and_then(|(id, ..)| m.get_one::<Milli>(id));
        own.or_else(|| m.get_one::<Milli>("all")).copied()
    };
    let mut new = old.clone();
    let mut changes = Vec::new();
    for param in params::TABLE.iter().filter(|p| p.is_stored()) {
        for name in param.names() {
            if param.own && m.get_flag("sample") {
                new.unset(name);
                continue;
            }
            let (Some(text), Some(by)) = (old.get(name), factor(param.group)) else {
                continue;
            };
            if param.scale == Scale::No || text.is_empty() {
                continue;
            }
            let bad = |why: String| {
                let err =
                    Error::new(Code::BadConfig, format!("cannot scale {name}=\"{text}\"")).why(why);
                match old.origin(name) {
                    Some(at) => err.at(at),
                    None => err,
                }
            };
            if let Some(unit) = param.kind.unit() {
                units::parse_pair(text, unit).map_err(bad)?;
            }
            let value = scale::value(param, text, by)
                .ok_or_else(|| bad("it is not made of numbers".into()))?;
            new.set(name, &value)?;
            changes.push((param.name, text.to_string(), value));
        }
    }
    Ok((new, changes))
}

/// Says what was good before and is not any more.
fn judge(ctx: &Ctx<'_>, old: &File, new: &File) {
    let rules = Rules::new(Memory::read(&ctx.paths).ok());
    let news = rules.news(old, new);
    for finding in news.iter().filter(|f| f.class != Class::Advice) {
        ctx.out.warn(&finding.text);
    }
}
