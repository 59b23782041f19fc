//! Where we stand, in numbers.

use std::io::Write;

use unicode_width::UnicodeWidthStr;

use crate::base::time::Zone;
use crate::config::Format;
use crate::model::due::Due;
use crate::output::csv::csv_line;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::text::{cut, for_terminal, visible};
use crate::views::stats::{RECENT, Stats};

/// The columns of CSV.
const COLUMNS: [&str; 4] = ["what", "name", "week", "count"];

/// The longest bar, in columns.
const LONGEST: usize = 40;

/// The widest word, in columns.
const WIDEST: usize = 30;

/// The heights of a sparkline.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Prints the numbers. At a terminal there are bars and sparklines beside them. JSON is what the service answers, CSV a line
/// for each number, and the id is the number of leads.
pub fn stats(mut out: impl Write, look: Look, zone: &Zone, stats: &Stats) -> Result {
    let mut text = Vec::new();
    match look.format {
        Format::Json | Format::Ndjson => writeln!(text, "{}", stats.to_json())?,
        Format::Id => writeln!(text, "{}", stats.leads)?,
        Format::Csv => {
            csv_line(COLUMNS.into_iter(), &mut text);
            for [what, name, week, count] in lines(stats) {
                let cells = [what.as_str(), &name, &week, &count];
                csv_line(cells.into_iter(), &mut text);
            }
        }
        Format::Table => {
            let screen = Screen {
                width: look.terminal.width,
                color: look.terminal.color,
                text: String::new(),
            };
            text = screen.of(stats, zone).into_bytes();
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// The lines of CSV.
fn lines(stats: &Stats) -> Vec<[String; 4]> {
    let mut lines = Vec::new();
    let mut line = |what: &str, name: &str, week: &str, count: i64| {
        lines.push([what.into(), name.into(), week.into(), count.to_string()]);
    };
    line("leads", "", "", stats.leads);
    for (status, count) in &stats.statuses {
        line("leads_by_status", status, "", *count);
    }
    line("leads_never_contacted", "", "", stats.never_contacted);
    line(
        "leads_not_contacted_for_30_days",
        "",
        "",
        stats.not_recently,
    );
    for week in &stats.weeks {
        line("new_leads", "", &week.monday, week.leads);
        line("actions", "", &week.monday, week.actions);
        for (word, count) in &week.types {
            line("actions_by_type", word, &week.monday, *count);
        }
    }
    for (word, count) in Due::WORDS.iter().zip(stats.due) {
        line("followups", word, "", count);
    }
    lines
}

/// A number with commas.
fn number(number: i64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && matches!((digits.len() - at) % 3, 0) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// The numbers as a line of blocks, each as high as its number. What is not 0 is at least as high as the lowest.
fn sparkline(numbers: &[i64]) -> String {
    let most = numbers.iter().copied().max().unwrap_or(0).max(1);
    let block = |count: &i64| match *count {
        0 => ' ',
        count => {
            let steps = i64::try_from(HEIGHTS.len()).unwrap_or(1);
            let at = (count * steps + most - 1) / most - 1;
            let at = usize::try_from(at).unwrap_or(0);
            HEIGHTS.get(at).copied().unwrap_or('█')
        }
    };
    numbers.iter().map(block).collect()
}

struct Screen {
    /// The width of the terminal, `None` if it is none.
    width: Option<usize>,
    color: bool,
    text: String,
}

impl Screen {
    fn of(mut self, stats: &Stats, zone: &Zone) -> String {
        self.heading(&format!("Leads: {}", number(stats.leads)));
        self.bars(&stats.statuses);
        let weeks = |count: fn(&crate::views::stats::Week) -> i64| -> Vec<i64> {
            stats.weeks.iter().map(count).collect()
        };
        let since = stats.weeks.first().map_or("", |week| &week.monday);
        self.heading(&format!("By week, since {since}"));
        let mut rows = vec![("new leads".to_string(), weeks(|week| week.leads))];
        rows.push(("actions".into(), weeks(|week| week.actions)));
        let mut types: Vec<&str> = Vec::new();
        for week in &stats.weeks {
            for (word, _) in &week.types {
                if !types.contains(&word.as_str()) {
                    types.push(word);
                }
            }
        }
        for word in types {
            let counts = stats.weeks.iter().map(|week| {
                let found = week.types.iter().find(|one| one.0 == word);
                found.map_or(0, |one| one.1)
            });
            rows.push((format!("  {word}"), counts.collect()));
        }
        self.weeks(&rows);
        self.heading("Follow-ups");
        let due = Due::WORDS.iter().zip(stats.due);
        let due: Vec<(String, i64)> = due.map(|(word, count)| (word.to_string(), count)).collect();
        self.bars(&due);
        self.heading("Forgotten");
        self.bars(&[
            ("never contacted".into(), stats.never_contacted),
            (format!("not for {RECENT} days"), stats.not_recently),
        ]);
        let (at, tz) = (zone.show(&stats.at), &stats.tz);
        self.text.push('\n');
        let line = format!("{at} ({tz})");
        match self.color {
            true => self.text.push_str(&format!("\u{1b}[2m{line}\u{1b}[22m\n")),
            false => self.text.push_str(&format!("{line}\n")),
        }
        self.text
    }

    fn heading(&mut self, heading: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        match self.color {
            true => self
                .text
                .push_str(&format!("\u{1b}[1m{heading}\u{1b}[22m\n")),
            false => self.text.push_str(&format!("{heading}\n")),
        }
    }

    /// Words with their numbers, and at a terminal with a bar each.
    fn bars(&mut self, counted: &[(String, i64)]) {
        let words: Vec<String> = counted.iter().map(|one| word(&one.0)).collect();
        let numbers: Vec<String> = counted.iter().map(|one| number(one.1)).collect();
        let (wide, long) = (widest(&words), widest(&numbers));
        let most = counted.iter().map(|one| one.1).max().unwrap_or(0).max(1);
        let room = self
            .width
            .map(|width| width.saturating_sub(wide + long + 6).min(LONGEST));
        for ((word, number), (_, count)) in words.iter().zip(&numbers).zip(counted) {
            let mut line = format!(
                "  {word}{}  {}{number}",
                " ".repeat(wide - word.width()),
                " ".repeat(long - number.width())
            );
            if let Some(room) = room {
                let room = i64::try_from(room).unwrap_or(0);
                // What is not 0 has a bar.
                let length = (count * room).div_euclid(most).max(i64::from(*count > 0));
                let length = usize::try_from(length.min(room)).unwrap_or(0);
                line.push_str("  ");
                line.push_str(&"█".repeat(length));
            }
            self.line(&line);
        }
    }

    /// A line of numbers for each word, one a week. At a terminal it is a sparkline with the sum and the current week.
    fn weeks(&mut self, rows: &[(String, Vec<i64>)]) {
        let words: Vec<String> = rows.iter().map(|row| word(&row.0)).collect();
        let wide = widest(&words);
        for (word, (_, counts)) in words.iter().zip(rows) {
            let pad = " ".repeat(wide - word.width());
            let line = match self.width {
                Some(_) => format!(
                    "  {word}{pad}  {}  {} in all, {} this week",
                    sparkline(counts),
                    number(counts.iter().sum()),
                    number(counts.last().copied().unwrap_or(0))
                ),
                None => {
                    let counts: Vec<String> = counts.iter().map(i64::to_string).collect();
                    format!("  {word}{pad}  {}", counts.join(" "))
                }
            };
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        let line = match self.width {
            Some(width) => cut(line.into(), width),
            None => line.into(),
        };
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// A word of the data. Blanks before it stay.
fn word(text: &str) -> String {
    cut(visible(text).into_owned(), WIDEST)
}

fn widest(words: &[String]) -> usize {
    words.iter().map(|word| word.width()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_and_lines_have_heights() {
        for (count, shown) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(count), shown);
        }
        assert_eq!(sparkline(&[0, 1, 4, 8]), " ▁▄█");
        assert_eq!(sparkline(&[0, 1, 1_000_000]), " ▁█");
        assert_eq!(sparkline(&[0, 0]), "  ");
        assert_eq!(sparkline(&[]), "");
    }
}
