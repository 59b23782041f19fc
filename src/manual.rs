//! The manual: the pages in `src/manual`, and the forms in which they are shown.
//!
//! Each page is one topic, written in Markdown, so that it can also be read in the repository. The same text is a page
//! in a terminal (`crm help TOPIC`), a page in a browser (`/docs/TOPIC`) and a manual page (`crm man`). All of it is in
//! the binary, so the manual always matches the version that is running, and needs neither files nor internet access.

use std::io;
use std::path::Path;

pub mod html;
pub mod page;
pub mod roff;
pub mod terminal;
pub mod topics;

#[cfg(test)]
mod tests;

use topics::{TOPICS, Topic};

/// The page of a topic for a terminal of this width. `None` means that it is not a terminal.
pub fn in_terminal(topic: &Topic, width: Option<usize>, color: bool) -> String {
    terminal::render(&page::parse(topic.text), width, color)
}

/// Writes the manual page of each topic into a folder: `crm-TOPIC.7`.
pub fn write_pages(folder: &Path) -> io::Result<()> {
    for topic in TOPICS {
        let name = format!("crm-{}.7", topic.name);
        std::fs::write(folder.join(name), roff::render(topic))?;
    }
    Ok(())
}
