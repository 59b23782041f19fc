//! SQL for any noun, and the rules that touch several rows, written once for all databases.
//!
//! The text is what SQLite and PostgreSQL both take, with `$1` markers that first appear in order. A rule is an async
//! function over a [`Transaction`]. PostgreSQL runs it as it is; SQLite runs it on its writer thread, where it never has to
//! wait.

use std::fmt::Write;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use super::transaction::{Fault, Transaction};
use crate::base::error::{Code, Error, Problems, Result};
use crate::base::text::fold;
use crate::base::time;
use crate::model::action::ACTION;
use crate::model::draft::Draft;
use crate::model::lead::{LEAD, OnDuplicate};
use crate::model::process::PROCESS;
use crate::model::query::{Column, Comparison, Operand, Query, SORTED_LETTERS, Sort, Test};
use crate::model::record::{self, Kind, Noun, Record, Value};
use crate::model::terms::{KEPT, Key, Terms};
use crate::model::token::{self, Hash, NewToken, Scope, Token};
use crate::store::contract::{Done, Outcome, Write as Wanted};

/// Whose functions and indexes a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Decides everything, with functions that crm adds to it.
    #[default]
    Sqlite,
    /// Has neither crm's `LIKE`, which ignores the case of all letters, nor its reading of attributes. It is asked for
    /// all that may fit, see [`Select::may_differ`].
    Postgres,
}

/// The longest text that is looked up by an index, in bytes: PostgreSQL's take no entry beyond 2,704. They leave longer
/// texts out, and are used where a condition says that it asks for none of these.
pub(crate) const LONGEST_INDEXED: usize = 1_000;

/// The statements of a noun whose text never changes.
pub(crate) struct Statements {
    /// Inserts all columns but the id.
    insert: String,
    /// Selects all columns of an id.
    pub(crate) select: String,
    delete: String,
}

/// The statements of a noun.
pub(crate) fn statements(noun: &Noun) -> &'static Statements {
    static LEADS: LazyLock<Statements> = LazyLock::new(|| Statements::new(&LEAD));
    static ACTIONS: LazyLock<Statements> = LazyLock::new(|| Statements::new(&ACTION));
    static PROCESSES: LazyLock<Statements> = LazyLock::new(|| Statements::new(&PROCESS));
    match noun.name {
        "lead" => &LEADS,
        "action" => &ACTIONS,
        _ => &PROCESSES,
    }
}

impl Statements {
    fn new(noun: &Noun) -> Statements {
        let names: Vec<&str> = noun.fields[1..].iter().map(|field| field.name).collect();
        let markers: Vec<String> = (1..=names.len())
            .map(|number| format!("${number}"))
            .collect();
        let table = noun.plural;
        Statements {
            insert: format!(
                "INSERT INTO {table} ({}) VALUES ({})",
                names.join(", "),
                markers.join(", ")
            ),
            select: format!("SELECT {} FROM {table} WHERE id = $1", columns(noun)),
            delete: format!("DELETE FROM {table} WHERE id = $1"),
        }
    }
}

/// The columns in the order of the noun's fields, and behind them the version.
pub(crate) fn columns(noun: &Noun) -> String {
    format!("{}, {}.version", fields(noun), noun.plural)
}

/// The columns in the order of the noun's fields.
pub(crate) fn fields(noun: &Noun) -> String {
    let names = noun.fields.iter();
    let names: Vec<String> = names
        .map(|field| format!("{}.{}", noun.plural, field.name))
        .collect();
    names.join(", ")
}

/// A write, checked as far as it can be without the database.
pub(crate) struct Prepared {
    write: Checked,
    terms: Terms,
}

enum Checked {
    Create(Create),
    Update(i64, Draft),
    Delete(&'static Noun, i64, bool),
    CreateToken(Wished),
    RevokeToken(String),
}

/// A token that is to be made.
struct Wished {
    new: NewToken,
    /// As times are stored.
    expires_at: Option<String>,
    /// See [`NewToken::secret`].
    salt: String,
}

impl Prepared {
    /// Checks a write. What no look into the database can change is refused here.
    pub(crate) fn new(write: Wanted, terms: Terms) -> Result<Prepared> {
        let write = match write {
            Wanted::Create(draft, on_duplicate) => {
                Checked::Create(Create::new(draft, on_duplicate)?)
            }
            Wanted::Update(id, draft) => Checked::Update(id, draft),
            Wanted::Delete { noun, id, cascade } => Checked::Delete(noun, id, cascade),
            Wanted::CreateToken(new) => {
                let mut problems = Problems::default();
                if let Err(expected) = token::check_name(&new.name) {
                    problems.push("name", expected);
                }
                let expires = new.expires.as_deref().map(token::expiry).transpose();
                let expires_at = expires.unwrap_or_else(|expected| {
                    problems.push("expires", expected);
                    None
                });
                if !problems.is_empty() {
                    return Err(Error::fields(problems));
                }
                let salt = token::nonce()?;
                Checked::CreateToken(Wished {
                    new,
                    expires_at,
                    salt,
                })
            }
            Wanted::RevokeToken(name) => Checked::RevokeToken(name),
        };
        Ok(Prepared { write, terms })
    }

    /// Whether all of it is one statement, and what it reads before.
    pub(crate) fn is_one_statement(&self) -> bool {
        self.terms.key.is_none()
            && matches!(&self.write, Checked::Create(create) if create.on_duplicate == OnDuplicate::Create)
    }

    /// Whether at most one of its statements writes.
    pub(crate) fn writes_once(&self) -> bool {
        self.terms.key.is_none() && !matches!(self.write, Checked::Delete(..))
    }

    /// Roughly the bytes that it holds until it is done.
    pub(crate) fn size(&self) -> usize {
        match &self.write {
            // The draft, and the row that was made of it.
            Checked::Create(create) => 2 * create.draft.size(),
            Checked::Update(_, draft) => draft.size(),
            _ => 0,
        }
    }

    /// Whether it changes who may.
    pub(crate) fn is_of_tokens(&self) -> bool {
        matches!(
            self.write,
            Checked::CreateToken(..) | Checked::RevokeToken(_)
        )
    }

    /// Does it, unless its key says that it was done.
    pub(crate) async fn run(self, tx: &mut impl Transaction) -> Result<Outcome> {
        let Prepared { write, terms } = self;
        let Some(key) = &terms.key else {
            return Ok(Outcome::new(write.run(tx, &terms).await?));
        };
        tx.alone_with(&key.id).await?;
        if let Some(done) = done_before(tx, key, &write).await? {
            return Ok(Outcome {
                done,
                replayed: true,
            });
        }
        let salt = match &write {
            Checked::CreateToken(wished) => wished.salt.clone(),
            _ => String::new(),
        };
        let done = write.run(tx, &terms).await?;
        remember(tx, key, &done, &salt).await?;
        Ok(Outcome::new(done))
    }
}

impl Checked {
    async fn run(self, tx: &mut impl Transaction, terms: &Terms) -> Result<Done> {
        match self {
            Checked::Create(create) => create.run(tx).await,
            Checked::Update(id, draft) => Ok(Done::Updated(update(tx, id, &draft, terms).await?)),
            Checked::Delete(noun, id, cascade) => {
                delete(tx, noun, id, cascade, terms).await?;
                Ok(Done::Deleted)
            }
            Checked::CreateToken(wished) => create_token(tx, wished).await,
            Checked::RevokeToken(name) => revoke_token(tx, &name).await,
        }
    }
}

/// Revokes a token, unless it is the last: nobody's loss of a token is to open the service to everybody.
async fn revoke_token<T: Transaction>(tx: &mut T, name: &str) -> Result<Done> {
    // Locked, or two that are revoked at once would each leave the other.
    let sql = format!("SELECT name FROM crm_tokens{}", T::LOCKING);
    let names = tx.query(&sql, &[]).await?;
    let is_it =
        |row: &Vec<Value>| matches!(row.first(), Some(Value::Text(text)) if **text == *name);
    if !names.iter().any(is_it) {
        return Err(Error::new(
            Code::NotFound,
            format!("no token has the name {}", crate::base::error::quoted(name)),
        ));
    }
    if names.len() == 1 {
        return Err(Error::new(
            Code::Conflict,
            format!(
                "{name} is the last token, and without one everybody could read and write; make another first, then \
                 revoke this one"
            ),
        ));
    }
    let sql = "DELETE FROM crm_tokens WHERE name = $1";
    tx.execute(sql, &[name.into()]).await?;
    Ok(Done::Revoked)
}

/// What a request with this key has done within the last day.
async fn done_before(
    tx: &mut impl Transaction,
    key: &Key,
    write: &Checked,
) -> Result<Option<Done>> {
    let since = SystemTime::now() - Duration::from_secs(KEPT);
    let since = time::stored(since).unwrap_or_default();
    let id = [Value::from(key.id.as_str())];
    let sql = "SELECT body, done, version, answer, at FROM crm_idempotency_keys WHERE id = $1";
    let rows = tx.query(sql, &id).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let text = |at: usize| row.get(at).and_then(Value::text).unwrap_or_default();
    if text(4) < since.as_str() {
        let forget = "DELETE FROM crm_idempotency_keys WHERE id = $1";
        tx.execute(forget, &id).await?;
        return Ok(None);
    }
    if text(0) != key.body {
        let message = "Idempotency-Key: it was used for this path with another body; expected a new key for a new request";
        return Err(Error::new(Code::KeyReused, message));
    }
    let version = row.get(2).and_then(Value::int).unwrap_or_default();
    let record = |noun| {
        Record::from_json(noun, text(3).as_bytes()).map(|record| record.with_version(version))
    };
    let done = match (write, text(1)) {
        (Checked::Create(create), "created") => record(create.draft.noun).map(Done::Created),
        (Checked::Create(create), "updated") => record(create.draft.noun).map(Done::Updated),
        (Checked::Update(_, draft), "updated") => record(draft.noun).map(Done::Updated),
        (Checked::Delete(..), "deleted") => Some(Done::Deleted),
        (Checked::RevokeToken(_), "revoked") => Some(Done::Revoked),
        (Checked::CreateToken(wished), "token") => {
            let json: serde_json::Value = serde_json::from_str(text(3)).unwrap_or_default();
            let salt = json[SALT].as_str().filter(|_| wished.new.asker.is_some());
            let secret = salt.map(|salt| wished.new.secret(salt)).transpose()?;
            let token = Token::from_json(&json);
            token
                .zip(secret)
                .map(|(token, secret)| Done::Token(token, secret))
        }
        _ => None,
    };
    match done {
        Some(done) => Ok(Some(done)),
        None => Err(Error::internal("an answer that was kept cannot be read")),
    }
}

/// The salt of a token's secret in the answer that is kept.
const SALT: &str = "salt";

/// How many outlived answers are forgotten with each that is kept: more than one, so that they get fewer.
const FORGOTTEN: usize = 4;

/// Keeps what a request with this key has done, and forgets what is older than a day.
async fn remember<T: Transaction>(tx: &mut T, key: &Key, done: &Done, salt: &str) -> Result<()> {
    let (word, version, answer) = match done {
        Done::Created(record) => ("created", record.version(), record.to_json()),
        Done::Updated(record) => ("updated", record.version(), record.to_json()),
        Done::Deleted => ("deleted", 0, String::new()),
        Done::Token(token, _) => {
            let mut json = token.to_json();
            json[SALT] = salt.into();
            ("token", 0, json.to_string())
        }
        Done::Revoked => ("revoked", 0, String::new()),
    };
    let since = SystemTime::now() - Duration::from_secs(KEPT);
    let since = time::stored(since).unwrap_or_default();
    let old = format!(
        "DELETE FROM crm_idempotency_keys WHERE id IN \
         (SELECT id FROM crm_idempotency_keys WHERE at < $1 ORDER BY at LIMIT {FORGOTTEN}{})",
        T::SKIPPING
    );
    tx.execute(&old, &[since.as_str().into()]).await?;
    let keep = "INSERT INTO crm_idempotency_keys (id, body, done, version, answer, at) VALUES ($1, $2, $3, $4, $5, $6)";
    let params = [
        key.id.as_str().into(),
        key.body.as_str().into(),
        word.into(),
        version.into(),
        answer.as_str().into(),
        time::now().as_str().into(),
    ];
    tx.execute(keep, &params).await?;
    Ok(())
}

/// The columns of a token, in the order of [`token()`].
pub(crate) const TOKENS: &str =
    "SELECT id, name, scope, start, created_at, expires_at, hash FROM crm_tokens ORDER BY name";

/// A row of [`TOKENS`].
pub(crate) fn token(row: &[Value]) -> Option<(Hash, Token)> {
    let text = |at: usize| Some(row.get(at)?.text()?.to_string());
    let token = Token {
        id: row.first()?.int()?,
        name: text(1)?.into(),
        scope: Scope::parse(&text(2)?)?,
        start: text(3)?,
        created_at: text(4)?,
        expires_at: text(5),
    };
    Some((Hash::parse(&text(6)?)?, token))
}

async fn create_token(tx: &mut impl Transaction, wished: Wished) -> Result<Done> {
    let Wished {
        new,
        expires_at,
        salt,
    } = wished;
    tx.alone_with(&format!("token {}", new.name)).await?;
    let taken = "SELECT id FROM crm_tokens WHERE name = $1";
    if !tx
        .query(taken, &[new.name.as_str().into()])
        .await?
        .is_empty()
    {
        let mut error = Error::field("name", format!("a token is called {} already", new.name));
        error.code = Code::Conflict;
        return Err(error);
    }
    let secret = new.secret(&salt)?;
    let mut token = Token {
        id: 0,
        name: new.name.into(),
        scope: new.scope,
        start: secret.start().into(),
        created_at: time::now(),
        expires_at,
    };
    let sql = "INSERT INTO crm_tokens (name, scope, start, created_at, expires_at, hash) VALUES ($1, $2, $3, $4, $5, $6)";
    let params = [
        (&*token.name).into(),
        token.scope.word().into(),
        token.start.as_str().into(),
        token.created_at.as_str().into(),
        token.expires_at.as_deref().map_or(Value::Null, Value::from),
        secret.hash().hex().as_str().into(),
    ];
    token.id = tx.insert(sql, &params).await?;
    Ok(Done::Token(token, secret))
}

/// A create, checked as far as it can be without the database.
struct Create {
    draft: Draft,
    on_duplicate: OnDuplicate,
    row: Result<Vec<Option<Value>>, Problems>,
}

impl Create {
    /// Checks the draft. What no look into the database can change is refused here.
    fn new(draft: Draft, on_duplicate: OnDuplicate) -> Result<Create> {
        let row = draft.row();
        match row {
            Err(problems)
                if on_duplicate == OnDuplicate::Create && draft.references().next().is_none() =>
            {
                Err(Error::fields(problems))
            }
            row => Ok(Create {
                draft,
                on_duplicate,
                row,
            }),
        }
    }

    /// Creates the record; at most one of its statements writes.
    async fn run(self, tx: &mut impl Transaction) -> Result<Done> {
        let draft = &self.draft;
        let noun = draft.noun;
        if self.on_duplicate != OnDuplicate::Create
            && let Some(address) = draft.text("email").and_then(record::email)
            && let Some(id) = lead_with_address(tx, &address, self.on_duplicate).await?
        {
            return match self.on_duplicate {
                OnDuplicate::Update => {
                    let record = update(tx, id, draft, &Terms::default()).await?;
                    Ok(Done::Updated(record))
                }
                _ => {
                    let taken = format!("lead {id} has the address {address} already");
                    let mut error = Error::field("email", taken);
                    error.code = Code::Conflict;
                    Err(error)
                }
            };
        }
        let row = match self.row {
            Ok(row) => row,
            Err(problems) => return Err(refused(tx, draft, problems).await?),
        };
        // With the longest id, as the true one is not known yet.
        let mut record = Record::new(noun, i64::MAX, row, &time::now());
        record.fits()?;
        record.values[0] = match tx
            .insert(
                &statements(noun).insert,
                &record.values[1..noun.fields.len()],
            )
            .await
        {
            Ok(id) => Value::Int(id),
            Err(Fault::Reference) => return Err(refused(tx, draft, Problems::default()).await?),
            Err(Fault::Error(error)) => return Err(error),
        };
        Ok(Done::Created(record))
    }
}

/// The lead with an address; nobody else looks for it until the end of the transaction, and one that is to be updated
/// stays what it is until then.
async fn lead_with_address<T: Transaction>(
    tx: &mut T,
    address: &str,
    on_duplicate: OnDuplicate,
) -> Result<Option<i64>> {
    tx.alone_with(address).await?;
    let condition = format!("lower(email) = $1 AND octet_length(email) <= {LONGEST_INDEXED}");
    let sql = format!("SELECT min(id) FROM leads WHERE {condition}");
    let keep = format!(
        "SELECT id FROM leads WHERE {condition} AND id = $2{}",
        T::LOCKING
    );
    loop {
        let rows = tx.query(&sql, &[address.into()]).await?;
        let found = rows.first().and_then(|row| row.first());
        let Some(id) = found.and_then(Value::int) else {
            return Ok(None);
        };
        // Who updates or deletes the lead by its id asks nobody about its address. Where it had one and has it no more,
        // the next look finds what there is now.
        if on_duplicate != OnDuplicate::Update
            || T::LOCKING.is_empty()
            || !tx
                .query(&keep, &[address.into(), id.into()])
                .await?
                .is_empty()
        {
            return Ok(Some(id));
        }
    }
}

/// The refusal of a draft: its problems, and its references to records that are not there.
async fn refused(
    tx: &mut impl Transaction,
    draft: &Draft,
    mut problems: Problems,
) -> Result<Error> {
    for (field, id) in draft.references() {
        if let Kind::Reference(target) = field.kind {
            let sql = format!("SELECT id FROM {} WHERE id = $1", target.plural);
            if tx.query(&sql, &[id.into()]).await?.is_empty() {
                problems.push(field.name, format!("no {} has the id {id}", target.name));
            }
        }
    }
    match problems.is_empty() {
        true => Ok(Fault::Reference.into()),
        false => Ok(Error::fields(problems)),
    }
}

/// Reads a record that is to be changed.
async fn read<T: Transaction>(tx: &mut T, noun: &'static Noun, id: i64) -> Result<Record> {
    let sql = format!("{}{}", statements(noun).select, T::LOCKING);
    let rows = tx.query(&sql, &[id.into()]).await?;
    let values = rows.into_iter().next().ok_or_else(|| noun.not_found())?;
    Ok(Record { noun, values })
}

/// Changes a record, by one statement that writes. A draft that changes nothing writes nothing, and `updated_at` stays.
async fn update(
    tx: &mut impl Transaction,
    id: i64,
    draft: &Draft,
    terms: &Terms,
) -> Result<Record> {
    let noun = draft.noun;
    let mut record = read(tx, noun, id).await?;
    let mut changes = match draft.changes(&record) {
        Ok(changes) => changes,
        Err(problems) => return Err(refused(tx, draft, problems).await?),
    };
    // After that: conditions are for what would be done without them (RFC 9110, section 13.2.1).
    terms.hold(record.version())?;
    if changes.is_empty() {
        return Ok(record);
    }
    if let Some(stamp) = noun.position("updated_at") {
        changes.push((stamp, time::now().as_str().into()));
    }
    let before = record.clone();
    for (at, value) in &changes {
        record.values[*at] = value.clone();
    }
    if let Err(error) = record.fits()
        && record.size() > before.size()
    {
        // One that is too large already, older than the rule, may still change without growing.
        return Err(error);
    }
    let mut sql = format!("UPDATE {} SET ", noun.plural);
    let mut params = Vec::with_capacity(changes.len() + 1);
    for (at, value) in &changes {
        let comma = if params.is_empty() { "" } else { ", " };
        params.push(value.clone());
        let _ = write!(sql, "{comma}{} = ${}", noun.fields[*at].name, params.len());
    }
    let version = record.version() + 1;
    params.push(version.into());
    let _ = write!(sql, ", version = ${}", params.len());
    params.push(id.into());
    let _ = write!(sql, " WHERE id = ${}", params.len());
    match tx.execute(&sql, &params).await {
        Ok(_) => {}
        Err(Fault::Reference) => return Err(refused(tx, draft, Problems::default()).await?),
        Err(Fault::Error(error)) => return Err(error),
    }
    Ok(record.with_version(version))
}

/// Deletes a record.
async fn delete<T: Transaction>(
    tx: &mut T,
    noun: &'static Noun,
    id: i64,
    cascade: bool,
    terms: &Terms,
) -> Result<()> {
    // Others could give a lead another action meanwhile.
    if noun.name == "lead" && cascade && !T::LOCKING.is_empty() || terms.versions.is_some() {
        let record = read(tx, noun, id).await?;
        terms.hold(record.version())?;
    }
    match noun.name {
        "lead" if cascade => cascade_lead(tx, id).await?,
        "action" => forget_action(tx, "last_action_id = $2", id).await?,
        _ => {}
    }
    match tx.execute(&statements(noun).delete, &[id.into()]).await {
        Ok(0) => Err(noun.not_found()),
        Ok(_) => Ok(()),
        Err(Fault::Reference) => Err(still_has(tx, noun, id).await?),
        Err(Fault::Error(error)) => Err(error),
    }
}

/// Deletes what a lead has.
async fn cascade_lead(tx: &mut impl Transaction, id: i64) -> Result<()> {
    tx.execute("DELETE FROM processes WHERE lead_id = $1", &[id.into()])
        .await?;
    // Processes of other leads may name an action of this one.
    forget_action(
        tx,
        "last_action_id IN (SELECT id FROM actions WHERE lead_id = $2)",
        id,
    )
    .await?;
    tx.execute("DELETE FROM actions WHERE lead_id = $1", &[id.into()])
        .await?;
    Ok(())
}

/// Clears the last action of the processes that the condition finds. The schema would do it by itself, but without
/// telling in `updated_at` that the process has changed.
async fn forget_action(tx: &mut impl Transaction, condition: &str, id: i64) -> Result<()> {
    let sql = format!(
        "UPDATE processes SET last_action_id = NULL, updated_at = $1, version = version + 1 WHERE {condition}"
    );
    tx.execute(&sql, &[time::now().as_str().into(), id.into()])
        .await?;
    Ok(())
}

/// The conflict of a lead that has actions or processes.
async fn still_has(tx: &mut impl Transaction, noun: &Noun, id: i64) -> Result<Error> {
    let mut counts = Vec::new();
    // Only leads have records of crm's own.
    let owned = [&ACTION, &PROCESS]
        .into_iter()
        .filter(|_| noun.name == "lead");
    for noun in owned {
        let sql = format!("SELECT count(*) FROM {} WHERE lead_id = $1", noun.plural);
        let rows = tx.query(&sql, &[id.into()]).await?;
        match rows
            .first()
            .and_then(|row| row.first())
            .and_then(Value::int)
        {
            None | Some(0) => {}
            Some(1) => counts.push(format!("1 {}", noun.name)),
            Some(count) => counts.push(format!("{count} {}", noun.plural)),
        }
    }
    if counts.is_empty() {
        let message =
            "another table of this database refers to the record, and not by a rule of crm's";
        return Ok(Error::new(Code::Conflict, message));
    }
    let message = format!(
        "Lead {id} has {}; delete them first, or all together (?cascade=true, --cascade)",
        counts.join(" and ")
    );
    Ok(Error::new(Code::Conflict, message))
}

/// The refusal of a database that is half of a copy.
pub(crate) fn unfinished(source: &str) -> Error {
    let message = format!(
        "the database holds an unfinished copy of {source}; finish it with `crm copy`, or remove it"
    );
    Error::failed(message)
}

/// Marks an empty database as one that `source` is copied to, and answers the mark that it has already.
pub(crate) async fn mark(tx: &mut impl Transaction, source: &str) -> Result<Option<String>> {
    tx.execute(
        "CREATE TABLE IF NOT EXISTS crm_copy (source text NOT NULL)",
        &[],
    )
    .await?;
    let rows = tx.query("SELECT source FROM crm_copy", &[]).await?;
    if let Some(found) = rows.first().and_then(|row| row.first()?.text()) {
        return Ok(Some(found.to_string()));
    }
    for noun in crate::model::nouns::NOUNS {
        let sql = format!("SELECT id FROM {} LIMIT 1", noun.plural);
        if !tx.query(&sql, &[]).await?.is_empty() {
            let message = format!(
                "the target holds {} already; expected an empty one",
                noun.plural
            );
            return Err(Error::new(Code::Conflict, message));
        }
    }
    tx.execute(
        "INSERT INTO crm_copy (source) VALUES ($1)",
        &[source.into()],
    )
    .await?;
    Ok(None)
}

/// Removes the mark.
pub(crate) async fn unmark(tx: &mut impl Transaction) -> Result<()> {
    tx.execute("DROP TABLE crm_copy", &[]).await?;
    Ok(())
}

/// Inserts records as they are.
pub(crate) async fn take(
    tx: &mut impl Transaction,
    noun: &'static Noun,
    records: &[Record],
) -> Result<()> {
    let names = noun.fields.iter().map(|field| field.name);
    let names: Vec<&str> = names.chain(["version"]).collect();
    let markers: Vec<String> = (1..=names.len()).map(|at| format!("${at}")).collect();
    let (names, markers) = (names.join(", "), markers.join(", "));
    let sql = format!("INSERT INTO {} ({names}) VALUES ({markers})", noun.plural);
    for record in records {
        match tx.execute(&sql, &record.row()).await {
            Ok(_) => {}
            Err(Fault::Reference) => return Err(dangling(noun, record)),
            Err(Fault::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

fn dangling(noun: &Noun, record: &Record) -> Error {
    let message = format!(
        "{} {} refers to a record that is not there; mend it in the source first",
        noun.name,
        record.id()
    );
    Error::new(Code::Conflict, message)
}

/// A select that is being put together: its text, and its parameters in the order of their markers.
#[derive(Debug, Default)]
pub(crate) struct Select {
    pub(crate) text: String,
    pub(crate) params: Vec<Value>,
    dialect: Dialect,
    /// Whether it answers also what only may fit.
    pub(crate) may_differ: bool,
}

const LIKE: &str = " LIKE ";
const ESCAPE: &str = " ESCAPE '\\'";

/// Whether all that a test of a text asks for is short enough to be in an index.
fn is_indexed(test: &Test) -> bool {
    let is_short =
        |operand: &Operand| matches!(operand, Operand::Text(text) if text.len() <= LONGEST_INDEXED);
    match test {
        Test::Compare(Comparison::Eq, operand) => is_short(operand),
        Test::In(operands) => operands.iter().all(is_short),
        _ => false,
    }
}

/// How a list walks its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// One statement in the list's order.
    Once,
    /// A statement a chunk, each going on behind an id. An index that answers in another order than that of the ids
    /// would make each of them sort all that is left, so that ranges are kept from using theirs.
    ById,
}

impl Select {
    /// A text as it is.
    pub(crate) fn of(text: String, params: Vec<Value>) -> Select {
        Select {
            text,
            params,
            ..Select::default()
        }
    }

    /// These columns of a noun.
    fn from(dialect: Dialect, noun: &Noun, columns: &str) -> Select {
        Select {
            text: format!("SELECT {columns} FROM {}", noun.plural),
            dialect,
            ..Select::default()
        }
    }

    fn push(&mut self, text: &str) -> &mut Select {
        self.text.push_str(text);
        self
    }

    /// Appends a marker and its value.
    fn value(&mut self, value: impl Into<Value>) -> &mut Select {
        self.params.push(value.into());
        let _ = write!(self.text, "${}", self.params.len());
        self
    }

    /// `SELECT count(*)` of the records of all pages.
    pub(crate) fn count(dialect: Dialect, query: &Query) -> Select {
        let mut select = Select::from(dialect, query.noun, "count(*)");
        select.conditions(query, Walk::Once, false);
        select
    }

    /// The records in order, from the cursor on, at most `limit` of them.
    pub(crate) fn page(dialect: Dialect, query: &Query, limit: u64) -> Select {
        let mut select = Select::from(dialect, query.noun, &columns(query.noun));
        select.conditions(query, Walk::Once, true);
        select.order(query);
        select.limit(limit)
    }

    /// The records of all pages in no order.
    pub(crate) fn unordered(dialect: Dialect, query: &Query) -> Select {
        let mut select = Select::from(dialect, query.noun, &columns(query.noun));
        select.conditions(query, Walk::Once, false);
        select
    }

    /// The ids in order, from the cursor on.
    pub(crate) fn ids(dialect: Dialect, query: &Query) -> Select {
        let id = format!("{}.id", query.noun.plural);
        let mut select = Select::from(dialect, query.noun, &id);
        select.conditions(query, Walk::Once, true);
        select.order(query);
        select
    }

    /// The select with at most `limit` rows.
    pub(crate) fn limit(mut self, limit: u64) -> Select {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.push(" LIMIT ").value(limit);
        self
    }

    /// These [`columns`] of the records from one id to another, in the order of ids that the query has.
    pub(crate) fn between(
        dialect: Dialect,
        query: &Query,
        columns: &str,
        (low, high): (i64, i64),
    ) -> Select {
        let table = query.noun.plural;
        let mut select = Select::from(dialect, query.noun, columns);
        select.conditions(query, Walk::ById, true);
        select.push(" AND ").push(table).push(".id >= ").value(low);
        select.push(" AND ").push(table).push(".id <= ").value(high);
        select.order(query);
        select
    }

    /// `WHERE` and everything that has to hold.
    fn conditions(&mut self, query: &Query, walk: Walk, from_cursor: bool) {
        // Always there, so that every further condition begins with AND.
        self.push(" WHERE 1 = 1");
        for filter in &query.filters {
            self.push(" AND ");
            match &filter.column {
                Column::Field(at) => self.field(query.noun, *at, &filter.test, walk),
                Column::Attribute(key) => self.attribute(key, &filter.test),
            }
        }
        if let Some(pattern) = &query.search {
            let mut before = " AND (";
            for field in query.noun.fields.iter().filter(|field| field.searchable()) {
                self.push(before).like(field.name, pattern);
                before = " OR ";
            }
            self.push(")");
        }
        if from_cursor && let Some(cursor) = &query.after {
            self.push(" AND ")
                .after(query.noun, &query.order, &cursor.0);
        }
    }

    fn field(&mut self, noun: &Noun, at: usize, test: &Test, walk: Walk) {
        let field = &noun.fields[at];
        let is_point = matches!(
            test,
            Test::Compare(Comparison::Eq, Operand::Int(_) | Operand::Text(_)) | Test::Null
        );
        let mut column = match field.kind {
            Kind::Email => "lower(email)".to_string(),
            _ => format!("{}.{}", noun.plural, field.name),
        };
        // Of two bounds SQLite uses the first: that of a filter on the ids would make each chunk walk from its beginning.
        if walk == Walk::ById && !is_point && self.dialect == Dialect::Sqlite {
            column.insert(0, '+');
        }
        if self.dialect == Dialect::Postgres && field.searchable() && is_indexed(test) {
            self.push("octet_length(")
                .push(field.name)
                .push(&format!(") <= {LONGEST_INDEXED} AND "));
        }
        match test {
            Test::Null => self.push(&column).push(" IS NULL"),
            Test::NotNull => self.push(&column).push(" IS NOT NULL"),
            Test::Like(pattern) => self.like(&format!("{}.{}", noun.plural, field.name), pattern),
            Test::Compare(comparison, operand) => self.compare(&column, *comparison, operand),
            Test::In(operands) => self.within(&column, operands),
        };
    }

    /// `(a OR b OR …)`, in halves, as a database bounds how deep a chain of ORs may go.
    fn any(&mut self, operands: &[Operand], each: &dyn Fn(&mut Select, &Operand)) -> &mut Select {
        self.push("(");
        match operands {
            [] => {
                self.push("1 = 0");
            }
            [one] => each(self, one),
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                self.any(left, each).push(" OR ").any(right, each);
            }
        }
        self.push(")")
    }

    /// A column in a list of values: one `IN`, which keeps its index, unless some of them are spans of time.
    fn within(&mut self, column: &str, operands: &[Operand]) -> &mut Select {
        if operands
            .iter()
            .any(|operand| matches!(operand, Operand::Range(_)))
        {
            return self.any(operands, &|select, operand| {
                select.compare(column, Comparison::Eq, operand);
            });
        }
        let mut before = " IN (";
        self.push(column);
        for operand in operands {
            self.push(before);
            match operand {
                Operand::Int(int) => self.value(*int),
                Operand::Text(text) => self.value(text.as_str()),
                Operand::Range(_) => self,
            };
            before = ", ";
        }
        self.push(")")
    }

    fn compare(&mut self, column: &str, comparison: Comparison, operand: &Operand) -> &mut Select {
        let value: Value = match operand {
            Operand::Int(int) => (*int).into(),
            Operand::Text(text) => text.as_str().into(),
            Operand::Range(range) => {
                return self.compare_range(column, comparison, &range.start, &range.end);
            }
        };
        let sign = match comparison {
            Comparison::Eq => " = ",
            Comparison::Ne => {
                return self
                    .push("(")
                    .push(column)
                    .push(" <> ")
                    .value(value)
                    .push(" OR ")
                    .push(column)
                    .push(" IS NULL)");
            }
            Comparison::Gt => " > ",
            Comparison::Gte => " >= ",
            Comparison::Lt => " < ",
            Comparison::Lte => " <= ",
        };
        self.push(column).push(sign).value(value)
    }

    fn compare_range(
        &mut self,
        column: &str,
        comparison: Comparison,
        start: &str,
        end: &str,
    ) -> &mut Select {
        match comparison {
            Comparison::Eq => {
                self.push("(").push(column).push(" >= ").value(start);
                self.push(" AND ")
                    .push(column)
                    .push(" < ")
                    .value(end)
                    .push(")")
            }
            Comparison::Ne => {
                self.push("(").push(column).push(" < ").value(start);
                self.push(" OR ").push(column).push(" >= ").value(end);
                self.push(" OR ").push(column).push(" IS NULL)")
            }
            Comparison::Gt => self.push(column).push(" >= ").value(end),
            Comparison::Gte => self.push(column).push(" >= ").value(start),
            Comparison::Lt => self.push(column).push(" < ").value(start),
            Comparison::Lte => self.push(column).push(" < ").value(end),
        }
    }

    /// A test of one key of the attributes, by functions that every connection has: `attribute(attributes, key)` is
    /// the value as text, `attribute_compare(attributes, key, value)` is -1, 0 or 1, both null where there is no value.
    fn attribute(&mut self, key: &str, test: &Test) {
        if self.dialect == Dialect::Postgres {
            self.may_have_attribute(key, test);
            return;
        }
        match test {
            Test::Null => self
                .push("attribute(attributes, ")
                .value(key)
                .push(") IS NULL"),
            Test::NotNull => self
                .push("attribute(attributes, ")
                .value(key)
                .push(") IS NOT NULL"),
            Test::Like(pattern) => self
                .push("attribute(attributes, ")
                .value(key)
                .push(")")
                .push(LIKE)
                .value(pattern.as_str())
                .push(ESCAPE),
            Test::Compare(comparison, operand) => self.attribute_compare(key, *comparison, operand),
            Test::In(operands) => self.attribute_in(key, operands),
        };
    }

    /// `attribute_in(attributes, key, values)` takes the values as a JSON array, and the attributes are read once for all.
    fn attribute_in(&mut self, key: &str, operands: &[Operand]) -> &mut Select {
        let texts = operands.iter().filter_map(|operand| match operand {
            Operand::Text(text) => Some(serde_json::Value::from(text.as_str())),
            _ => None,
        });
        let texts = serde_json::Value::Array(texts.collect()).to_string();
        self.push("attribute_in(attributes, ")
            .value(key)
            .push(", ")
            .value(texts.as_str())
            .push(")")
    }

    fn attribute_compare(
        &mut self,
        key: &str,
        comparison: Comparison,
        operand: &Operand,
    ) -> &mut Select {
        let Operand::Text(text) = operand else {
            // The attributes are always read as text.
            return self.push("1 = 0");
        };
        let test = match comparison {
            Comparison::Eq => " = 0",
            Comparison::Ne => " <> 0",
            Comparison::Gt => " > 0",
            Comparison::Gte => " >= 0",
            Comparison::Lt => " < 0",
            Comparison::Lte => " <= 0",
        };
        // No value is not equal to any.
        let call = if comparison == Comparison::Ne {
            "coalesce(attribute_compare(attributes, "
        } else {
            "attribute_compare(attributes, "
        };
        self.push(call)
            .value(key)
            .push(", ")
            .value(text.as_str())
            .push(")");
        if comparison == Comparison::Ne {
            self.push(", 1)");
        }
        self.push(test)
    }

    /// A test of attributes for a database that cannot read them: whether the key may be there.
    fn may_have_attribute(&mut self, key: &str, test: &Test) -> &mut Select {
        self.may_differ = true;
        if matches!(test, Test::Null | Test::Compare(Comparison::Ne, _)) {
            return self.push("true");
        }
        // A key that is written with an escape holds a backslash, however else it could be written.
        let quoted = serde_json::Value::from(key).to_string();
        self.push("(strpos(attributes, ")
            .value(quoted.as_str())
            .push(") > 0 OR strpos(attributes, '\\') > 0)")
    }

    fn like(&mut self, column: &str, pattern: &str) -> &mut Select {
        if self.dialect == Dialect::Sqlite {
            return self.push(column).push(LIKE).value(pattern).push(ESCAPE);
        }
        // Among the letters of ASCII both databases fold alike. A text that has others may fit, and one that has none
        // does not fit a pattern that has some.
        self.may_differ = true;
        let folded: String = pattern.chars().map(fold).collect();
        let is_plain = folded.is_ascii();
        if is_plain {
            self.push("(lower(").push(column).push(")").push(LIKE);
            self.value(folded.as_str()).push(ESCAPE).push(" OR ");
        }
        self.push("octet_length(")
            .push(column)
            .push(") <> length(")
            .push(column)
            .push(if is_plain { "))" } else { ")" })
    }

    /// What a key of the order sorts by.
    fn key(noun: &Noun, at: usize) -> String {
        let field = &noun.fields[at];
        let column = format!("{}.{}", noun.plural, field.name);
        match field.searchable() {
            true => format!("substr({column}, 1, {SORTED_LETTERS})"),
            false => column,
        }
    }

    fn order(&mut self, query: &Query) -> &mut Select {
        let mut before = " ORDER BY ";
        for sort in &query.order {
            self.push(before).push(&Self::key(query.noun, sort.at));
            // SQLite's own order, said for PostgreSQL.
            match (query.noun.fields[sort.at].nullable(), sort.descending) {
                (true, false) => self.push(" NULLS FIRST"),
                (true, true) => self.push(" DESC NULLS LAST"),
                (false, false) => self,
                (false, true) => self.push(" DESC"),
            };
            before = ", ";
        }
        self
    }

    /// `(a > $1 OR (a = $1 AND (b > $2 OR …)))`: behind the cursor in the order.
    fn after(&mut self, noun: &Noun, order: &[Sort], values: &[Value]) -> &mut Select {
        let (Some((sort, order)), Some((value, values))) =
            (order.split_first(), values.split_first())
        else {
            return self.push("1 = 0");
        };
        let key = Self::key(noun, sort.at);
        let nullable = noun.fields[sort.at].nullable();
        if !nullable && !order.is_empty() {
            // Says nothing new, but lets an index begin at the cursor.
            self.push(&key)
                .push(if sort.descending { " <= " } else { " >= " })
                .value(value.clone())
                .push(" AND ");
        }
        self.push("(");
        match (value, sort.descending) {
            (Value::Null, false) => self.push(&key).push(" IS NOT NULL"),
            (Value::Null, true) => self.push("1 = 0"),
            (value, false) => self.push(&key).push(" > ").value(value.clone()),
            (value, true) if nullable => {
                self.push("(").push(&key).push(" < ").value(value.clone());
                self.push(" OR ").push(&key).push(" IS NULL)")
            }
            (value, true) => self.push(&key).push(" < ").value(value.clone()),
        };
        if !order.is_empty() {
            self.push(" OR (").push(&key);
            match value {
                Value::Null => self.push(" IS NULL"),
                value => self.push(" = ").value(value.clone()),
            };
            self.push(" AND ").after(noun, order, values).push(")");
        }
        self.push(")")
    }
}
