//! The paths of the API as the table of the manual.

use crate::model::noun::Noun;
use crate::operation::about::{Describe, fill};
use crate::ops::{Route, routes};

/// A row: the paths that have the same methods, and what each method does.
struct Row {
    template: &'static str,
    noun: Option<&'static Noun>,
    paths: Vec<String>,
    methods: Vec<(&'static str, &'static str)>,
}

/// The table of paths, made from the list of operations.
pub fn markdown() -> String {
    let shown = |route: &Route| !matches!(route.op.about().describe, Describe::Hidden);
    let mut single: Vec<Row> = Vec::new();
    for route in routes().into_iter().filter(shown) {
        let about = route.op.about();
        let method = (route.method, about.summary);
        let path = route.path.replace("/{rest}", "");
        match single.iter_mut().find(|row| row.paths[0] == path) {
            Some(row) => row.methods.push(method),
            None => single.push(Row {
                template: about.path,
                noun: route.noun,
                paths: vec![path],
                methods: vec![method],
            }),
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    for row in single {
        let same =
            |known: &&mut Row| known.template == row.template && known.methods == row.methods;
        match rows.iter_mut().find(same) {
            Some(known) => known.paths.extend(row.paths),
            None => rows.push(row),
        }
    }
    let mut table = String::from("| path | methods |\n|---|---|\n");
    for row in rows {
        let paths: Vec<String> = row.paths.iter().map(|path| format!("`{path}`")).collect();
        let methods: Vec<String> = row
            .methods
            .iter()
            .map(|(method, summary)| format!("`{method}`: {}", sentence(summary, &row)))
            .collect();
        table.push_str(&format!(
            "| {} | {} |\n",
            paths.join(", "),
            methods.join("; ")
        ));
    }
    table
}

/// A summary within a sentence. For several nouns it speaks of records.
fn sentence(summary: &str, row: &Row) -> String {
    let text = match row.paths.len() {
        1 => fill(summary, row.noun),
        _ => summary
            .replace("{plural}", "records")
            .replace("{a} {name}", "a record"),
    };
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => text,
    }
}
