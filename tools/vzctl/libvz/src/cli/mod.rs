// SPDX-License-Identifier: GPL-2.0
//! Command lines, made from the parameter table.

pub mod args;
pub mod bulk;
pub mod completion;
pub mod man;
pub mod options;
pub mod run;
pub mod vzctl;

pub use run::with_context;

use crate::ctx::Options;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::node;
use crate::output::Output;
use crate::output::When;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;
use clap::error::ContextKind;
use clap::error::ContextValue;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::time::Duration;

/// Version of all tools.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One of the commands in the executable.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The name it is called by.
    pub name: &'static str,
    /// Its command line, for pages and completion.
    pub command: fn() -> Command,
    /// Runs a command line to its exit status.
    pub run: fn(Vec<OsString>) -> u8,
}

const fn tool(name: &'static str, command: fn() -> Command, run: fn(Vec<OsString>) -> u8) -> Tool {
    Tool { name, command, run }
}

/// Every command.
#[rustfmt::skip]
pub const TOOLS: [Tool; 12] = [
    tool("vzctl", vzctl::documented, run::vzctl),
    tool("vzlist", crate::list::command, crate::list::main),
    tool("vzubc", crate::ubc::show::command, crate::ubc::show::main),
    tool("vzcalc", node::vzcalc::command, node::vzcalc::main),
    tool("vzmemcheck", node::vzmemcheck::command, node::vzmemcheck::main),
    tool("vzcpucheck", node::vzcpucheck::command, node::vzcpucheck::main),
    tool("vzsplit", node::vzsplit::command, node::vzsplit::main),
    tool("vzcfgvalidate", crate::ubc::cfgvalidate::command, crate::ubc::cfgvalidate::main),
    tool("vzcfgscale", node::vzcfgscale::command, node::vzcfgscale::main),
    tool("vzpkg", crate::pkg::command, crate::pkg::main),
    tool("vzpid", crate::pid::command, crate::pid::main),
    tool("vzeventd", crate::event::command, crate::event::main),
];

/// Every tool's command line, for pages and completion.
#[must_use]
pub fn tools() -> Vec<Command> {
    TOOLS.iter().map(|t| (t.command)()).collect()
}

/// Adds the options that all tools share, and the house style.
#[must_use]
pub fn common(cmd: Command) -> Command {
    let when = || clap::builder::PossibleValuesParser::new(["auto", "always", "never"]);
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .global(true)
            .help(help)
    };
    const HEAD: &str = "Global options";
    cmd.version(VERSION)
        .disable_help_subcommand(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .max_term_width(100)
        .args(
            [
                flag("quiet", "Print errors only"),
                flag("verbose", "Say more; may be repeated").action(ArgAction::Count),
                flag(
                    "json",
                    "Print the result as JSON on stdout, as in /usr/share/vzctl/schema",
                ),
                flag("color", "When to use colour")
                    .action(ArgAction::Set)
                    .value_name("auto|always|never")
                    .hide_possible_values(true)
                    .value_parser(when()),
                flag("progress", "When to draw progress bars")
                    .action(ArgAction::Set)
                    .value_name("auto|always|never")
                    .hide_possible_values(true)
                    .value_parser(when()),
                flag("dry-run", "Say what would be done, do nothing"),
                flag("yes", "Answer every question with yes"),
                flag("help", "Print this help")
                    .short('h')
                    .action(ArgAction::Help),
                flag("version", "Print the version")
                    .action(ArgAction::Version)
                    .global(false),
            ]
            .map(|a| a.help_heading(HEAD).display_order(900)),
        )
}

/// As [`common`], for tools that change nothing: their command line takes
/// `--dry-run` and `--yes` from scripts, the help does not mention them.
#[must_use]
pub fn reading(cmd: Command) -> Command {
    common(cmd)
        .mut_arg("dry-run", |a| a.hide(true))
        .mut_arg("yes", |a| a.hide(true))
}

/// Adds the options of tools that lock VEs.
#[must_use]
pub fn locking(cmd: Command) -> Command {
    cmd.args(
        [
            Arg::new("skiplock")
                .long("skiplock")
                .action(ArgAction::SetTrue)
                .help("Ignore the VE's lock; dangerous"),
            Arg::new("lock-timeout")
                .long("lock-timeout")
                .value_name("SECONDS")
                .value_parser(clap::value_parser!(u64).range(0..=86_400))
                .help("Wait for a locked VE instead of failing"),
        ]
        .map(|a| {
            a.global(true)
                .help_heading("Global options")
                .display_order(901)
        }),
    )
}

/// Parses a command line. `Err` carries the exit status; the text has been
/// printed already.
///
/// # Errors
/// 0 after `--help` and `--version`, else 20 or 21.
pub fn parse(cmd: Command, argv: Vec<OsString>) -> std::result::Result<ArgMatches, u8> {
    let tool = TOOLS.iter().find(|t| t.name == cmd.get_name());
    let tool = tool.map_or("vz-tools", |t| t.name);
    let argv = help_word(argv);
    let json = argv.iter().any(|a| a == "--json");
    let words: Vec<_> = argv.iter().skip(1).map(|a| a.to_string_lossy()).collect();
    let sub = words.iter().find_map(|w| cmd.find_subcommand(w.as_ref()));
    let sub = sub.map(|c| c.get_name().to_string());
    cmd.try_get_matches_from(argv).map_err(|e| {
        if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // A closed pipe (help | head) is no failure.
            drop(e.print());
            return 0;
        }
        let mut out = Output::new(tool);
        out.json = json;
        let err = usage_error(tool, sub.as_deref(), &e);
        out.finish(sub.as_deref().unwrap_or(""), None, Err(err))
    })
}

/// `vzctl help start` is `vzctl start --help`.
fn help_word(mut argv: Vec<OsString>) -> Vec<OsString> {
    if argv.get(1).is_some_and(|a| a == "help") && argv.len() <= 3 {
        argv.remove(1);
        argv.push("--help".into());
    }
    argv
}

/// Turns a parser error into the three parts of ours.
fn usage_error(tool: &str, sub: Option<&str>, err: &clap::Error) -> Error {
    let text = err.render().to_string();
    let usage = text.lines().find_map(|l| l.trim().strip_prefix("Usage: "));
    let first = text.lines().next().unwrap_or_default();
    let first = first
        .strip_prefix("error: ")
        .unwrap_or(first)
        .trim_end_matches(':');
    let given = |kind| match err.get(kind) {
        // "--ram <SIZE>" is the option and its placeholder.
        Some(ContextValue::String(s)) if s.starts_with('-') => {
            s.split(' ').next().unwrap_or_default().to_string()
        }
        Some(ContextValue::String(s)) => s.clone(),
        Some(ContextValue::Strings(all)) => all.join(" "),
        _ => String::new(),
    };
    let (code, what) = match err.kind() {
        ErrorKind::InvalidSubcommand => (
            Code::Usage,
            format!(
                "unknown subcommand \"{}\"",
                given(ContextKind::InvalidSubcommand)
            ),
        ),
        ErrorKind::UnknownArgument => match given(ContextKind::InvalidArg) {
            arg if arg.starts_with('-') => (Code::Usage, format!("unknown option \"{arg}\"")),
            arg => (Code::Usage, format!("unexpected argument \"{arg}\"")),
        },
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            (Code::Usage, "a subcommand is missing".to_string())
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = given(ContextKind::InvalidArg).replace(['<', '>'], "");
            (Code::Usage, format!("{missing} is missing"))
        }
        ErrorKind::InvalidValue if given(ContextKind::InvalidValue).is_empty() => (
            Code::Usage,
            format!("{} needs a value", given(ContextKind::InvalidArg)),
        ),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let (arg, value) = (
                given(ContextKind::InvalidArg),
                given(ContextKind::InvalidValue),
            );
            (Code::BadValue, format!("bad value \"{value}\" for {arg}"))
        }
        _ => (Code::Usage, first.to_string()),
    };
    let mut out = Error::new(code, what);
    if let Some(why) = reason(err) {
        out = out.why(why);
    }
    if let (ErrorKind::MissingRequiredArgument, Some(usage)) = (err.kind(), usage) {
        out = out.at(format!("usage: {usage}"));
    }
    match sub {
        Some(sub) => out.hint(format!("{tool} {sub} --help")),
        None => out.hint(format!("{tool} --help")),
    }
}

/// What the parser suggests, or what a value should have been.
fn reason(err: &clap::Error) -> Option<String> {
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
        match err.get(kind) {
            Some(ContextValue::String(s)) => return Some(format!("did you mean \"{s}\"?")),
            // The most similar one comes last.
            Some(ContextValue::Strings(all)) => {
                let best: Vec<_> = all
                    .iter()
                    .rev()
                    .take(2)
                    .map(|s| format!("\"{s}\""))
                    .collect();
                return Some(format!("did you mean {}?", best.join(" or ")));
            }
            _ => {}
        }
    }
    match (err.kind(), err.get(ContextKind::ValidValue)) {
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(all))) if !all.is_empty() => {
            Some(format!("it must be {}", all.join(" or ")))
        }
        (ErrorKind::ValueValidation, _) => {
            let why = std::error::Error::source(err).map(ToString::to_string)?;
            // The words of the standard library's number parser.
            let no_number = why.contains("digit") || why.contains("float literal");
            Some(if no_number {
                "it must be a number".to_string()
            } else {
                why
            })
        }
        _ => None,
    }
}

/// Console settings and global options of a parsed command line.
///
/// # Errors
/// None now; the signature leaves room.
pub fn context(tool: &'static str, matches: &ArgMatches) -> Result<(Output, Options)> {
    let flag = |m: &ArgMatches, n: &str| m.try_get_one::<bool>(n).ok().flatten() == Some(&true);
    let when = |n: &str| match matches
        .try_get_one::<String>(n)
        .ok()
        .flatten()
        .map(String::as_str)
    {
        Some("always") => When::Always,
        Some("never") => When::Never,
        _ => When::Auto,
    };
    let mut out = Output::new(tool);
    out.quiet = flag(matches, "quiet");
    out.json = flag(matches, "json");
    out.verbose = matches
        .try_get_one::<u8>("verbose")
        .ok()
        .flatten()
        .copied()
        .unwrap_or(0);
    out.set_color(when("color"));
    out.set_progress(when("progress"));
    let timeout = matches
        .try_get_one::<u64>("lock-timeout")
        .ok()
        .flatten()
        .copied()
        .unwrap_or(0);
    let opts = Options {
        skip_lock: flag(matches, "skiplock"),
        lock_timeout: Duration::from_secs(timeout),
        dry_run: flag(matches, "dry-run"),
        yes: flag(matches, "yes"),
    };
    Ok((out, opts))
}
