//! The values of a record's columns. They are the same for every database.

use std::fmt;

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// SQL's null.
    Null,
    /// An id.
    Int(i64),
    /// A text, a time, or a JSON object as text.
    Text(String),
}

impl Value {
    /// The text. `None` for null and numbers.
    #[inline]
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number. `None` for null and text.
    #[inline]
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }
}

/// The value of a column, borrowed from a row of a database or from a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// SQL's null.
    Null,
    /// An id.
    Int(i64),
    /// The same as [`Value::Text`].
    Text(&'a str),
}

impl Value {
    /// Borrows the value.
    #[inline]
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
    /// Null is written as the empty text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Int(int) => int.fmt(f),
            Value::Text(text) => f.write_str(text),
        }
    }
}
