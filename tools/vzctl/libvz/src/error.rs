// SPDX-License-Identifier: GPL-2.0
//! The one error type: an exit code and a text of three parts, what failed,
//! why it failed, and what the reader can do about it.

use std::fmt;

/// Result of everything that can fail in a way a person has to read.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! codes {
    ($($name:ident = $num:literal, $sym:literal, $text:literal;)*) => {
        /// Exit codes. Numbers are an interface to scripts and never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Code { $(#[doc = $text] $name = $num,)* }

        impl Code {
            /// All codes in numeric order, for tables and tests.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// Symbolic name as printed in messages.
            #[must_use]
            pub fn symbol(self) -> &'static str {
                match self { $(Code::$name => $sym,)* }
            }

            /// What the code means, in a few words.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
        }
    };
}

codes! {
    Ok = 0, "VZ_OK", "success";
    SetUbc = 1, "VZ_SETUBC_ERROR", "cannot set UBC parameters";
    SetCpu = 2, "VZ_SETFSHD_ERROR", "cannot set scheduler parameters";
    System = 3, "VZ_SYSTEM_ERROR", "a system call failed";
    NoMem = 4, "VZ_NOMEM", "the tool ran out of memory";
    BadKernel = 5, "VZ_BAD_KERNEL", "the running kernel has no VE support";
    Resource = 6, "VZ_RESOURCE_ERROR", "not enough resources";
    EnvCreate = 7, "VZ_ENVCREATE_ERROR", "the kernel could not create the VE";
    CommandFailed = 8, "VZ_COMMAND_EXECUTION_ERROR", "the command run by exec failed";
    Locked = 9, "VZ_LOCKED", "the VE is locked";
    NoGlobalConfig = 10, "VZ_GLOBAL_CFG_NOT_FOUND", "vz.conf not found";
    NoScript = 11, "VZ_NOSCRIPT", "helper script not found";
    Permission = 12, "VZ_PERM", "permission denied";
    Capability = 13, "VZ_CAPABILITY_ERROR", "cannot set capabilities";
    NoConfig = 14, "VZ_VE_CONFIG_NOT_FOUND", "VE configuration not found";
    Timeout = 15, "VZ_TIMEOUT", "exec timed out";
    Suspend = 16, "VZ_CHKPNT_ERROR", "suspend failed";
    Resume = 17, "VZ_RESTORE_ERROR", "resume failed";
    SetLuid = 18, "VZ_SETLUID_ERROR", "cannot set the beancounter id";
    Usage = 20, "VZ_INVALID_PARAMETER_SYNTAX", "unknown or incomplete option";
    BadValue = 21, "VZ_INVALID_PARAMETER_VALUE", "bad option value";
    NoRoot = 22, "VZ_VE_ROOT_NOTSET", "VE_ROOT is not set";
    NoPrivate = 23, "VZ_VE_PRIVATE_NOTSET", "VE_PRIVATE is not set";
    NoTemplateDir = 24, "VZ_VE_TMPL_NOTSET", "TEMPLATE is not set";
    NoRate = 25, "VZ_RATE_NOTSET", "RATE is not set";
    NoTotalRate = 26, "VZ_TOTALRATE_NOTSET", "TOTALRATE is not set";
    MissingParam = 27, "VZ_NOT_ENOUGH_PARAMS", "a parameter is missing";
    MissingUbc = 28, "VZ_NOT_ENOUGH_UBC_PARAMS", "a UBC parameter is missing";
    NoOsTemplate = 29, "VZ_VE_PKGSET_NOTSET", "OSTEMPLATE is not set";
    NoBandwidth = 30, "VZ_VE_BANDWIDTH_NOTSET", "BANDWIDTH is not set";
    NotRunning = 31, "VZ_VE_NOT_RUNNING", "the VE is not running";
    Running = 32, "VZ_VE_RUNNING", "the VE is running";
    Stop = 33, "VZ_STOP_ERROR", "the VE could not be stopped";
    AddIp = 34, "VZ_ADD_IP_ERROR", "cannot add an IP address";
    Validate = 35, "VZ_VALIDATE_ERROR", "validation failed";
    Overcommit = 36, "VZ_OVERCOMMIT_ERROR", "overcommit refused";
    NotMounted = 40, "VZ_FS_NOT_MOUNTED", "the VE is not mounted";
    Mounted = 41, "VZ_FS_MOUNTED", "the VE is mounted";
    PrivateMissing = 43, "VZ_FS_NO_PRVT", "the private area is missing";
    PrivateExists = 44, "VZ_FS_PRVT_EXISTS", "the private area or its configuration exists";
    NoSpace = 46, "VZ_FS_NO_DISK_SPACE", "not enough disk space";
    BadTree = 47, "VZ_FS_BAD_TMPL", "the VE's file tree is broken (no init, no shell)";
    NewPrivate = 48, "VZ_FS_NEW_VE_PRVT", "cannot make the private directory";
    NewRoot = 49, "VZ_FS_MPOINTCREATE", "cannot make the mount point";
    Mount = 50, "VZ_FS_CANTMOUNT", "mount failed";
    Umount = 51, "VZ_FS_CANTUMOUNT", "umount failed";
    DelPrivate = 52, "VZ_FS_DEL_PRVT", "cannot delete the private area";
    UnknownFs = 53, "VZ_UNK_MOUNT_TYPE", "unknown filesystem type";
    Mkdir = 54, "VZ_CANT_CREATE_DIR", "cannot create a directory";
    NoQuotaLimits = 55, "VZ_NOTENOUGH_QUOTA_LIMITS", "quota limits are missing in the configuration";
    QuotaOn = 60, "VZ_DQ_ON", "cannot turn quota on";
    QuotaInit = 61, "VZ_DQ_INIT", "cannot initialise quota";
    QuotaSet = 62, "VZ_DQ_SET", "cannot set quota limits";
    NoDiskSpace = 63, "VZ_DISKSPACE_NOT_SET", "DISKSPACE is not set";
    NoDiskInodes = 64, "VZ_DISKINODES_NOT_SET", "DISKINODES is not set";
    UserQuota = 65, "VZ_SET_USER_QUOTA", "cannot set quota inside the VE";
    QuotaOff = 66, "VZ_DQ_OFF", "cannot turn quota off";
    QuotaUgid = 67, "VZ_DQ_UGID_NOTINITIALIZED", "user and group quota is not initialised";
    QuotaUsage = 68, "VZ_GET_QUOTA_USAGE", "cannot get quota usage";
    BadHostname = 70, "VZ_BADHOSTNAME", "bad host name";
    BadIp = 71, "VZ_BADIP", "bad IP address";
    BadNameserver = 72, "VZ_BADDNSSRV", "bad name server address";
    BadSearchdomain = 73, "VZ_BADDNSSEARCH", "bad search domain";
    Password = 74, "VZ_CHANGEPASS", "cannot change the password";
    NoClass = 76, "VZ_CLASS_ERROR", "traffic class error";
    NoLockDir = 77, "VZ_VE_LCKDIR_NOTSET", "LOCKDIR is not set";
    IpInUse = 78, "VZ_IP_INUSE", "the IP address is already used";
    ActionScript = 79, "VZ_ACTIONSCRIPT_ERROR", "an action script failed";
    CopyConfig = 82, "VZ_CP_CONFIG", "cannot copy the configuration";
    BadConfig = 85, "VZ_INVALID_CONFIG", "invalid configuration";
    SetDevices = 86, "VZ_SET_DEVICES", "cannot set devices";
    InstallApps = 87, "VZ_INSTALL_APPS_ERROR", "application install failed";
    IpUnavailable = 89, "VZ_IP_NA", "the IP address is not available";
    NoTemplate = 91, "VZ_PKGSET_NOT_FOUND", "OS template not found";
    Layout = 99, "VZ_LAYOUT_ERROR", "layout not supported";
    IpList = 100, "VZ_GET_IP_ERROR", "cannot get the IP address list";
    NetDev = 104, "VZ_NETDEV_ERROR", "network device error";
    Disabled = 105, "VZ_VE_START_DISABLED", "the VE is disabled";
    Netfilter = 106, "VZ_SET_IPTABLES", "netfilter cannot be changed while the VE runs";
    NoDistConfig = 107, "VZ_NO_DISTR_CONF", "no distribution configuration";
    NoDistScript = 108, "VZ_NO_DISTR_ACTION_SCRIPT", "no distribution action script";
    ApplyConfig = 109, "VZ_APPLY_CONFIG_ERROR", "applyconfig failed";
    Reinstall = 128, "VZ_CUSTOM_REINSTALL_ERROR", "the reinstall script failed";
    Meminfo = 129, "VZ_SET_MEMINFO_ERROR", "cannot set meminfo";
    Veth = 130, "VZ_VETH_ERROR", "veth device error";
    Name = 131, "VZ_SET_NAME_ERROR", "VE name error";
    Wait = 133, "VZ_WAIT_FAILED", "waiting for the VE failed";
    SaveConfig = 139, "VZ_SAVE_CONFIG", "cannot save the configuration";
    Register = 140, "VZ_REGISTER_ERROR", "cannot register the VE";
    Owner = 141, "VZ_OWNER_ERROR", "the private area belongs to another node";
    Unregister = 142, "VZ_UNREGISTER_ERROR", "cannot unregister the VE";
    OsRelease = 144, "VZ_SET_OSRELEASE", "cannot set the OS release";
    SetIo = 148, "VZ_SET_IO", "cannot set I/O limits";
    ImageMissing = 150, "VZ_IMAGE_NOT_FOUND", "image missing";
    ImageCreate = 151, "VZ_IMAGE_CREATE", "cannot create the image";
    ImageMount = 152, "VZ_IMAGE_MOUNT", "cannot mount the image";
    ImageUmount = 153, "VZ_IMAGE_UMOUNT", "cannot unmount the image";
    ImageResize = 154, "VZ_IMAGE_RESIZE", "cannot resize the image";
    ImageConvert = 155, "VZ_IMAGE_CONVERT", "cannot convert the image";
    SnapCreate = 156, "VZ_SNAPSHOT_CREATE", "cannot create the snapshot";
    SnapMerge = 157, "VZ_SNAPSHOT_MERGE", "cannot merge the snapshot";
    SnapDelete = 158, "VZ_SNAPSHOT_DELETE", "cannot delete the snapshot";
    SnapSwitch = 159, "VZ_SNAPSHOT_SWITCH", "cannot switch to the snapshot";
    SnapMount = 160, "VZ_SNAPSHOT_MOUNT", "cannot mount the snapshot";
    SnapUmount = 161, "VZ_SNAPSHOT_UMOUNT", "cannot unmount the snapshot";
    Compact = 166, "VZ_IMAGE_COMPACT", "cannot compact the image";
    SnapList = 167, "VZ_SNAPSHOT_LIST", "cannot list snapshots";
    Protected = 170, "VZ_PROTECTED", "the VE is protected";
    NothingToUndo = 171, "VZ_NOTHING_TO_UNDO", "nothing to undo";
    NotCheckpointable = 172, "VZ_NOT_CHECKPOINTABLE", "the VE cannot be checkpointed now";
    DumpIncompatible = 173, "VZ_DUMP_INCOMPATIBLE", "the dump does not fit this node";
    DryRun = 174, "VZ_DRY_RUN_PROBLEMS", "the dry run found problems";
    Interrupted = 175, "VZ_INTERRUPTED", "interrupted";
}

impl Code {
    /// Exit status of the process.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// A failure with its exit code; built by chaining, printed by the commands.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    code: Code,
    what: String,
    why: Option<String>,
    at: Option<String>,
    hints: Vec<String>,
}

impl Error {
    /// `what` names the object and the value: "cannot start VE 101 (web1)".
    #[must_use]
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            why: None,
            at: None,
            hints: Vec::new(),
        }
    }

    /// The reason, in words.
    #[must_use]
    pub fn why(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    /// Where the value comes from, as one line: "set in FILE line 12".
    #[must_use]
    pub fn at(mut self, at: impl fmt::Display) -> Self {
        self.at = Some(at.to_string());
        self
    }

    /// Something to type or to edit; printed after "try: ". May be repeated.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// Replaces the code, keeping the text.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// Turns "what: why" of a lower layer into the reason of a higher one.
    #[must_use]
    pub fn context(mut self, what: impl Into<String>) -> Self {
        let inner = self.message();
        self.what = what.into();
        self.why = Some(inner);
        self
    }

    /// The exit code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// First line without the code: what failed, and why if known.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.why {
            Some(why) => format!("{}: {why}", self.what),
            None => self.what.clone(),
        }
    }

    /// Where the value comes from, if known.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.at.as_deref()
    }

    /// What to do, most useful first.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  [{}, {}]",
            self.message(),
            self.code.symbol(),
            self.code.number()
        )?;
        if let Some(at) = &self.at {
            write!(f, "\n  {at}")?;
        }
        for hint in &self.hints {
            write!(f, "\n  try: {hint}")?;
        }
        Ok(())
    }
}

/// The words of an operating system error, without Rust's "(os error N)".
#[must_use]
pub fn os_words(err: &std::io::Error) -> String {
    let text = err.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        // "No such file" reads wrong in the middle of a line, "I/O error" does not.
        Some(c) if !text.starts_with("I/O") => c.to_lowercase().chain(chars).collect(),
        _ => text.to_string(),
    }
}

/// Adds a code and an object to errors of lower layers.
pub trait ResultExt<T> {
    /// Converts the error; `what` is only built on failure.
    ///
    /// # Errors
    /// The converted error.
    fn or_err<S: Into<String>>(self, code: Code, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T> ResultExt<T> for std::io::Result<T> {
    fn or_err<S: Into<String>>(self, code: Code, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| Error::new(code, what()).why(os_words(&e)))
    }
}

impl<T> ResultExt<T> for std::result::Result<T, rustix::io::Errno> {
    fn or_err<S: Into<String>>(self, code: Code, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(std::io::Error::from).or_err(code, what)
    }
}

impl<T> ResultExt<T> for std::result::Result<T, nix::errno::Errno> {
    fn or_err<S: Into<String>>(self, code: Code, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(std::io::Error::from).or_err(code, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_symbols_are_unique() {
        assert!(Code::ALL.windows(2).all(|w| w[0].number() < w[1].number()));
        let mut symbols: Vec<_> = Code::ALL.iter().map(|c| c.symbol()).collect();
        symbols.sort_unstable();
        symbols.dedup();
        assert_eq!(symbols.len(), Code::ALL.len());
    }

    #[test]
    fn text_has_three_parts() {
        let err = Error::new(Code::Resource, "cannot start VE 101 (web1)")
            .why("PHYSPAGES limit 8 MiB is below the 24 MiB its init needs")
            .at("set in /etc/vz/conf/101.conf line 12")
            .hint("vzctl set 101 --ram 64M --save");
        assert_eq!(
            err.to_string(),
            "cannot start VE 101 (web1): PHYSPAGES limit 8 MiB is below the 24 MiB its init needs  \
             [VZ_RESOURCE_ERROR, 6]\n  set in /etc/vz/conf/101.conf line 12\n  \
             try: vzctl set 101 --ram 64M --save"
        );
    }

    #[test]
    fn system_errors_read_as_words() {
        let e = std::io::Error::from_raw_os_error(2);
        assert_eq!(os_words(&e), "no such file or directory");
    }
}
