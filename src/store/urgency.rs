//! Lists of follow-ups with the word for how urgent each is.
//!
//! A store reads the time of the follow-up as the field's value. Here it becomes the word, on its way from the rows of the
//! database into the list. So no database needs to know days and zones, and the whole list is told apart at one moment.

use futures_util::StreamExt;

use super::contract::{Chunks, Listing};
use crate::base::error::Result;
use crate::model::due::Moment;
use crate::model::noun::Noun;
use crate::model::rows::Rows;
use crate::model::value::Cell;

/// A collection whose records get the word.
pub(crate) struct Told<R> {
    rows: R,
    moment: Moment,
}

impl<R> Told<R> {
    pub(crate) fn new(rows: R, moment: Moment) -> Told<R> {
        Told { rows, moment }
    }
}

impl<R: Rows> Rows for Told<R> {
    fn empty(&self) -> Told<R> {
        Told::new(self.rows.empty(), self.moment.clone())
    }

    fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]) {
        let Some(at) = noun.due() else {
            return self.rows.push(noun, cells);
        };
        let time = match cells.get(at) {
            Some(Cell::Text(time)) => Some(*time),
            _ => None,
        };
        let word = self.moment.of(time).word();
        let mut cells = cells.to_vec();
        if let Some(cell) = cells.get_mut(at) {
            *cell = Cell::Text(word);
        }
        self.rows.push(noun, &cells);
    }

    fn wants_versions(&self) -> bool {
        self.rows.wants_versions()
    }
}

/// The list as it was asked for.
pub(crate) fn plain<R: Rows>(listing: Listing<Told<R>>) -> Listing<R> {
    let rest = listing.rest.map(|rest| {
        let rest = rest.map(|rows: Result<Told<R>>| rows.map(|rows| rows.rows));
        Box::pin(rest) as Chunks<R>
    });
    Listing {
        total: listing.total,
        next: listing.next,
        is_behind: listing.is_behind,
        first: listing.first.rows,
        rest,
    }
}
