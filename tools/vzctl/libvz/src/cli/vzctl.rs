// SPDX-License-Identifier: GPL-2.0
//! The command line of vzctl.

use crate::cli;
use crate::cli::options;
use crate::cli::options::For;
use crate::ubc;
use clap::Arg;
use clap::ArgAction;
use clap::Command;
use std::ffi::OsString;

const ID: &str = "ID|NAME";

/// `vzctl` with all subcommands, for parsing.
#[must_use]
pub fn command() -> Command {
    build(true)
}

/// `vzctl` without what is only parsed to be refused, for pages and completion.
#[must_use]
pub fn documented() -> Command {
    build(false)
}

fn build(all: bool) -> Command {
    let cmd = Command::new("vzctl")
        .about("Create, run and change containers (VEs)")
        .subcommand_required(true)
        .override_usage("vzctl [GLOBAL OPTIONS] SUBCOMMAND ID|NAME [OPTIONS]")
        .subcommand_value_name("SUBCOMMAND")
        .subcommand_help_heading("Subcommands")
        .after_help(
            "Examples:\n  \
             vzctl create 101 --ostemplate debian-13-x86_64 --hostname web1\n  \
             vzctl start 101\n  \
             vzctl set 101 --ram 1G --swap 2G --save\n  \
             vzctl exec 101 ps ax\n\n\
             Every subcommand has its own help: vzctl SUBCOMMAND --help",
        );
    let subcommands = [
        create(all),
        start(),
        stop("stop", "Halt VEs and unmount them"),
        restart(),
        destroy(),
        several("mount", "Mount the file trees of VEs", "vzctl mount 101"),
        several(
            "umount",
            "Unmount the file trees of stopped VEs",
            "vzctl umount 101",
        ),
        status(),
        set(all),
        exec(
            "exec",
            "Run a command in a VE through a shell; if it fails, exit with 8",
        ),
        exec(
            "exec2",
            "Run a command in a VE through a shell; exit with its status",
        ),
        exec(
            "exec3",
            "Run a command in a VE without a shell; exit with its status",
        ),
        enter(),
        ubc::explain::command(),
        ubc::monitor::command(),
        Command::new("completion")
            .about("Print a completion script for a shell")
            .arg(
                Arg::new("shell")
                    .required(true)
                    .value_name("SHELL")
                    .value_parser(clap::value_parser!(clap_complete::Shell))
                    .help("bash, zsh, fish, elvish or powershell")
                    .hide_possible_values(true),
            )
            .after_help("Example:\n  vzctl completion bash > /etc/bash_completion.d/vzctl"),
    ];
    cli::locking(cli::common(cmd)).subcommands(subcommands)
}

/// Options that select the VEs of a bulk command.
fn bulk(cmd: Command) -> Command {
    const HEAD: &str = "Several VEs at once";
    cmd.arg(
        Arg::new("ids")
            .value_name(ID)
            .num_args(1..)
            .required_unless_present_any(["all", "filter"])
            .help("VEs by id or name; * and ? match names and ids"),
    )
    .arg(
        Arg::new("all")
            .long("all")
            .action(ArgAction::SetTrue)
            .conflicts_with("ids")
            .help("All VEs the subcommand applies to")
            .help_heading(HEAD),
    )
    .arg(
        Arg::new("filter")
            .long("filter")
            .value_name("FIELD=PATTERN[,...]")
            .conflicts_with("ids")
            .help("VEs whose vzlist fields match, such as status=running,ostemplate=debian-13*")
            .help_heading(HEAD),
    )
    .arg(
        Arg::new("parallel")
            .long("parallel")
            .value_name("N")
            .value_parser(clap::value_parser!(u32).range(1..=1024))
            .help("Work on N VEs at a time [default: 1]")
            .help_heading(HEAD),
    )
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn examples(cmd: Command, text: &str) -> Command {
    let lines: String = text.lines().map(|l| format!("\n  {l}")).collect();
    let head = if text.contains('\n') {
        "Examples"
    } else {
        "Example"
    };
    cmd.after_help(format!("{head}:{lines}"))
}

fn several(name: &'static str, about: &'static str, example: &str) -> Command {
    examples(bulk(Command::new(name).about(about)), example)
}

fn create(all: bool) -> Command {
    let cmd = Command::new("create")
        .about("Create a VE from an OS template")
        .override_usage("vzctl create [ID] [OPTIONS]")
        .arg(
            Arg::new("id")
                .value_name("ID")
                .help("A number from 101 on; without it the next free one is taken and printed"),
        )
        .arg(
            Arg::new("ostemplate")
                .long("ostemplate")
                .value_name("NAME")
                .help("OS template, see vzpkg list [default: that of the sample, or of vz.conf]"),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("SAMPLE")
                .help("Sample configuration [default: CONFIGFILE of vz.conf]"),
        )
        .arg(flag("force-reserved", "Allow an id from 1 to 100"));
    examples(
        options::add(cmd, For::Create, all),
        "vzctl create 101 --ostemplate debian-13-x86_64\n\
         vzctl create 102 --config vswap-1g --hostname db1 --name db1",
    )
}

fn start_flags(cmd: Command) -> Command {
    cmd.arg(flag(
        "wait",
        "Wait until the VE's default target is reached; 133 if it is not",
    ))
    .arg(flag("force", "Start even a VE that is disabled"))
    .arg(flag("skip-remount", "Keep an existing mount as it is"))
    .arg(
        flag(
            "skip-fsck",
            "Accepted for old scripts; there is nothing to check",
        )
        .hide(true),
    )
}

fn stop_flags(cmd: Command) -> Command {
    cmd.arg(flag(
        "fast",
        "Kill at once instead of asking the VE's init to halt",
    ))
    .arg(flag("skip-umount", "Leave the file tree mounted"))
}

fn start() -> Command {
    let cmd = bulk(start_flags(
        Command::new("start").about("Mount VEs and start their init"),
    ));
    examples(
        cmd,
        "vzctl start 101\nvzctl start web1 --wait\nvzctl start --all --parallel 4",
    )
}

fn stop(name: &'static str, about: &'static str) -> Command {
    let cmd = bulk(stop_flags(Command::new(name).about(about)));
    examples(cmd, "vzctl stop 101\nvzctl stop 'web*' --fast")
}

fn restart() -> Command {
    let cmd = Command::new("restart").about("Stop VEs and start them again");
    examples(
        bulk(start_flags(stop_flags(cmd))),
        "vzctl restart 101 --wait",
    )
}

fn destroy() -> Command {
    let cmd = Command::new("destroy")
        .alias("delete")
        .about("Move stopped VEs to the trash")
        .arg(flag("purge", "Delete at once; there is no way back"));
    examples(
        bulk(cmd),
        "vzctl destroy 101\nvzctl destroy 101 --purge --yes",
    )
}

fn status() -> Command {
    let cmd = Command::new("status").about("Print the state of VEs").arg(
        Arg::new("wait")
            .long("wait")
            .value_name("STATE[=SECONDS]")
            .help("Wait until the VE is running, stopped, mounted, suspended or deleted"),
    );
    examples(
        bulk(cmd),
        "vzctl status 101\nvzctl status 101 --wait stopped=60",
    )
}

fn set(all: bool) -> Command {
    let cmd = Command::new("set")
        .about("Change parameters of VEs")
        .override_usage("vzctl set ID|NAME... [PARAMETERS] [--save]")
        .arg(flag(
            "save",
            "Store in the configuration; without it a change lasts until the stop",
        ))
        .arg(
            flag(
                "force",
                "With --save: store although the change cannot be applied",
            )
            .requires("save"),
        )
        .arg(
            Arg::new("setmode")
                .long("setmode")
                .value_name("restart|ignore")
                .value_parser(clap::builder::PossibleValuesParser::new([
                    "restart", "ignore",
                ]))
                .hide_possible_values(true)
                .help("If a parameter needs a restart: restart the VE, or only store it"),
        )
        .arg(flag(
            "reset_ub",
            "Apply all beancounters of the configuration to a running VE",
        ))
        .arg(
            Arg::new("applyconfig")
                .long("applyconfig")
                .value_name("SAMPLE")
                .help(
                    "Take the values of a sample; all limits are replaced, what belongs to one VE \
                     (names, ids, directories, addresses, template) stays",
                ),
        );
    options::add(bulk(cmd), For::Set, all).after_help(
        "SIZE, BYTES and PAGES take the suffixes B, K, M, G, T (powers of 1024) and P (pages of \
         4096 bytes), NUM takes none. A bare number is bytes, for PAGES pages. One value sets \
         barrier and limit; unlimited is the largest. A VE has either a limit on RAM and one on \
         swap, or a value for every beancounter; --save refuses what leaves it without, unless \
         with --force.\n\n\
         Examples:\n  \
         vzctl set 101 --ram 1G --swap 2G --save\n  \
         vzctl set 101 --numproc 400 --kmemsize 64M:70M --save\n  \
         vzctl set 101 --userpasswd root:secret\n  \
         vzctl set web1 --onboot yes --save\n  \
         vzctl set 101 --applyconfig vswap-1g --save",
    )
}

fn exec(name: &'static str, about: &'static str) -> Command {
    let cmd = Command::new(name)
        .about(about)
        .override_usage(format!("vzctl {name} ID|NAME COMMAND [ARGUMENT...]"))
        .arg(Arg::new("id").value_name(ID).required(true).help("The VE"))
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .num_args(1..)
                .last(true)
                .required(true)
                .value_parser(clap::value_parser!(String))
                .help("Command and arguments, taken as they are; - reads commands from stdin"),
        );
    match name {
        "exec3" => examples(cmd, "vzctl exec3 101 /bin/ls '/var/my files'"),
        _ => examples(cmd, &format!("vzctl {name} 101 'ps ax | wc -l'")),
    }
}

fn enter() -> Command {
    let cmd = Command::new("enter")
        .about("Log in to a VE on a terminal of its own")
        .arg(Arg::new("id").value_name(ID).required(true).help("The VE"))
        .arg(
            Arg::new("exec")
                .long("exec")
                .value_name("COMMAND")
                .help("Run a command instead of a login shell"),
        );
    examples(cmd, "vzctl enter 101")
}

/// Puts "--" between the id and the command of exec, so that options of the
/// command are never taken for ours.
#[must_use]
pub fn protect_exec(argv: Vec<OsString>) -> Vec<OsString> {
    let valued = ["--color", "--progress", "--lock-timeout"];
    let mut sub = None;
    let mut skip = false;
    for (i, arg) in argv.iter().enumerate().skip(1) {
        let text = arg.to_string_lossy();
        if std::mem::take(&mut skip) {
            continue;
        }
        if text.starts_with('-') {
            skip = valued.contains(&text.as_ref());
        } else if sub.is_none() {
            if !matches!(text.as_ref(), "exec" | "exec2" | "exec3") {
                return argv;
            }
            sub = Some(i);
        } else {
            let mut out = argv;
            if out.get(i + 1).is_some_and(|a| a != "--") {
                out.insert(i + 1, "--".into());
            }
            return out;
        }
    }
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protect(line: &str) -> String {
        let out = protect_exec(line.split(' ').map(OsString::from).collect());
        out.iter()
            .map(|a| a.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn exec_keeps_options_of_the_command() {
        assert_eq!(
            protect("vzctl exec 101 ls --json"),
            "vzctl exec 101 -- ls --json"
        );
        assert_eq!(
            protect("vzctl --color never exec2 web -v"),
            "vzctl --color never exec2 web -- -v"
        );
        assert_eq!(protect("vzctl exec 101 -- ls"), "vzctl exec 101 -- ls");
        assert_eq!(
            protect("vzctl exec --quiet 101 -"),
            "vzctl exec --quiet 101 -- -"
        );
        assert_eq!(protect("vzctl exec 101"), "vzctl exec 101");
        assert_eq!(
            protect("vzctl set 101 --name exec"),
            "vzctl set 101 --name exec"
        );
    }

    #[test]
    fn every_option_has_a_text() {
        fn check(cmd: &Command) {
            assert!(cmd.get_about().is_some(), "{}", cmd.get_name());
            for arg in cmd.get_arguments() {
                assert!(
                    arg.get_help().is_some(),
                    "{} {}",
                    cmd.get_name(),
                    arg.get_id()
                );
            }
            cmd.get_subcommands().for_each(check);
        }
        cli::tools().iter().for_each(check);
    }
}
