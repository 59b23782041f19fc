//! The tables in PostgreSQL, and how they are brought up to date.
//!
//! Any number of processes may start at once: one of them migrates, under an advisory lock, and the others wait for it. A
//! migration waits for no lock longer than two seconds, since all who come behind it would wait too; then it lets those
//! go on and tries again.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::Inner;
use super::failure::{Failure, within};
use super::link::Session;
use crate::base::error::{Code, Error, Result};

/// The migrations, each in a transaction of its own; the number of the schema is how many were applied.
const MIGRATIONS: [&str; 3] = [
    include_str!("../schema/postgres/0001_leads_actions_processes.sql"),
    include_str!("../schema/postgres/0002_versions_tokens_keys.sql"),
    include_str!("../schema/postgres/0003_versions_by_others.sql"),
];

/// How long a start waits for the migrations of another, or for its own locks.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every schema of every database has its own lock; the first number is crm's, by its name in ASCII.
const LOCK: &str = "pg_advisory_xact_lock(6517357, hashtext(current_schema()))";

/// The first schema of `search_path` with a relation of this name. By the rows of the catalog, which a statement sees as
/// they were when it began: `to_regclass` sees every commit at once, so that one statement could miss the first table of a
/// migration and find its second.
macro_rules! place {
    ($name:literal) => {
        concat!(
            "(SELECT nspname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
             WHERE relname = '",
            $name,
            "' AND nspname = ANY (current_schemas(false)) \
             ORDER BY array_position(current_schemas(false), nspname) LIMIT 1)"
        )
    };
}

/// Brings the schema up to date, or refuses one that is newer than this program. One that is not there is made, or
/// refused too.
pub(super) async fn prepare(inner: &Inner, makes: bool) -> Result<()> {
    let start = Instant::now();
    loop {
        let mut session = inner.session(super::PATIENCE).await?;
        let done = match check(&session).await? {
            number if number == MIGRATIONS.len() => return Ok(()),
            0 if !makes => {
                return Err(Error::failed(
                    "the database: crm's tables are not there; `crm serve` and the create commands make them",
                ));
            }
            _ => migrate(&mut session).await,
        };
        match done {
            Ok(()) => return Ok(()),
            // Others hold what it takes, or another migrates.
            Err(failure)
                if failure.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
                    && start.elapsed() < PATIENCE =>
            {
                tracing::info!(
                    "the database is in use; the schema is brought up to date in a moment"
                );
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(failure) => return Err(describe(&failure)),
        }
    }
}

/// The number of the schema, 0 where there is none yet.
async fn check(session: &Session) -> Result<usize> {
    let refuse = |text: String| Error::failed(format!("the database: {text}"));
    let sql = concat!(
        "SELECT current_setting('server_encoding'), current_schema()::text, current_setting('fsync'), ",
        place!("crm_schema"),
        ", ",
        place!("leads"),
        ", pg_is_in_recovery()"
    );
    let row = within(super::PATIENCE, session.client.query_one(sql, &[]))
        .await
        .map_err(|failure| describe(&failure))?;
    let text = |at: usize| row.get::<_, Option<&str>>(at);
    if text(0) != Some("UTF8") {
        let found = text(0).unwrap_or_default();
        return Err(refuse(format!("expected the encoding UTF8, got {found}")));
    }
    if text(1).is_none() {
        return Err(refuse(
            "expected a schema in search_path that exists, found none".into(),
        ));
    }
    if text(2) == Some("off") {
        tracing::warn!("PostgreSQL runs with fsync=off: a power cut can take acknowledged writes");
    }
    match (text(3), text(4)) {
        (Some(ours), Some(leads)) if ours != leads => {
            return Err(refuse(format!(
                "a table leads in the schema {leads} comes before crm's own in {ours}; expected another search_path"
            )));
        }
        (Some(_), _) => {}
        (None, None) if row.get(5) => {
            return Err(refuse(
                "it is a standby without crm's tables, which come from its primary".into(),
            ));
        }
        (None, None) => return Ok(0),
        (None, Some(_)) => {
            return Err(refuse(
                "a table leads is there that is not crm's; expected an empty schema or crm's own"
                    .into(),
            ));
        }
    }
    if row.get(5) {
        tracing::warn!("PostgreSQL is a standby here: reads are answered, writes are not");
    }
    let row = within(
        super::PATIENCE,
        session
            .client
            .query_one("SELECT number FROM crm_schema", &[]),
    )
    .await
    .map_err(|failure| describe(&failure))?;
    let number = usize::try_from(row.get::<_, i64>(0)).unwrap_or(usize::MAX);
    match number <= MIGRATIONS.len() {
        true => Ok(number),
        false => Err(refuse(format!(
            "it has schema {number}, which is newer than this crm knows ({}); use a newer crm",
            MIGRATIONS.len()
        ))),
    }
}

/// The source of a copy that was begun and not finished.
pub(super) async fn mark(inner: &Inner) -> Result<Option<String>> {
    let mark = inner.read(super::PATIENCE, (), |_, session| {
        Box::pin(async move {
            let there = "SELECT to_regclass('crm_copy')::text";
            let row = session.client.query_one(there, &[]).await?;
            if row.get::<_, Option<&str>>(0).is_none() {
                return Ok(None);
            }
            let row = session
                .client
                .query_opt("SELECT source FROM crm_copy", &[])
                .await?;
            Ok(row.map(|row| row.get::<_, String>(0)))
        })
    });
    mark.await
}

async fn migrate(session: &mut Session) -> Result<(), Failure> {
    let lock = format!("BEGIN; SET LOCAL lock_timeout = '2s'; SELECT {LOCK}");
    let migrate = async {
        session.client.batch_execute(&lock).await?;
        // Another may have been faster.
        let there = concat!("SELECT ", place!("crm_schema"));
        let place: Option<String> = session.client.query_one(there, &[]).await?.get(0);
        let applied = match place {
            None => 0,
            Some(_) => {
                let sql = "SELECT number FROM crm_schema FOR UPDATE";
                session.client.query_one(sql, &[]).await?.get::<_, i64>(0)
            }
        };
        for (at, migration) in MIGRATIONS.iter().enumerate() {
            if at as i64 >= applied {
                session.client.batch_execute(migration).await?;
            }
        }
        session
            .client
            .execute(
                "UPDATE crm_schema SET number = $1",
                &[&(MIGRATIONS.len() as i64)],
            )
            .await?;
        session.client.batch_execute("COMMIT").await
    };
    let done = within(PATIENCE, migrate).await;
    if done.is_err() {
        let _ = within(super::PATIENCE, session.client.batch_execute("ROLLBACK")).await;
    }
    done
}

fn describe(failure: &Failure) -> Error {
    let mut error = failure.error();
    if error.code == Code::Internal {
        error.code = Code::Failed;
    }
    error
}
