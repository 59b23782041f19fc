//! Values as parameters of statements, and values from rows.

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::model::stored::Stored;
use crate::model::value::{Cell, Value};

/// Parameters in the form that the library takes.
pub(super) fn slice(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

impl ToSql for Value {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => return Ok(IsNull::Yes),
            Value::Int(int) => out.extend_from_slice(&int.to_be_bytes()),
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT)
    }

    to_sql_checked!();
}

/// A column's value. The tables have only texts and 8-byte integers.
#[inline]
pub(super) fn cell(row: &Row, at: usize) -> Cell<'_> {
    row.try_get::<_, Option<ReadCell<'_>>>(at)
        .ok()
        .flatten()
        .map_or(Cell::Null, |read| read.0)
}

/// A cell that is read from a row. One type for both kinds of columns, so that a column's type is looked at once.
struct ReadCell<'a>(Cell<'a>);

impl<'a> FromSql<'a> for ReadCell<'a> {
    #[inline]
    fn from_sql(
        kind: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let cell = match *kind {
            Type::INT8 => Cell::Int(i64::from_be_bytes(raw.try_into()?)),
            _ => Cell::Text(<&str>::from_sql(kind, raw)?),
        };
        Ok(ReadCell(cell))
    }

    #[inline]
    fn accepts(kind: &Type) -> bool {
        *kind == Type::INT8 || <&str as FromSql>::accepts(kind)
    }
}

/// A cell as a stored value.
pub(super) fn stored(cell: Cell<'_>) -> Stored<'_> {
    match cell {
        Cell::Null => Stored::Null,
        Cell::Int(int) => Stored::Int(int),
        Cell::Text(text) => Stored::Text(text.as_bytes()),
    }
}

/// All values of a row.
pub(super) fn values(row: &Row) -> Vec<Value> {
    (0..row.len()).map(|at| cell(row, at).into()).collect()
}
