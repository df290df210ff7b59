// SPDX-License-Identifier: GPL-2.0
//! Checks JSON against the schemas that are shipped: the part of JSON Schema
//! that they use, and stricter. Members that a schema does not name fail, and
//! so does a schema with a word this does not know.

use serde_json::Value;

const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../etc/schemas");
/// Words that say nothing about what is valid.
const NOTES: [&str; 5] = ["$schema", "$id", "$defs", "title", "description"];

/// Names of all schemas.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(DIR)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .map(|n| n.strip_suffix(".schema.json").unwrap().to_string())
        .collect();
    names.sort();
    names
}

pub fn load(name: &str) -> Value {
    let text = std::fs::read_to_string(format!("{DIR}/{name}.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// What is wrong with a value; `None` if it is valid.
pub fn wrong(name: &str, value: &Value) -> Option<String> {
    let schema = load(name);
    Check { root: &schema }.value("", &schema, value).err()
}

/// Checks what a command line with `--json` printed.
pub fn check(line: &[&str], out: &str) {
    let words: Vec<&str> = line
        .iter()
        .filter(|w| !w.starts_with('-'))
        .copied()
        .collect();
    let asked = line.contains(&"--json") || (words[0] == "vzlist" && line.contains(&"-j"));
    if !asked || line.contains(&"--help") || out.is_empty() {
        return;
    }
    // Commands on several VEs print an object for each.
    for value in serde_json::Deserializer::from_str(out).into_iter::<Value>() {
        let value = value.unwrap_or_else(|e| panic!("{line:?}: {e}: {out}"));
        let name = match words.as_slice() {
            _ if value.get("ok").is_some() => "command".to_string(),
            ["vzctl", sub, ..] => format!("vzctl-{sub}"),
            [tool, ..] => (*tool).to_string(),
            [] => panic!("no command"),
        };
        if let Some(why) = wrong(&name, &value) {
            panic!("{line:?} does not fit {name}: {why}\n{value:#}");
        }
    }
}

struct Check<'a> {
    root: &'a Value,
}

type Found = Result<(), String>;

fn need(ok: bool, at: &str, why: impl Fn() -> String) -> Found {
    match ok {
        true => Ok(()),
        false => Err(format!(
            "{}: {}",
            if at.is_empty() { "/" } else { at },
            why()
        )),
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("no such type: {kind}"),
    }
}

impl Check<'_> {
    fn value(&self, at: &str, schema: &Value, value: &Value) -> Found {
        let words = schema
            .as_object()
            .unwrap_or_else(|| panic!("{at}: no schema"));
        for (word, arg) in words {
            match word.as_str() {
                w if NOTES.contains(&w) => {}
                // Checked with "properties".
                "additionalProperties" if words.contains_key("properties") => {
                    panic!("{at}: both kinds of properties")
                }
                "$ref" => {
                    let place = arg.as_str().unwrap().strip_prefix('#').unwrap();
                    let target = self.root.pointer(place);
                    self.value(at, target.unwrap_or_else(|| panic!("no {arg}")), value)?;
                }
                "type" => {
                    let kinds = match arg {
                        Value::Array(all) => all.clone(),
                        one => vec![one.clone()],
                    };
                    let fits = kinds.iter().any(|k| is_of(value, k.as_str().unwrap()));
                    need(fits, at, || format!("{value} is no {arg}"))?;
                }
                "enum" => {
                    let all = arg.as_array().unwrap();
                    need(all.contains(value), at, || {
                        format!("{value} is none of {arg}")
                    })?;
                }
                "const" => need(arg == value, at, || format!("{value} is not {arg}"))?,
                "anyOf" => {
                    let all = arg.as_array().unwrap();
                    let fits = all.iter().any(|s| self.value(at, s, value).is_ok());
                    need(fits, at, || format!("{value} fits none of {arg}"))?;
                }
                "minimum" | "maximum" => {
                    let Some(n) = value.as_f64() else { continue };
                    let bound = arg.as_f64().unwrap();
                    let fits = if word == "minimum" {
                        n >= bound
                    } else {
                        n <= bound
                    };
                    need(fits, at, || format!("{value}: {word} is {arg}"))?;
                }
                "minProperties" => {
                    let Some(members) = value.as_object() else {
                        continue;
                    };
                    let least = arg.as_u64().unwrap();
                    need(members.len() as u64 >= least, at, || {
                        "too few members".into()
                    })?;
                }
                "items" => {
                    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.value(&format!("{at}/{i}"), arg, item)?;
                    }
                }
                "required" => {
                    let Some(members) = value.as_object() else {
                        continue;
                    };
                    for name in arg.as_array().unwrap() {
                        let there = members.contains_key(name.as_str().unwrap());
                        need(there, at, || format!("{name} is missing"))?;
                    }
                }
                "properties" => {
                    for (name, member) in value.as_object().into_iter().flatten() {
                        let at = format!("{at}/{name}");
                        let known = arg.get(name);
                        need(known.is_some(), &at, || {
                            "the schema does not name it".into()
                        })?;
                        self.value(&at, known.unwrap(), member)?;
                    }
                }
                "additionalProperties" => {
                    for (name, member) in value.as_object().into_iter().flatten() {
                        self.value(&format!("{at}/{name}"), arg, member)?;
                    }
                }
                other => panic!("{at}: {other} is not understood"),
            }
        }
        Ok(())
    }
}
