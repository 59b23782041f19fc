//! Rewrites the e-mail addresses that an older crm stored into their one form.

use tokio_postgres::{Client, Error};

use crate::model::email::email;

/// How many rows are read and rewritten in one step.
const STEP: usize = 1_000;

/// Rewrites all addresses that are in another spelling. A text that is no address stays as it is. The versions count,
/// because the records change. Called in the transaction of a migration.
pub(super) async fn rewrite(client: &Client) -> Result<(), Error> {
    let read = format!(
        "SELECT id, email FROM leads \
         WHERE id > $1 AND (octet_length(email) <> length(email) OR lower(email) LIKE '%xn--%') \
         ORDER BY id LIMIT {STEP}"
    );
    const WRITE: &str = "UPDATE leads SET email = form.email, version = version + 1, \
         updated_at = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') \
         FROM unnest($1::bigint[], $2::text[]) AS form (id, email) WHERE leads.id = form.id";
    let mut last = 0_i64;
    loop {
        let rows = client.query(&read, &[&last]).await?;
        let (mut ids, mut forms): (Vec<i64>, Vec<String>) = (Vec::new(), Vec::new());
        for row in &rows {
            last = row.get(0);
            let stored: &str = row.get(1);
            if let Some(form) = email(stored).filter(|form| *form != stored.to_ascii_lowercase()) {
                ids.push(last);
                forms.push(form);
            }
        }
        if !ids.is_empty() {
            client.execute(WRITE, &[&ids, &forms]).await?;
        }
        if rows.len() < STEP {
            return Ok(());
        }
    }
}
