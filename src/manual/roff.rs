//! A page in the format of manual pages, for `man 7 crm-TOPIC`.

use crate::manual::page::{Block, Span, Style, parse, plain};
use crate::manual::terminal;
use crate::manual::topics::Topic;

/// The width of a table: 80 columns less the margins that `man` sets.
const WIDTH: usize = 70;

/// The manual page of a topic.
pub fn render(topic: &Topic) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("crm-{}", topic.name);
    let mut out = format!(
        ".TH {} 7 \"\" \"crm {version}\" \"Manual of crm\"\n.nh\n.ad l\n.SH NAME\n{} \\- {}\n.SH DESCRIPTION\n",
        name.to_uppercase(),
        escape(&name),
        escape(topic.about)
    );
    blocks(&parse(topic.text), &mut out);
    out.push_str(&see_also(&[("crm".into(), 1)]));
    out
}

/// A section with lines of a shell.
pub fn examples(lines: &str) -> String {
    let mut out = String::from(".SH EXAMPLES\n");
    code(lines, 4, &mut out);
    out
}

/// The section that names other manual pages, each with its number.
pub fn see_also(pages: &[(String, u8)]) -> String {
    let pages = pages.iter();
    let pages = pages.map(|(name, section)| format!("\\fB{}\\fR({section})", escape_inner(name)));
    let pages: Vec<String> = pages.collect();
    format!(".SH SEE ALSO\n{}\n", pages.join(",\n"))
}

fn blocks(blocks: &[Block], out: &mut String) {
    for block in blocks {
        match block {
            // The name of the manual page already has the title.
            Block::Heading(1, _) => {}
            Block::Heading(2, text) => {
                out.push_str(&format!(".SH {}\n", escape(&plain(text).to_uppercase())));
            }
            Block::Heading(_, text) => out.push_str(&format!(".SS {}\n", escape(&plain(text)))),
            Block::Paragraph(text) => {
                out.push_str(".PP\n");
                line(text, out);
            }
            Block::Code(lines) => code(lines, 4, out),
            Block::List(first, items) => list(*first, items, out),
            // As in a terminal, because tables in roff need another program.
            Block::Table(..) => {
                let table = terminal::render(std::slice::from_ref(block), Some(WIDTH), false);
                code(&table, 0, out);
            }
        }
    }
}

fn list(first: Option<u64>, items: &[Vec<Block>], out: &mut String) {
    for (at, item) in items.iter().enumerate() {
        match first {
            Some(first) => out.push_str(&format!(".IP {}. 4\n", first + at as u64)),
            None => out.push_str(".IP \\(bu 2\n"),
        }
        let rest = match item.split_first() {
            Some((Block::Paragraph(text), rest)) => {
                line(text, out);
                rest
            }
            _ => item,
        };
        if !rest.is_empty() {
            out.push_str(".RS\n");
            blocks(rest, out);
            out.push_str(".RE\n");
        }
    }
}

fn code(lines: &str, indent: usize, out: &mut String) {
    out.push_str(&format!(".PP\n.RS {indent}\n.nf\n"));
    for line in lines.lines() {
        out.push_str(&escape(line));
        out.push('\n');
    }
    out.push_str(".fi\n.RE\n");
}

fn line(text: &[Span], out: &mut String) {
    let spans = text.iter().map(|span| match span.style {
        Style::Plain => escape_inner(&span.text),
        Style::Strong | Style::Code => format!("\\fB{}\\fR", escape_inner(&span.text)),
        Style::Emphasis => format!("\\fI{}\\fR", escape_inner(&span.text)),
        Style::Topic => format!(" (\\fBcrm\\-{}\\fR(7))", escape_inner(&span.text)),
        Style::Address => format!(" ({})", escape_inner(&span.text)),
    });
    let text: String = spans.collect();
    out.push_str(&guarded(text));
    out.push('\n');
}

fn escape(text: &str) -> String {
    guarded(escape_inner(text))
}

/// Protects a dot or an apostrophe at the start of a line, which would make the line a request of roff.
fn guarded(text: String) -> String {
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

/// Escapes text. Letters beyond ASCII are written as numbers, because not every roff reads UTF-8.
fn escape_inner(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            letter if letter.is_ascii() => out.push(letter),
            letter => out.push_str(&format!("\\[u{:04X}]", u32::from(letter))),
        }
    }
    out
}
