//! Where the records are: a SQLite file, a PostgreSQL database or a server.
//!
//! Reads the texts that name one of them. No error repeats a URL that may hold a password.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::base::error::quoted;
use crate::base::url::has_empty_port;
use crate::store::postgres;

/// Where the records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In a SQLite file at this path.
    Database(PathBuf),
    /// In the PostgreSQL database at this URL, which may hold a password.
    Postgres(String),
    /// Behind a server at this `http` or `https` URL, which has no slash at its end.
    Url(String),
}

/// Reads the source or the target of a copy: a database as `--db` takes it, or the URL of a server.
pub fn parse_end(text: &str, folder: &Path) -> Result<Location, String> {
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return parse_url(text).map(Location::Url);
    }
    parse_location(text, folder)
}

/// Reads a database as `--db` takes it. A relative path is relative to `folder`.
pub(super) fn parse_location(text: &str, folder: &Path) -> Result<Location, String> {
    if is_postgres(text) {
        // tokio-postgres accepts only a lowercase scheme.
        let (scheme, rest) = text.split_at(text.find(':').unwrap_or_default());
        let url = scheme.to_ascii_lowercase() + rest;
        postgres::check_url(&url)?;
        return Ok(Location::Postgres(url));
    }
    let path = parse_database(text)?;
    // Collecting the components drops the dot of `./crm.db`.
    Ok(Location::Database(folder.join(path).components().collect()))
}

/// Whether a text names a PostgreSQL database.
fn is_postgres(text: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// The URL of a database without its password, safe to show.
pub fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    // A password with an unescaped / or ? is refused, but this function may see URLs that were not checked.
    let user_end = rest[..end].rfind('@').or_else(|| rest.rfind('@'));
    let (user, rest) = user_end.map_or(("", rest), |at| rest.split_at(at));
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_password = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        percent_decode_str(name).decode_utf8_lossy() == "password"
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !is_password(pair))
        .collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{scheme}://{user}{path}{mark}{}", kept.join("&"))
}

/// Reads the name of a SQLite file: a path, or a `sqlite:` URL as SQLAlchemy defines it (three slashes are relative, four
/// are absolute), because the earlier service was configured with such URLs. `sqlite:` and `sqlite://` before a path are
/// accepted too. Nothing is percent-decoded, as SQLAlchemy does not do it either; `~` is left to the shell.
///
/// The error says what was expected. It does not repeat a URL, which may hold a password.
pub fn parse_database(text: &str) -> Result<PathBuf, String> {
    let expected = |got: &str| {
        Err(format!(
            "expected a path like crm.db or a URL like postgres://user@host/crm, got {got}"
        ))
    };
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => (String::new(), text),
    };
    let path = match scheme.as_str() {
        "sqlite" if rest.contains('?') => {
            return expected("a sqlite: URL with parameters after a ?");
        }
        "sqlite" => {
            let path = rest.strip_prefix("///").or(rest.strip_prefix("//"));
            path.unwrap_or(rest)
        }
        "file" => return expected("a file: URL"),
        "postgres" | "postgresql" => return expected("a URL without // after its colon"),
        // This is libpq's other form, or a URL with a typing error. Errors about files would show its password.
        _ if rest.contains("password=") || text.starts_with("postgres") && text.contains('@') => {
            return expected("neither a path nor a URL");
        }
        _ if rest.starts_with("//") && !scheme.is_empty() => {
            return expected(&format!("a {scheme}:// URL"));
        }
        _ => text,
    };
    match path {
        ":memory:" => expected("a database in memory, which would be lost after the command"),
        path if path.trim().is_empty() => expected("none"),
        // A line end at the end would make a second database, whose name looks like that of the first.
        path if path.contains(char::is_control) => {
            expected("one with a line end or another control character")
        }
        path => Ok(path.into()),
    }
}

/// Whether a text may stand before the colon of a URL (RFC 3986, section 3.1). A single letter is a Windows drive.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Reads the URL of a server and drops a slash at its end. The error says what was expected.
pub fn parse_url(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected a URL like http://localhost:8000";
    // The text before an @ may be a password, which no message may show.
    let got = match text.contains('@') {
        true => String::new(),
        false => format!(", got {}", quoted(text)),
    };
    // The URL parser drops blanks and accepts `http:host`.
    let odd = text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
    let Some(url) = Url::parse(text).ok().filter(|_| !odd) else {
        return Err(format!("{EXPECTED}{got}"));
    };
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return Err(format!("{EXPECTED}, with http:// or https://{got}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{EXPECTED}, without user and password"));
    }
    if has_empty_port(text) {
        return Err(format!(
            "{EXPECTED}, with a number after the colon of the port{got}"
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{EXPECTED}, without ? and #{got}"));
    }
    Ok(url.as_str().trim_end_matches('/').into())
}
