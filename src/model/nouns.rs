//! Every noun: the one list.

use super::record::Noun;
use super::{action, lead, process};

/// Every noun, in the order in which they refer to one another.
pub const NOUNS: [&Noun; 3] = [&lead::LEAD, &action::ACTION, &process::PROCESS];
