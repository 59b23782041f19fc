//! The operations: one file each, and the list of them.

use crate::base::error::Result;
use crate::model::draft::Draft;
use crate::model::lead::OnDuplicate;
use crate::model::record::{Noun, Record};
use crate::model::terms::Terms;
use crate::store::contract::{Saved, Store};

pub mod create;
pub mod create_token;
pub mod delete;
pub mod revoke_token;
pub mod update;

/// Short calls of the operations on records, without conditions and without an idempotency key.
pub trait Records: Store + Sync {
    /// Creates a record, or does what `on_duplicate` says.
    fn create(
        &self,
        draft: Draft,
        on_duplicate: OnDuplicate,
    ) -> impl Future<Output = Result<Saved>> + Send {
        async move {
            let write = create::Create::new(draft, on_duplicate);
            Ok(self.write(write, Terms::default()).await?.done)
        }
    }

    /// Changes the fields that the draft gives, and returns the whole record.
    fn update(&self, id: i64, draft: Draft) -> impl Future<Output = Result<Record>> + Send {
        async move {
            let write = update::Update::new(id, draft);
            Ok(self.write(write, Terms::default()).await?.done.record)
        }
    }

    /// Deletes a record, with `cascade` all that refers to it as well.
    fn delete(
        &self,
        noun: &'static Noun,
        id: i64,
        cascade: bool,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            let write = delete::Delete::new(noun, id, cascade);
            self.write(write, Terms::default()).await.map(drop)
        }
    }
}

impl<S: Store + Sync> Records for S {}
