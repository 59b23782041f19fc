//! Tests of the forms in which pages of the manual are shown.

use super::page::{Block, parse};
use super::topics::{TOPICS, Topic, find, index};
use super::{html, roff, terminal};

const PAGE: &str = "# Title\n\nSome `code` and **strong** words, [a page](backups.md#restore), [a site](https://example.com).\n\n\
                    <!-- mark -->\n\n## Part two\n\n- one\n- two\n\n```sh\ncrm -v\n```\n\n| a | b |\n|---|---|\n| 1 | two words |\n";

#[test]
fn a_page_without_color_keeps_its_marks_and_is_wrapped() {
    let text = terminal::render(&parse(PAGE), Some(40), false);
    assert_eq!(
        text,
        "Title\n\nSome `code` and strong words, a page\n(crm help backups), a site\n(https://example.com).\n\n\
         Part two\n\n- one\n- two\n\n    crm -v\n\na  b\n1  two words\n"
    );
}

#[test]
fn a_page_with_color_has_bold_headings_and_code() {
    let text = terminal::render(&parse(PAGE), Some(200), true);
    assert!(
        text.starts_with(
            "\x1b[1mTitle\x1b[0m\n\nSome \x1b[1mcode\x1b[0m and \x1b[1mstrong\x1b[0m words,"
        ),
        "{text:?}"
    );
}

#[test]
fn a_table_that_is_too_wide_is_a_list() {
    let cell = "word ".repeat(30);
    let table = format!("| name | first | second |\n|---|---|---|\n| x | {cell} | {cell} |\n");
    let text = terminal::render(&parse(&table), None, false);
    assert!(text.starts_with("x\n    first: word word"), "{text}");
    assert!(text.contains("; second: word"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
}

#[test]
fn a_manual_page_escapes_what_roff_reads() {
    let text = "# T\n\n.dots at `--flag` and a \\ in [it](api.md)\n\n- item\n\n```text\n'x\n```\n";
    let topic = Topic {
        name: "t",
        about: "a - b",
        text,
    };
    let page = roff::render(&topic);
    assert!(page.starts_with(".TH CRM-T 7"), "{page}");
    assert!(page.contains("\ncrm\\-t \\- a \\- b\n"), "{page}");
    assert!(
        page.contains("\n\\&.dots at \\fB\\-\\-flag\\fR and a \\e in it (\\fBcrm\\-api\\fR(7))\n"),
        "{page}"
    );
    assert!(page.contains("\n.nf\n\\&'x\n.fi\n"), "{page}");
}

#[test]
fn a_page_of_a_browser_links_pages_and_headings() {
    let topic = Topic {
        name: "t",
        about: "",
        text: PAGE,
    };
    let page = html::render(&topic);
    assert!(page.contains("<h2 id=\"part-two\">Part two</h2>"), "{page}");
    assert!(
        page.contains("<a href=\"backups#restore\">a page</a>"),
        "{page}"
    );
    assert!(
        page.contains("<a href=\"https://example.com\">a site</a>"),
        "{page}"
    );
    assert!(!page.contains("mark --"), "{page}");
    assert!(
        !page.contains("<script") && !page.contains(" style="),
        "{page}"
    );
}

#[test]
fn every_page_has_a_title_and_a_paragraph_and_fits_a_terminal() {
    for topic in TOPICS {
        let blocks = parse(topic.text);
        assert!(
            matches!(blocks[..], [Block::Heading(1, _), Block::Paragraph(_), ..]),
            "{}",
            topic.name
        );
        let titles = blocks
            .iter()
            .filter(|block| matches!(block, Block::Heading(1, _)));
        assert_eq!(titles.count(), 1, "{}", topic.name);
        let text = terminal::render(&blocks, None, false);
        for line in text.lines().filter(|line| !line.starts_with("    ")) {
            // A word longer than a line, such as a URL, has one of its own.
            let is_one_word = !line.trim().trim_start_matches("- ").contains(' ');
            assert!(
                line.chars().count() <= 80 || is_one_word,
                "{}: {line}",
                topic.name
            );
        }
    }
}

#[test]
fn the_index_names_every_topic() {
    for topic in TOPICS {
        assert!(
            index().contains(&format!("  {}", topic.name)),
            "{}",
            topic.name
        );
        assert!(std::ptr::eq(find(topic.name).unwrap(), topic));
    }
    assert!(find("nope").is_none());
}
