// SPDX-License-Identifier: GPL-2.0
//! Options made from the parameter table, and the way back.

use crate::cli::args::Password;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::params;
use crate::params::Apply;
use crate::params::Kind;
use crate::params::Param;
use crate::params::Setting;
use crate::params::Support;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;

/// Which subcommand takes the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// `vzctl create`.
    Create,
    /// `vzctl set`.
    Set,
}

impl For {
    fn takes(self, param: &Param) -> bool {
        param.is_option()
            && match self {
                For::Create => param.kind != Kind::Template,
                For::Set => param.apply != Apply::Never,
            }
    }
}

/// Help text of a parameter, with its default and when a change takes effect.
#[must_use]
pub fn help(param: &Param) -> String {
    let text = with_default(param);
    match param.apply {
        Apply::Restart => format!("{text} [needs a restart]"),
        Apply::Stopped => format!("{text} [VE must be stopped]"),
        Apply::Live | Apply::Saved | Apply::Never => text,
    }
}

fn with_default(param: &Param) -> String {
    match param.default {
        "" => param.help.to_string(),
        default => format!("{} [default: {default}]", param.help),
    }
}

/// Adds an option for every parameter. With `all`, also those that cannot be
/// used: hidden, but parsed, so that the answer can say why.
#[must_use]
pub fn add(mut cmd: Command, target: For, all: bool) -> Command {
    let mut order = 100;
    for param in params::TABLE.iter().filter(|p| !p.option.is_empty()) {
        if target == For::Create && param.kind == Kind::Template {
            continue;
        }
        order += 1;
        let usable = target.takes(param);
        if !usable && !all {
            continue;
        }
        for name in std::iter::once(&param.option).chain(param.more_options) {
            let mut arg = Arg::new(*name)
                .long(*name)
                .value_name(param.value)
                .allow_hyphen_values(true)
                .action(ArgAction::Append)
                .help(match target {
                    For::Create => with_default(param),
                    For::Set => help(param),
                })
                .help_heading(param.group.title())
                .display_order(order)
                .hide(!usable);
            if !usable {
                // "--skip_arpdetect" takes no value, "--ipadd" does.
                arg = arg.num_args(0..=1);
            }
            if let Some(values) = choices(param.kind).filter(|_| usable) {
                arg = arg.value_parser(clap::builder::PossibleValuesParser::new(values));
                arg = arg.hide_possible_values(true).ignore_case(true);
            }
            cmd = cmd.arg(arg);
        }
    }
    cmd.arg(
        Arg::new("crypted")
            .long("crypted")
            .action(ArgAction::SetTrue)
            .requires("userpasswd")
            .help("The password of --userpasswd is a hash for /etc/shadow")
            .help_heading("Access")
            .display_order(order + 1),
    )
    .arg(
        Arg::new("userpasswd-file")
            .long("userpasswd-file")
            .value_name("FILE")
            .help("Read USER:PASSWORD lines from a file, or from stdin with -")
            .help_heading("Access")
            .display_order(order + 2),
    )
}

/// Values for completion, where there is a fixed set.
fn choices(kind: Kind) -> Option<&'static [&'static str]> {
    match kind {
        Kind::YesNo => Some(&["yes", "no"]),
        Kind::YesNoUnset => Some(&["yes", "no", "unset"]),
        _ => None,
    }
}

/// Checked values of the options given, in the order of the table. An option
/// given twice counts once, the last time, as it always did.
///
/// # Errors
/// A value is bad, or this version cannot do what the option asks.
pub fn settings(matches: &ArgMatches, target: For) -> Result<Vec<Setting>> {
    let mut all: Vec<Setting> = Vec::new();
    // Options of the same places.
    let mut given: Vec<&str> = Vec::new();
    for param in params::TABLE.iter().filter(|p| !p.option.is_empty()) {
        if target == For::Create && param.kind == Kind::Template {
            // `create` has an option of its own for it.
            continue;
        }
        for name in std::iter::once(&param.option).chain(param.more_options) {
            if matches.try_contains_id(name).is_err()
                || matches.value_source(name) != Some(clap::parser::ValueSource::CommandLine)
            {
                continue;
            }
            // create takes it by an argument of its own.
            if target == For::Create && param.name == "OSTEMPLATE" {
                continue;
            }
            if !target.takes(param) {
                return Err(refused(param, name));
            }
            let Some(text) = matches.get_many::<String>(name).and_then(Iterator::last) else {
                continue;
            };
            let setting = params::normalise(param, text)?;
            if param.kind == Kind::Password {
                continue;
            }
            let mut before = all.iter().zip(&given);
            if let Some((_, first)) = before.find(|(s, _)| std::ptr::eq(s.param, setting.param)) {
                return Err(
                    Error::new(Code::Usage, format!("--{first} and --{name} together"))
                        .why(format!("both set {}", setting.param.name))
                        .hint("give one of them"),
                );
            }
            all.push(setting);
            given.push(name);
        }
    }
    Ok(all)
}

fn refused(param: &Param, option: &str) -> Error {
    match param.support {
        Support::Kept(missing, code) => {
            let err = Error::new(code, format!("--{option} is not supported by this version"))
                .why(format!("it has no {missing} yet"));
            match param.name {
                "" => err,
                name => err.at(format!(
                    "a line {name}=... in a configuration is kept unchanged"
                )),
            }
        }
        Support::Full => Error::new(Code::Usage, format!("--{option} cannot be changed"))
            .why("it is fixed when a VE is created")
            .hint(format!("vzctl create ID --{option} {}", param.value)),
    }
}

/// Users and passwords of `--userpasswd` and `--userpasswd-file`.
///
/// # Errors
/// Not of the form `USER:PASSWORD` (21), or the file cannot be read (3).
pub fn passwords(matches: &ArgMatches) -> Result<Vec<Password>> {
    let crypted = matches.get_flag("crypted");
    let mut lines: Vec<String> = matches
        .get_many::<String>("userpasswd")
        .unwrap_or_default()
        .cloned()
        .collect();
    if let Some(file) = matches.get_one::<String>("userpasswd-file") {
        use crate::error::ResultExt;
        let text = if file == "-" {
            std::io::read_to_string(std::io::stdin())
        } else {
            std::fs::read_to_string(file)
        };
        let text = text.or_err(Code::System, || {
            format!("cannot read passwords from {file}")
        })?;
        lines.extend(text.lines().filter(|l| !l.is_empty()).map(str::to_string));
    }
    let param = params::by_option("userpasswd")
        .ok_or_else(|| Error::new(Code::System, "no entry for --userpasswd"))?;
    lines
        .iter()
        .map(|line| {
            params::normalise(param, line)?;
            let (user, password) = line.split_once(':').unwrap_or((line, ""));
            Ok(Password {
                user: user.into(),
                password: password.into(),
                crypted,
            })
        })
        .collect()
}
