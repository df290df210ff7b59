// SPDX-License-Identifier: GPL-2.0
//! vzubc: beancounters for people, in units they can read.

use crate::cli;
use crate::cli::run::with_context;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id;
use crate::params;
use crate::ubc;
use crate::ubc::Beancounter;
use crate::ubc::Usage;
use crate::units;
use crate::units::Unit;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Two-letter options of old, which only look like two options.
const OLD: [(&str, &str); 6] = [
    ("-qh", "--quiet-held"),
    ("-qm", "--quiet-maxheld"),
    ("-rc", "--relative-clear"),
    ("-rd", "--store-dir"),
    ("-ic", "--relative-clear"),
    ("-id", "--store-dir"),
];

/// The command line.
#[must_use]
pub fn command() -> Command {
    let flag = |id: &'static str, short: char, help: &'static str| {
        Arg::new(id)
            .short(short)
            .long(id)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    let fraction = |id: &'static str, default: &'static str, help: &'static str| {
        Arg::new(id)
            .long(id)
            .value_name("FRACTION")
            .value_parser(clap::value_parser!(f64))
            .default_value(default)
            .help(help)
    };
    cli::reading(Command::new("vzubc").about("Show what VEs use and may use"))
        .override_usage("vzubc [OPTIONS] [ID|NAME...]")
        .arg(
            Arg::new("ids")
                .value_name("ID|NAME")
                .num_args(0..)
                .help("Only these; 0 is the node"),
        )
        .args([
            flag("watch", 'w', "Show again every two seconds, until Ctrl-C"),
            flag(
                "trouble",
                'q',
                "Only resources near their limit, or with refusals",
            ),
            fraction(
                "quiet-held",
                "0.5",
                "With -q: how much held of the limit is near; also -qh",
            ),
            fraction(
                "quiet-maxheld",
                "0.8",
                "With -q: the same for maxheld; also -qm",
            ),
            flag(
                "relative",
                'r',
                "Show the change of held since the last call with -r or -i",
            ),
            flag(
                "incremental",
                'i',
                "Show only refusals since the last call with -r or -i",
            ),
            Arg::new("relative-clear")
                .long("relative-clear")
                .action(ArgAction::SetTrue)
                .help("Forget the last call; also -rc, -ic"),
            Arg::new("store-dir")
                .long("store-dir")
                .value_name("DIR")
                .help("Where the last call is kept [default: /var/lib/vzctl/vzubc]; also -rd, -id"),
            Arg::new("color-old")
                .short('c')
                .action(ArgAction::SetTrue)
                .help("As --color always"),
            Arg::new("verbose-old")
                .short('v')
                .action(ArgAction::SetTrue)
                .hide(true)
                .help("Accepted for old scripts"),
            Arg::new("file")
                .short('f')
                .long("file")
                .value_name("FILE")
                .help("Read a saved /proc/user_beancounters; - is stdin"),
            Arg::new("top")
                .long("top")
                .value_name("N")
                .value_parser(clap::value_parser!(u32).range(1..))
                .help("Only the N resources of each VE that are nearest to their limit"),
        ])
        .after_help(
            "\"-\" stands for unlimited or zero. Sizes are in bytes with K, M, G.\n\n\
             Examples:\n  vzubc 101\n  vzubc -q\n  vzubc --top 3",
        )
}

/// vzubc from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let argv = argv
        .into_iter()
        .map(|a| {
            OLD.iter()
                .find(|(old, _)| a == *old)
                .map_or(a, |(_, new)| OsString::from(new))
        })
        .collect();
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    with_context("vzubc", "ubc", &m, |ctx| {
        loop {
            let text = match run(ctx, &m) {
                Ok(text) => text,
                Err(err) => return ctx.out.finish("ubc", None, Err(err)),
            };
            if !m.get_flag("watch") {
                ctx.out.print(&text);
                return 0;
            }
            ctx.out.print(&format!("\x1b[H\x1b[2J{text}"));
            std::thread::sleep(Duration::from_secs(2));
        }
    })
}

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<String> {
    let mut all = read(ctx, m)?;
    if let Some(wanted) = m.get_many::<String>("ids") {
        let mut chosen = Vec::new();
        for text in wanted {
            let id = id::resolve(&ctx.paths, text)?;
            let found = all
                .iter()
                .find(|b| b.id == id.get())
                .cloned()
                .ok_or_else(|| {
                    Error::new(Code::NotRunning, format!("VE {id} has no beancounter"))
                        .why("it is not running")
                        .hint(format!("vzctl start {id}"))
                })?;
            chosen.push(found);
        }
        all = chosen;
    } else {
        all.sort_by_key(|b| b.id);
    }
    let compare = m.get_flag("relative") || m.get_flag("incremental");
    let store = store(ctx, m);
    if m.get_flag("relative-clear") {
        drop(std::fs::remove_file(&store));
    }
    let before = match compare {
        true => std::fs::read_to_string(&store)
            .ok()
            .and_then(|t| ubc::parse(&t).ok()),
        false => None,
    };
    if compare {
        save(&store, &all)?;
    }
    if ctx.out.json {
        let list: Vec<Value> = all.iter().map(to_json).collect();
        return Ok(format!("{:#}\n", Value::Array(list)));
    }
    let before = before.unwrap_or_default();
    let tables: Vec<String> = all
        .iter()
        .filter_map(|bc| table(ctx, m, bc, before.iter().find(|b| b.id == bc.id)))
        .collect();
    Ok(tables.join("\n"))
}

fn read(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<Vec<Beancounter>> {
    let Some(file) = m.get_one::<String>("file") else {
        let all = ubc::read(&ctx.paths)?;
        return all.ok_or_else(crate::kernel::absent);
    };
    let failed = || format!("cannot read {file}");
    let text = match file.as_str() {
        "-" => std::io::read_to_string(std::io::stdin()),
        path => std::fs::read_to_string(path),
    };
    let text = text.or_err(Code::System, failed)?;
    ubc::parse(&text).map_err(|e| Error::new(Code::BadValue, failed()).why(e))
}

fn store(ctx: &Ctx<'_>, m: &ArgMatches) -> PathBuf {
    let dir = m.get_one::<String>("store-dir").map(PathBuf::from);
    dir.unwrap_or_else(|| ctx.paths.state_dir().join("vzubc"))
        .join("last")
}

/// Keeps what is shown now in the kernel's own format.
fn save(store: &std::path::Path, all: &[Beancounter]) -> Result<()> {
    let failed = || format!("cannot write {}", store.display());
    let mut text = String::from("Version: 2.5\n");
    for bc in all {
        for (i, (name, u)) in bc.rows.iter().enumerate() {
            let id = if i == 0 {
                format!("{}:", bc.id)
            } else {
                String::new()
            };
            text.push_str(&format!(
                "{id} {name} {} {} {} {} {}\n",
                u.held, u.maxheld, u.barrier, u.limit, u.failcnt
            ));
        }
    }
    let dir = store.parent().unwrap_or(std::path::Path::new("/"));
    std::fs::create_dir_all(dir).or_err(Code::System, failed)?;
    let tmp = tempfile::NamedTempFile::new_in(dir).or_err(Code::System, failed)?;
    std::fs::write(tmp.path(), text).or_err(Code::System, failed)?;
    tmp.persist(store)
        .map_err(|e| e.error)
        .or_err(Code::System, failed)?;
    Ok(())
}

fn to_json(bc: &Beancounter) -> Value {
    let rows: serde_json::Map<String, Value> = bc
        .rows
        .iter()
        .map(|(name, u)| (name.clone(), u.to_json()))
        .collect();
    json!({ "veid": bc.id, "resources": rows })
}

/// Share of a bound, `None` if there is no bound to speak of.
fn share(value: u64, bound: u64) -> Option<f64> {
    (bound != 0 && bound < units::LEGACY_UNLIMITED_PAGES.saturating_mul(units::PAGE))
        .then(|| value as f64 / bound as f64)
}

/// The bound that refuses requests.
fn nearness(u: &Usage) -> f64 {
    share(u.held, u.limit).unwrap_or(0.0)
}

fn table(
    ctx: &Ctx<'_>,
    m: &ArgMatches,
    bc: &Beancounter,
    before: Option<&Beancounter>,
) -> Option<String> {
    let mut rows: Vec<(&str, Usage, Usage)> = bc
        .rows
        .iter()
        .map(|(name, now)| {
            let was = before.and_then(|b| b.get(name)).unwrap_or_default();
            // A counter that went back belongs to an earlier start of the VE.
            let was = if was.failcnt > now.failcnt {
                Usage::default()
            } else {
                was
            };
            (name.as_str(), *now, was)
        })
        .collect();
    let fails = |now: &Usage, was: &Usage| match m.get_flag("incremental") {
        true => now.failcnt - was.failcnt,
        false => now.failcnt,
    };
    if m.get_flag("trouble") {
        let fraction = |n: &str| m.get_one::<f64>(n).copied().unwrap_or(1.0);
        rows.retain(|(_, u, was)| {
            fails(u, was) > 0
                || share(u.held, u.limit).is_some_and(|s| s > fraction("quiet-held"))
                || share(u.maxheld, u.limit).is_some_and(|s| s > fraction("quiet-maxheld"))
        });
        if rows.is_empty() {
            return None;
        }
    }
    if let Some(n) = m.get_one::<u32>("top") {
        rows.sort_by(|a, b| nearness(&b.1).total_cmp(&nearness(&a.1)));
        rows.truncate(*n as usize);
    }
    let title = match crate::Veid::new(bc.id) {
        Some(id) if id.is_node() => "node (0)".to_string(),
        Some(id) => ctx.label(id),
        None => format!("UB {}", bc.id),
    };
    let mut text = format!(
        "{title:<14} {:>9} {:>4} {:>4} | {:>8} {:>4} {:>4} | {:>8} {:>8} | {:>6}\n",
        "HELD", "Bar%", "Lim%", "MAXH", "Bar%", "Lim%", "BAR", "LIM", "FAIL"
    );
    let color = m.get_flag("color-old") || ctx.out.color_data();
    for (name, u, was) in &rows {
        let held = match m.get_flag("relative") {
            true => relative(name, u.held, was.held),
            false => amount(name, u.held),
        };
        let failed = fails(u, was);
        let line = format!(
            "{name:<14} {held:>9} {:>4} {:>4} | {:>8} {:>4} {:>4} | {:>8} {:>8} | {:>6}",
            percent(u.held, u.barrier),
            percent(u.held, u.limit),
            amount(name, u.maxheld),
            percent(u.maxheld, u.barrier),
            percent(u.maxheld, u.limit),
            amount(name, u.barrier),
            amount(name, u.limit),
            if failed == 0 {
                "-".to_string()
            } else {
                failed.to_string()
            },
        );
        let line = match (color, failed > 0, nearness(u) > 0.8) {
            (true, true, _) => format!("\x1b[31m{line}\x1b[0m"),
            (true, false, true) => format!("\x1b[33m{line}\x1b[0m"),
            _ => line,
        };
        text.push_str(&line);
        text.push('\n');
    }
    Some(text)
}

/// Bytes a unit of the resource stands for; `None` for items.
fn scale(name: &str) -> Option<u64> {
    match params::by_resource_name(name)?.kind.unit()? {
        Unit::Bytes => Some(1),
        Unit::Pages => Some(units::PAGE),
        Unit::Count => None,
    }
}

fn amount(name: &str, value: u64) -> String {
    match scale(name) {
        _ if value == 0 || value >= units::UNLIMITED => "-".into(),
        Some(factor) => units::human(value.saturating_mul(factor)),
        None => value.to_string(),
    }
}

fn relative(name: &str, now: u64, was: u64) -> String {
    let sign = match now.cmp(&was) {
        std::cmp::Ordering::Less => "-",
        std::cmp::Ordering::Equal => return "=".into(),
        std::cmp::Ordering::Greater => "+",
    };
    format!("{sign}{}", amount(name, now.abs_diff(was)))
}

fn percent(value: u64, bound: u64) -> String {
    match share(value, bound) {
        Some(s) if value > 0 => format!("{:.0}%", (s * 100.0).min(9999.0)),
        _ => "-".into(),
    }
}
