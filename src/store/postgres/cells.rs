//! Values as parameters of statements, and values from rows.

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::model::record::{Cell, Value};

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
pub(super) fn cell(row: &Row, at: usize) -> Cell<'_> {
    let is_number = *row.columns()[at].type_() == Type::INT8;
    let cell = match is_number {
        true => row
            .try_get::<_, Option<i64>>(at)
            .map(|int| int.map(Cell::Int)),
        false => row
            .try_get::<_, Option<&str>>(at)
            .map(|text| text.map(Cell::Text)),
    };
    cell.ok().flatten().unwrap_or(Cell::Null)
}

/// All values of a row.
pub(super) fn values(row: &Row) -> Vec<Value> {
    (0..row.len()).map(|at| cell(row, at).into()).collect()
}
