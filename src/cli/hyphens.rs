//! Flags in the place of a value.
//!
//! A text may begin with a hyphen (`--details '- wants a quote'`), so the parser of the command line takes whatever
//! follows a text flag as its text. Then `--name --status won` would set the name to `--status`. So a word that is a flag
//! of the command is refused there. `--name=--status` is still the text.

use std::ffi::OsString;

use clap::{Arg, Command};

use crate::base::error::{Error, quoted};

/// The error for the first flag in the place of a value.
pub(super) fn swallowed(whole: fn() -> Command, words: &[OsString]) -> Option<Error> {
    let words: Vec<&str> = words.iter().map_while(|word| word.to_str()).collect();
    let end = words.iter().position(|word| *word == "--");
    let words = &words[..end.unwrap_or(words.len())];
    let mut pairs = words.windows(2);
    if !pairs.any(|pair| is_long(pair[0]) && pair[1].starts_with('-') && pair[1].len() > 1) {
        return None;
    }
    let mut whole = whole();
    whole.build();
    let mut command = &whole;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        if let Some(next) = command.find_subcommand(word) {
            command = next;
            continue;
        }
        let Some(arg) = long_of(command, word).filter(|_| is_long(word)) else {
            continue;
        };
        if !arg.get_action().takes_values() {
            continue;
        }
        let Some(value) = words.get(at) else {
            break;
        };
        at += 1;
        if arg.is_allow_hyphen_values_set() && is_flag(command, value) {
            return Some(Error::invalid(format!(
                "{word}: expected a value, got the flag {}; {word}={value} takes it as the value",
                quoted(value)
            )));
        }
    }
    None
}

fn is_long(word: &str) -> bool {
    word.starts_with("--") && word.len() > 2 && !word.contains('=')
}

/// The option of a command that has this long flag.
fn long_of<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let name = word.strip_prefix("--")?;
    let name = name.split('=').next().unwrap_or(name);
    let mut options = command.get_arguments();
    options.find(|arg| {
        let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
        longs.contains(&name)
    })
}

/// Whether a word is a flag of the command: `--status`, `--status=won`, `-o`, `-ojson`.
fn is_flag(command: &Command, word: &str) -> bool {
    if word.starts_with("--") {
        return long_of(command, word).is_some();
    }
    let mut letters = word.chars();
    letters.next();
    let (Some(letter), rest) = (letters.next(), letters.as_str()) else {
        return false;
    };
    let mut options = command.get_arguments();
    options.any(|arg| {
        let is_it = arg.get_short() == Some(letter);
        let values = arg.get_possible_values();
        let rest = rest.trim_start_matches('=');
        is_it && (rest.is_empty() || values.iter().any(|value| value.matches(rest, false)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    #[test]
    fn a_flag_is_no_text_but_a_text_may_look_like_one() {
        for (line, told) in [
            ("lead create --name --email a@example.com", Some("--email")),
            ("lead update 1 --name --status=won", Some("--status=won")),
            ("action create --details -o json", Some("-o")),
            ("action create --details -ojson", Some("-ojson")),
            ("lead list --sort --limit 3", Some("--limit")),
            (
                "process update 1 --next --last-action 2",
                Some("--last-action"),
            ),
            ("--db --x lead create --name --url", Some("--url")),
            ("lead create --name=--email --email a@example.com", None),
            ("action create --details -wants", None),
            ("action create --details --wants", None),
            ("action create --details -", None),
            ("process update 1 --next -2h", None),
            ("lead list --sort -id --limit 3", None),
            ("lead get -- --name --email", None),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let error = swallowed(command, &words).map(|error| error.message);
            match told {
                Some(told) => assert!(
                    error
                        .as_ref()
                        .is_some_and(|error| error.contains(&quoted(told))),
                    "{line}: {error:?}"
                ),
                None => assert_eq!(error, None, "{line}"),
            }
        }
    }
}
