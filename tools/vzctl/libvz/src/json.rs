// SPDX-License-Identifier: GPL-2.0
//! The JSON envelope of commands that act.

use crate::error::Error;
use crate::id::Veid;
use crate::output::Outcome;
use serde_json::Value;
use serde_json::json;

/// One object: `ok command veid code name message warnings data`.
#[must_use]
pub fn envelope(
    command: &str,
    id: Option<Veid>,
    res: &Result<Outcome, Error>,
    warnings: &[String],
) -> Value {
    let veid = id.map(Veid::get);
    match res {
        Ok(done) => json!({
            "ok": true, "command": command, "veid": veid, "code": done.status, "name": null,
            "message": done.message, "warnings": warnings, "data": done.data,
        }),
        Err(err) => json!({
            "ok": false, "command": command, "veid": veid, "code": err.code().number(),
            "name": err.code().symbol(), "message": err.message(), "warnings": warnings,
            "data": { "origin": err.origin(), "try": err.hints() },
        }),
    }
}
