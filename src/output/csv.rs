//! Lines of CSV.

/// Appends a line of CSV, with a line feed alone at its end.
pub(super) fn csv_line(cells: impl Iterator<Item = impl AsRef<[u8]>>, out: &mut Vec<u8>) {
    // Records have few fields: the buffer is for the short ones, long ones pass through.
    let mut writer = csv::WriterBuilder::new()
        .buffer_capacity(512)
        .from_writer(out);
    // Writing to memory does not fail, and a single record has no other to differ from.
    let _ = writer
        .write_record(cells)
        .and_then(|()| Ok(writer.flush()?));
}
