// SPDX-License-Identifier: GPL-2.0
//! `vzctl start`: from a stopped VE to a running init.
//!
//! Every step is undone by the stack if a later one fails or the command is
//! killed.  What is in the kernel is undone by the kernel: until RUN the VE
//! lives as long as the descriptor `ve`, and until GO init exits with us.

use crate::cli::args;
use crate::config;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::dist;
use crate::dist::Tree;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::kernel;
use crate::kernel::Ve;
use crate::lock;
use crate::lock::Lock;
use crate::params;
use crate::undo;
use crate::undo::Stack;
use crate::undo::Undo;
use crate::ve::console;
use crate::ve::exec;
use crate::ve::init;
use crate::ve::init::Plan;
use crate::ve::init::Step;
use crate::ve::mount;
use crate::ve::script;
use crate::ve::slot;
use crate::ve::state;
use rustix::fd::AsFd;
use rustix::process::Resource;
use rustix::process::Rlimit;
use std::ffi::CString;
use std::fs::File;
use std::time::Duration;
use std::time::Instant;

/// Steps of start, in order; each is a fault point. Those of the child follow
/// "init" as [`Step`].
pub const STEPS: &[&str] = &[
    lock::STEP,
    "premount",
    "mountpoint",
    "mount",
    "mount-scripts",
    "tree",
    "reserve",
    "limits",
    "osrelease",
    "prestart",
    "dist",
    "spawn",
    "init",
    "hostname",
    "record",
    "run",
    "commit",
    "go",
];

/// How long `--wait` waits.
const WAIT: Duration = Duration::from_secs(300);

/// Capabilities a VE never has unless its configuration grants them. They
/// reach beyond what a namespace separates; without them systemd skips the
/// units that need them.
const REMOVED: [&str; 13] = [
    "sys_module",
    "sys_rawio",
    "sys_pacct",
    "sys_time",
    "audit_control",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
];

/// Starts a VE whose lock the caller holds and hands in.
///
/// # Errors
/// See tools' exit codes; everything done is undone.
pub fn start(ctx: &Ctx<'_>, conf: &VeConfig, lock: &Lock, args: &args::Start) -> Result<()> {
    let id = conf.id();
    undo::catch_interrupts();
    check(ctx, conf, args)?;
    state::clean_leftover(ctx, conf)?;
    let base = slot::of(conf)?;
    let limits = conf.limits()?;
    let bset = capabilities(conf)?;
    let root = conf.root(&ctx.paths);
    let mounted = ctx.kernel.is_mounted(&root)?;
    let stack = Stack::new(ctx.kernel, lock)?;
    if mounted {
        ctx.out
            .detail(1, &format!("{} is mounted already", root.display()));
    } else {
        mount::mount(ctx, conf, &stack)?;
    }
    stack.step("tree")?;
    let tree = Tree::open(&root)?;
    check_owner(conf, &tree, base)?;
    init::find_init(tree.root().as_fd(), id)?;

    stack.step("reserve")?;
    // Undone after `ve` below is dropped, before the tree is unmounted.
    stack.push(Undo::Gone(id.get()))?;
    let ve = ctx.kernel.reserve(id)?;
    stack.step("limits")?;
    set_limits(ve.as_ref(), conf, &limits)?;
    stack.step("osrelease")?;
    if let Some(release) = osrelease(ctx, conf)? {
        ve.set_osrelease(&release)?;
    }
    stack.step("prestart")?;
    script::run(ctx, id, "prestart")?;
    stack.step("dist")?;
    dist::pre_start(ctx, conf, &tree)?;
    drop(tree);

    stack.step("spawn")?;
    let console = console::Link::open(ctx);
    let plan = plan(conf, base, bset, console.is_some())?;
    inherit(ctx)?;
    // The child finds the tree as its working directory: it may not walk there.
    std::env::set_current_dir(&root)
        .or_err(Code::System, || format!("cannot enter {}", root.display()))?;
    let spawned = ve.spawn(&plan);
    // Otherwise the tree could not be unmounted.
    std::env::set_current_dir("/").or_err(Code::System, || "cannot leave the file tree")?;
    let spawned = spawned?;
    stack.step("init")?;
    let master = spawned.wait_ready()?;
    stack.step("hostname")?;
    if let Some(name) = conf.get("HOSTNAME") {
        ve.set_hostname(name)?;
    }
    stack.step("record")?;
    stack.push(Undo::RemoveFile(ctx.paths.reboot_mark(id)))?;
    stack.push(Undo::RemoveTree(ctx.paths.run_dir(id)))?;
    state::mark(ctx, id, spawned.pid)?;
    if let (Some(link), Some(master)) = (&console, &master) {
        let path = console::file(&ctx.paths, id);
        let kept = File::create(&path)
            .or_err(Code::System, || format!("cannot write {}", path.display()))?;
        link.give(id, spawned.pid, master, &kept)?;
    }
    drop(master);
    stack.step("run")?;
    ve.run()?;
    // Now only init's own exit ends the VE; it still waits for us.
    let released = stack
        .step("commit")
        .and_then(|()| stack.step("go"))
        .and_then(|()| spawned.go());
    if let Err(e) = released {
        take_down(ve.as_ref());
        return Err(e);
    }
    stack.commit()?;
    ctx.log.event(id, "started");
    after(ctx, conf, ve.as_ref(), args)
}

fn set_limits(ve: &dyn Ve, conf: &VeConfig, limits: &[config::Limit]) -> Result<()> {
    let list: Vec<_> = limits
        .iter()
        .map(|l| kernel::Limit {
            resource: l.resource,
            barrier: l.pair.barrier,
            limit: l.pair.limit,
        })
        .collect();
    ve.set_ubc(&list).map_err(|e| {
        let id = conf.id();
        let Some(limit) = e.at.and_then(|at| limits.get(at)) else {
            return e.error.context(format!("cannot limit VE {id}"));
        };
        let error = e
            .error
            .context(format!("cannot limit {} of VE {id}", limit.param.option));
        match conf.origin(limit.param.name) {
            Some(at) => error.at(at),
            None => error,
        }
    })
}

/// What may be asked before anything is changed.
fn check(ctx: &Ctx<'_>, conf: &VeConfig, args: &args::Start) -> Result<()> {
    let id = conf.id();
    let failed = || format!("cannot start {}", ctx.label(id));
    if ctx.kernel.running(id)?.is_some() {
        return Err(Error::new(Code::Running, failed())
            .why("it is running")
            .hint(format!("vzctl restart {id}")));
    }
    if conf.is_yes("DISABLED") && !args.force {
        let err = Error::new(Code::Disabled, failed())
            .why("it is disabled")
            .hint(format!("vzctl start {id} --force"));
        return Err(match conf.origin("DISABLED") {
            Some(at) => err.at(at),
            None => err,
        });
    }
    Ok(())
}

/// Files of other owners would be nobody's inside the VE.
fn check_owner(conf: &VeConfig, tree: &Tree, base: u32) -> Result<()> {
    // An ordinary user, in a test, cannot give files away.
    if tree.uid() == base || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let err = Error::new(
        Code::BadTree,
        format!("the file tree of VE {} has other ids", conf.id()),
    )
    .why(format!(
        "its root directory belongs to {}, LOCAL_UID is {base}",
        tree.uid()
    ));
    Err(match conf.origin("LOCAL_UID") {
        Some(at) => err.at(at),
        None => err,
    })
}

/// The bounding set as the kernel takes it.
fn capabilities(conf: &VeConfig) -> Result<u64> {
    let mut set: u64 = 0;
    for (bit, name) in params::CAPABILITIES.iter().enumerate() {
        if !REMOVED.contains(name) && *name != "checkpoint_restore" {
            set |= 1 << bit;
        }
    }
    for item in conf.get("CAPABILITY").unwrap_or_default().split([' ', ',']) {
        let Some((name, on)) = item.split_once(':') else {
            continue;
        };
        let lower = name.to_ascii_lowercase();
        let Some(bit) = params::CAPABILITIES.iter().position(|c| *c == lower) else {
            let err = Error::new(Code::Capability, format!("unknown capability \"{name}\""));
            return Err(match conf.origin("CAPABILITY") {
                Some(at) => err.at(at),
                None => err,
            });
        };
        if on.eq_ignore_ascii_case("on") {
            set |= 1 << bit
        } else {
            set &= !(1 << bit)
        }
    }
    Ok(set)
}

/// Release that `uname -r` shows, by the longest prefix of the template's
/// name in osrelease.conf.
fn osrelease(ctx: &Ctx<'_>, conf: &VeConfig) -> Result<Option<String>> {
    let Some(template) = conf.get("DISTRIBUTION").or(conf.get("OSTEMPLATE")) else {
        return Ok(None);
    };
    let path = ctx.paths.osrelease_conf();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            return Err(e).or_err(Code::OsRelease, || {
                format!("cannot read {}", path.display())
            });
        }
    };
    let pairs = text.lines().filter_map(|l| {
        let mut words = l.split('#').next()?.split_whitespace();
        Some((words.next()?, words.next()?))
    });
    let best = pairs
        .filter(|(p, _)| template.starts_with(p))
        .max_by_key(|(p, _)| p.len());
    Ok(best.map(|(_, release)| release.to_string()))
}

fn c(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(Code::System, format!("bad text \"{text}\"")))
}

fn plan(conf: &VeConfig, base: u32, bset: u64, console: bool) -> Result<Plan> {
    let id = conf.id();
    let uuid = format!(
        "container_uuid={:08x}-0000-4000-8000-{:012x}",
        id.get(),
        base
    );
    let env = ["container=openvz", "TERM=linux", "HOME=/", &uuid];
    let fault = undo::wanted_fault();
    Ok(Plan {
        uid_base: base,
        bset,
        hostname: conf.get("HOSTNAME").unwrap_or("localhost").to_string(),
        init: init::PATHS.iter().map(|p| c(p)).collect::<Result<_>>()?,
        argv: vec![c("init")?],
        env: env.iter().map(|e| c(e)).collect::<Result<_>>()?,
        console,
        fault: Step::ALL
            .iter()
            .copied()
            .find(|s| fault.as_deref() == Some(s.key())),
    })
}

/// Limits and priorities that init gets from us. Root of a VE cannot raise a
/// hard limit; what limits the VE is its beancounter.
fn inherit(ctx: &Ctx<'_>) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let infinite = [
        Resource::Nproc,
        Resource::Sigpending,
        Resource::As,
        Resource::Data,
        Resource::Fsize,
        Resource::Cpu,
    ];
    let some = [
        (Resource::Nofile, Some(1024), Some(1_048_576)),
        (Resource::Memlock, Some(8 << 20), None),
        (Resource::Core, Some(0), None),
        (Resource::Stack, Some(8 << 20), None),
    ];
    for (res, current, maximum) in infinite.map(|r| (r, None, None)).into_iter().chain(some) {
        if let Err(e) = rustix::process::setrlimit(res, Rlimit { current, maximum }) {
            // A node whose own root is limited can only pass on what it has.
            ctx.out
                .detail(1, &format!("{res:?} of init stays as it is here: {e}"));
        }
    }
    let what = || "cannot set the priority of init";
    rustix::process::setpriority_process(None, 0).or_err(Code::System, what)?;
    std::fs::write("/proc/self/oom_score_adj", "0").or_err(Code::System, what)
}

fn take_down(ve: &dyn Ve) {
    // The caller has a better error to tell than one of these.
    drop(ve.kill(nix::libc::SIGKILL));
    drop(ve.wait_dead(Duration::from_secs(60)));
}

/// The rest of a start: the VE runs, so a failure stops it.
fn after(ctx: &Ctx<'_>, conf: &VeConfig, ve: &dyn Ve, args: &args::Start) -> Result<()> {
    let id = conf.id();
    if let Some(text) = script::inside(ctx, id, "start")? {
        let res = exec::script(ctx, ve, id, &text);
        let status = match res {
            Ok(0) => return wait(ctx, ve, id, args),
            Ok(status) => Error::new(Code::ActionScript, format!("{id}.start failed in VE {id}"))
                .why(format!("exit status {status}")),
            Err(e) => e.with_code(Code::ActionScript),
        };
        take_down(ve);
        mount::umount(ctx, conf)?;
        state::unmark(ctx, id);
        return Err(status);
    }
    wait(ctx, ve, id, args)
}

/// `--wait`: systemd is asked, other inits have no answer.
fn wait(ctx: &Ctx<'_>, ve: &dyn Ve, id: Veid, args: &args::Start) -> Result<()> {
    if !args.wait {
        return Ok(());
    }
    let failed = |why: String| {
        Error::new(Code::Wait, format!("VE {id} did not finish booting"))
            .why(why)
            .hint(format!("vzctl exec {id} systemctl list-jobs"))
    };
    let end = Instant::now() + WAIT;
    while Instant::now() < end {
        undo::check_interrupt()?;
        let (status, text) = exec::capture(
            ctx,
            ve,
            id,
            "command -v systemctl >/dev/null || { echo running; exit; }; systemctl is-system-running",
        )?;
        match text.trim() {
            "running" => return Ok(()),
            "degraded" => {
                ctx.out
                    .warn(&format!("VE {id} is up, but some of its units failed"));
                return Ok(());
            }
            "stopping" | "maintenance" => return Err(failed(format!("it is {}", text.trim()))),
            // Systemd does not answer yet.
            _ => ctx.out.detail(2, &format!("{} ({status})", text.trim())),
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Err(failed(format!("{} s have passed", WAIT.as_secs())))
}
