//! The words that a column holds, for the completion of a command line.
//!
//! A completion must not disturb: it is bounded in time, takes no lock for longer than a read, and creates no file. So it
//! does not open the database as a store does. Words that it does not find in time are left out.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

/// How long the search may take.
const TIME: Duration = Duration::from_millis(25);

/// How many steps SQLite makes between two looks at the clock; they take a small part of a millisecond.
const STEPS: i32 = 1_000;

/// The most words that are found. More would not help anyone to choose.
const MOST: usize = 100;

/// How many of the newest rows are read if the column has no index.
const NEWEST: usize = 5_000;

/// The words in a column of a table, in order. None if the file cannot be read.
pub fn words(path: &Path, table: &str, column: &str) -> Vec<String> {
    let mut found = Vec::new();
    // An error ends the search. What was found is still true.
    let _ = search(path, table, column, &mut found);
    found.sort();
    found.dedup();
    found
}

fn search(path: &Path, table: &str, column: &str, found: &mut Vec<String>) -> rusqlite::Result<()> {
    let Some(mut connection) = open(path)? else {
        return Ok(());
    };
    let begin = Instant::now();
    connection.progress_handler(STEPS, Some(move || begin.elapsed() > TIME))?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON")?;
    let is_indexed: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_index_list($1) AS i JOIN pragma_index_info(i.name) AS c
         WHERE c.seqno = 0 AND c.name = $2)",
        [table, column],
        |row| row.get(0),
    )?;
    let sql = match is_indexed {
        // One look into the index for each word, however many rows have it.
        true => format!(
            "WITH RECURSIVE word (text) AS (
                 SELECT min({column}) FROM {table}
                 UNION ALL
                 SELECT (SELECT min({column}) FROM {table} WHERE {column} > word.text) FROM word
                 WHERE word.text IS NOT NULL
             ) SELECT text FROM word WHERE text IS NOT NULL LIMIT {MOST}"
        ),
        false => format!(
            "SELECT DISTINCT {column} FROM (SELECT {column} FROM {table} ORDER BY id DESC LIMIT {NEWEST})
             WHERE {column} IS NOT NULL LIMIT {MOST}"
        ),
    };
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.extend(row.get::<_, String>(0).ok());
    }
    Ok(())
}

/// Opens a database without creating any file. `None` if that is not possible.
///
/// SQLite creates the files of a write-ahead log even for a reader, unless they exist or the database is opened as one
/// that nobody changes. Without a log nobody has it open for writing, or its writers lock the file itself; a reader that
/// ignores them finds an old word at worst.
fn open(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        Path::new(&name).exists()
    };
    let immutable = match (path.is_file(), beside("-wal"), beside("-shm")) {
        (false, ..) | (true, true, false) => return Ok(None),
        (true, true, true) => "",
        (true, false, _) => "&immutable=1",
    };
    let Some(path) = path.to_str().filter(|path| path.starts_with('/')) else {
        return Ok(None);
    };
    let path = path
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let uri = format!("file://{path}?mode=ro{immutable}");
    Connection::open_with_flags(uri, flags).map(Some)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn words_are_found_and_no_file_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a ?%#.db");
        let filled = Connection::open(&path).unwrap();
        filled
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE leads (id INTEGER PRIMARY KEY, status TEXT, channel TEXT);
                 CREATE INDEX leads_by_status ON leads (status);
                 INSERT INTO leads (status, channel) VALUES ('won', 'mail'), ('new', NULL), ('won', 'mail'), (NULL, 'fair')",
            )
            .unwrap();
        // With a log, and after its end.
        for open in [true, false] {
            let filled = open.then_some(&filled);
            assert_eq!(words(&path, "leads", "status"), ["new", "won"]);
            assert_eq!(words(&path, "leads", "channel"), ["fair", "mail"]);
            assert!(words(&path, "leads", "nothing").is_empty());
            if filled.is_some() {
                assert_eq!(files(folder.path()).len(), 3);
            }
        }
        drop(filled);
        assert_eq!(files(folder.path()), ["a ?%#.db"]);
        assert_eq!(words(&path, "leads", "status"), ["new", "won"]);
        assert!(words(&folder.path().join("none.db"), "leads", "status").is_empty());
        fs::write(folder.path().join("text.db"), "no database").unwrap();
        assert!(words(&folder.path().join("text.db"), "leads", "status").is_empty());
        assert_eq!(files(folder.path()), ["a ?%#.db", "text.db"]);
    }

    #[test]
    fn many_rows_take_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crm.db");
        let filled = Connection::open(&path).unwrap();
        filled
            .execute_batch(
                "CREATE TABLE leads (id INTEGER PRIMARY KEY, status TEXT);
                 CREATE INDEX leads_by_status ON leads (status);
                 INSERT INTO leads (status) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
                 SELECT 'word ' || i FROM n",
            )
            .unwrap();
        drop(filled);
        assert!(words(&path, "leads", "status").len() <= MOST);
    }
}
