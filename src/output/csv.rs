//! Lines of CSV.

/// Appends a line of CSV. It ends in a line feed without a carriage return.
pub(super) fn csv_line(cells: impl Iterator<Item = impl AsRef<[u8]>>, out: &mut Vec<u8>) {
    // The buffer holds a short record. A long one is written through it.
    let mut writer = csv::WriterBuilder::new()
        .buffer_capacity(512)
        .from_writer(out);
    // Writing to memory does not fail, and a single record cannot differ from others in its number of cells.
    let _ = writer
        .write_record(cells)
        .and_then(|()| Ok(writer.flush()?));
}
