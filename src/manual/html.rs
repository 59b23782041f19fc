//! A page for a browser: plain HTML, without scripts and without anything from other servers.

use pulldown_cmark::{CowStr, Event, Tag, TagEnd, html};

use crate::manual::page::events;
use crate::manual::topics::{TOPICS, Topic};

/// The style sheet of the pages. It is a separate file, because the pages forbid inline styles.
pub const STYLE: &str = "\
:root { color-scheme: light dark; }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
nav { font-size: 0.9rem; }
nav a { margin-right: 0.75rem; white-space: nowrap; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid #8886; border-radius: 4px; }
code { font-family: ui-monospace, monospace; font-size: 0.9em; }
table { display: block; overflow-x: auto; border-collapse: collapse; }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid #8886; text-align: left; vertical-align: top; }
";

/// The page of a topic. Its links are relative to the folder that it is in.
pub fn render(topic: &Topic) -> String {
    let mut links = String::new();
    for other in TOPICS {
        links.push_str(&format!("<a href=\"{0}\">{0}</a>\n", other.name));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>crm: {}</title>\n\
         <link rel=\"stylesheet\" href=\"manual.css\">\n</head>\n<body>\n<nav>\n<a href=\"../docs\">The API</a>\n{links}</nav>\n\
         <main>\n{}</main>\n</body>\n</html>\n",
        topic.name,
        body(topic.text)
    )
}

fn body(markdown: &str) -> String {
    let read: Vec<Event<'_>> = events(markdown).collect();
    let mut shown = Vec::with_capacity(read.len());
    for (at, event) in read.iter().enumerate() {
        shown.push(match event {
            // Comments.
            Event::Html(_) | Event::InlineHtml(_) => continue,
            Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
                level: *level,
                id: Some(anchor(&heading(&read[at..])).into()),
                classes: Vec::new(),
                attrs: Vec::new(),
            }),
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => Event::Start(Tag::Link {
                link_type: *link_type,
                dest_url: target(dest_url),
                title: title.clone(),
                id: id.clone(),
            }),
            event => event.clone(),
        });
    }
    let mut out = String::new();
    html::push_html(&mut out, shown.into_iter());
    out
}

/// The target of a link. A link to another page loses the ending of its file.
fn target<'a>(url: &CowStr<'a>) -> CowStr<'a> {
    match url.contains("://") {
        true => url.clone(),
        false => url.replacen(".md", "", 1).into(),
    }
}

/// The text of the heading at the start of the events.
fn heading(events: &[Event<'_>]) -> String {
    let inner = events
        .iter()
        .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let texts = inner.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(&**text),
        _ => None,
    });
    texts.collect()
}

/// The anchor of a heading, as GitHub makes it.
pub fn anchor(heading: &str) -> String {
    let lower = heading.to_lowercase().replace(' ', "-");
    let kept = lower
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'));
    kept.collect()
}
