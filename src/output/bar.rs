//! A progress bar on standard error.

use std::cell::OnceCell;
use std::io::{self, IsTerminal};

/// A bar on standard error that shows how far a long piece of work is; there where that is a terminal, and gone when it is
/// dropped.
pub struct Bar {
    wanted: bool,
    style: &'static str,
    /// From the first time on that there is something to show.
    bar: OnceCell<indicatif::ProgressBar>,
}

impl Bar {
    /// A bar, or where none is wanted something that shows nothing.
    pub fn new(wanted: bool) -> Bar {
        Bar::styled(
            wanted,
            "{msg} [{bar:30}] {bytes} of {total_bytes}, {eta} left",
        )
    }

    /// The same for records, which are counted.
    pub fn counting(wanted: bool) -> Bar {
        Bar::styled(
            wanted,
            "{msg} [{bar:30}] {human_pos} of {human_len}, {eta} left",
        )
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
        // It is a style: nothing it says depends on what is shown.
        if let Ok(style) = indicatif::ProgressStyle::with_template(self.style) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    }

    /// So much of so much is done. Of nothing there is nothing to show: it would be a full bar.
    pub fn show(&self, doing: &'static str, done: u64, of: u64) {
        if of == 0 {
            return;
        }
        let bar = self.bar.get_or_init(|| self.make(of));
        // Shown all at once, or words and numbers would be of different work for a moment.
        bar.clone().with_message(doing).update(|state| {
            state.set_len(of);
            state.set_pos(done);
        });
    }

    /// Something goes on that cannot be measured.
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
