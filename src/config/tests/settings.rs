//! Tests of the database, the URL, the output and the token of a command.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use crate::config::flags::Flags;
use crate::config::format::Format;
use crate::config::location::Location;
use crate::config::origin::{Origin, Setting};
use crate::config::settings::{Asker, Settings, error_format};
use crate::config::surroundings::Surroundings;
use crate::config::table::{DATABASE, KNOBS};
use crate::config::tests::user::User;

#[test]
fn without_any_setting_the_default_applies() {
    let user = User::new();
    assert_eq!(user.command(), "~/data/crm/crm.db (default)");
    assert!(!user.settings(Asker::Command).unwrap().explicit());
    let user = user.file("here/crm.db", "");
    assert_eq!(user.command(), "~/here/crm.db (default)");
    let settings = user.settings(Asker::Command).unwrap();
    assert!(!settings.explicit());
    assert_eq!(
        settings.output,
        Setting::new(Format::Table, Origin::Default)
    );
}

#[test]
fn each_level_takes_precedence_over_those_below_it() {
    let file = |user: User| user.config("database = 'f.db'\noutput = 'csv'");
    let environment = |user: User| {
        user.variable("DATABASE_URL", "e.db")
            .variable("CRM_OUTPUT", "id")
    };
    let flag = |user: User| user.flag("--db", "g.db").flag("--output", "json");
    let defaulted = || User::new().file("here/crm.db", "");

    let table = [
        (defaulted(), "~/here/crm.db (default)", Format::Table),
        (
            file(defaulted()),
            "~/settings/crm/f.db (~/settings/crm/config.toml)",
            Format::Csv,
        ),
        (
            environment(defaulted()),
            "~/here/e.db (environment DATABASE_URL)",
            Format::Id,
        ),
        (flag(defaulted()), "~/here/g.db (flag --db)", Format::Json),
        (
            environment(file(defaulted())),
            "~/here/e.db (environment DATABASE_URL)",
            Format::Id,
        ),
        (
            flag(file(defaulted())),
            "~/here/g.db (flag --db)",
            Format::Json,
        ),
        (
            flag(environment(defaulted())),
            "~/here/g.db (flag --db)",
            Format::Json,
        ),
        (
            flag(environment(file(defaulted()))),
            "~/here/g.db (flag --db)",
            Format::Json,
        ),
    ];
    for (user, target, output) in table {
        assert_eq!(user.command(), target);
        assert_eq!(user.target(Asker::Serve), target);
        let settings = user.settings(Asker::Command).unwrap();
        assert_eq!(settings.output.value, output, "{target}");
        assert_eq!(settings.explicit(), !target.ends_with("(default)"));
    }
}

#[test]
fn a_database_hides_a_url_below_it_and_the_other_way_round() {
    let url = "http://h:8000";
    let user = || User::new().config("url = 'http://h:1'");
    assert_eq!(user().command(), "http://h:1 (~/settings/crm/config.toml)");
    assert_eq!(
        user().variable("DATABASE_URL", "e.db").command(),
        "~/here/e.db (environment DATABASE_URL)"
    );
    assert_eq!(
        user().flag("--db", "g.db").command(),
        "~/here/g.db (flag --db)"
    );
    assert_eq!(
        User::new()
            .variable("CRM_URL", url)
            .flag("--db", "g.db")
            .command(),
        "~/here/g.db (flag --db)"
    );
    assert_eq!(
        User::new()
            .config("database = 'f.db'")
            .variable("CRM_URL", url)
            .command(),
        "http://h:8000 (environment CRM_URL)"
    );
    assert_eq!(
        User::new()
            .variable("DATABASE_URL", "e.db")
            .flag("--url", url)
            .command(),
        "http://h:8000 (flag --url)"
    );
}

#[test]
fn a_database_and_a_url_at_the_same_level_are_refused() {
    let flags = User::new().flag("--db", "a.db").flag("--url", "http://h");
    assert_eq!(
        flags.refusal(),
        "--db and --url: expected one of them, got both"
    );
    let environment = || {
        User::new()
            .variable("DATABASE_URL", "a.db")
            .variable("CRM_URL", "http://h")
    };
    assert_eq!(
        environment().refusal(),
        "DATABASE_URL and CRM_URL: expected one of them, got both"
    );
    let file = || User::new().config("database = 'a.db'\nurl = 'http://h'");
    assert_eq!(
        file().refusal(),
        "~/settings/crm/config.toml: database and url: expected one of them, got both"
    );
    for user in [flags, environment(), file()] {
        assert!(user.target(Asker::Serve).contains("a.db"));
    }
    // A higher level hides both.
    for user in [environment(), file()] {
        assert!(user.flag("--db", "g.db").command().contains("g.db"));
    }
}

#[test]
fn serve_ignores_urls_even_wrong_ones() {
    let user = User::new()
        .flag("--url", "no url")
        .variable("CRM_URL", "postgres://x")
        .config("url = 'nor this'\ndatabase = 'f.db'");
    assert_eq!(
        user.target(Asker::Serve),
        "~/settings/crm/f.db (~/settings/crm/config.toml)"
    );
}

#[test]
fn an_empty_variable_is_unset_and_one_below_a_flag_is_not_read() {
    let user = User::new()
        .variable("DATABASE_URL", "")
        .variable("CRM_OUTPUT", "");
    assert_eq!(user.command(), "~/data/crm/crm.db (default)");
    let user = User::new()
        .variable("DATABASE_URL", "postgres://me:secret@host/other")
        .variable("CRM_OUTPUT", "xml")
        .flag("--db", "g.db")
        .flag("--output", "csv");
    assert_eq!(user.command(), "~/here/g.db (flag --db)");
}

#[test]
fn blanks_and_line_ends_around_a_variable_are_ignored() {
    for (name, value, shown) in [
        ("DATABASE_URL", "n.db\n", "~/here/n.db"),
        ("DATABASE_URL", " postgres://h/crm\r\n", "postgres://h/crm"),
        ("CRM_URL", "\thttp://h:8000 ", "http://h:8000"),
    ] {
        let user = User::new().variable(name, value);
        assert_eq!(user.command(), format!("{shown} (environment {name})"));
    }
    let user = User::new()
        .variable("DATABASE_URL", " \n")
        .variable("CRM_OUTPUT", "\n");
    assert_eq!(user.command(), "~/data/crm/crm.db (default)");
    // Every variable of a setting takes this way.
    for knob in KNOBS {
        let Some(name) = knob.variable else { continue };
        let read = |value: &str| {
            let user = User::new().variable(name, value);
            user.ask(|_, around| around.variable(knob))
        };
        let value = read(" a b\n").unwrap().unwrap().value;
        assert_eq!((value.as_str(), name), ("a b", name));
        assert!(read("\n\t ").unwrap().is_none());
        for inner in ["se\ncret", "se\u{7f}cret", "se\u{85}cret"] {
            assert_eq!(
                read(inner).unwrap_err().message,
                format!("{name}: expected one line without control characters")
            );
        }
    }
    let error = User::new().flag("--db", "n.db\n").refusal();
    assert!(error.starts_with("--db: expected a path") && error.contains("line end"));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_refused_by_its_name() {
    use std::os::unix::ffi::OsStringExt;
    for name in ["DATABASE_URL", "CRM_URL", "CRM_OUTPUT"] {
        let user = User::new().variable(name, OsString::from_vec(vec![b'a', 0xff]));
        assert_eq!(user.refusal(), format!("{name}: expected UTF-8 text"));
    }
}

#[test]
fn a_config_file_that_is_wrong_is_refused_by_its_name() {
    let known: Vec<&str> = KNOBS.iter().filter_map(|knob| knob.key).collect();
    let known = format!("expected {}", known.join(", "));
    let (typo, table) = (
        format!("no such key \"datebase\"; {known}"),
        format!("no such key \"crm\"; {known}"),
    );
    for (text, refusal) in [
        ("datebase = 'x.db'", typo.as_str()),
        ("output = 3", "output: expected text, got integer"),
        ("database = ['a']", "database: expected text, got array"),
        ("[crm]\nurl = 'http://h'", table.as_str()),
        (
            "output = 'xml'",
            "output: expected table, json, ndjson, csv, id, got \"xml\"",
        ),
        (
            "database = ''",
            "database: expected a path like crm.db or a URL like postgres://user@host/crm, got none",
        ),
        (
            "url = 'host'",
            "url: expected a URL like http://localhost:8000, got \"host\"",
        ),
    ] {
        assert_eq!(
            User::new().config(text).refusal(),
            format!("~/settings/crm/config.toml: {refusal}")
        );
    }
    let refusal = User::new().config("output = 'id'\nurl = ").refusal();
    assert!(
        refusal.starts_with("~/settings/crm/config.toml: expected TOML, line 2: "),
        "{refusal}"
    );
    let latin = User::new().file("settings/crm/config.toml", b"url = '\xe9'");
    assert_eq!(
        latin.refusal(),
        "~/settings/crm/config.toml: expected UTF-8 text"
    );
    // Errors in the file are reported even if a flag takes precedence.
    let hidden = User::new().config("x = 1").flag("--db", "g.db");
    assert!(hidden.refusal().contains("no such key"));
}

#[test]
fn a_config_file_that_was_named_must_exist() {
    let refusal = User::new().flag("--config", "my.toml").refusal();
    assert!(
        refusal.starts_with("~/here/my.toml: expected a readable config file: "),
        "{refusal}"
    );
    let user = User::new()
        .config("output = 'csv'\nurl = 'http://h'")
        .file("here/my.toml", "database = '../my.db'")
        .flag("--config", "my.toml");
    assert_eq!(user.command(), "~/here/../my.db (~/here/my.toml)");
    let output = user.settings(Asker::Command).unwrap().output;
    assert_eq!(output.value, Format::Table);
    assert_eq!(
        User::new().flag("--config", "").refusal().find("~/here"),
        Some(0)
    );
}

#[test]
fn flags_and_variables_that_are_wrong_are_named() {
    assert_eq!(
        User::new().flag("--output", "xml").refusal(),
        "--output: expected table, json, ndjson, csv, id, got \"xml\""
    );
    assert_eq!(
        User::new().variable("CRM_OUTPUT", "JSON").refusal(),
        "CRM_OUTPUT: expected table, json, ndjson, csv, id, got \"JSON\""
    );
    assert!(User::new().flag("--db", "").refusal().starts_with("--db: "));
    let refusal = User::new().variable("CRM_URL", "host").refusal();
    assert!(refusal.starts_with("CRM_URL: "), "{refusal}");
}

#[test]
fn errors_before_the_settings_are_known_have_the_requested_format() {
    let format = |user: User| user.ask(error_format);
    assert_eq!(format(User::new()), Format::Table);
    assert_eq!(format(User::new().flag("--output", "json")), Format::Json);
    assert_eq!(format(User::new().flag("--output", "xml")), Format::Table);
    let environment = || User::new().variable("CRM_OUTPUT", "ndjson");
    assert_eq!(format(environment()), Format::Ndjson);
    assert_eq!(format(environment().flag("--output", "id")), Format::Id);
}

#[test]
fn only_the_default_folder_is_created_and_only_on_request() {
    let user = User::new();
    let settings = user.settings(Asker::Command).unwrap();
    assert!(!user.path("data").exists());
    settings.create_default_folder().unwrap();
    assert!(user.path("data/crm").is_dir());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(user.path("data/crm")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o700);
    }
    settings.create_default_folder().unwrap();

    let user = User::new().flag("--db", "new/crm.db");
    let settings = user.settings(Asker::Command).unwrap();
    settings.create_default_folder().unwrap();
    assert!(!user.path("here/new").exists());

    let user = User::new().file("data", "a file in the way");
    let settings = user.settings(Asker::Command).unwrap();
    let error = settings.create_default_folder().unwrap_err();
    let message = user.homeless(&error.message);
    assert!(message.starts_with("~/data/crm: expected a folder"));
    assert_eq!(error.code.exit(), 1);
}

#[test]
fn a_user_without_a_home_has_to_name_the_database() {
    let around = Surroundings {
        environment: &|_| None,
        folder: PathBuf::new(),
        config_folder: None,
        data_folder: None,
    };
    let mut flags = Flags::default();
    let find = |flags: &Flags| Settings::find(flags, &around, Asker::Command);
    assert!(find(&flags).unwrap_err().message.starts_with("--db: "));
    flags.set(&DATABASE, "x.db");
    let settings = find(&flags).unwrap();
    assert_eq!(settings.target.value, Location::Database("x.db".into()));
    assert_eq!(settings.file, None);
}

#[test]
fn the_time_zone_is_that_of_the_highest_level() {
    let zone = |user: &User, asker| {
        let settings = user.settings(asker).unwrap();
        settings.zone().unwrap().name().to_string()
    };
    let user = User::new().variable("TZ", "Europe/Berlin");
    assert_eq!(zone(&user, Asker::Command), "Europe/Berlin");
    // A service has no zone of its own, so that its clients mean the same on every machine.
    assert_eq!(zone(&user, Asker::Serve), "UTC");
    let user = user.config("timezone = 'Asia/Kolkata'");
    assert_eq!(zone(&user, Asker::Command), "Asia/Kolkata");
    assert_eq!(zone(&user, Asker::Serve), "Asia/Kolkata");
    let user = user.variable("CRM_TZ", "America/New_York");
    assert_eq!(zone(&user, Asker::Command), "America/New_York");
    let user = user.flag("--tz", "+05:45");
    assert_eq!(zone(&user, Asker::Command), "+05:45");
    for (user, start) in [
        (
            User::new().flag("--tz", "Europe/Berln"),
            "--tz: expected a time zone",
        ),
        (
            User::new().variable("CRM_TZ", "x"),
            "CRM_TZ: expected a time zone",
        ),
        (
            User::new().config("timezone = ' '"),
            "~/settings/crm/config.toml: timezone: expected a time zone",
        ),
        (
            User::new().config("timezone = 2"),
            "~/settings/crm/config.toml: timezone: expected text",
        ),
    ] {
        let refusal = user.refusal();
        assert!(refusal.starts_with(start), "{refusal}");
    }
}

#[test]
fn a_wrong_zone_of_the_system_only_matters_where_times_do() {
    let user = User::new().variable("TZ", "Mars/Phobos");
    let settings = user.settings(Asker::Command).unwrap();
    let error = settings.zone().unwrap_err();
    assert_eq!(error.code.exit(), 2);
    assert_eq!(
        error.message,
        "TZ: expected a time zone like Europe/Berlin, UTC or +05:30, got \"Mars/Phobos\"; --tz, CRM_TZ or timezone takes precedence"
    );
    assert!(user.settings(Asker::Serve).unwrap().zone().is_ok());
    let user = user.variable("CRM_TZ", "UTC");
    assert!(user.settings(Asker::Command).unwrap().zone().is_ok());
}
