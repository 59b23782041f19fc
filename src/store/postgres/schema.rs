//! The schema: the checks of a database, and the migrations that bring it up to date.
//!
//! Any number of processes may start at once: one of them migrates, under an advisory lock, and the others wait for it. A
//! migration waits at most two seconds for a lock, because every later transaction would wait behind it. Then it lets the
//! others continue, and tries again.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::database::{PATIENCE, PgDatabase};
use super::failure::{Failure, within};
use super::link::PgSession;
use super::{addresses, tables};
use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;

/// The migrations, each in its own transaction. The number of the schema says how many were applied.
const MIGRATIONS: [&str; 16] = [
    include_str!("../schema/postgres/0001_leads_actions_processes.sql"),
    include_str!("../schema/postgres/0002_versions_tokens_keys.sql"),
    include_str!("../schema/postgres/0003_versions_by_others.sql"),
    include_str!("../schema/postgres/0004_versions_of_remade.sql"),
    include_str!("../schema/postgres/0005_one_form_of_addresses.sql"),
    include_str!("../schema/postgres/0006_changes.sql"),
    include_str!("../schema/postgres/0007_webhooks.sql"),
    include_str!("../schema/postgres/0008_changes_by_record.sql"),
    include_str!("../schema/postgres/0009_cadence.sql"),
    include_str!("../schema/postgres/0010_last_action.sql"),
    include_str!("../schema/postgres/0011_leases.sql"),
    include_str!("../schema/postgres/0012_due.sql"),
    include_str!("../schema/postgres/0013_search.sql"),
    include_str!("../schema/postgres/0014_timeline.sql"),
    include_str!("../schema/postgres/0015_duplicates.sql"),
    include_str!("../schema/postgres/0016_bulk.sql"),
];

/// The migration after which all addresses are in their one form.
const ONE_FORM: i64 = 5;

/// How long the start of a process waits for the migrations of another process, or for its own locks.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(60);

/// Every schema of every database has its own lock. The first number is crm's: its name in ASCII.
const LOCK: &str = "pg_advisory_xact_lock(6517357, hashtext(current_schema()))";

/// The first schema of `search_path` with a relation of this name. It reads the rows of the catalog, which a statement sees
/// as they were when it began. `to_regclass` would see every commit at once, so one statement could miss the first table of
/// a migration and find its second.
macro_rules! first_schema {
    ($name:literal) => {
        concat!(
            "(SELECT nspname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
             WHERE relname = ",
            $name,
            " AND nspname = ANY (current_schemas(false)) \
             ORDER BY array_position(current_schemas(false), nspname) LIMIT 1)"
        )
    };
}

/// Brings the schema up to date, or refuses one that is newer than this program. If there is no schema, `makes` says
/// whether one is made or the database is refused.
pub(super) async fn prepare(database: &PgDatabase, makes: bool) -> Result<()> {
    let start = Instant::now();
    loop {
        let mut session = database.session(PATIENCE).await?;
        let done = match check(&session, database.nouns).await? {
            SchemaState::Current => return Ok(()),
            SchemaState::Absent if !makes => {
                return Err(Error::failed(
                    "the database: crm's tables are missing; `crm serve` and the create commands make them",
                ));
            }
            SchemaState::Absent | SchemaState::Old => migrate(&mut session, database.nouns).await,
        };
        match done {
            Ok(()) => return Ok(()),
            // Others hold the locks that the migration needs, or another process migrates.
            Err(failure)
                if failure.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
                    && start.elapsed() < MIGRATION_PATIENCE =>
            {
                tracing::info!("the database is in use; the migration is tried again in a moment");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(failure) => return Err(describe(&failure)),
        }
    }
}

/// The finding of [`check`].
enum SchemaState {
    /// There is no schema yet.
    Absent,
    /// Something is missing.
    Old,
    /// Nothing is missing.
    Current,
}

async fn check(session: &PgSession, nouns: &[&'static Noun]) -> Result<SchemaState> {
    let refuse = |text: String| Error::failed(format!("the database: {text}"));
    let sql = concat!(
        "SELECT current_setting('server_encoding'), current_schema()::text, current_setting('fsync'), ",
        first_schema!("'crm_schema'"),
        ", ",
        first_schema!("$1::text"),
        ", pg_is_in_recovery()"
    );
    // This table stands for all of crm's tables.
    let table = tables::names(nouns).first().copied().unwrap_or_default();
    let row = within(PATIENCE, session.client.query_one(sql, &[&table]))
        .await
        .map_err(|failure| describe(&failure))?;
    let text = |at: usize| row.get::<_, Option<&str>>(at);
    if text(0) != Some("UTF8") {
        let found = text(0).unwrap_or_default();
        return Err(refuse(format!("expected the encoding UTF8, got {found}")));
    }
    if text(1).is_none() {
        return Err(refuse(
            "expected an existing schema in search_path, found none".into(),
        ));
    }
    if text(2) == Some("off") {
        tracing::warn!("PostgreSQL runs with fsync=off: a power cut can lose acknowledged writes");
    }
    match (text(3), text(4)) {
        (Some(ours), Some(schema)) if ours != schema => {
            return Err(refuse(format!(
                "a table {table} in the schema {schema} comes before crm's own in {ours}; expected another search_path"
            )));
        }
        (Some(_), _) => {}
        (None, None) if row.get(5) => {
            return Err(refuse(
                "it is a standby without crm's tables, which come from its primary".into(),
            ));
        }
        (None, None) => return Ok(SchemaState::Absent),
        (None, Some(_)) => {
            return Err(refuse(format!(
                "a table {table} exists that is not crm's; expected an empty schema or crm's own"
            )));
        }
    }
    if row.get(5) {
        tracing::warn!("PostgreSQL is a standby here: reads are answered, writes are not");
    }
    let number = "SELECT number FROM crm_schema";
    let row = within(PATIENCE, session.client.query_one(number, &[]))
        .await
        .map_err(|failure| describe(&failure))?;
    let number = usize::try_from(row.get::<_, i64>(0)).unwrap_or(usize::MAX);
    if number > MIGRATIONS.len() {
        return Err(refuse(format!(
            "it has schema {number}, which is newer than this crm knows ({}); use a newer crm",
            MIGRATIONS.len()
        )));
    }
    let missing = within(PATIENCE, tables::missing(session, nouns))
        .await
        .map_err(|failure| describe(&failure))?;
    match number {
        0 => Ok(SchemaState::Absent),
        _ if number < MIGRATIONS.len() || !missing.is_empty() => Ok(SchemaState::Old),
        _ => Ok(SchemaState::Current),
    }
}

/// The source of an unfinished copy, if the database holds one.
pub(super) async fn mark(database: &PgDatabase) -> Result<Option<String>> {
    let mark = database.read(PATIENCE, (), |_, session| {
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

async fn migrate(session: &mut PgSession, nouns: &[&'static Noun]) -> Result<(), Failure> {
    let lock = format!("BEGIN; SET LOCAL lock_timeout = '2s'; SELECT {LOCK}");
    let migrate = async {
        session.client.batch_execute(&lock).await?;
        // Another process may have migrated in between.
        let there = concat!("SELECT ", first_schema!("'crm_schema'"), " IS NOT NULL");
        let applied = match session.client.query_one(there, &[]).await?.get(0) {
            false => 0,
            true => {
                let sql = "SELECT number FROM crm_schema FOR UPDATE";
                session.client.query_one(sql, &[]).await?.get::<_, i64>(0)
            }
        };
        for (at, migration) in MIGRATIONS.iter().enumerate() {
            if at as i64 >= applied {
                session.client.batch_execute(migration).await?;
            }
        }
        if applied < ONE_FORM {
            addresses::rewrite(&session.client).await?;
        }
        for noun in tables::missing(session, nouns).await? {
            session.client.batch_execute(&tables::create(noun)).await?;
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
    let done = within(MIGRATION_PATIENCE, migrate).await;
    if done.is_err() {
        let _ = within(PATIENCE, session.client.batch_execute("ROLLBACK")).await;
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
