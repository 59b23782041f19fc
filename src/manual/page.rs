//! A page as blocks, which terminals and manual pages are made from.
//!
//! Only what the manual uses is kept: headings, paragraphs, lists, code blocks and tables. Comments in HTML are left out.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag};

/// The style of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// `**strong**`
    Strong,
    /// `*emphasis*`
    Emphasis,
    /// Code in a line.
    Code,
    /// The name of the topic that the text before it links to.
    Topic,
    /// The URL that the text before it links to.
    Address,
}

/// A piece of text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its style.
    pub style: Style,
    /// The text.
    pub text: String,
}

/// Text without line breaks.
pub type Text = Vec<Span>;

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading with its level: 1 is the title.
    Heading(u8, Text),
    /// A paragraph.
    Paragraph(Text),
    /// A list, with the number of its first item if it is numbered.
    List(Option<u64>, Vec<Vec<Block>>),
    /// Lines of code.
    Code(String),
    /// A table: its headings and its rows.
    Table(Vec<Text>, Vec<Vec<Text>>),
}

/// Reads Markdown with tables.
pub fn events(markdown: &str) -> Parser<'_> {
    Parser::new_ext(markdown, Options::ENABLE_TABLES)
}

/// The blocks of a page.
pub fn parse(markdown: &str) -> Vec<Block> {
    blocks(&mut events(markdown))
}

/// The level of a heading as a number.
pub fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        _ => 3,
    }
}

/// The text without its styles and links.
pub fn plain(text: &[Span]) -> String {
    let shown = text
        .iter()
        .filter(|span| !matches!(span.style, Style::Topic | Style::Address));
    shown.map(|span| span.text.as_str()).collect()
}

/// The cells of a row after the first as one text, for a table that is too wide. Each cell has its heading before it,
/// unless there is only one.
pub fn joined(head: &[Text], row: &[Text]) -> Text {
    let mut text = Text::new();
    for (heading, cell) in head.iter().zip(row).skip(1) {
        if cell.is_empty() {
            continue;
        }
        if !text.is_empty() {
            push(Style::Plain, "; ", &mut text);
        }
        let label = plain(heading);
        if head.len() > 2 && !label.is_empty() {
            push(Style::Plain, &format!("{label}: "), &mut text);
        }
        for span in cell {
            push(span.style, &span.text, &mut text);
        }
    }
    text
}

/// Reads blocks up to the end of the element that they are in. An item of a tight list has text without a paragraph.
fn blocks<'a>(events: &mut impl Iterator<Item = Event<'a>>) -> Vec<Block> {
    let mut found = Vec::new();
    let mut loose = Text::new();
    while let Some(event) = events.next() {
        let block = match event {
            Event::End(_) => break,
            Event::Start(Tag::Heading { level, .. }) => Block::Heading(depth(level), text(events)),
            Event::Start(Tag::Paragraph) => Block::Paragraph(text(events)),
            Event::Start(Tag::List(first)) => Block::List(first, items(events)),
            Event::Start(Tag::CodeBlock(_)) => Block::Code(plain(&text(events))),
            Event::Start(Tag::Table(_)) => table(events),
            Event::Start(Tag::HtmlBlock) => {
                text(events);
                continue;
            }
            event => {
                inline(event, events, Style::Plain, &mut loose);
                continue;
            }
        };
        if !loose.is_empty() {
            found.push(Block::Paragraph(std::mem::take(&mut loose)));
        }
        found.push(block);
    }
    if !loose.is_empty() {
        found.push(Block::Paragraph(loose));
    }
    found
}

fn items<'a>(events: &mut impl Iterator<Item = Event<'a>>) -> Vec<Vec<Block>> {
    let mut items = Vec::new();
    while let Some(Event::Start(_)) = events.next() {
        items.push(blocks(events));
    }
    items
}

fn table<'a>(events: &mut impl Iterator<Item = Event<'a>>) -> Block {
    let mut rows = Vec::new();
    while let Some(Event::Start(_)) = events.next() {
        let mut cells = Vec::new();
        while let Some(Event::Start(_)) = events.next() {
            cells.push(text(events));
        }
        rows.push(cells);
    }
    let rest = rows.split_off(rows.len().min(1));
    Block::Table(rows.pop().unwrap_or_default(), rest)
}

/// Reads text up to the end of the element that it is in.
fn text<'a>(events: &mut impl Iterator<Item = Event<'a>>) -> Text {
    let mut out = Text::new();
    fill(events, Style::Plain, &mut out);
    out
}

fn fill<'a>(events: &mut impl Iterator<Item = Event<'a>>, style: Style, out: &mut Text) {
    while let Some(event) = events.next() {
        if matches!(event, Event::End(_)) {
            return;
        }
        inline(event, events, style, out);
    }
}

fn inline<'a>(
    event: Event<'a>,
    events: &mut impl Iterator<Item = Event<'a>>,
    style: Style,
    out: &mut Text,
) {
    match event {
        Event::Text(text) => push(style, &text, out),
        Event::Code(text) => push(Style::Code, &text, out),
        Event::SoftBreak | Event::HardBreak => push(style, " ", out),
        Event::Start(Tag::Strong) => fill(events, Style::Strong, out),
        Event::Start(Tag::Emphasis) => fill(events, Style::Emphasis, out),
        Event::Start(Tag::Link { dest_url, .. }) => {
            let from = out.len();
            fill(events, style, out);
            if dest_url.contains("://") {
                if plain(&out[from..]) != *dest_url {
                    push(Style::Address, &dest_url, out);
                }
            } else if let Some((topic, _)) = dest_url.split_once(".md") {
                push(Style::Topic, topic, out);
            }
        }
        Event::Start(_) => fill(events, style, out),
        _ => {}
    }
}

fn push(style: Style, text: &str, out: &mut Text) {
    match out.last_mut() {
        Some(last) if last.style == style => last.text.push_str(text),
        _ => out.push(Span {
            style,
            text: text.to_string(),
        }),
    }
}
