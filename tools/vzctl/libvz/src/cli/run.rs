// SPDX-License-Identifier: GPL-2.0
//! Runs what a vzctl command line says.

use crate::cli;
use crate::cli::args;
use crate::cli::args::ExecMode;
use crate::cli::args::SetMode;
use crate::cli::bulk;
use crate::cli::options;
use crate::cli::options::For;
use crate::ctx::Ctx;
use crate::ctx::Options;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::id;
use crate::id::Veid;
use crate::kernel;
use crate::logging::Log;
use crate::output::Outcome;
use crate::output::Output;
use crate::paths::Paths;
use crate::set;
use crate::status;
use crate::ubc;
use crate::ve;
use clap::ArgMatches;
use std::ffi::OsString;
use std::time::Duration;

/// vzctl from its command line to its exit status.
#[must_use]
pub fn vzctl(argv: Vec<OsString>) -> u8 {
    let matches = match cli::parse(cli::vzctl::command(), cli::vzctl::protect_exec(argv)) {
        Ok(matches) => matches,
        Err(status) => return status,
    };
    let Some((command, m)) = matches.subcommand() else {
        return Code::Usage.number();
    };
    if command == "completion" {
        return cli::completion::print(m);
    }
    with_context("vzctl", command, m, |ctx| run(ctx, command, m))
}

/// Sets up paths, kernel and output for a tool and runs it.
pub fn with_context(
    tool: &'static str,
    command: &str,
    m: &ArgMatches,
    body: impl FnOnce(&Ctx<'_>) -> u8,
) -> u8 {
    let (mut out, mut opts) = match cli::context(tool, m) {
        Ok(both) => both,
        Err(err) => return Output::new(tool).finish(command, None, Err(err)),
    };
    let paths = match Paths::load() {
        Ok(paths) => paths,
        Err(err) => return out.finish(command, None, Err(err)),
    };
    defaults(&paths, &mut out, &mut opts);
    let kernel = match kernel::open(&paths) {
        Ok(kernel) => kernel,
        Err(err) => return out.finish(command, None, Err(err)),
    };
    let log = Log::new(&paths, tool);
    let ctx = Ctx {
        paths,
        out,
        opts,
        kernel: kernel.as_ref(),
        log,
    };
    if ctx.opts.skip_lock {
        ctx.out
            .warn("--skiplock: another command may be working on the same VE");
    }
    body(&ctx)
}

/// What vz.conf says where the command line is silent.
fn defaults(paths: &Paths, out: &mut Output, opts: &mut Options) {
    if out.verbose == 0 {
        out.verbose = u8::try_from(paths.global().number("VERBOSE")).unwrap_or(u8::MAX);
    }
    if opts.lock_timeout.is_zero() {
        opts.lock_timeout = Duration::from_secs(paths.global().number("LOCK_TIMEOUT"));
    }
}

fn run(ctx: &Ctx<'_>, command: &str, m: &ArgMatches) -> u8 {
    let one = |id: Option<Veid>, res: Result<Outcome>| finish(ctx, command, id, res);
    match command {
        "create" => {
            let id = match m.get_one::<String>("id").map(|t| new_id(t)).transpose() {
                Ok(id) => id,
                Err(err) => return one(None, Err(err)),
            };
            one(
                id,
                create_args(m).and_then(|args| ve::create(ctx, id, &args)),
            )
        }
        "explain" => answer(ctx, command, ubc::explain::run(ctx, m)),
        "monitor" => answer(ctx, command, ubc::monitor::run(ctx, m)),
        "exec" | "exec2" | "exec3" | "enter" => {
            let text = m.get_one::<String>("id").map_or("", String::as_str);
            match id::resolve(&ctx.paths, text).and_then(not_node) {
                Ok(id) => one(Some(id), session(ctx, command, id, m)),
                Err(err) => one(None, Err(err)),
            }
        }
        _ => match bulk::select(ctx, command, m) {
            Ok(ids) => several(ctx, command, &ids, m),
            Err(err) => one(None, Err(err)),
        },
    }
}

/// Ends a command that prints data and changes nothing.
fn answer(ctx: &Ctx<'_>, command: &str, res: Result<()>) -> u8 {
    match res {
        Ok(()) => 0,
        Err(err) => ctx.out.finish(command, None, Err(err)),
    }
}

fn several(ctx: &Ctx<'_>, command: &str, ids: &[Veid], m: &ArgMatches) -> u8 {
    let limit = m.get_one::<u32>("parallel").map_or(1, |n| *n as usize);
    if ids.is_empty() {
        ctx.out.note("nothing to do: no VE is in a state for that");
        return 0;
    }
    if limit > 1 && ids.len() > 1 {
        return match bulk::parallel(ctx, ids, limit) {
            Ok(status) => status,
            Err(err) => ctx.out.finish(command, None, Err(err)),
        };
    }
    let mut first = 0;
    for id in ids {
        let status = finish(ctx, command, Some(*id), on_one(ctx, command, *id, m));
        if first == 0 {
            first = status;
        }
        if status == Code::Interrupted.number() {
            break;
        }
    }
    first
}

fn on_one(ctx: &Ctx<'_>, command: &str, id: Veid, m: &ArgMatches) -> Result<Outcome> {
    if command == "set" {
        return set::set(ctx, id, &set_args(m)?);
    }
    let id = not_node(id)?;
    match command {
        "start" => ve::start(ctx, id, &start_args(m)),
        "stop" => ve::stop(ctx, id, &stop_args(m)),
        "restart" => ve::restart(
            ctx,
            id,
            &args::Restart {
                stop: stop_args(m),
                start: start_args(m),
            },
        ),
        "destroy" => ve::destroy(
            ctx,
            id,
            &args::Destroy {
                purge: m.get_flag("purge"),
            },
        ),
        "mount" => ve::mount(ctx, id),
        "umount" => ve::umount(ctx, id),
        "status" => status::command(ctx, id, &status_args(m)?),
        _ => Err(Error::new(
            Code::Usage,
            format!("unknown subcommand {command}"),
        )),
    }
}

fn session(ctx: &Ctx<'_>, command: &str, id: Veid, m: &ArgMatches) -> Result<Outcome> {
    let mode = match command {
        "exec" => ExecMode::Exec,
        "exec2" => ExecMode::Exec2,
        "exec3" => ExecMode::Exec3,
        _ => {
            let exec = m.get_one::<String>("exec").cloned();
            return ve::enter(ctx, id, &args::Enter { exec });
        }
    };
    let command = m
        .get_many::<String>("command")
        .unwrap_or_default()
        .cloned()
        .collect();
    ve::exec(ctx, id, &args::Exec { mode, command })
}

/// Ends work on one VE and remembers its failure for `status`.
fn finish(ctx: &Ctx<'_>, command: &str, id: Option<Veid>, res: Result<Outcome>) -> u8 {
    let acting = !matches!(command, "status" | "exec" | "exec2" | "exec3" | "enter");
    if let (Some(id), true, false) = (id, acting, ctx.opts.dry_run) {
        match &res {
            Err(err) => {
                status::remember_error(&ctx.paths, id, Some(err));
                ctx.log
                    .event(id, &format!("{command} failed: {}", err.message()));
            }
            Ok(_) => status::remember_error(&ctx.paths, id, None),
        }
    }
    if command == "status" && res.is_ok() {
        return res.map_or(0, |o| o.status);
    }
    if matches!(command, "exec" | "exec2" | "exec3" | "enter") && res.is_ok() && !ctx.out.json {
        return res.map_or(0, |o| o.status);
    }
    ctx.out.finish(command, id, res)
}

fn not_node(id: Veid) -> Result<Veid> {
    match id.is_node() {
        true => Err(Error::new(Code::BadValue, "VE 0 is the hardware node")
            .why("it can only be used with set and status tools")),
        false => Ok(id),
    }
}

/// A new VE is given by number, never by the name of another.
fn new_id(text: &str) -> Result<Veid> {
    Veid::parse(text).filter(|id| !id.is_node()).ok_or_else(|| {
        Error::new(Code::BadValue, format!("bad VE id \"{text}\""))
            .why(format!(
                "the id of a new VE is a number from 101 to {}",
                id::MAX
            ))
            .hint("vzctl create 101 --name NAME ...")
    })
}

fn create_args(m: &ArgMatches) -> Result<args::Create> {
    let template = m.get_one::<String>("ostemplate").map(|text| {
        let param = crate::params::by_name("OSTEMPLATE")
            .ok_or_else(|| Error::new(Code::System, "no entry for OSTEMPLATE"))?;
        crate::params::normalise(param, text).map(|s| s.value)
    });
    Ok(args::Create {
        ostemplate: template.transpose()?,
        sample: m
            .get_one::<String>("config")
            .map(|name| sample_name(name).map(str::to_string))
            .transpose()?,
        force_reserved: m.get_flag("force-reserved"),
        settings: options::settings(m, For::Create)?,
        passwords: options::passwords(m)?,
    })
}

/// Checks the NAME of a sample configuration.
///
/// # Errors
/// It could not be that of a file (21).
pub fn sample_name(name: &str) -> Result<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
    match !name.is_empty() && name.bytes().all(plain) {
        true => Ok(name),
        false => Err(
            Error::new(Code::BadValue, format!("bad sample name \"{name}\""))
                .why("it is the NAME of a file ve-NAME.conf-sample in /etc/vz/conf"),
        ),
    }
}

fn start_args(m: &ArgMatches) -> args::Start {
    args::Start {
        wait: m.get_flag("wait"),
        force: m.get_flag("force"),
        skip_remount: m.get_flag("skip-remount"),
    }
}

fn stop_args(m: &ArgMatches) -> args::Stop {
    args::Stop {
        fast: m.get_flag("fast"),
        skip_umount: m.get_flag("skip-umount"),
    }
}

fn status_args(m: &ArgMatches) -> Result<args::Status> {
    let Some(text) = m.get_one::<String>("wait") else {
        return Ok(args::Status::default());
    };
    let (state, secs) = match text.split_once('=') {
        Some((state, secs)) => {
            let secs = secs.parse().map_err(|_| {
                Error::new(Code::BadValue, format!("bad value \"{text}\" for --wait"))
                    .why("after \"=\" goes a number of seconds")
            })?;
            (state, Some(secs))
        }
        None => (text.as_str(), None),
    };
    status::check_word(state)?;
    Ok(args::Status {
        wait: Some((state.to_string(), secs)),
    })
}

fn set_args(m: &ArgMatches) -> Result<args::Set> {
    let set = args::Set {
        save: m.get_flag("save"),
        force: m.get_flag("force"),
        mode: m
            .get_one::<String>("setmode")
            .map(|mode| match mode.as_str() {
                "restart" => SetMode::Restart,
                _ => SetMode::Ignore,
            }),
        reset_ub: m.get_flag("reset_ub"),
        sample: m
            .get_one::<String>("applyconfig")
            .map(|name| sample_name(name).map(str::to_string))
            .transpose()?,
        settings: options::settings(m, For::Set)?,
        passwords: options::passwords(m)?,
    };
    let nothing = set.settings.is_empty() && set.passwords.is_empty() && set.sample.is_none();
    if set.reset_ub && (!nothing || set.save) {
        return Err(Error::new(Code::Usage, "--reset_ub goes alone")
            .why("it applies what the configuration says")
            .hint("give the other options in a second command"));
    }
    if nothing && !set.reset_ub {
        return Err(Error::new(Code::Usage, "no parameter to set")
            .why("set needs at least one option that names a parameter")
            .hint("vzctl set --help"));
    }
    Ok(set)
}
