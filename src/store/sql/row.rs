//! The cells of a row, collected without an allocation for each row.

use crate::model::value::Cell;

/// Rows of up to this many columns need no allocation.
const FEW: usize = 16;

/// Collects the cells of a row, and passes them on. `cell` reads a column.
#[inline]
pub(crate) fn with_cells<'row, T, E>(
    width: usize,
    mut cell: impl FnMut(usize) -> Result<Cell<'row>, E>,
    take: impl FnOnce(&[Cell<'_>]) -> T,
) -> Result<T, E> {
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
        *place = cell(at)?;
    }
    Ok(take(cells))
}
