//! Standard output, with a pager for what is longer than the screen.

use std::io::{self, StdoutLock, Write};

use crate::config::Format;
use crate::output::look::Look;
use crate::output::pager::Pager;
use crate::output::stop::Result;

/// Where a command prints its result. With a pager the text is held until the end, because only then its length is known.
/// A table is made at the end of its list anyway.
pub struct Page {
    out: StdoutLock<'static>,
    held: Option<(Pager, Vec<u8>)>,
}

impl Page {
    /// The page for a result. Only tables are shown with the pager: other formats are for programs, and may have no end.
    pub fn new(look: Look, pager: Option<Pager>) -> Page {
        Page {
            out: io::stdout().lock(),
            held: pager
                .filter(|_| look.format == Format::Table)
                .map(|pager| (pager, Vec::new())),
        }
    }

    /// Shows what was held.
    pub async fn end(mut self) -> Result {
        match self.held.take() {
            Some((pager, text)) => pager.show(&String::from_utf8_lossy(&text)).await,
            None => Ok(self.out.flush()?),
        }
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.held {
            Some((_, text)) => text.write(bytes),
            None => self.out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &self.held {
            Some(_) => Ok(()),
            None => self.out.flush(),
        }
    }
}
