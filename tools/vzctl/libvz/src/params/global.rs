// SPDX-License-Identifier: GPL-2.0
//! Parameters of vz.conf.

/// One parameter of vz.conf.
#[derive(Debug, Clone, Copy)]
pub struct GlobalParam {
    /// Name.
    pub name: &'static str,
    /// Value that holds when it is not set; empty for none.
    pub default: &'static str,
    /// One sentence without a full stop.
    pub help: &'static str,
    /// Whether this version acts on it; others are kept and ignored.
    pub used: bool,
}

const fn used(name: &'static str, default: &'static str, help: &'static str) -> GlobalParam {
    GlobalParam {
        name,
        default,
        help,
        used: true,
    }
}

const fn kept(name: &'static str, default: &'static str, help: &'static str) -> GlobalParam {
    GlobalParam {
        name,
        default,
        help,
        used: false,
    }
}

/// All of them, in the order of the manual page.
#[rustfmt::skip]
pub const GLOBALS: &[GlobalParam] = &[
    used("VIRTUOZZO", "yes", "Master switch: with no, booting the node starts nothing"),
    used("LOCKDIR", "/var/lib/vz/lock", "Directory of lock files"),
    used("DUMPDIR", "/var/lib/vz/dump", "Directory of checkpoint images"),
    used("TEMPLATE", "/var/lib/vz/template", "Directory of OS templates; caches are in its subdirectory cache"),
    used("VE_ROOT", "/var/lib/vz/root/$VEID", "Mount point of VEs; must contain $VEID"),
    used("VE_PRIVATE", "/var/lib/vz/private/$VEID", "File tree of VEs; must contain $VEID"),
    used("CONFIGFILE", "vswap-256m", "Sample that create uses without --config"),
    used("DEF_OSTEMPLATE", "", "Template that create uses without --ostemplate"),
    used("VE_LAYOUT", "simfs", "How file trees are stored"),
    used("LOGGING", "yes", "Whether commands write to LOGFILE"),
    used("LOGFILE", "/var/log/vzctl.log", "The log file"),
    used("LOG_LEVEL", "0", "How much is logged, 0 to 10"),
    used("VERBOSE", "0", "Verbosity of the console when --verbose is not given"),
    used("STOP_TIMEOUT", "120", "Seconds that stop waits for a VE before it kills it"),
    used("VE_STOP_MODE", "stop", "What a shutdown of the node does with its VEs; this version can only stop them"),
    used("VE_PARALLEL", "", "How many VEs are started or stopped at once; unset means four per CPU"),
    used("LOCAL_UID", "", "First user id of new VEs, a multiple of 262144; unset means the next free range"),
    used("LOCAL_GID", "", "First group id of new VEs; must equal LOCAL_UID"),
    used("LOCK_TIMEOUT", "0", "Seconds to wait for a locked VE when --lock-timeout is not given"),
    used("HTTP_PROXY", "", "Proxy for downloads of vzpkg"),
    used("TRASH_KEEP", "7d", "How long destroyed VEs are kept"),
    kept("NAMESERVER", "inherit", "Name servers of VEs that set none"),
    kept("SEARCHDOMAIN", "", "Search domains of VEs that set none"),
    used("VE0CPUUNITS", "1000", "CPU share of the node itself, as vzcpucheck counts it"),
    kept("DISK_QUOTA", "yes", "Whether disk quota is used"),
    kept("VZFASTBOOT", "no", "Start VEs before their quota is recomputed"),
    kept("IPV6", "yes", "Whether VEs get IPv6 addresses"),
    kept("VE_ROUTE_SRC_DEV", "", "Device whose address is the source of routes to VEs"),
    kept("FORCE_ROUTE", "", "Routes to VEs are made even without addresses"),
    kept("NEIGHBOUR_DEVS", "all", "Interfaces on which addresses of VEs are announced"),
    kept("ERROR_ON_ARPFAIL", "no", "Whether a duplicate address is an error"),
    kept("SKIP_ARPDETECT", "no", "Do not look for duplicate addresses"),
    kept("MODULES_DISABLED", "no", "Load no kernel modules at boot"),
    kept("IPTABLES_MODULES", "", "Packet filter modules loaded at boot"),
    kept("SKIP_SYSCTL_SETUP", "no", "Leave the node's sysctls alone at boot"),
    kept("VZWDOG", "no", "Write the node's state to the log periodically"),
    kept("TRAFFIC_SHAPING", "no", "Whether outgoing traffic is shaped"),
    kept("BANDWIDTH", "", "Bandwidth of the node's interfaces"),
    kept("TOTALRATE", "", "Bandwidth of all VEs together"),
    kept("RATE", "", "Bandwidth of one VE"),
    kept("RATEMPU", "", "Smallest packet counted in shaping"),
    kept("VZ_TOOLS_IOLIMIT", "", "I/O limit of the tools"),
    kept("VZ_TOOLS_MEMLIMIT", "", "Memory limit of the tools"),
    kept("ACTIONLOGDIR", "", "Directory of action logs"),
    kept("REMOVEMIGRATED", "no", "Delete VEs that have been migrated away"),
    kept("UNDO_KEEP", "50", "How many changes can be undone"),
    kept("BACKUP_DIR", "", "Directory of backups"),
    kept("GPG_KEYRING", "", "Keys that sign downloaded templates"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File;
    use std::path::Path;

    #[test]
    fn shipped_file_agrees_with_the_table() {
        let text = include_str!("../../../etc/vz.conf");
        // Lines that are commented out show the default.
        let bare = text.replace("\n#", "\n").replace("\n ", "\n# ");
        let all = File::parse(Path::new("vz.conf"), bare.as_bytes()).unwrap();
        let set = File::parse(Path::new("vz.conf"), text.as_bytes()).unwrap();
        assert!(all.assignments().count() > set.assignments().count());
        for (name, value, line) in all.assignments() {
            let param = GLOBALS.iter().find(|p| p.name == name);
            let param = param.unwrap_or_else(|| panic!("{name} is not in the table"));
            if set.get(name).is_none() && !param.default.is_empty() {
                assert_eq!(value, param.default, "line {line}");
            }
        }
    }
}
