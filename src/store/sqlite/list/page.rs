//! Pages: the records of a list with a limit, from its cursor on.

use bytes::Bytes;
use rusqlite::Connection;

use super::rows::{each_row, int, push, tag};
use crate::base::error::Result;
use crate::model::query::Query;
use crate::model::record::{Record, Snapshot};
use crate::model::rows::Rows;
use crate::model::terms::Tag;
use crate::model::value::Value;
use crate::store::chunk::{CHUNK, Chunk};
use crate::store::contract::Listing;
use crate::store::sql::select::{Dialect, Select};
use crate::store::sql::statements;
use crate::store::sqlite::cache::{self, Cache};
use crate::store::sqlite::database::Database;
use crate::store::sqlite::reader::{ReadConnection, SeenVersion};
use crate::store::sqlite::values::record;

/// Reads a page into the listing: as many records as fit into a chunk, and the cursor. Returns the ids of the other
/// records. If records are written as JSON, `see` gets the id, the ETag and the JSON of each.
pub(crate) fn page<R: Rows>(
    connection: &Connection,
    query: &Query,
    limit: u64,
    listing: &mut Listing<R>,
    mut see: impl FnMut(i64, Tag, &[u8]),
) -> Result<Vec<i64>> {
    let select = Select::page(Dialect::Sqlite, query, limit + 1);
    let mut ids = Vec::new();
    let mut last = None;
    let mut first = Chunk::new(listing.first.empty());
    let mut count = 0;
    each_row(connection, &select, |row| {
        count += 1;
        if count > limit {
            listing.next = last.take().map(|last| query.cursor(&last));
            return Ok(false);
        }
        if count == limit {
            last = Some(record(query.noun, row));
        }
        match first.is_full() {
            true => ids.push(int(row, 0)),
            false => {
                push(&mut first, query.noun, row);
                if let Some(id) = first.end.filter(|_| first.rows.is_json()) {
                    see(id, tag(query.noun, row), first.rows.last_json());
                }
            }
        }
        Ok(true)
    })?;
    listing.first = first.rows;
    Ok(ids)
}

/// Reads a short page from the cache if all of its records are there, or else from the file into the cache.
///
/// The ids are always read from the file, and the records must come from the same snapshot: an older record might not match
/// the filter. So the cache is used only if the file still has the version that this connection saw before the last check.
/// That check dropped every record older than the version, and nothing was committed since.
pub(crate) fn cached_page<R: Rows>(
    database: &Database,
    cache: &Cache,
    reader: &mut ReadConnection,
    query: &Query,
    limit: u64,
    listing: &mut Listing<R>,
) -> Result<Vec<i64>> {
    let generation = cache.generation();
    let known = reader.seen.filter(|seen| cache.checked_after(seen.at));
    if let Some(seen) = known.filter(|_| database.is_trusted(cache)) {
        let mut ids = Vec::with_capacity(limit as usize + 1);
        let select = Select::ids(Dialect::Sqlite, query).limit(limit + 1);
        each_row(reader, &select, |row| {
            ids.push(int(row, 0));
            Ok(true)
        })?;
        let follows = ids.len() as u64 > limit;
        ids.truncate(limit as usize);
        let kept = ids.iter().map_while(|id| cache.get(query.noun, *id));
        let kept: Vec<Snapshot> = kept.collect();
        let size: usize = kept.iter().map(|kept| kept.json.len()).sum();
        let is_whole = kept.len() == ids.len() && size < CHUNK;
        if is_whole && cache.is_still(generation) && reader.version()? == seen.version {
            listing.first.reserve_json(kept.len(), size);
            for kept in &kept {
                listing.first.push_json(&kept.json);
            }
            if let (true, Some(id), Some(last)) = (follows, ids.last(), kept.last()) {
                // Most lists are in the order of ids, and reading a record from its JSON is a tenth of a page's time.
                listing.next = query.cursor_by_id(*id).or_else(|| {
                    Record::from_json(query.noun, &last.json).map(|last| query.cursor(&last))
                });
            }
            return Ok(Vec::new());
        }
    }
    let version = reader.version()?;
    if reader.seen.is_none_or(|seen| seen.version != version) {
        let at = cache.now();
        reader.seen = Some(SeenVersion { version, at });
    }
    if known.is_none() {
        // Requests the missing check.
        database.is_trusted(cache);
    }
    page(reader, query, limit, listing, |id, tag, json| {
        if json.len() <= cache::LARGEST {
            let json = Bytes::copy_from_slice(json);
            cache.keep(generation, query.noun, id, &Snapshot { json, tag });
        }
    })
}

/// Reads the records with the next ids. A record that was deleted in the meantime is left out.
pub(crate) fn by_ids<R: Rows>(
    connection: &Connection,
    query: &Query,
    ids: &mut std::vec::IntoIter<i64>,
    chunk: &mut Chunk<R>,
) -> Result<()> {
    let mut select = Select::of(
        statements::statements(query.noun).select.clone(),
        Vec::new(),
    );
    for id in ids.by_ref() {
        select.params = vec![Value::Int(id)];
        each_row(connection, &select, |row| {
            push(chunk, query.noun, row);
            Ok(true)
        })?;
        if chunk.is_full() {
            break;
        }
    }
    chunk.last = ids.len() == 0;
    Ok(())
}
