//! The cells of a row, collected without an allocation for each row.

use crate::model::noun::Noun;
use crate::model::stored::{Stored, is_plain, shown};
use crate::model::value::{Cell, Value};

/// Rows of up to this many columns need no allocation.
const FEW: usize = 16;

/// Collects the cells of a row of a noun, and passes them on: one for each field and, if `width` is one more, the version.
/// `cell` reads a column, `None` if its value cannot be borrowed as a cell. `stored` reads the same column as it is. A row
/// with a value that crm would not have written is passed on as it is [shown].
#[inline]
pub(crate) fn with_cells<'row, T>(
    noun: &Noun,
    width: usize,
    cell: impl Fn(usize) -> Option<Cell<'row>>,
    stored: impl Fn(usize) -> Stored<'row>,
    take: impl FnOnce(&[Cell<'_>]) -> T,
) -> T {
    let mut few = [Cell::Null; FEW];
    let mut many = Vec::new();
    let cells = match few.get_mut(..width) {
        Some(cells) => cells,
        None => {
            many.resize(width, Cell::Null);
            &mut many[..]
        }
    };
    for (at, place) in cells.iter_mut().enumerate() {
        match cell(at) {
            Some(cell) if is_plain(noun.fields.get(at), cell) => *place = cell,
            _ => return mended(noun, width, stored, take),
        }
    }
    take(cells)
}

/// The same for a row of which some values are not shown as they are stored.
#[cold]
fn mended<'row, T>(
    noun: &Noun,
    width: usize,
    stored: impl Fn(usize) -> Stored<'row>,
    take: impl FnOnce(&[Cell<'_>]) -> T,
) -> T {
    let values = (0..width).map(|at| shown(noun.fields.get(at), stored(at)));
    let values: Vec<Value> = values.collect();
    let cells: Vec<Cell<'_>> = values.iter().map(Value::cell).collect();
    take(&cells)
}

/// The values of a row of a noun as they are shown. The row has one value for each field, followed by its version.
pub(crate) fn mend(noun: &Noun, values: &mut [Value]) {
    for (at, value) in values.iter_mut().enumerate() {
        let field = noun.fields.get(at);
        if !is_plain(field, value.cell()) {
            let stored = match &*value {
                Value::Null => Stored::Null,
                Value::Int(int) => Stored::Int(*int),
                Value::Text(text) => Stored::Text(text.as_bytes()),
            };
            *value = shown(field, stored);
        }
    }
}
