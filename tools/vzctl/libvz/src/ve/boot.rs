// SPDX-License-Identifier: GPL-2.0
//! Boot and shutdown of the node, as run by vz.service.

use crate::cli;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::kernel::Limit;
use crate::lock::Lock;
use crate::output::Outcome;
use crate::undo;
use crate::ve::create::unfinished;
use crate::ve::destroy;
use crate::ve::mount::private_dir;
use crate::ve::state;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// Longest that boot or shutdown waits for the other.
const NODE_LOCK: Duration = Duration::from_secs(600);

/// `vz-tools boot start|stop`.
#[must_use]
pub fn boot(argv: Vec<OsString>) -> u8 {
    let command = cli::common(clap::Command::new("boot"))
        .about("Starts the VEs of this node when it boots, stops them when it shuts down")
        .arg(
            clap::Arg::new("what")
                .required(true)
                .value_parser(["start", "stop"]),
        );
    let matches = match cli::parse(command, argv) {
        Ok(matches) => matches,
        Err(status) => return status,
    };
    let stop = matches
        .get_one::<String>("what")
        .is_some_and(|w| w == "stop");
    cli::with_context("vzctl", "boot", &matches, |ctx| {
        let res = if stop { shutdown(ctx) } else { startup(ctx) };
        ctx.out.finish("boot", None, res)
    })
}

fn startup(ctx: &Ctx<'_>) -> Result<Outcome> {
    if !ctx.paths.global().is_yes("VIRTUOZZO") {
        return Ok(Outcome::done(
            "VIRTUOZZO is not yes in vz.conf: nothing was started",
        ));
    }
    ctx.kernel.check()?;
    private_dir(&ctx.paths.lock_dir(), Code::NoLockDir)?;
    let _lock = Lock::take_node(&ctx.paths, "booting", NODE_LOCK)?;
    sysctls(ctx);
    node_limits(ctx)?;
    tidy(ctx);
    destroy::empty_trash(ctx);
    let mut groups = Groups::default();
    for conf in configs(ctx) {
        if wanted(ctx, &conf) && matches!(ctx.kernel.running(conf.id()), Ok(None)) {
            groups.add(order(&conf), conf.id());
        }
    }
    let failed = groups.each(ctx, true, "start")?;
    report(failed, groups.count(), "started")
}

fn shutdown(ctx: &Ctx<'_>) -> Result<Outcome> {
    if ctx.kernel.check().is_err() {
        return Ok(Outcome::done("the kernel has no VEs: nothing was stopped"));
    }
    let _lock = Lock::take_node(&ctx.paths, "shutting down", NODE_LOCK)?;
    let mut groups = Groups::default();
    let mut running = Vec::new();
    for ve in ctx.kernel.list()? {
        let order = ctx.config(ve.id).map_or(0, |conf| order(&conf));
        groups.add(order, ve.id);
        running.push(ve.id);
    }
    let mut failed = groups.each(ctx, false, "stop")?;
    for id in &running {
        if matches!(ctx.kernel.running(*id), Ok(None)) {
            continue;
        }
        ctx.out
            .warn(&format!("VE {id} does not stop and is killed"));
        if let Ok(Some(ve)) = ctx.kernel.open(*id) {
            drop(ve.kill(nix::libc::SIGKILL));
            failed += usize::from(!ve.wait_dead(Duration::from_secs(30)).unwrap_or(false));
        }
    }
    // They ran, so they are to run again after the next boot.
    for id in &running {
        let mark = ctx.paths.reboot_mark(*id);
        if let Some(dir) = mark.parent() {
            std::fs::create_dir_all(dir)
                .and_then(|()| std::fs::write(&mark, ""))
                .or_err(Code::System, || format!("cannot write {}", mark.display()))?;
        }
    }
    report(failed, running.len(), "stopped")
}

fn report(failed: usize, count: usize, done: &str) -> Result<Outcome> {
    match failed {
        0 => Ok(Outcome::done(format!("{count} VEs were {done}"))),
        _ => Err(Error::new(
            Code::System,
            format!("{failed} of {count} VEs were not {done}"),
        )
        .hint("journalctl -u vz")),
    }
}

/// Configurations that can be read; the others are told about.
fn configs(ctx: &Ctx<'_>) -> Vec<VeConfig> {
    let mut list = Vec::new();
    for id in crate::list::configured(&ctx.paths) {
        match ctx.config(id) {
            Ok(conf) if !id.is_node() => list.push(conf),
            Ok(_) => {}
            Err(e) => ctx.out.warn(&e.to_string()),
        }
    }
    list
}

/// Started at boot: told to, or running at the last shutdown and not told
/// otherwise.
fn wanted(ctx: &Ctx<'_>, conf: &VeConfig) -> bool {
    if conf.is_yes("DISABLED") {
        return false;
    }
    match conf.get("ONBOOT").map(str::to_ascii_lowercase).as_deref() {
        Some("yes") => true,
        Some("no") => false,
        _ => ctx.paths.reboot_mark(conf.id()).exists(),
    }
}

fn order(conf: &VeConfig) -> u64 {
    conf.number("BOOTORDER").ok().flatten().unwrap_or(0)
}

/// VEs by boot order.
#[derive(Default)]
struct Groups(std::collections::BTreeMap<u64, Vec<Veid>>);

impl Groups {
    fn add(&mut self, order: u64, id: Veid) {
        self.0.entry(order).or_default().push(id);
    }

    fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Runs a command on all, one group after the other; returns how many
    /// failed.
    fn each(&self, ctx: &Ctx<'_>, highest_first: bool, command: &str) -> Result<usize> {
        let mut groups: Vec<_> = self.0.values().collect();
        if highest_first {
            groups.reverse();
        }
        let mut failed = 0;
        for group in groups {
            failed += run(ctx, group, command)?;
        }
        Ok(failed)
    }
}

fn parallel(ctx: &Ctx<'_>) -> usize {
    let set = usize::try_from(ctx.paths.global().number("VE_PARALLEL")).unwrap_or(0);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    if set > 0 { set } else { cpus * 4 }
}

/// Runs `vzctl COMMAND` on some VEs at a time, each in a process of its own:
/// starting a VE forks, and a process that forks must have one thread.
fn run(ctx: &Ctx<'_>, ids: &[Veid], command: &str) -> Result<usize> {
    let exe = std::env::current_exe().or_err(Code::System, || "cannot find this program")?;
    let mut waiting = ids.iter();
    let mut running: Vec<(Veid, std::process::Child)> = Vec::new();
    let mut failed = 0;
    loop {
        while running.len() < parallel(ctx) {
            let Some(id) = waiting.next() else { break };
            let mut cmd = std::process::Command::new(&exe);
            std::os::unix::process::CommandExt::arg0(&mut cmd, "vzctl");
            cmd.args(["--lock-timeout", "60", command])
                .arg(id.to_string());
            cmd.stdin(std::process::Stdio::null());
            match cmd.spawn() {
                Ok(child) => running.push((*id, child)),
                Err(e) => {
                    ctx.out.warn(&format!("cannot {command} VE {id}: {e}"));
                    failed += 1;
                }
            }
        }
        if running.is_empty() {
            return Ok(failed);
        }
        let before = running.len();
        running.retain_mut(|(id, child)| match child.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) if status.success() => false,
            _ => {
                ctx.out.warn(&format!("VE {id}: {command} failed"));
                failed += 1;
                false
            }
        });
        if running.len() == before {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Settings the network of VEs needs. A node that forbids one is told, and
/// boots on.
fn sysctls(ctx: &Ctx<'_>) {
    if ctx.paths.global().is_yes("SKIP_SYSCTL_SETUP") {
        return;
    }
    for (key, value) in [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/default/proxy_arp", "0"),
        ("net/ipv4/conf/default/send_redirects", "0"),
        ("net/ipv4/conf/all/send_redirects", "0"),
        ("net/ipv6/conf/all/forwarding", "1"),
    ] {
        let path = ctx.paths.proc("sys").join(key);
        if path.exists() {
            if let Err(e) = std::fs::write(&path, value) {
                ctx.out.warn(&format!("cannot set {}: {e}", path.display()));
            }
        }
    }
}

/// `0.conf` holds the limits of the node itself.
fn node_limits(ctx: &Ctx<'_>) -> Result<()> {
    if !ctx.paths.ve_conf(Veid::NODE).exists() {
        return Ok(());
    }
    let conf = ctx.config(Veid::NODE)?;
    let mut limits = Vec::new();
    for param in crate::params::TABLE.iter() {
        let Some(resource) = param.resource else {
            continue;
        };
        if let Some(pair) = conf.pair(param.name)? {
            limits.push(Limit {
                resource,
                barrier: pair.barrier,
                limit: pair.limit,
            });
        }
    }
    ctx.kernel.set_ubc(Veid::NODE, &limits).map_err(|e| e.error)
}

/// Removes what commands left behind that were cut off by a crash of the
/// node: half-made trees, half-deleted ones, marks of VEs that do not run.
fn tidy(ctx: &Ctx<'_>) {
    let remove = |path: &Path| {
        if let Err(e) = undo::remove_tree(path) {
            ctx.out
                .warn(&format!("cannot delete {}: {e}", path.display()));
        }
    };
    if let Ok(dir) = std::fs::read_dir(ctx.paths.vztmp_dir()) {
        dir.flatten().for_each(|e| remove(&e.path()));
    }
    // The private area of VE 1 names the directory of all.
    let Some(one) = Veid::new(1) else { return };
    let private = ctx.paths.default_private(one);
    let Some(Ok(dir)) = private.parent().map(std::fs::read_dir) else {
        return;
    };
    for entry in dir.flatten() {
        let name = entry.file_name();
        let id = name
            .to_str()
            .and_then(|n| Veid::parse(n.strip_suffix(".tmp")?));
        let Some(id) = id else { continue };
        let tree = ctx.paths.default_private(id);
        if unfinished(&tree) == entry.path() {
            if let Ok(_lock) = ctx.lock(id, "tidying") {
                remove(&entry.path());
            }
        }
    }
    for conf in configs(ctx) {
        if state::is_leftover(ctx, conf.id()) {
            if let Ok(_lock) = ctx.lock(conf.id(), "tidying") {
                if let Err(e) = state::clean_leftover(ctx, &conf) {
                    ctx.out.warn(&e.to_string());
                }
            }
        }
    }
}
