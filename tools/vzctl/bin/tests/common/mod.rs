// SPDX-License-Identifier: GPL-2.0
//! A node in a temporary directory, with the fake kernel.

// Each test program uses its own part of this.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::panic)]

pub mod schema;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// `/etc/vz` as it is installed.
const ETC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../etc");

pub struct Node {
    pub dir: tempfile::TempDir,
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.status, 0, "{self:?}");
        self.out
    }

    #[track_caller]
    pub fn fails(self, status: i32) -> String {
        assert_eq!(self.status, status, "{self:?}");
        self.err
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Node {
    pub fn new() -> Self {
        let node = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for dir in [
            "etc/vz/conf",
            "etc/vz/names",
            "var/lib/vz/lock",
            "var/log",
            "proc/vz",
            "run",
        ] {
            std::fs::create_dir_all(node.path(dir)).unwrap();
        }
        std::fs::copy(format!("{ETC}/vz.conf"), node.path("etc/vz/vz.conf")).unwrap();
        for sample in std::fs::read_dir(format!("{ETC}/conf")).unwrap().flatten() {
            let to = node.path("etc/vz/conf").join(sample.file_name());
            std::fs::copy(sample.path(), to).unwrap();
        }
        node
    }

    /// With VE 101 in the simple and VE 102 in the classic mode.
    pub fn with_ves() -> Self {
        let node = Self::new();
        for (id, sample) in [(101, "vswap-512m"), (102, "basic")] {
            let from = node.path(&format!("etc/vz/conf/ve-{sample}.conf-sample"));
            std::fs::copy(from, node.conf(id)).unwrap();
        }
        node
    }

    pub fn path(&self, rel: &str) -> PathBuf {
        self.dir.path().join(rel)
    }

    pub fn conf(&self, id: u32) -> PathBuf {
        self.path(&format!("etc/vz/conf/{id}.conf"))
    }

    pub fn conf_text(&self, id: u32) -> String {
        std::fs::read_to_string(self.conf(id)).unwrap()
    }

    /// Makes the fake kernel believe that a VE runs.
    pub fn fake_running(&self, id: u32) {
        let dir = self.path("run/vz-fake-kernel");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(format!("{id}.json")), "{\"owner\":0,\"ubc\":{}}").unwrap();
    }

    /// Barrier and limit that the fake kernel was given.
    pub fn fake_ubc(&self, id: u32, resource: u32) -> Option<(u64, u64)> {
        let file = self.path(&format!("run/vz-fake-kernel/{id}.json"));
        let value: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(file).ok()?).unwrap();
        let pair = &value["ubc"][resource.to_string()];
        Some((pair[0].as_u64()?, pair[1].as_u64()?))
    }

    pub fn command(&self, line: &[&str]) -> Command {
        let mut cmd = Command::new(env!("CARGO_BIN_EXE_vz-tools"));
        cmd.args(line)
            .env("VZ_SYSROOT", self.dir.path())
            .env("VZ_FAKE_KERNEL", self.path("run/vz-fake-kernel"))
            .env_remove("NO_COLOR")
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        cmd
    }

    /// Runs `vzctl start 101` given as one text, split at blanks.
    pub fn run(&self, line: &str) -> Ran {
        self.run_args(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// All JSON that any test gets is checked against its schema.
    pub fn run_args(&self, line: &[&str]) -> Ran {
        let done = self.command(line).output().unwrap();
        schema::check(line, &String::from_utf8_lossy(&done.stdout));
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap()
                .replace(&self.dir.path().display().to_string(), "")
        };
        Ran {
            status: done.status.code().unwrap_or(-1),
            out: text(done.stdout),
            err: text(done.stderr),
        }
    }
}

/// Resource: held, maxheld, barrier, limit, failcnt.
pub type Row<'a> = (&'a str, [u64; 5]);

/// `/proc/user_beancounters` or `/proc/bc/resources` of some VEs.
pub fn beancounters(rows: &[(u32, &[Row<'_>])]) -> String {
    let mut text = String::from("Version: 2.5\n");
    text += "       uid  resource                     held              maxheld              \
             barrier                limit              failcnt\n";
    for (id, all) in rows {
        for (i, (name, n)) in all.iter().enumerate() {
            let id = if i == 0 {
                format!("{id}:")
            } else {
                String::new()
            };
            text += &format!(
                "{id:>10}  {name:<12} {:>20} {:>20} {:>20} {:>20} {:>20}\n",
                n[0], n[1], n[2], n[3], n[4]
            );
        }
    }
    text
}

/// Puts a file below the node's root.
pub fn put(node: &Node, rel: &str, text: &str) {
    let path = node.path(rel);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
    std::fs::write(path, text).unwrap();
}

/// All 21 lines of a VE whose limits are unlimited, except for those given.
pub fn counters<'a>(given: &[Row<'a>]) -> Vec<Row<'a>> {
    const UNLIMITED: u64 = i64::MAX as u64;
    const NAMES: [&str; 21] = [
        "kmemsize",
        "lockedpages",
        "privvmpages",
        "shmpages",
        "numproc",
        "physpages",
        "vmguarpages",
        "oomguarpages",
        "numtcpsock",
        "numflock",
        "numpty",
        "numsiginfo",
        "tcpsndbuf",
        "tcprcvbuf",
        "othersockbuf",
        "dgramrcvbuf",
        "numothersock",
        "dcachesize",
        "numfile",
        "numiptent",
        "swappages",
    ];
    let row = |name| {
        let found = given.iter().find(|(n, _)| *n == name);
        found
            .copied()
            .unwrap_or((name, [0, 0, UNLIMITED, UNLIMITED, 0]))
    };
    NAMES.map(row).to_vec()
}

/// Ctrl-C.
pub fn interrupt(child: &std::process::Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}
