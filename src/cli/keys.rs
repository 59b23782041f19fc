//! The names of tokens that a command takes: several, comma-separated lists, and `-` for standard input.

use std::io::{self, BufRead};

use crate::base::error::{Error, Problems, Result};
use crate::model::token::check_name;

/// Reads the names. All of them are read before anything is done with the first.
pub(super) fn read(words: &[String]) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for word in words {
        if word != "-" {
            names.extend(word.split(',').map(str::to_string));
            continue;
        }
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|error| Error::failed(format!("standard input: {error}")))?;
            let line = line.replace(',', " ");
            names.extend(line.split_whitespace().map(str::to_string));
        }
    }
    let mut problems = Problems::default();
    for name in &names {
        if let Err(expected) = check_name(name) {
            problems.push("name", expected);
        }
    }
    match problems.is_empty() {
        true => Ok(names),
        false => Err(Error::fields(problems)),
    }
}
