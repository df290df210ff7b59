// SPDX-License-Identifier: GPL-2.0
//! Options of the subcommands, after parsing.

use crate::params::Setting;

/// `vzctl create`.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// `--ostemplate`, checked; `None`: sample, then `DEF_OSTEMPLATE`.
    pub ostemplate: Option<String>,
    /// `--config SAMPLE`.
    pub sample: Option<String>,
    /// `--force-reserved`: allow ids up to 100.
    pub force_reserved: bool,
    /// Other parameters of the command line, checked, to be stored.
    pub settings: Vec<Setting>,
    /// `--userpasswd`, in the order given.
    pub passwords: Vec<Password>,
}

/// A user of the VE and the new password.
#[derive(Clone)]
pub struct Password {
    /// User name.
    pub user: String,
    /// Plain text, or a hash if `crypted`.
    pub password: String,
    /// `--crypted`: the password is a hash for `/etc/shadow`.
    pub crypted: bool,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Passwords do not belong in logs.
        write!(f, "Password({})", self.user)
    }
}

/// `vzctl start`.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// `--wait`: until the default target is reached.
    pub wait: bool,
    /// `--force`: even if `DISABLED`.
    pub force: bool,
    /// `--skip-remount`: keep an existing mount.
    pub skip_remount: bool,
}

/// `vzctl stop`.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// `--fast`: kill at once.
    pub fast: bool,
    /// `--skip-umount`: leave it mounted.
    pub skip_umount: bool,
}

/// `vzctl restart`.
#[derive(Debug, Clone, Default)]
pub struct Restart {
    /// Options of the first half.
    pub stop: Stop,
    /// Options of the second half.
    pub start: Start,
}

/// `vzctl destroy`.
#[derive(Debug, Clone, Default)]
pub struct Destroy {
    /// `--purge`: delete at once instead of moving to the trash.
    pub purge: bool,
}

/// How `exec` runs a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecMode {
    /// Shell; a command that fails makes exit code 8.
    Exec,
    /// Shell; exit status of the command.
    Exec2,
    /// No shell; exit status of the command.
    Exec3,
}

/// `vzctl exec`, `exec2`, `exec3`.
#[derive(Debug, Clone)]
pub struct Exec {
    /// Which of them.
    pub mode: ExecMode,
    /// Command and arguments; a single "-" reads commands from stdin.
    pub command: Vec<String>,
}

/// `vzctl enter`.
#[derive(Debug, Clone, Default)]
pub struct Enter {
    /// `--exec CMD`: run this instead of a login shell.
    pub exec: Option<String>,
}

/// What to do with a parameter that a running VE cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetMode {
    /// `--setmode restart`: restart the VE.
    Restart,
    /// `--setmode ignore`: only save it.
    Ignore,
}

/// `vzctl set`.
#[derive(Debug, Clone, Default)]
pub struct Set {
    /// `--save`.
    pub save: bool,
    /// `--force`: save although it cannot be applied.
    pub force: bool,
    /// `--setmode`.
    pub mode: Option<SetMode>,
    /// `--reset_ub`: apply all beancounters of the configuration.
    pub reset_ub: bool,
    /// `--applyconfig SAMPLE`.
    pub sample: Option<String>,
    /// Parameters, checked, in the order given.
    pub settings: Vec<Setting>,
    /// `--userpasswd`, in the order given.
    pub passwords: Vec<Password>,
}

/// `vzctl status`.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// `--wait STATE[=TIMEOUT]`: state and seconds.
    pub wait: Option<(String, Option<u64>)>,
}
