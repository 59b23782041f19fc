//! Tests of texts that name a database or a server.

use crate::config::location::{parse_database, parse_url, without_password};
use crate::config::tests::user::User;

#[test]
fn databases_are_paths_or_sqlite_urls() {
    for (text, path) in [
        ("crm.db", "crm.db"),
        ("./crm.db", "./crm.db"),
        ("/data/crm.db", "/data/crm.db"),
        ("C:/data/crm.db", "C:/data/crm.db"),
        ("a:b.db", "a:b.db"),
        ("what?.db", "what?.db"),
        ("~/crm.db", "~/crm.db"),
        ("sqlite:///crm.db", "crm.db"),
        ("sqlite:///./crm.db", "./crm.db"),
        ("sqlite:////data/crm.db", "/data/crm.db"),
        ("sqlite:crm.db", "crm.db"),
        ("sqlite:/data/crm.db", "/data/crm.db"),
        ("sqlite://crm.db", "crm.db"),
        ("sqlite:///a%20b.db", "a%20b.db"),
        ("SQLite:///crm.db", "crm.db"),
    ] {
        assert_eq!(parse_database(text), Ok(path.into()), "{text}");
    }
    for text in [
        "",
        " ",
        ":memory:",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite::memory:",
        "sqlite:///:memory:",
        "sqlite:///crm.db?mode=ro",
        "file:crm.db",
        "file:///crm.db",
        "sqlite+aiosqlite:///crm.db",
        "http://localhost:8000",
        "a\0b",
    ] {
        let expected = parse_database(text).unwrap_err();
        assert!(
            expected.starts_with("expected a path like crm.db"),
            "{text}: {expected}"
        );
    }
}

#[test]
fn no_refusal_repeats_a_password() {
    let database = User::new().variable("DATABASE_URL", "mysql://me:secret@host/crm");
    assert_eq!(
        database.refusal(),
        "DATABASE_URL: expected a path like crm.db or a URL like postgres://user@host/crm, got a mysql:// URL"
    );
    let database = User::new().variable("DATABASE_URL", "postgres://me:secret@host/crm?nope=1");
    let refusal = database.refusal();
    assert!(refusal.starts_with("DATABASE_URL: "), "{refusal}");
    assert!(!refusal.contains("secret"), "{refusal}");
    for (url, shown) in [
        ("postgres://me:secret@host/crm", "postgres://me@host/crm"),
        (
            "postgres://me:s@a:1,b:2/crm?x=1",
            "postgres://me@a:1,b:2/crm?x=1",
        ),
        (
            "postgres://host/crm?password=secret&user=me",
            "postgres://host/crm?user=me",
        ),
        ("postgres://host", "postgres://host"),
        ("postgres://me:se/cr@et?@host/crm", "postgres://me@host/crm"),
        (
            "postgres://host/crm?user=me&pass%77ord=secret",
            "postgres://host/crm?user=me",
        ),
        (
            "postgres://me:secret@host/crm?application_name=a@b",
            "postgres://me@host/crm?application_name=a@b",
        ),
    ] {
        assert_eq!(without_password(url), shown);
    }
    for url in [
        "https://me:secret@host/",
        "https://me:secret@/",
        "me:secret@host",
    ] {
        let refusal = User::new().flag("--url", url).refusal();
        assert!(refusal.starts_with("--url: expected a URL like http://"));
        assert!(!refusal.contains("secret"), "{refusal}");
    }
}

#[test]
fn urls_are_http_with_a_host() {
    for (text, url) in [
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://localhost:8000/", "http://localhost:8000"),
        (
            "https://crm.example.com/team/",
            "https://crm.example.com/team",
        ),
        ("HTTPS://Example.com", "https://example.com"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ] {
        assert_eq!(parse_url(text).as_deref(), Ok(url), "{text}");
    }
    for text in [
        "",
        "localhost:8000",
        "localhost",
        "http:localhost",
        "http://",
        "http://:8000",
        "ftp://host",
        "sqlite:///crm.db",
        "http://host?x=1",
        "http://host#top",
        "http://me@host",
        "http://me:pw@host",
        "http://ho st",
        " http://host",
        "http://host\\x",
        "http://host:99999",
        "http://host:",
        "http://host:/crm",
    ] {
        assert!(parse_url(text).is_err(), "{text}");
    }
}
