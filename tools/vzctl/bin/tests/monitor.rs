// SPDX-License-Identifier: GPL-2.0
//! vzctl monitor.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::Node;
use common::interrupt;
use common::put;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Child;
use std::process::Stdio;

/// Starts `vzctl monitor`; returns once it has seen what there is.
fn monitor(node: &Node, args: &[&str]) -> (Child, impl FnMut() -> String + use<>) {
    let mut line = vec!["vzctl", "monitor", "--verbose"];
    line.extend(args);
    let mut child = node
        .command(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut note = String::new();
    err.read_line(&mut note).unwrap();
    assert!(note.starts_with("watching "), "{note}");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    (child, move || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line
    })
}

/// Changes the events of a VE in one write: no reader sees half of it.
fn change(node: &Node, veid: u32, text: &str) {
    let path = node.path(&format!("proc/bc/{veid}/events"));
    let mut file = File::options().write(true).open(path).unwrap();
    assert!(text.len() as u64 >= file.metadata().unwrap().len());
    file.write_all(text.as_bytes()).unwrap();
}

/// Makes the directory of a VE that starts, with all that is in it.
fn appear(node: &Node, veid: u32, text: &str) {
    put(node, "new/events", text);
    std::fs::rename(node.path("new"), node.path(&format!("proc/bc/{veid}"))).unwrap();
}

/// A line without its time.
fn cut(line: &str) -> &str {
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(time.starts_with("20") && time.ends_with("+0000"), "{line}");
    rest
}

#[test]
fn monitor_prints_changes() {
    let node = Node::with_ves();
    put(&node, "proc/bc/101/events", "kmemsize 0 0\nnumproc 7 0\n");
    put(&node, "proc/bc/0/events", "numproc 3 0\n");
    let (mut child, mut next) = monitor(&node, &["--count", "4"]);
    change(&node, 101, "kmemsize 0 75\nnumproc 9 98\n");
    assert_eq!(
        cut(&next()),
        "101 kmemsize failcnt=0 increase=0 pressure=75\n"
    );
    assert_eq!(
        cut(&next()),
        "101 numproc failcnt=9 increase=2 pressure=98\n"
    );
    // A VE that starts, and has been refused something already.
    appear(&node, 102, "numfile 1 0\n");
    assert_eq!(
        cut(&next()),
        "102 numfile failcnt=1 increase=1 pressure=0\n"
    );
    // It starts again: new files.
    std::fs::rename(node.path("proc/bc/102"), node.path("proc/102-1")).unwrap();
    appear(&node, 102, "numfile 1 0\n");
    assert_eq!(
        cut(&next()),
        "102 numfile failcnt=1 increase=1 pressure=0\n"
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn monitor_of_some_as_json() {
    let node = Node::with_ves();
    put(&node, "proc/bc/101/events", "numproc 7 0\n");
    put(&node, "proc/bc/102/events", "numproc 7 0\n");
    let (mut child, mut next) = monitor(&node, &["--json", "101"]);
    change(&node, 102, "numproc 8 0\n");
    change(&node, 101, "numproc 8 0\n");
    let value: serde_json::Value = serde_json::from_str(&next()).unwrap();
    assert_eq!(common::schema::wrong("vzctl-monitor", &value), None);
    assert_eq!(value["veid"], 101);
    assert_eq!(value["resource"], "numproc");
    assert_eq!(
        (&value["failcnt"], &value["increase"], &value["pressure"]),
        (&8.into(), &1.into(), &0.into())
    );
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(next(), "");
}

#[test]
fn monitor_ends_with_its_reader() {
    let node = Node::with_ves();
    put(&node, "proc/bc/101/events", "numproc 7 0\n");
    let (mut child, next) = monitor(&node, &[]);
    drop(next);
    change(&node, 101, "numproc 8 0\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn monitor_on_a_kernel_without_events() {
    let node = Node::with_ves();
    put(&node, "proc/bc/101/resources", "");
    let err = node.run("vzctl monitor").fails(5);
    assert!(
        err.contains("this kernel does not report them (there is no /proc/bc/101/events)"),
        "{err}"
    );
    let err = node.run("vzctl monitor 102").fails(31);
    assert!(
        err.contains("cannot watch VE 102: it is not running"),
        "{err}"
    );
}
