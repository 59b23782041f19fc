//! Any text where a word is expected: headers, addresses, URLs, tokens, names and the config file. What is refused is told
//! in a sentence, what is taken is taken again as it was read, and no password is repeated.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::LazyLock;

use crm::config::{
    self, Asker, Backups, Flags, Listen, Location, ServiceSettings, Settings, Surroundings, table,
};
use crm::model::draft::input_from_text;
use crm::model::email::email;
use crm::model::kind::Kind;
use crm::model::nouns::NOUNS;
use crm::model::query::escape;
use crm::model::terms::{Key, Tag, Versions};
use crm::model::token::{PREFIX, Secret, check_name, redacted};
use crm::net::peer::{Peer, Proxies, check_network};
use crm::server::cors::check_origin;
use crm::store::postgres::check_url;
use crm_fuzz::{check_refusal, check_sentence, folder};
use libfuzzer_sys::fuzz_target;
use warp::http::{HeaderMap, HeaderValue};

fuzz_target!(|input: &str| {
    check_file(input);
    check_peer(input);
    let text = input.lines().next().unwrap_or_default();
    check_versions(text);
    check_key(text);
    check_token(text);
    check_email(text);
    check_urls(text);
    check_password(text);
    check_fields(text);
});

/// What is refused is told in a sentence.
fn told<T>(read: Result<T, String>) -> Option<T> {
    read.inspect_err(|expected| check_sentence(expected)).ok()
}

fn check_versions(text: &str) {
    if let Some(tag) = Tag::parse(text) {
        assert_eq!(Tag::parse(&tag.text()), Some(tag));
    }
    let strong = told(Versions::parse(text, false));
    let all = told(Versions::parse(text, true));
    match (strong, all) {
        (Some(Versions::Of(strong)), Some(Versions::Of(all))) => {
            assert!(strong.iter().all(|version| all.contains(version)));
            if !all.is_empty() {
                let again = Versions::parse(&Versions::Of(all.clone()).text(), false);
                assert_eq!(again, Ok(Versions::Of(all)));
            }
        }
        // A weak or foreign tag is told as such where it cannot be used.
        (Some(Versions::Unusable(_)), Some(Versions::Of(_))) => {}
        (strong, all) => assert_eq!(strong, all),
    }
}

fn check_key(text: &str) {
    if let Some(key) = told(Key::parse(text, &["a", "b"], b"body")) {
        assert!(key.text.bytes().all(|byte| byte.is_ascii_graphic()));
        let quoted = format!("\"{}\"", key.text);
        assert_eq!(Key::parse(&quoted, &["a", "b"], b"body"), Ok(key.clone()));
        assert_ne!(
            Key::parse(text, &["ab", ""], b"body").map(|other| other.id),
            Ok(key.id)
        );
    }
}

/// Lines of `X-Forwarded-For`, as a proxy sends them.
fn check_peer(input: &str) {
    static PROXIES: LazyLock<Proxies> = LazyLock::new(|| {
        let trusted = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/64"];
        Proxies::new(&trusted.map(String::from))
    });
    let proxy = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let client = |before: &str| {
        let lines = [before, input]
            .join("")
            .lines()
            .map(str::to_string)
            .collect::<Vec<_>>();
        let values = lines
            .iter()
            .filter_map(|line| HeaderValue::from_str(line).ok());
        let values = values.map(|value| ("x-forwarded-for".parse().expect("a name"), value));
        let headers = HeaderMap::from_iter(values);
        let stranger = IpAddr::from([192, 0, 2, 1]);
        let untrusted = Peer::new((stranger, 1).into(), &PROXIES, false);
        assert_eq!(untrusted.client(&headers), stranger);
        Peer::new(proxy, &PROXIES, false).client(&headers)
    };
    let believed = client("");
    // Nobody who stands before a stranger counts.
    if !PROXIES.trusts(believed) {
        assert_eq!(client("198.51.100.1\n"), believed);
        assert_eq!(client("made up\n"), believed);
    }
    let text = input.trim();
    match told(check_network(text)) {
        Some(()) => {
            let proxies = Proxies::new(&[text.to_string()]);
            let address = text
                .split('/')
                .next()
                .and_then(|address| address.parse::<IpAddr>().ok());
            assert!(proxies.trusts(address.expect("an address")), "{text}");
        }
        None => assert_eq!(Proxies::new(&[text.to_string()]), Proxies::default()),
    }
}

fn check_token(text: &str) {
    if let Some(secret) = Secret::parse(text) {
        assert_eq!(secret.text(), text);
        assert!(!format!("{secret:?}").contains(text));
    }
    if told(check_name(text)).is_some() {
        assert!(Secret::parse(text).is_none() && !text.contains(char::is_whitespace));
    }
    // Four letters of a token at most are left in a log, and what is none stays.
    let shown = redacted(text);
    assert!(text.contains(PREFIX) || text.contains('%') || shown == text);
    for part in shown.split(PREFIX).skip(1) {
        let letters = part.bytes().take_while(u8::is_ascii_alphanumeric).count();
        assert!(letters <= 4, "{text} {shown}");
    }
}

fn check_email(text: &str) {
    if let Some(address) = email(text) {
        assert_eq!(email(&address).as_ref(), Some(&address));
        assert!(address.contains('@') && !address.contains(char::is_control));
    }
}

fn check_urls(text: &str) {
    let folder = PathBuf::from("/folder");
    if let Some(url) = told(config::parse_url(text)) {
        assert_eq!(config::parse_url(&url), Ok(url.clone()));
        assert_eq!(config::parse_end(text, &folder), Ok(Location::Url(url)));
    }
    told(config::parse_database(text));
    told(config::parse_end(text, &folder));
    told(check_origin(text));
}

/// A text as a part of a password.
fn check_password(text: &str) {
    const SECRET: &str = "hunter2";
    let hidden = |url: &str| {
        assert!(!config::without_password(url).contains(SECRET), "{url}");
        for read in [
            check_url(url),
            config::parse_end(url, &PathBuf::new()).map(drop),
        ] {
            assert!(!told_of(read).contains(SECRET), "{url}");
        }
    };
    let escaped = escape(text);
    let plain = format!("postgres://ada:{escaped}{SECRET}@example.com:5432/crm?sslmode=disable");
    assert_eq!(check_url(&plain), Ok(()));
    assert_eq!(
        config::without_password(&plain),
        "postgres://ada@example.com:5432/crm?sslmode=disable"
    );
    hidden(&plain);
    hidden(&format!(
        "postgres://example.com/crm?password={escaped}{SECRET}&{escaped}"
    ));
    // Not everybody escapes it. Where an @ of it stands before a / the rest is something else.
    if !(text.contains('@') && text.contains(['/', '?'])) {
        hidden(&format!("postgres://ada:{text}{SECRET}@example.com/crm"));
        hidden(&format!("postgres://ada:{SECRET}{text}@example.com/crm"));
    }
}

fn told_of(read: Result<(), String>) -> String {
    read.inspect_err(|expected| check_sentence(expected))
        .err()
        .unwrap_or_default()
}

/// A value of the command line.
fn check_fields(text: &str) {
    for noun in NOUNS {
        for field in noun.fields.iter().filter(|field| field.kind != Kind::Id) {
            told(input_from_text(field, text, &crm::base::time::Zone::UTC));
        }
        if let Err(error) = noun.parse_id(text) {
            check_refusal(&error);
        }
    }
}

/// A config file.
fn check_file(text: &str) {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| folder().join("config.toml"));
    std::fs::write(&*FILE, text).expect("a file");
    let mut flags = Flags::default();
    flags.set(&table::CONFIG, FILE.as_os_str());
    let around = Surroundings {
        environment: &|_| None,
        folder: "/nowhere".into(),
        config_folder: None,
        data_folder: Some("/nowhere".into()),
    };
    let listen = Listen::find(&flags, &around).expect("the default");
    let settings =
        [Asker::Command, Asker::Serve].map(|asker| Settings::find(&flags, &around, asker));
    let backups = Backups::find(&flags, &around);
    let service = ServiceSettings::find(&flags, &around);
    for error in settings.iter().filter_map(|found| found.as_ref().err()) {
        check_refusal(error);
    }
    backups.as_ref().err().into_iter().for_each(check_refusal);
    service.as_ref().err().into_iter().for_each(check_refusal);
    if let ([Ok(settings), _], Ok(backups), Ok(service)) = (settings, backups, service) {
        assert!(!config::rows(&settings, &listen, &backups, &service).is_empty());
    }
}
