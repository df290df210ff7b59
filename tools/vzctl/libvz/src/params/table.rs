// SPDX-License-Identifier: GPL-2.0
//! Entries of the parameter table, in the order of the help.

use super::Apply;
use super::Column;
use super::Group;
use super::Kind;
use super::Param;
use super::Scale;
use super::Support;
use super::ubc;
use crate::error::Code;
use std::sync::LazyLock;

/// Every parameter of a VE.
pub static TABLE: LazyLock<Vec<Param>> = LazyLock::new(|| {
    let mut all = GENERAL.to_vec();
    all.extend(MEMORY);
    all.extend(ubc::ENTRIES);
    all.extend(AVNUMPROC);
    all.extend(ACCESS);
    all.extend(KEPT);
    all
});

const fn param(
    group: Group,
    name: &'static str,
    option: &'static str,
    value: &'static str,
    kind: Kind,
    apply: Apply,
    help: &'static str,
) -> Param {
    Param {
        name,
        read_aliases: &[],
        option,
        more_options: &[],
        kind,
        apply,
        support: Support::Full,
        group,
        value,
        help,
        default: "",
        resource: None,
        refused: "",
        least: 0,
        scale: Scale::No,
        own: false,
        column: None,
    }
}

impl Param {
    const fn column(
        mut self,
        field: &'static str,
        header: &'static str,
        width: usize,
        right: bool,
    ) -> Self {
        self.column = Some(Column {
            field,
            header,
            width,
            right,
        });
        self
    }

    const fn default(mut self, text: &'static str) -> Self {
        self.default = text;
        self
    }

    const fn scales(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// Belongs to one VE.
    const fn own(mut self) -> Self {
        self.own = true;
        self
    }

    const fn also(mut self, options: &'static [&'static str]) -> Self {
        self.more_options = options;
        self
    }
}

const BASE_MAX: &str = "the next free range";

#[rustfmt::skip]
const GENERAL: [Param; 14] = [
    param(Group::General, "NAME", "name", "NAME", Kind::Name, Apply::Saved,
        "Name that may stand wherever the id may; an empty one removes it")
        .column("name", "NAME", 32, false)
        .own(),
    param(Group::General, "DESCRIPTION", "description", "TEXT", Kind::Text, Apply::Saved,
        "Free text, shown by vzlist")
        .column("description", "DESCRIPTION", 32, false)
        .own(),
    param(Group::General, "HOSTNAME", "hostname", "NAME", Kind::Hostname, Apply::Live,
        "Host name inside the VE")
        .column("hostname", "HOSTNAME", 32, false)
        .own(),
    param(Group::General, "ONBOOT", "onboot", "yes|no|unset", Kind::YesNoUnset, Apply::Saved,
        "Whether the VE is started when the node boots; unset means if it ran before")
        .default("unset")
        .column("onboot", "ONBOOT", 6, false),
    param(Group::General, "BOOTORDER", "bootorder", "NUM", Kind::Number(0, 4_294_967_295),
        Apply::Saved, "Order at node boot: higher numbers start earlier and stop later")
        .default("last")
        .column("bootorder", "BOOTORDER", 10, true),
    param(Group::General, "OSTEMPLATE", "ostemplate", "NAME", Kind::Template, Apply::Saved,
        "OS template the VE was made from; selects the distribution actions")
        .column("ostemplate", "OSTEMPLATE", 24, false),
    param(Group::General, "ORIGIN_SAMPLE", "", "", Kind::Text, Apply::Never,
        "Sample configuration the VE was made from, or that was applied last")
        .column("origin_sample", "ORIGIN_SAMPLE", 32, false)
        .own(),
    param(Group::General, "VE_ROOT", "root", "DIR", Kind::Directory, Apply::Stopped,
        "Mount point of the VE; may contain $VEID")
        .default("VE_ROOT of vz.conf")
        .column("root", "ROOT", 32, false)
        .own(),
    param(Group::General, "VE_PRIVATE", "private", "DIR", Kind::Directory, Apply::Stopped,
        "File tree of the VE; may contain $VEID")
        .default("VE_PRIVATE of vz.conf")
        .column("private", "PRIVATE", 32, false)
        .own(),
    param(Group::General, "VE_LAYOUT", "layout", "simfs", Kind::Layout, Apply::Never,
        "How the file tree is stored")
        .default("VE_LAYOUT of vz.conf")
        .column("layout", "LAYOUT", 6, false),
    param(Group::General, "DISABLED", "disabled", "yes|no", Kind::YesNo, Apply::Saved,
        "Refuse to start the VE, unless with start --force")
        .default("no")
        .column("disabled", "DISABL", 6, false),
    param(Group::General, "STOP_TIMEOUT", "stop-timeout", "SECONDS", Kind::Number(0, 86_400),
        Apply::Saved, "How long stop waits for the VE before it kills it")
        .default("STOP_TIMEOUT of vz.conf"),
    param(Group::General, "LOCAL_UID", "local_uid", "UID", Kind::IdBase, Apply::Never,
        "First user id on the node of the VE's 262144 ids, a multiple of that number")
        .default(BASE_MAX)
        .own(),
    param(Group::General, "LOCAL_GID", "local_gid", "GID", Kind::IdBase, Apply::Never,
        "First group id on the node; must equal the first user id")
        .default(BASE_MAX)
        .own(),
];

#[rustfmt::skip]
const MEMORY: [Param; 3] = [
    param(Group::Memory, "", "ram", "SIZE", Kind::Limit("PHYSPAGES"), Apply::Live,
        "RAM the VE may use; sets the limit of physpages"),
    param(Group::Memory, "", "swap", "SIZE", Kind::Limit("SWAPPAGES"), Apply::Live,
        "Swap the VE may use; sets the limit of swappages"),
    param(Group::Memory, "VM_OVERCOMMIT", "vm_overcommit", "FACTOR", Kind::Factor, Apply::Live,
        "Address space as a multiple of RAM and swap; 0 is unlimited")
        .default("0")
        .column("vm_overcommit", "VM_OVC", 6, true),
];

#[rustfmt::skip]
const AVNUMPROC: [Param; 1] = [
    param(Group::Ubc, "AVNUMPROC", "avnumproc", "NUM[:NUM]",
        Kind::Pair(crate::units::Unit::Count), Apply::Saved,
        "Expected average number of processes; used by vzcfgvalidate only")
        .scales(Scale::Numbers),
];

#[rustfmt::skip]
const ACCESS: [Param; 2] = [
    param(Group::Access, "CAPABILITY", "capability", "NAME:on|off[,...]", Kind::Capabilities,
        Apply::Restart, "Capabilities the VE may have, with names as in capabilities(7)")
        .column("capability", "CAPABILITY", 32, false),
    param(Group::Access, "", "userpasswd", "USER:PASSWORD", Kind::Password, Apply::Live,
        "Set the password of a user inside, who is made if missing; never stored on the node"),
];

const fn kept(
    group: Group,
    name: &'static str,
    option: &'static str,
    missing: &'static str,
    code: Code,
    help: &'static str,
) -> Param {
    let mut p = param(group, name, option, "VALUE", Kind::Text, Apply::Never, help);
    p.support = Support::Kept(missing, code);
    p
}

const CPU: &str = "CPU limits";
const QUOTA: &str = "disk quota";
const IO: &str = "I/O limits";
const NET: &str = "VE networking";
const DEV: &str = "device access";

/// Known, kept in configuration files, not supported yet.
#[rustfmt::skip]
const KEPT: [Param; 36] = [
    kept(Group::General, "DISTRIBUTION", "", "choice of a distribution", Code::Usage,
        "Distribution whose actions are used, if not that of OSTEMPLATE"),
    kept(Group::General, "TEMPLATES", "", "application templates", Code::Usage,
        "Application templates in the VE"),
    kept(Group::General, "MOUNT_OPTS", "mount_opts", "mount options", Code::Mount,
        "Options of the mount of the file tree")
        .column("mount_opts", "MOUNT_OPTS", 20, false),
    kept(Group::General, "PROTECTED", "", "protection", Code::Usage, "Refuse to destroy the VE")
        .own(),
    kept(Group::General, "TAGS", "", "tags", Code::Usage, "Words to select VEs by")
        .own(),
    kept(Group::General, "PRESSURE_ACTION", "pressure-action", "pressure actions", Code::Usage,
        "What to do when a limit is hit"),
    kept(Group::Memory, "MEMINFO", "meminfo", "choice of /proc/meminfo", Code::Meminfo,
        "Size that /proc/meminfo shows in the VE"),
    kept(Group::Cpu, "CPUUNITS", "cpuunits", CPU, Code::SetCpu, "Share of CPU time")
        .column("cpuunits", "CPUUNI", 7, true)
        .scales(Scale::Numbers),
    kept(Group::Cpu, "CPULIMIT", "cpulimit", CPU, Code::SetCpu, "Limit of CPU time")
        .column("cpulimit", "CPULIM", 7, true)
        .scales(Scale::Numbers),
    kept(Group::Cpu, "CPUS", "cpus", CPU, Code::SetCpu, "Number of CPUs in use at once")
        .column("cpus", "CPUS", 5, true),
    kept(Group::Cpu, "CPUMASK", "cpumask", CPU, Code::SetCpu, "CPUs the VE may run on"),
    kept(Group::Cpu, "NODEMASK", "nodemask", CPU, Code::SetCpu, "Memory nodes the VE may use"),
    kept(Group::Disk, "DISK_QUOTA", "diskquota", QUOTA, Code::QuotaSet, "Whether quota is on"),
    kept(Group::Disk, "DISKSPACE", "diskspace", QUOTA, Code::QuotaSet, "Disk space of the VE")
        .scales(Scale::Numbers),
    kept(Group::Disk, "DISKINODES", "diskinodes", QUOTA, Code::QuotaSet, "Inodes of the VE")
        .scales(Scale::Numbers),
    kept(Group::Disk, "QUOTATIME", "quotatime", QUOTA, Code::QuotaSet, "Grace time in seconds"),
    kept(Group::Disk, "QUOTAUGIDLIMIT", "quotaugidlimit", QUOTA, Code::QuotaSet,
        "Number of users and groups with a quota inside"),
    kept(Group::Disk, "IOPRIO", "ioprio", IO, Code::SetIo, "I/O priority")
        .column("ioprio", "IOP", 3, true),
    kept(Group::Disk, "IOLIMIT", "iolimit", IO, Code::SetIo, "I/O bandwidth")
        .column("iolimit", "IOLIMIT", 10, true)
        .scales(Scale::Numbers),
    kept(Group::Disk, "IOPSLIMIT", "iopslimit", IO, Code::SetIo, "I/O operations per second")
        .column("iopslimit", "IOPS", 7, true)
        .scales(Scale::Numbers),
    kept(Group::Access, "DEVICES", "devices", DEV, Code::SetDevices, "Devices by number")
        .own(),
    kept(Group::Access, "DEVNODES", "devnodes", DEV, Code::SetDevices, "Devices by name")
        .own(),
    kept(Group::Access, "PCI", "pci_add", DEV, Code::SetDevices, "PCI devices")
        .also(&["pci_del"])
        .own(),
    kept(Group::Access, "FEATURES", "features", "choice of features", Code::Usage,
        "Kernel features the VE may use")
        .column("features", "FEATURES", 15, false),
    kept(Group::Access, "BINDMOUNT", "bindmount_add", "bind mounts", Code::Mount,
        "Directories of the node mounted in the VE")
        .also(&["bindmount_del"])
        .own(),
    kept(Group::Access, "SYSCTL", "sysctl", "sysctls for a VE", Code::Usage,
        "Sysctls set at start"),
    kept(Group::Network, "NETFILTER", "netfilter", NET, Code::Netfilter,
        "Packet filter functions in the VE")
        .column("netfilter", "NETFILTER", 10, false),
    kept(Group::Network, "IPTABLES", "iptables", NET, Code::Netfilter, "Packet filter modules"),
    kept(Group::Network, "IP_ADDRESS", "ipadd", NET, Code::AddIp, "IP addresses")
        .also(&["ipdel", "ip", "skip_arpdetect"])
        .own(),
    kept(Group::Network, "NAMESERVER", "nameserver", NET, Code::BadNameserver, "Name servers")
        .column("nameserver", "NAMESERVER", 32, false),
    kept(Group::Network, "SEARCHDOMAIN", "searchdomain", NET, Code::BadSearchdomain,
        "Domains tried for short names")
        .column("searchdomain", "SEARCHDOMAIN", 32, false),
    kept(Group::Network, "NETDEV", "netdev_add", NET, Code::NetDev, "Network cards of the node")
        .also(&["netdev_del"])
        .own(),
    kept(Group::Network, "NETIF", "netif_add", NET, Code::Veth, "Virtual Ethernet interfaces")
        .also(&["netif_del", "ifname", "mac", "host_ifname", "host_mac", "bridge", "mac_filter"])
        .own(),
    kept(Group::Network, "RATE", "rate", NET, Code::NoRate, "Outgoing bandwidth")
        .scales(Scale::Last),
    kept(Group::Network, "RATEBOUND", "ratebound", NET, Code::NoRate,
        "Whether RATE is also a limit"),
    kept(Group::General, "", "applyconfig_map", "groups of parameters", Code::ApplyConfig,
        "Take a group of values of a sample"),
];
