//! Reads the rows of a file of vCards: 2.1, 3.0 and 4.0.
//!
//! The text is cut at `BEGIN:VCARD` and `END:VCARD`, so a card that cannot be read does not hide those after it. The columns are
//! the properties with their types, `TEL CELL`; a second one of a card has a number, `TEL CELL (2)`. The preferred address
//! comes first. Pictures and sounds are only named.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::BufRead as _;

use ::vcard::tree::cst::VcardCst;
use ::vcard::tree::line::VcardLine;

use super::decode::{LARGEST_ROW, Text};
use super::names::REFUSED_IN_CARD;
use super::row::{CellValue, Columns, Raw, Row};
use crate::base::error::{Error, Result};

/// The parts of the property `N`, by their places.
const NAMES: [&str; 5] = [
    "N family",
    "N given",
    "N additional",
    "N prefix",
    "N suffix",
];

/// Types that say nothing about which of several numbers or addresses it is.
const USUAL: [&str; 5] = ["PREF", "INTERNET", "VOICE", "X-INTERNET", "MSG"];

/// The rows of a file of vCards.
pub struct VcardRows {
    text: Text,
    columns: Columns,
    line: u64,
    /// The first line of the next card, which ended lines outside of cards.
    begun: Option<String>,
}

impl VcardRows {
    /// Reads cards from a text.
    pub fn new(text: Text) -> VcardRows {
        VcardRows {
            text,
            columns: Columns::default(),
            line: 0,
            begun: None,
        }
    }

    /// The columns that were seen.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The next card.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        let Some((line, text, fault)) = self.card()? else {
            return Ok(None);
        };
        let cells = match fault {
            None => self.cells(&text),
            Some(fault) => Err(fault),
        };
        let mut row = Row {
            line,
            raw: Raw::Text(text),
            ..Row::default()
        };
        match cells {
            Ok(cells) => row.cells = cells,
            Err(fault) => row.fault = Some(fault),
        }
        Ok(Some(row))
    }

    /// The lines of one card. Lines outside of cards are a row that cannot be read.
    fn card(&mut self) -> Result<Option<(u64, String, Option<String>)>> {
        let (mut text, mut depth, mut started) = (String::new(), 0_usize, self.line);
        let mut line = Vec::new();
        if let Some(begun) = self.begun.take() {
            (text, depth) = (begun, 1);
        }
        loop {
            line.clear();
            let most = LARGEST_ROW.saturating_sub(text.len() as u64) + 1;
            let read = std::io::Read::take(&mut self.text, most).read_until(b'\n', &mut line);
            if read.map_err(Error::internal)? == 0 {
                let cut = depth > 0;
                return Ok((!text.is_empty()).then(|| (started, text, Some(outside(cut)))));
            }
            self.line += 1;
            let told = String::from_utf8_lossy(&line);
            let word = told.trim().to_ascii_uppercase().replace(' ', "");
            let is_begin = word == "BEGIN:VCARD";
            if depth == 0 {
                if text.is_empty() {
                    started = self.line;
                }
                match (is_begin, text.is_empty(), word.is_empty()) {
                    (true, true, _) => depth = 1,
                    (true, false, _) => {
                        self.begun = Some(told.into_owned());
                        return Ok(Some((started, text, Some(outside(false)))));
                    }
                    (false, true, true) => continue,
                    (false, ..) => {}
                }
                text.push_str(&told);
                continue;
            }
            text.push_str(&told);
            if text.len() as u64 > LARGEST_ROW {
                let most = LARGEST_ROW >> 20;
                return Err(Error::invalid(format!(
                    "line {started}: expected vCards of at most {most} MiB; END:VCARD may be missing"
                )));
            }
            match word.as_str() {
                "END:VCARD" => depth -= 1,
                // An AGENT of 2.1 is a card in a card.
                _ if is_begin => depth += 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(Some((started, text, None)));
            }
        }
    }

    fn cells(&mut self, text: &str) -> Result<Vec<(usize, CellValue)>, String> {
        let card = VcardCst::parse(text).map_err(|error| {
            let told = error.to_string();
            format!(
                "cannot be read as a vCard: {}",
                told.lines().next().unwrap_or_default()
            )
        })?;
        let labels = labels(&card);
        let mut found: Vec<(String, String)> = Vec::new();
        let mut depth = 0_usize;
        for line in in_order(&card) {
            let name = line.bare_name().to_ascii_uppercase();
            match name.as_str() {
                "BEGIN" => depth += 1,
                "END" => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                _ => properties(line, &name, &labels, &mut found)?,
            }
        }
        let mut cells = Vec::with_capacity(found.len());
        for (name, value) in found {
            let mut at = self.column(&name)?;
            let mut number = 1;
            while cells.iter().any(|(taken, _)| *taken == at) {
                number += 1;
                at = self.column(&format!("{name} ({number})"))?;
            }
            cells.push((at, CellValue::Text(value)));
        }
        Ok(cells)
    }

    fn column(&mut self, name: &str) -> Result<usize, String> {
        let at = self.columns.position(name);
        at.ok_or_else(|| {
            format!(
                "the vCards have more than {} different properties",
                Columns::MOST
            )
        })
    }
}

fn outside(cut: bool) -> String {
    match cut {
        true => "END:VCARD is missing; the file may be cut off".into(),
        false => "is outside of BEGIN:VCARD and END:VCARD".into(),
    }
}

/// The labels that Apple gives to the lines of a group: `item1.X-ABLabel:Office`.
fn labels(card: &VcardCst<'_>) -> HashMap<String, String> {
    let labels = card.props.iter().filter_map(|line| {
        let is_label = line.bare_name().eq_ignore_ascii_case("X-ABLABEL");
        let label = text(line).ok()?;
        // Its own words are in marks: _$!<HomePage>!$_
        let label = label.trim_start_matches("_$!<").trim_end_matches(">!$_");
        Some((line.group().filter(|_| is_label)?.into(), label.to_string()))
    });
    labels.collect()
}

/// The lines of a card, the preferred addresses and numbers before the others.
fn in_order<'c, 'a>(card: &'c VcardCst<'a>) -> Vec<&'c VcardLine<'a>> {
    let mut lines: Vec<&VcardLine<'_>> = card.props.iter().collect();
    let has_cards = lines
        .iter()
        .any(|line| line.bare_name().eq_ignore_ascii_case("BEGIN"));
    if !has_cards {
        lines.sort_by_key(
            |line| match line.bare_name().to_ascii_uppercase().as_str() {
                "EMAIL" | "TEL" => preference(line),
                _ => 0,
            },
        );
    }
    lines
}

/// From 0, the most preferred.
fn preference(line: &VcardLine<'_>) -> u32 {
    let mut least = 101;
    for param in &line.params {
        let name = param.name.get();
        let first = param
            .values
            .first()
            .map(|value| value.get().trim_matches('"'));
        if name.eq_ignore_ascii_case("PREF") {
            least = first.and_then(|first| first.parse().ok()).unwrap_or(1);
        }
        let mut words = param.values.iter().flat_map(|value| value.get().split(','));
        if words.any(|word| word.trim_matches('"').eq_ignore_ascii_case("PREF")) {
            least = 1;
        }
    }
    least
}

/// Adds the columns and values of a line.
fn properties(
    line: &VcardLine<'_>,
    name: &str,
    labels: &HashMap<String, String>,
    found: &mut Vec<(String, String)>,
) -> Result<(), String> {
    let mut add = |name: &str, value: &str| {
        let value = value.trim();
        if !value.is_empty() {
            found.push((name.into(), value.into()));
        }
    };
    match name {
        "VERSION" | "X-ABLABEL" | "X-ABADR" => {}
        name if name == REFUSED_IN_CARD => {}
        "KIND" | "X-ADDRESSBOOKSERVER-KIND" if text(line)?.eq_ignore_ascii_case("group") => {
            return Err("is a group of contacts, not a person".into());
        }
        "N" => {
            for (at, name) in NAMES.iter().enumerate() {
                add(name, &component(line, at)?.replace(',', " "));
            }
        }
        "ORG" => {
            add("ORG", &component(line, 0)?);
            add("ORG unit", &components(line, 1)?);
        }
        "ADR" => add(&typed(line, name, labels), &components(line, 0)?),
        _ if is_binary(line, name) => {
            let bytes = line.value.decode_bytes().len();
            add(name, &format!("{bytes} bytes"));
        }
        "TEL" => {
            let value = text(line)?;
            add(
                &typed(line, name, labels),
                value.strip_prefix("tel:").unwrap_or(&value),
            );
        }
        // Which of several is the first one matters more than its type.
        "EMAIL" => {
            let value = text(line)?;
            add(name, value.strip_prefix("mailto:").unwrap_or(&value));
        }
        "URL" | "IMPP" | "LABEL" | "RELATED" | "X-ABDATE" | "X-ABRELATEDNAMES"
        | "X-SOCIALPROFILE" => {
            add(&typed(line, name, labels), &text(line)?);
        }
        _ => add(name, &text(line)?),
    }
    Ok(())
}

fn is_binary(line: &VcardLine<'_>, name: &str) -> bool {
    let is_base64 = |word: &str| {
        let word = word.trim_matches('"');
        word.eq_ignore_ascii_case("B") || word.eq_ignore_ascii_case("BASE64")
    };
    let encoded = line.params.iter().any(|param| {
        let is_encoding = param.name.get().eq_ignore_ascii_case("ENCODING");
        is_encoding && param.values.iter().any(|value| is_base64(value.get()))
            || param.values.is_empty() && param.name.get().eq_ignore_ascii_case("BASE64")
    });
    encoded || matches!(name, "PHOTO" | "LOGO" | "SOUND" | "KEY")
}

/// The name of a property with its types and its label.
fn typed(line: &VcardLine<'_>, name: &str, labels: &HashMap<String, String>) -> String {
    let mut words = vec![name.to_string()];
    for param in &line.params {
        let of_type: Vec<Cow<'_, str>> = match param.name.get() {
            // 2.1 has types without their name: TEL;CELL
            bare if param.values.is_empty() => vec![bare.into()],
            word if word.eq_ignore_ascii_case("TYPE") => {
                let values = param.values.iter();
                values
                    .flat_map(|value| {
                        let value = value.get().trim_matches('"');
                        value
                            .split(',')
                            .map(|one| one.to_string().into())
                            .collect::<Vec<_>>()
                    })
                    .collect()
            }
            _ => continue,
        };
        for word in of_type {
            let word = word.trim().to_uppercase();
            let is_usual =
                USUAL.contains(&&*word) || ["QUOTED-PRINTABLE", "BASE64"].contains(&&*word);
            if !is_usual && !words.contains(&word) {
                words.push(word);
            }
        }
    }
    let label = line.group().and_then(|group| labels.get(group));
    words.extend(label.cloned());
    words.join(" ")
}

/// The value of a line.
fn text(line: &VcardLine<'_>) -> Result<String, String> {
    decoded(line, line.value.decode())
}

fn component(line: &VcardLine<'_>, at: usize) -> Result<String, String> {
    decoded(line, line.value.decode_component(at))
}

/// The parts of a value from this one on, comma-separated.
fn components(line: &VcardLine<'_>, from: usize) -> Result<String, String> {
    let mut parts = Vec::new();
    for at in from..line.value.component_count() {
        let part = component(line, at)?;
        let part = part.trim();
        if !part.is_empty() {
            parts.push(part.replace(['\r', '\n'], " "));
        }
    }
    Ok(parts.join(", "))
}

/// Undoes quoted-printable, whose bytes are in the charset of the line.
fn decoded(line: &VcardLine<'_>, value: Cow<'_, str>) -> Result<String, String> {
    let mut charset = None;
    let mut is_quoted = false;
    for param in &line.params {
        let name = param.name.get();
        let first = param
            .values
            .first()
            .map(|value| value.get().trim_matches('"'));
        if name.eq_ignore_ascii_case("CHARSET") {
            charset = first;
        }
        let is_word = |word: &str| word.eq_ignore_ascii_case("QUOTED-PRINTABLE");
        is_quoted |=
            is_word(name) || name.eq_ignore_ascii_case("ENCODING") && first.is_some_and(is_word);
    }
    if !is_quoted {
        return Ok(value.into_owned());
    }
    let bytes = quoted_printable::decode(value.as_bytes(), quoted_printable::ParseMode::Robust)
        .map_err(|error| format!("{}: {error}", line.bare_name()))?;
    let named = charset.and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()));
    Ok(match (named, std::str::from_utf8(&bytes)) {
        (Some(encoding), _) => encoding.decode_without_bom_handling(&bytes).0.into_owned(),
        (None, Ok(text)) => text.into(),
        (None, Err(_)) => encoding_rs::WINDOWS_1252
            .decode_without_bom_handling(&bytes)
            .0
            .into_owned(),
    })
}
