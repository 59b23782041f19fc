//! `crm help`: the topics of the manual, the help of each command, and the end of help pages.

use clap::{Arg, ArgMatches, Command};

use super::say::print;
use super::session::{Ended, Plain, Session};
use crate::base::error::{Error, quoted};
use crate::config::{Asker, Settings};
use crate::manual;
use crate::manual::topics::{self, Topic};
use crate::output::Terminal;

pub(super) const HELP: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("help")
        .about("Show a topic of the manual, or the help of a command")
        .arg(
            Arg::new("words")
                .value_name("TOPIC|COMMAND")
                .num_args(0..)
                .help("A topic or a command; without it, all of them are listed"),
        )
        .after_help(examples(&[
            "crm help",
            "crm help backups",
            "crm help lead create",
        ]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let words = matches.get_many::<String>("words");
    let words: Vec<&String> = words.into_iter().flatten().collect();
    if let [word] = words[..]
        && let Some(topic) = topics::find(word)
    {
        return show(session, topic);
    }
    if let [first, second, ..] = words[..]
        && topics::find(first).is_some()
    {
        let (first, second) = (quoted(first), quoted(second));
        let why = format!("help: {first} is a topic; expected nothing after it, got {second}");
        return Err(Error::invalid(why).into());
    }
    let mut page = (session.whole)();
    page.build();
    for word in &words {
        let known = page.find_subcommand(word).cloned();
        page = known.ok_or_else(|| {
            Error::invalid(format!(
                "help: expected a command or a topic of the manual ({}), got {}",
                topics::names(),
                quoted(word)
            ))
        })?;
    }
    let mut text = page.render_long_help().to_string();
    if words.is_empty() {
        text.push('\n');
        text.push_str(&topics::index());
    }
    paged(session, &text)
}

/// Shows a topic of the manual.
fn show(session: &Session<'_>, topic: &Topic) -> Ended {
    let terminal = Terminal::stdout();
    paged(
        session,
        &manual::in_terminal(topic, terminal.width, terminal.color),
    )
}

/// Shows a text with the pager, if it is longer than the screen.
fn paged(session: &Session<'_>, text: &str) -> Ended {
    // A config file that cannot be read must not keep the manual from being read.
    let settings = Settings::find(session.flags, session.around, Asker::Command).ok();
    match session.pager(settings.as_ref()) {
        Some(pager) => session.block_on(async {
            pager.show(text).await?;
            Ok(0)
        }),
        None => {
            print(text.as_bytes())?;
            Ok(0)
        }
    }
}

/// The end of a help page.
pub(super) fn examples(lines: &[&str]) -> String {
    format!("Examples:\n  {}", lines.join("\n  "))
}
