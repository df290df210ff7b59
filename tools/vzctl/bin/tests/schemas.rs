// SPDX-License-Identifier: GPL-2.0
//! The schemas of `--json`. That outputs are valid is checked wherever a test
//! asks for JSON; here is what the schemas themselves have to be.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::Node;
use common::beancounters;
use common::counters;
use common::put;
use common::schema;
use serde_json::Value;
use serde_json::json;

/// A node on which each command has something to print.
fn node() -> Node {
    let node = Node::with_ves();
    node.fake_running(101);
    put(
        &node,
        "proc/meminfo",
        "MemTotal: 1048576 kB\nSwapTotal: 0 kB\n",
    );
    put(
        &node,
        "proc/cpuinfo",
        "processor\t: 0\nbogomips\t: 4000.00\n",
    );
    put(&node, "proc/sys/kernel/threads-max", "10000\n");
    put(
        &node,
        "proc/7/status",
        "Name:\tinit\nenvID:\t101\nVPid:\t1\n",
    );
    let rows = counters(&[("numproc", [5, 6, 7, 7, 1])]);
    put(&node, "proc/bc/resources", &beancounters(&[(101, &rows)]));
    node
}

/// The commands whose output each schema describes.
const COMMANDS: [(&str, &str); 10] = [
    (
        "command",
        "vzctl --json set 101 --applyconfig vswap-1g --save",
    ),
    ("vzcalc", "vzcalc --json 101"),
    ("vzcfgvalidate", "vzcfgvalidate --json"),
    ("vzcpucheck", "vzcpucheck --json"),
    ("vzctl-explain", "vzctl explain --json 101"),
    ("vzctl-status", "vzctl status --json 101"),
    ("vzlist", "vzlist --json"),
    ("vzmemcheck", "vzmemcheck --json"),
    ("vzpid", "vzpid --json 7"),
    ("vzubc", "vzubc --json"),
];

fn output(node: &Node, line: &str) -> Value {
    let conf = node.conf(101);
    let mut words: Vec<&str> = line.split(' ').collect();
    if words[0] == "vzcfgvalidate" {
        words.push(conf.to_str().unwrap());
    }
    node.run_args(&words).json()
}

#[test]
fn every_schema_has_a_command_and_every_output_is_valid() {
    let node = node();
    let mut names: Vec<&str> = COMMANDS.iter().map(|(name, _)| *name).collect();
    // Its lines are checked by its own tests.
    names.push("vzctl-monitor");
    names.sort_unstable();
    assert_eq!(schema::names(), names);
    for (name, line) in COMMANDS {
        assert_eq!(schema::wrong(name, &output(&node, line)), None, "{line}");
        let schema = schema::load(name);
        assert_eq!(schema["$id"], format!("{name}.schema.json"));
        assert!(
            schema["title"].is_string() && schema["description"].is_string(),
            "{name}"
        );
    }
}

/// Every change that breaks an output: each member removed, and each value
/// replaced by one of a type that no output has.
fn broken(value: &Value) -> Vec<Value> {
    let odd = || json!([[[]]]);
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| {
                let mut less = members.clone();
                less.shift_remove(name);
                let with = |new: Value| {
                    let mut all = members.clone();
                    all[name] = new;
                    Value::Object(all)
                };
                let inner = broken(member).into_iter().map(with);
                [Value::Object(less)]
                    .into_iter()
                    .chain(inner)
                    .collect::<Vec<_>>()
            })
            .chain([odd()])
            .collect(),
        Value::Array(items) if !items.is_empty() => broken(&items[0])
            .into_iter()
            .map(|item| json!([item]))
            .chain([json!({"odd": []})])
            .collect(),
        Value::Array(_) => vec![json!({"odd": []})],
        _ => vec![odd()],
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let node = node();
    // Members of these are free, or may all be missing.
    let free = ["command", "vzlist"];
    for (name, line) in COMMANDS.iter().filter(|(name, _)| !free.contains(name)) {
        let value = output(&node, line);
        for bad in broken(&value) {
            let partly = *name == "vzubc"
                && bad[0]["resources"]
                    .as_object()
                    .is_some_and(|r| r.len() < 21);
            assert!(
                partly || schema::wrong(name, &bad).is_some(),
                "{name}: {bad:#}"
            );
        }
    }
    let mut list = output(&node, "vzlist --json");
    list[0]["news"] = json!(1);
    assert_eq!(
        schema::wrong("vzlist", &list).unwrap(),
        "/0/news: the schema does not name it"
    );
    let mut done = output(&node, "vzctl --json set 101 --onboot yes --save");
    done["code"] = json!(256);
    assert_eq!(
        schema::wrong("command", &done).unwrap(),
        "/code: 256: maximum is 255"
    );
}

/// vzlist's fields come from the parameter table, its schema does not.
#[test]
fn vzlist_names_all_fields() {
    let node = Node::new();
    let fields: Vec<String> = node
        .run("vzlist -L")
        .ok()
        .lines()
        .map(|l| l.split(' ').next().unwrap().to_string())
        .collect();
    let schema = schema::load("vzlist");
    let named = schema["items"]["properties"].as_object().unwrap();
    let named: Vec<String> = named.keys().cloned().collect();
    assert_eq!(named, fields);
}
