//! Every noun: the one list.

use super::{action, lead, process};
use crate::model::noun::Noun;

/// Every noun, in the order in which they refer to one another.
pub const NOUNS: [&Noun; 3] = [&lead::LEAD, &action::ACTION, &process::PROCESS];
