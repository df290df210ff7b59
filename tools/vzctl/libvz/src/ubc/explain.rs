// SPDX-License-Identifier: GPL-2.0
//! `vzctl explain`: what a VE was refused, who asked for it, what to do.

use crate::config::Simple;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::id;
use crate::id::Veid;
use crate::names::nearest;
use crate::params;
use crate::params::Param;
use crate::ubc;
use crate::ubc::Beancounter;
use crate::ubc::Usage;
use crate::ubc::refusal;
use crate::ubc::refusal::Scan;
use crate::ubc::refusal::Task;
use crate::ubc::suggest;
use crate::units;
use crate::units::Pair;
use crate::units::Unit;
use clap::Arg;
use clap::ArgMatches;
use clap::Command;
use serde_json::Value;
use serde_json::json;

/// The subcommand.
#[must_use]
pub fn command() -> Command {
    Command::new("explain")
        .about("Say what a VE was refused, which processes asked, and what to do")
        .override_usage("vzctl explain ID|NAME [RESOURCE]")
        .arg(
            Arg::new("id")
                .value_name("ID|NAME")
                .required(true)
                .help("A running VE; 0 is the node"),
        )
        .arg(
            Arg::new("resource")
                .value_name("RESOURCE")
                .help("Only this one, also if it was never refused [default: all that were]"),
        )
        .after_help(
            "Numbers are bytes, pages of 4096 bytes or items, as the resource counts. The kernel \
             keeps the last refusal of each process, as long as that lives.\n\n\
             Examples:\n  vzctl explain 101\n  vzctl explain web1 numproc",
        )
}

/// Runs the subcommand and prints the answer.
///
/// # Errors
/// Unknown VE (14) or resource (21), not running (31), no counters (5).
pub fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<()> {
    let text = m.get_one::<String>("id").map_or("", String::as_str);
    let id = id::resolve(&ctx.paths, text)?;
    let wanted = m.get_one::<String>("resource");
    let wanted = wanted.map(|name| resource(name)).transpose()?;
    let all = ubc::read(&ctx.paths)?.ok_or_else(crate::kernel::absent)?;
    let bc = ubc::of(ctx, &all, id)?;
    let scan = refusal::scan(&ctx.paths);
    let conf = ctx.config(id).ok();
    let stories = stories(id, bc, conf.as_ref(), &scan, wanted)?;
    if ctx.out.json {
        let list: Vec<Value> = stories.iter().map(|s| s.to_json(&scan)).collect();
        let value = json!({
            "veid": id.get(), "tasks_known": scan.supported, "resources": list,
        });
        ctx.out.print(&format!("{value:#}\n"));
        return Ok(());
    }
    let label = ctx.label(id);
    if stories.is_empty() {
        ctx.out.print(&format!("{label} was refused nothing\n"));
    }
    let texts: Vec<String> = stories.iter().map(|s| s.text(&label, &scan)).collect();
    ctx.out.print(&texts.join("\n"));
    Ok(())
}

/// A resource by any of its names.
fn resource(name: &str) -> Result<&'static Param> {
    let lower = name.to_ascii_lowercase();
    let is = |p: &&Param| p.names().any(|n| n.eq_ignore_ascii_case(&lower));
    let mut counters = params::TABLE.iter().filter(|p| p.resource.is_some());
    counters.find(is).ok_or_else(|| {
        let names: Vec<String> = params::TABLE
            .iter()
            .filter(|p| p.resource.is_some())
            .map(|p| p.option.to_string())
            .collect();
        let near = nearest(&lower, &names);
        let err =
            Error::new(Code::BadValue, format!("there is no resource \"{name}\"")).hint("vzubc 0");
        match near.is_empty() {
            true => err.why(format!("it must be one of {}", names.join(", "))),
            false => err.why(format!("did you mean {}?", near.join(" or "))),
        }
    })
}

/// All there is to say about one resource.
struct Story<'a> {
    name: &'a str,
    /// `None`: newer than this tool.
    param: Option<&'static Param>,
    now: Usage,
    /// Where barrier and limit come from.
    origin: Option<String>,
    tasks: Vec<&'a Task>,
    advice: Option<String>,
}

fn stories<'a>(
    id: Veid,
    bc: &'a Beancounter,
    conf: Option<&VeConfig>,
    scan: &'a Scan,
    wanted: Option<&'static Param>,
) -> Result<Vec<Story<'a>>> {
    let bounds = |name: &str| {
        bc.get(name).map(|u| Pair {
            barrier: u.barrier,
            limit: u.limit,
        })
    };
    let simple = Simple::of(bounds("physpages"), bounds("swappages"));
    let mut all = Vec::new();
    for (name, now) in &bc.rows {
        match wanted {
            Some(param) if param.option != name => continue,
            None if now.failcnt == 0 => continue,
            _ => {}
        }
        let param = params::by_resource_name(name);
        let tasks: Vec<&Task> = scan.of(id.get(), name).collect();
        let need = tasks
            .iter()
            .map(|t| t.refusal.held.saturating_add(t.refusal.requested))
            .max();
        let advice = param
            .filter(|_| now.failcnt > 0)
            .and_then(|p| suggest::options(p, now, need.unwrap_or(0), simple))
            .map(|options| format!("vzctl set {id} {options} --save"));
        all.push(Story {
            name,
            param,
            now: *now,
            origin: param.and_then(|p| conf?.origin(p.name)),
            tasks,
            advice,
        });
    }
    match wanted {
        Some(param) if all.is_empty() => Err(Error::new(
            Code::System,
            format!("cannot explain {} of VE {id}", param.option),
        )
        .why("the kernel does not show it")
        .hint("ls /proc/bc/resources")),
        _ => Ok(all),
    }
}

impl Story<'_> {
    fn text(&self, label: &str, scan: &Scan) -> String {
        let u = &self.now;
        let mut lines = vec![match u.failcnt {
            0 => format!("{label} was never refused {}", self.name),
            1 => format!("{label} was refused {} once", self.name),
            n => format!("{label} was refused {} {n} times", self.name),
        }];
        let origin = self
            .origin
            .as_ref()
            .map_or(String::new(), |at| format!(" ({at})"));
        lines.push(format!(
            "held {}, barrier {}, limit {}{origin}",
            self.amount(u.held),
            self.amount(u.barrier),
            self.amount(u.limit)
        ));
        if let Some(param) = self.param {
            lines.push(format!("what it is: {}", param.help));
            lines.push(format!("refused means: {}", param.refused));
        }
        if u.failcnt > 0 {
            if !scan.supported {
                lines.push(format!(
                    "who was refused is not known: {}",
                    refusal::UNSUPPORTED
                ));
            } else if self.tasks.is_empty() {
                lines.push("no living process has it as its last refusal".into());
            }
        }
        let tasks = self.tasks.iter().map(|t| format!("refused: {t}"));
        lines.extend(tasks);
        lines.extend(self.advice.iter().map(|a| format!("try: {a}")));
        lines.join("\n  ") + "\n"
    }

    /// The number, and what it is for people where that says more.
    fn amount(&self, value: u64) -> String {
        let factor = match self.param.and_then(|p| p.kind.unit()) {
            Some(Unit::Bytes) => 1,
            Some(Unit::Pages) => units::PAGE,
            Some(Unit::Count) | None => return units::bound(value),
        };
        match value.checked_mul(factor) {
            Some(bytes) if bytes >= 1024 => format!("{value} ({})", units::human(bytes)),
            _ => units::bound(value),
        }
    }

    fn to_json(&self, scan: &Scan) -> Value {
        let mut value = self.now.to_json();
        value["resource"] = json!(self.name);
        value["origin"] = json!(self.origin);
        value["what"] = json!(self.param.map(|p| p.help));
        value["refused_means"] = json!(self.param.map(|p| p.refused));
        let tasks: Vec<Value> = self.tasks.iter().map(|t| t.to_json()).collect();
        value["tasks"] = json!(scan.supported.then_some(tasks));
        value["try"] = json!(self.advice);
        value
    }
}
