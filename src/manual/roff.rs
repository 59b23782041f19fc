//! A page as a manual page, for `man 7 crm-TOPIC`.

use crate::manual::page::{Block, Span, Style, joined, parse, plain};
use crate::manual::topics::Topic;

/// The manual page of a topic.
pub fn render(topic: &Topic) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("crm-{}", topic.name);
    let mut out = format!(
        ".TH {} 7 \"\" \"crm {version}\" \"Manual of crm\"\n.SH NAME\n{} \\- {}\n.SH DESCRIPTION\n",
        name.to_uppercase(),
        escape(&name),
        escape(topic.about)
    );
    blocks(&parse(topic.text), &mut out);
    out
}

fn blocks(blocks: &[Block], out: &mut String) {
    for block in blocks {
        match block {
            // The name says it.
            Block::Heading(1, _) => {}
            Block::Heading(2, text) => {
                out.push_str(&format!(".SH {}\n", escape(&plain(text).to_uppercase())));
            }
            Block::Heading(_, text) => out.push_str(&format!(".SS {}\n", escape(&plain(text)))),
            Block::Paragraph(text) => {
                out.push_str(".PP\n");
                line(text, out);
            }
            Block::Code(code) => {
                out.push_str(".PP\n.RS 4\n.nf\n");
                for code in code.lines() {
                    out.push_str(&escape(code));
                    out.push('\n');
                }
                out.push_str(".fi\n.RE\n");
            }
            Block::List(first, items) => list(*first, items, out),
            Block::Table(head, rows) => table(head, rows, out),
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

/// A row of a table is its first cell and, below it, the others.
fn table(head: &[Vec<Span>], rows: &[Vec<Vec<Span>>], out: &mut String) {
    for row in rows {
        let Some(first) = row.first() else {
            continue;
        };
        out.push_str(".TP\n");
        line(first, out);
        line(&joined(head, row), out);
    }
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

/// A dot or an apostrophe at the start of a line would make a request of it.
fn guarded(text: String) -> String {
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

fn escape_inner(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
