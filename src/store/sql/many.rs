//! Selects for many ids at once.

use crate::base::error::Result;
use crate::model::value::Value;
use crate::store::transaction::Transaction;

/// How many ids one select takes. There are few lengths, so that few statements are prepared.
const LENGTHS: [usize; 3] = [1, 20, 500];

/// How many ids a select takes whose rows may be many for each id.
pub(crate) const FEW: usize = LENGTHS[1];

/// Runs a select for these ids, several at a time, and returns all rows. `select` makes its text from the list of markers.
pub(crate) async fn of_ids<T: Transaction>(
    tx: &mut T,
    ids: &[i64],
    select: impl Fn(&str) -> String + Send + Sync,
) -> Result<Vec<Vec<Value>>> {
    of_ids_and(tx, ids, None, |markers, _| select(markers)).await
}

/// The same with one more number, whose marker `select` gets as well.
pub(crate) async fn of_ids_and<T: Transaction>(
    tx: &mut T,
    ids: &[i64],
    more: Option<i64>,
    select: impl Fn(&str, &str) -> String + Send + Sync,
) -> Result<Vec<Vec<Value>>> {
    let longest = LENGTHS[LENGTHS.len() - 1];
    let mut rows = Vec::new();
    for chunk in ids.chunks(longest) {
        let length = LENGTHS.into_iter().find(|length| *length >= chunk.len());
        let length = length.unwrap_or(longest);
        let markers: Vec<String> = (1..=length).map(|at| format!("${at}")).collect();
        // An id that is named twice is found once.
        let last = chunk.last().copied().unwrap_or_default();
        let padded = chunk.iter().copied().chain(std::iter::repeat(last));
        let params = padded.take(length).chain(more);
        let params: Vec<Value> = params.map(Value::Int).collect();
        let sql = select(&markers.join(", "), &format!("${}", length + 1));
        rows.extend(tx.query(&sql, &params).await?);
    }
    Ok(rows)
}

/// The number in a column of a row.
pub(crate) fn int(row: &[Value], at: usize) -> Option<i64> {
    row.get(at)?.int()
}

/// The text in a column of a row, empty if it has none.
pub(crate) fn text(row: &[Value], at: usize) -> &str {
    row.get(at).and_then(Value::text).unwrap_or_default()
}
