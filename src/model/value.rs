//! Values: what a column of a record holds.

use std::fmt;

/// What a column holds; alike on every database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// SQL's null.
    Null,
    /// An id.
    Int(i64),
    /// Text, a time, or a JSON object as text.
    Text(String),
}

impl Value {
    /// The text, `None` for null and numbers.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, `None` for null and text.
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }
}

/// A column's value where it lies: in a row of a database, or in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// SQL's null.
    Null,
    /// An id.
    Int(i64),
    /// As in [`Value::Text`].
    Text(&'a str),
}

impl Value {
    /// The value without a copy of it.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Value::Null => Cell::Null,
            Value::Int(int) => Cell::Int(*int),
            Value::Text(text) => Cell::Text(text),
        }
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Value {
        match cell {
            Cell::Null => Value::Null,
            Cell::Int(int) => Value::Int(int),
            Cell::Text(text) => Value::Text(text.into()),
        }
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Value {
        Value::Int(int)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}

impl fmt::Display for Value {
    /// Null is the empty text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Int(int) => int.fmt(f),
            Value::Text(text) => f.write_str(text),
        }
    }
}
