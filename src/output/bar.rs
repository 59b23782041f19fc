//! A progress bar on standard error.

use std::cell::OnceCell;
use std::io::{self, IsTerminal};

/// Shows the progress of long work on standard error, if that is a terminal. Dropping the bar removes it.
pub struct Bar {
    wanted: bool,
    style: &'static str,
    /// Made when there is something to show.
    bar: OnceCell<indicatif::ProgressBar>,
}

impl Bar {
    /// Makes a bar that counts bytes. If `wanted` is false, it shows nothing.
    pub fn new(wanted: bool) -> Bar {
        Bar::styled(
            wanted,
            "{msg} [{bar:30}] {bytes} of {total_bytes}, {eta} left",
        )
    }

    /// Makes a bar that counts records.
    pub fn counting(wanted: bool) -> Bar {
        Bar::styled(
            wanted,
            "{msg} [{bar:30}] {human_pos} of {human_len}, {eta} left",
        )
    }

    /// Makes a bar with changing words.
    pub fn telling(wanted: bool) -> Bar {
        Bar::styled(wanted, "{msg} [{bar:30}] {percent}%, {eta} left")
    }

    fn styled(wanted: bool, style: &'static str) -> Bar {
        Bar {
            wanted: wanted && io::stderr().is_terminal(),
            style,
            bar: OnceCell::new(),
        }
    }

    fn make(&self, of: u64) -> indicatif::ProgressBar {
        let bar = match self.wanted {
            true => indicatif::ProgressBar::new(of),
            false => indicatif::ProgressBar::hidden(),
        };
        // The templates are constants. A broken one would only lose the style.
        if let Ok(style) = indicatif::ProgressStyle::with_template(self.style) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    }

    /// Shows that `done` of `of` units are done. If `of` is 0 it shows nothing, because the bar would look full.
    pub fn show(&self, doing: &'static str, done: u64, of: u64) {
        if of == 0 {
            return;
        }
        let bar = self.bar.get_or_init(|| self.make(of));
        // One update for all, so that the words and the numbers always belong to the same work.
        bar.clone().with_message(doing).update(|state| {
            state.set_len(of);
            state.set_pos(done);
        });
    }

    /// Shows these words, and that `done` of `of` units are done.
    pub fn tell(&self, told: String, done: u64, of: u64) {
        if of == 0 {
            return;
        }
        let bar = self.bar.get_or_init(|| self.make(of));
        bar.clone().with_message(told).update(|state| {
            state.set_len(of);
            state.set_pos(done);
        });
    }

    /// Shows words for work that cannot be measured.
    pub fn say(&self, doing: &'static str) {
        if let Some(bar) = self.bar.get() {
            bar.set_message(doing);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}
