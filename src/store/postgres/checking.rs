//! Finds the values that crm would not have written. PostgreSQL itself keeps everything else whole.

use std::time::Duration;

use super::list::rows::{cells_of, read};
use super::store::Postgres;
use crate::base::error::Result;
use crate::store::sql::faults::{Faults, Repairs};
use crate::store::sql::select::Select;
use crate::store::sql::statements;

/// A check takes as long as it takes.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

impl Postgres {
    /// Looks at every value of every record. `url` is shown in the commands that repair a value.
    pub async fn faults(&self, url: &str) -> Result<Faults> {
        let repairs = Repairs {
            database: format!("'{url}'"),
            sql: format!("psql '{url}' -c"),
        };
        let mut faults = Faults::default();
        for noun in self.nouns().iter().filter(|noun| !noun.is_view()) {
            let (columns, table) = (statements::columns(noun), noun.plural);
            let text = format!("SELECT {columns} FROM {table} ORDER BY {table}.id");
            read(
                &self.database,
                FOR_EVER,
                &Select::of(text, Vec::new()),
                |row| {
                    faults.look(noun, &repairs, cells_of(row));
                    Ok(true)
                },
            )
            .await?;
        }
        Ok(faults)
    }
}
