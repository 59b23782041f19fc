//! The columns of `attributes.*` in a list.
//!
//! A table and a CSV name their columns before their records. So the list is read twice: first for the keys that occur, then
//! to print it. Only the keys are kept in memory, however long the list is.

use crate::base::error::Result;
use crate::config::Format;
use crate::model::keys::Keys;
use crate::model::noun::Noun;
use crate::model::query::Query;
use crate::model::shown::Shown;
use crate::output::Look;
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// Replaces `attributes.*` by a column for each key that occurs in a list. Also returns these keys, because a record that
/// gets another key before it is printed must not lose it. In JSON the attributes are one object, whatever its keys are.
pub(super) async fn columns(
    store: &AnyStore,
    look: Look,
    shown: Option<Shown>,
    (noun, pairs): (&'static Noun, &[(String, String)]),
    limit: Option<&str>,
) -> Result<(Option<Shown>, Option<Keys>)> {
    let is_table = matches!(look.format, Format::Table | Format::Csv);
    let Some(every) = shown
        .as_ref()
        .filter(|shown| is_table && shown.has_every_key())
    else {
        return Ok((shown, None));
    };
    let mut pairs = pairs.to_vec();
    pairs.push(("fields".into(), "id,attributes".into()));
    pairs.extend(limit.map(|limit| ("limit".into(), limit.into())));
    let mut listing = store.list(Query::new(noun, pairs)?).await?;
    let mut keys = Keys::new(noun);
    while let Some(records) = listing.next_chunk().await? {
        records.iter().try_for_each(|record| keys.add(record))?;
    }
    Ok((Some(every.clone().with_keys(keys.all())), Some(keys)))
}
