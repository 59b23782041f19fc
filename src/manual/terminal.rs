//! A page in a terminal: wrapped to its width, with bold headings and bold code if color is on.
//!
//! Without color, which is also the form for files and other programs, code keeps its backticks and nothing else is
//! marked.

use unicode_width::UnicodeWidthStr;

use crate::manual::page::{Block, Span, Style, Text, joined, plain};

/// The greatest width of text. Longer lines are harder to read.
const WIDEST: usize = 80;
/// The least width of the widest column of a table.
const NARROWEST: usize = 24;
/// The space between two columns.
const GAP: usize = 2;

/// The text of the blocks for a terminal of this width.
pub fn render(blocks: &[Block], width: Option<usize>, color: bool) -> String {
    let mut page = Page {
        out: String::new(),
        width: width.unwrap_or(WIDEST).clamp(20, WIDEST),
        color,
    };
    page.blocks(blocks, 0);
    page.out
}

/// A word: pieces without spaces between them.
type Word = Vec<(Style, String)>;

struct Page {
    out: String,
    width: usize,
    color: bool,
}

impl Page {
    fn blocks(&mut self, blocks: &[Block], indent: usize) {
        for (at, block) in blocks.iter().enumerate() {
            if at > 0 {
                self.out.push('\n');
            }
            let margin = " ".repeat(indent);
            match block {
                Block::Heading(_, text) => {
                    let heading = plain(text);
                    let heading = match self.color {
                        true => bold(&heading),
                        false => heading,
                    };
                    self.line(&margin, &heading);
                }
                Block::Paragraph(text) => self.paragraph(text, &margin, &margin),
                Block::Code(code) => {
                    for line in code.lines() {
                        self.line(&format!("{margin}    "), line);
                    }
                }
                Block::List(first, items) => self.list(*first, items, indent),
                Block::Table(head, rows) => self.table(head, rows, indent),
            }
        }
    }

    fn line(&mut self, margin: &str, text: &str) {
        if !text.is_empty() {
            self.out.push_str(margin);
            self.out.push_str(text);
        }
        self.out.push('\n');
    }

    fn list(&mut self, first: Option<u64>, items: &[Vec<Block>], indent: usize) {
        for (at, item) in items.iter().enumerate() {
            let mark = match first {
                Some(first) => format!("{}. ", first + at as u64),
                None => "- ".to_string(),
            };
            let start = format!("{}{mark}", " ".repeat(indent));
            let deeper = start.len();
            let rest = match item.split_first() {
                Some((Block::Paragraph(text), rest)) => {
                    self.paragraph(text, &start, &" ".repeat(deeper));
                    rest
                }
                _ => {
                    self.line("", start.trim_end());
                    item
                }
            };
            if !rest.is_empty() {
                self.out.push('\n');
                self.blocks(rest, deeper);
            }
        }
    }

    /// Wraps text. `start` goes before its first line and `margin` before the others.
    fn paragraph(&mut self, text: &[Span], start: &str, margin: &str) {
        let lines = self.wrap(text, self.width.saturating_sub(margin.len()).max(10));
        if lines.is_empty() {
            self.line("", start.trim_end());
        }
        for (at, (line, _)) in lines.iter().enumerate() {
            self.line(if at == 0 { start } else { margin }, line);
        }
    }

    /// The lines of a text, each with its width.
    fn wrap(&self, text: &[Span], width: usize) -> Vec<(String, usize)> {
        let mut lines: Vec<(String, usize)> = Vec::new();
        for word in self.words(text) {
            let length = word.iter().map(|piece| piece.1.width()).sum::<usize>();
            let shown: String = word.iter().map(|piece| self.shown(piece)).collect();
            match lines.last_mut() {
                Some((line, taken)) if *taken + 1 + length <= width => {
                    line.push(' ');
                    line.push_str(&shown);
                    *taken += 1 + length;
                }
                _ => lines.push((shown, length)),
            }
        }
        lines
    }

    fn words(&self, text: &[Span]) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        let mut is_open = false;
        for span in text {
            let shown = match span.style {
                Style::Code if !self.color => format!("`{}`", span.text),
                Style::Topic => format!(" (crm help {})", span.text),
                Style::Address => format!(" ({})", span.text),
                _ => span.text.clone(),
            };
            for (at, part) in shown.split(' ').enumerate() {
                if at > 0 {
                    is_open = false;
                }
                if part.is_empty() {
                    continue;
                }
                let piece = (span.style, part.to_string());
                match words.last_mut().filter(|_| is_open) {
                    Some(word) => word.push(piece),
                    None => words.push(vec![piece]),
                }
                is_open = true;
            }
        }
        words
    }

    fn shown(&self, (style, text): &(Style, String)) -> String {
        match style {
            Style::Strong | Style::Code if self.color => bold(text),
            _ => text.clone(),
        }
    }

    /// Writes a table. Its widest column may be wrapped. If it still does not fit, it becomes a list: the first cell of
    /// a row, and the others below it.
    fn table(&mut self, head: &[Text], rows: &[Vec<Text>], indent: usize) {
        let all: Vec<&[Text]> = std::iter::once(head)
            .chain(rows.iter().map(Vec::as_slice))
            .collect();
        let mut widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = all.iter().filter_map(|row| row.get(column));
                let widths = cells.flat_map(|cell| self.wrap(cell, usize::MAX));
                widths.map(|line| line.1).max().unwrap_or_default()
            })
            .collect();
        let gaps = GAP * head.len().saturating_sub(1);
        let room = self.width.saturating_sub(indent + gaps);
        let total: usize = widths.iter().sum();
        let Some(widest) = widths.iter_mut().max() else {
            return;
        };
        let left = room.saturating_sub(total - *widest);
        if left >= (*widest).min(NARROWEST) {
            *widest = left.min(*widest);
            self.grid(&all, &widths, indent);
            return;
        }
        let margin = " ".repeat(indent);
        let deeper = " ".repeat(indent + 4);
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                self.out.push('\n');
            }
            if let Some(first) = row.first() {
                self.paragraph(first, &margin, &margin);
                self.paragraph(&joined(head, row), &deeper, &deeper);
            }
        }
    }

    fn grid(&mut self, rows: &[&[Text]], widths: &[usize], indent: usize) {
        let margin = " ".repeat(indent);
        for (at, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(widths);
            let cells: Vec<Vec<(String, usize)>> =
                cells.map(|(cell, width)| self.wrap(cell, *width)).collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or_default();
            for step in 0..height {
                let mut line = String::new();
                for (cell, width) in cells.iter().zip(widths) {
                    let (text, taken) = match cell.get(step) {
                        Some((text, taken)) => (text.as_str(), *taken),
                        None => ("", 0),
                    };
                    match self.color && at == 0 && !text.is_empty() {
                        true => line.push_str(&bold(text)),
                        false => line.push_str(text),
                    }
                    line.push_str(&" ".repeat(width.saturating_sub(taken) + GAP));
                }
                self.line(&margin, line.trim_end());
            }
        }
    }
}

fn bold(text: &str) -> String {
    format!("\x1b[1m{text}\x1b[0m")
}
