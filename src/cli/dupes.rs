//! Runs `crm lead dupes`: prints groups of leads that may be the same person, or remembers that leads are none.

use std::io;

use clap::{Arg, ArgAction, ArgMatches};

use super::ids::Named;
use super::say::say;
use super::session::Ended;
use crate::base::error::Error;
use crate::config::Format;
use crate::model::author::Author;
use crate::model::lead::LEAD;
use crate::model::terms::Terms;
use crate::operation::asked::Operation;
use crate::ops::dismiss_duplicates::DismissDuplicates;
use crate::ops::duplicates::{Wanted, find};
use crate::output::{self, Look, Page};
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// The arguments that say that leads are no duplicates, and that take it back.
const DISMISS: [(&str, bool); 2] = [("dismiss", true), ("undismiss", false)];

/// The arguments.
pub(super) fn args() -> Vec<Arg> {
    let ids = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("LEAD")
            .num_args(2..)
            .action(ArgAction::Set)
            .help(help)
    };
    let [(dismiss, _), (undismiss, _)] = DISMISS;
    let others = ["key", "limit", "after"];
    vec![
        ids(
            dismiss,
            "These leads are no duplicates of each other: their ids or e-mail addresses. It is remembered",
        )
        .conflicts_with_all(others)
        .conflicts_with(undismiss),
        ids(undismiss, "Take back that these leads are no duplicates of each other")
            .conflicts_with_all(others),
    ]
}

/// The leads that are dismissed, or of which that is taken back.
pub(super) struct Dismissed {
    words: Vec<String>,
    dismissed: bool,
}

impl Dismissed {
    /// Those of a command line. `None` if it only looks for duplicates.
    pub(super) fn of(matches: &ArgMatches) -> Option<Dismissed> {
        DISMISS.into_iter().find_map(|(name, dismissed)| {
            let words = matches.get_many::<String>(name)?;
            Some(Dismissed {
                words: words.cloned().collect(),
                dismissed,
            })
        })
    }

    /// Remembers it.
    pub(super) async fn run(self, store: &AnyStore, look: Look, by: Author) -> Ended {
        let ids = Named::read(&LEAD, &self.words, false)?;
        let ids = ids.ids(store, &LEAD).await?;
        let write = DismissDuplicates::new(ids, self.dismissed)?;
        let terms = Terms {
            author: Author {
                operation: DismissDuplicates::ABOUT.methods[0].1.into(),
                ..by
            },
            ..Terms::default()
        };
        let done = store.write(write, terms).await?.done;
        let told: Vec<String> = done.leads.iter().map(i64::to_string).collect();
        let message = match (done.dismissed, done.changed) {
            (true, 0) => "they were dismissed already".to_string(),
            (true, _) => format!("leads {} are no duplicates of each other", told.join(", ")),
            (false, 0) => "they were not dismissed".to_string(),
            (false, _) => format!("leads {} may be duplicates again", told.join(", ")),
        };
        let said = [
            ("leads", done.leads.into()),
            ("dismissed", done.dismissed.into()),
            ("changed", done.changed.into()),
            ("message", message.into()),
        ];
        output::summary(io::stdout().lock(), look, &said)?;
        Ok(0)
    }
}

/// Prints the groups.
pub(super) async fn print(
    store: &AnyStore,
    look: Look,
    mut page: Page,
    wanted: Result<Wanted, Error>,
) -> Ended {
    let found = find(store, wanted?).await?;
    output::duplicates(&mut page, look, &found.groups)?;
    page.end().await?;
    if look.terminal.width.is_some() && look.format == Format::Table {
        match (found.groups.is_empty(), found.next) {
            (true, _) => say("no possible duplicates"),
            (false, None) => {
                say(
                    "crm lead merge KEEP OTHER… makes them one; --dismiss says that they are not the same",
                );
            }
            (false, Some(next)) => say(&format!("there are more: --after {next}")),
        }
    }
    Ok(0)
}
