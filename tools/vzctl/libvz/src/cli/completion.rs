// SPDX-License-Identifier: GPL-2.0
//! Completion scripts, made from the command lines.

use crate::cli;
use crate::output::Output;
use crate::params;
use clap::ArgMatches;
use clap_complete::Shell;

/// Adds ids and names to what bash was told about options. Which VEs fit
/// depends on the subcommand.
const LIVE: &str = r#"
_vz_live() {
    local word which sub="" cur="${COMP_WORDS[COMP_CWORD]}"
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$word" in -*) ;; *) sub="$word"; break ;; esac
    done
    _vzctl "$@"
    case "$cur" in -*) return ;; esac
    case "${COMP_WORDS[COMP_CWORD-1]}" in
        --ostemplate)
            COMPREPLY=($(compgen -W "$(vzpkg list --available 2>/dev/null |
                awk '{ print $1 }')" -- "$cur")); return ;;
        --config|--applyconfig)
            COMPREPLY=($(compgen -W "$(cd /etc/vz/conf 2>/dev/null && printf '%s\n' ve-*.conf-sample |
                sed -n 's/^ve-\(.*\)\.conf-sample$/\1/p')" -- "$cur")); return ;;
    esac
    if [ "$sub" = explain ] && [ "${COMP_WORDS[COMP_CWORD-1]}" != explain ]; then
        COMPREPLY=($(compgen -W "@RESOURCES@" -- "$cur")); return
    fi
    case "$sub" in
        start|mount|destroy) which=-S ;;
        stop|exec|exec2|exec3|enter|explain|monitor) which="" ;;
        umount|restart|set|status) which=-a ;;
        *) return ;;
    esac
    # What is there already and is no option are values of the option before.
    for word in "${COMPREPLY[@]}"; do
        case "$word" in -*|'') ;; *) return ;; esac
    done
    COMPREPLY=($(compgen -W "$(vzlist -H -o ctid,name $which 2>/dev/null | sed 's/ -$//')" -- "$cur"))
}
complete -F _vz_live -o nosort -o bashdefault -o default vzctl
"#;

/// The script for one shell; for bash with live ids.
#[must_use]
pub fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    for mut cmd in cli::tools() {
        let name = cmd.get_name().to_string();
        clap_complete::generate(shell, &mut cmd, name, &mut bytes);
    }
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if shell == Shell::Bash {
        let resources = params::TABLE.iter().filter(|p| p.resource.is_some());
        let resources: Vec<&str> = resources.map(|p| p.option).collect();
        text.push_str(&LIVE.replace("@RESOURCES@", &resources.join(" ")));
    }
    text
}

/// `vzctl completion SHELL`.
#[must_use]
pub fn print(m: &ArgMatches) -> u8 {
    let Some(shell) = m.get_one::<Shell>("shell") else {
        return 20;
    };
    Output::new("vzctl").print(&script(*shell));
    0
}
