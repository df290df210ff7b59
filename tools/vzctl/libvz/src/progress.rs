// SPDX-License-Identifier: GPL-2.0
//! Progress of long operations: a bar on a terminal, one line off it.

use crate::output::Output;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;

/// A bar in bytes. Nothing is drawn by a thread of its own, so the process
/// may fork while it is shown.
#[derive(Debug)]
pub struct Bytes {
    bar: Option<ProgressBar>,
}

impl Bytes {
    /// Starts a phase of `total` bytes.
    #[must_use]
    pub fn start(out: &Output, what: &str, total: u64) -> Self {
        if !out.progress() {
            out.detail(1, what);
            return Self { bar: None };
        }
        let bar = ProgressBar::new(total);
        let style = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_string());
        Self { bar: Some(bar) }
    }

    /// More bytes are done.
    pub fn add(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Work of unknown length: what it does right now.
#[derive(Debug)]
pub struct Phase {
    bar: Option<ProgressBar>,
}

impl Phase {
    /// Starts with a sentence.
    #[must_use]
    pub fn start(out: &Output, what: &str) -> Self {
        if !out.progress() {
            out.note(what);
            return Self { bar: None };
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_message(what.to_string());
        bar.tick();
        Self { bar: Some(bar) }
    }

    /// Another sentence; off a terminal only if it is worth a line.
    pub fn say(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(
                text.chars()
                    .filter(|c| !c.is_control())
                    .take(70)
                    .collect::<String>(),
            );
            bar.tick();
        }
    }

    /// Shows that time passes.
    pub fn tick(&self) {
        if let Some(bar) = &self.bar {
            bar.tick();
        }
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
