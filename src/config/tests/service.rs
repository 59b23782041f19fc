//! Tests of the service's address, backups and limits.

use crate::config::parse::show_duration;
use crate::config::service::ServiceSettings;
use crate::config::settings::Asker;
use crate::config::table::{
    CORS_ORIGIN, MAX_BODY, MAX_CONNECTIONS, OPEN, RATE_PER_TOKEN, REQUIRE_TOKEN, TLS_CERT,
};
use crate::config::tests::user::User;

#[test]
fn serve_listens_where_the_flags_or_the_environment_say() {
    let show = |user: User| {
        let listen = user.listen().unwrap();
        let (host, port) = (listen.host, listen.port);
        format!(
            "{} ({}), {} ({})",
            host.value, host.origin, port.value, port.origin
        )
    };
    assert_eq!(show(User::new()), "0.0.0.0 (default), 8000 (default)");
    let environment = || {
        User::new()
            .variable("HOST", "localhost")
            .variable("PORT", "0")
    };
    assert_eq!(
        show(environment()),
        "localhost (environment HOST), 0 (environment PORT)"
    );
    assert_eq!(
        show(
            environment()
                .flag("--host", "[::1]")
                .flag("--port", "65535")
        ),
        "::1 (flag --host), 65535 (flag --port)"
    );
    for port in ["65536", "-1", "+80", "http", "8 0", "8e3"] {
        let error = User::new().variable("PORT", port).listen().unwrap_err();
        assert_eq!(
            error.message,
            format!("PORT: expected a port from 0 to 65535, got {port:?}")
        );
    }
    for host in ["", "a b", "http://h", "h:80", "[127.0.0.1]", "[::1", "é"] {
        let error = User::new().flag("--host", host).listen().unwrap_err();
        assert!(error.message.starts_with("--host: expected"), "{host}");
    }
    assert!(User::new().flag("--port", "").listen().is_err());
    assert!(User::new().flag("--port", " 80").listen().is_err());
    let padded = User::new()
        .variable("HOST", "\t::1 \n")
        .variable("PORT", " 8000\r\n");
    assert_eq!(
        show(padded),
        "::1 (environment HOST), 8000 (environment PORT)"
    );
    for platform in [
        "x86_64-conda-linux-gnu",
        "aarch64-conda-linux-gnu",
        "arm64-apple-darwin20.0.0",
        "x86_64-pc-linux-gnu",
        "x86_64-w64-mingw32",
    ] {
        let error = User::new().variable("HOST", platform).listen().unwrap_err();
        assert!(error.message.starts_with("HOST: expected"), "{error}");
        assert!(error.message.contains("conda"), "{error}");
        let given = User::new().variable("HOST", platform).flag("--host", "h");
        assert_eq!(given.listen().unwrap().host.value, "h");
    }
    assert!(
        User::new()
            .variable("HOST", "arm64-linux-1")
            .listen()
            .is_ok()
    );
    let error = std::io::Error::other("no");
    let refused = |user: User| user.listen().unwrap().refused(&error).message;
    assert_eq!(
        refused(environment()),
        "HOST and PORT: cannot listen on localhost port 0: no"
    );
    assert_eq!(
        refused(environment().flag("--host", "h")),
        "PORT: cannot listen on h port 0: no"
    );
    assert_eq!(
        refused(User::new()),
        "cannot listen on 0.0.0.0 port 8000: no"
    );
    // A wrong setting that only serve reads does not affect other commands.
    let user = User::new().variable("PORT", "tcp://x");
    assert!(user.settings(Asker::Command).is_ok());
}

#[test]
fn backups_are_found_at_every_level() {
    let shown = |user: User| {
        let found = user.backups().unwrap();
        let folder = found
            .folder
            .map(|folder| folder.value.display().to_string());
        let folder = user.homeless(&folder.unwrap_or("-".into()));
        let (every, keep) = (found.every.value, found.keep.value);
        format!("{folder} {} {keep}", show_duration(every))
    };
    let file = |text: &str| User::new().config(text);
    let all = "backup_dir = 'f'\nbackup_every = '1d'\nbackup_keep = 7";
    assert_eq!(shown(User::new()), "- 1h 24");
    assert_eq!(shown(file(all)), "~/settings/crm/f 1d 7");
    assert_eq!(
        shown(file("backup_dir = '/b'\nbackup_keep = '8'")),
        "/b 1h 8"
    );
    let user = file(all)
        .variable("CRM_BACKUP_DIR", "e")
        .variable("CRM_BACKUP_KEEP", "3")
        .variable("CRM_BACKUP_EVERY", "30s");
    assert_eq!(shown(user), "~/here/e 30s 3");
    let user = file(all)
        .variable("CRM_BACKUP_EVERY", "30s")
        .flag("--backup-dir", "./g/")
        .flag("--backup-every", "2w")
        .flag("--backup-keep", "1");
    assert_eq!(shown(user), "~/here/g 14d 1");
}

#[test]
fn backups_that_are_wrong_are_refused() {
    let refused = |name: &str, value: &str| {
        let user = User::new().flag("--backup-dir", "b").flag(name, value);
        let error = user.backups().unwrap_err();
        assert_eq!(error.code.exit(), 2);
        assert!(error.message.starts_with(&format!("{name}: ")), "{error}");
        error.message
    };
    for every in [
        "",
        "0s",
        "1",
        "h",
        "1.5h",
        "-1h",
        "+1h",
        "1H",
        "1h30m",
        "1y",
        "367d",
        "53w",
        "99999999999999999999s",
        "18446744073709551615w",
        "１h",
    ] {
        let message = refused("--backup-every", every);
        assert!(message.contains("30s, 15m, 1h or 1d"), "{message}");
    }
    for keep in ["", "0", "-1", "+1", "10001", "all", "1.5"] {
        let message = refused("--backup-keep", keep);
        assert!(message.contains("from 1 to 10000"), "{message}");
    }
    let folderless = |user: User, start: &str| {
        let message = user.homeless(&user.backups().unwrap_err().message);
        assert!(message.starts_with(start), "{message}");
        assert!(message.contains("--backup-dir"), "{message}");
    };
    let every = || User::new().flag("--backup-every", "1h");
    folderless(every(), "--backup-every: ");
    folderless(every().flag("--backup-dir", ""), "--backup-dir: ");
    folderless(
        User::new().variable("CRM_BACKUP_KEEP", "3"),
        "CRM_BACKUP_KEEP: ",
    );
    folderless(
        User::new().config("backup_keep = 3"),
        "~/settings/crm/config.toml: backup_keep: ",
    );
    let message = User::new()
        .config("backup_every = 3")
        .backups()
        .unwrap_err()
        .message;
    assert!(message.contains("expected text"), "{message}");
}

#[test]
fn settings_of_the_service_are_found_at_every_level() {
    let find = |user: &User| user.ask(ServiceSettings::find);
    let shown = |user: &User, knob| {
        let found = find(user).unwrap();
        let setting = found.setting(knob);
        user.homeless(&format!("{} ({})", setting.value, setting.origin))
    };
    let mut user = User::new().config(
        "max_body = '2k'\nmax_connections = 7\nopen = true\ntls_cert = 'c.pem'\ntls_key = '/k.pem'\n\
         cors_origin = ['http://a', 'https://b:8443']",
    );
    assert_eq!(shown(&User::new(), &MAX_BODY), "1m (default)");
    assert_eq!(shown(&User::new(), &RATE_PER_TOKEN), "off (default)");
    let file = "(~/settings/crm/config.toml)";
    for (knob, value) in [
        (&MAX_BODY, "2k"),
        (&MAX_CONNECTIONS, "7"),
        (&OPEN, "on"),
        (&TLS_CERT, "~/settings/crm/c.pem"),
        (&CORS_ORIGIN, "http://a,https://b:8443"),
    ] {
        assert_eq!(shown(&user, knob), format!("{value} {file}"));
    }
    user = user
        .variable("CRM_MAX_BODY", "3000")
        .variable("CRM_OPEN", "false");
    assert_eq!(shown(&user, &MAX_BODY), "3000 (environment CRM_MAX_BODY)");
    assert_eq!(shown(&user, &OPEN), "off (environment CRM_OPEN)");
    user = user.flag("--max-body", "4k").flag("--tls-cert", "d.pem");
    assert_eq!(shown(&user, &MAX_BODY), "4k (flag --max-body)");
    assert_eq!(shown(&user, &TLS_CERT), "~/here/d.pem (flag --tls-cert)");
}

#[test]
fn settings_of_the_service_that_are_wrong_are_refused() {
    for (key, value, expected) in [
        ("max_body", "2m", "from 1k to 1m"),
        ("max_body", "1023", "from 1k to 1m"),
        ("max_body", "1kb", "from 1k to 1m"),
        ("max_body", "", "from 1k to 1m"),
        ("max_connections", "0", "from 1 to 65536"),
        ("max_connections", "+1", "from 1 to 65536"),
        ("rate_per_token", "0", "from 1 to 1000000, or off"),
        ("head_timeout", "2h", "from 1s to 1h"),
        ("log", "xml", "expected text or json"),
        ("cors_origin", "https://a/", "an origin like"),
        ("cors_origin", "https://a,*", "each origin in full"),
        ("cors_origin", "https://*.a", "each origin in full"),
        ("cors_origin", "https://.a", "an origin like"),
        ("allowed_host", "a,b:80", "without a port"),
        ("trusted_proxy", "10.0.0.0/33", "an address like"),
        ("tls_cert", "c.pem", "--tls-key"),
        ("tls_key", "k.pem", "--tls-cert"),
    ] {
        let flag = format!("--{}", key.replace('_', "-"));
        let error = User::new().flag(&flag, value).ask(ServiceSettings::find);
        let error = error.unwrap_err();
        assert!(error.message.starts_with(&format!("{flag}: ")), "{error}");
        assert!(error.message.contains(expected), "{error}");
    }
    // The higher level decides.
    let user = User::new().config("open = true");
    let user = user.flag("--require-token", "true");
    let found = user.ask(ServiceSettings::find).unwrap();
    assert!(found.is_on(&REQUIRE_TOKEN) && !found.is_on(&OPEN));
    let user = User::new().config("require_token = true");
    let found = user
        .variable("CRM_OPEN", "1")
        .ask(ServiceSettings::find)
        .unwrap();
    assert!(found.is_on(&OPEN) && !found.is_on(&REQUIRE_TOKEN));
    let both = User::new().config("open = true\nrequire_token = true");
    let error = both.ask(ServiceSettings::find).unwrap_err();
    assert!(
        error
            .message
            .contains("open and require_token: expected one of them"),
        "{error}"
    );
    let error = User::new()
        .config("open = 1")
        .ask(ServiceSettings::find)
        .unwrap_err();
    assert!(
        error.message.contains("open: expected true or false"),
        "{error}"
    );
}
