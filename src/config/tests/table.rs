//! Tests of the table of settings, and of what is made from it.

use crate::config::kind::{SettingKind, SettingValue};
use crate::config::row::Row;
use crate::config::service::ServiceSettings;
use crate::config::settings::Asker;
use crate::config::show;
use crate::config::table::{DefaultValue, KNOBS, ReadBy, TOKEN_FILE};
use crate::config::tests::user::User;

#[test]
fn every_setting_is_shown_with_its_source() {
    let rows = |user: &User| {
        let settings = user.settings(Asker::Command).unwrap();
        let service = user.ask(ServiceSettings::find).unwrap();
        let rows = show::rows(
            &settings,
            &user.listen().unwrap(),
            &user.backups().unwrap(),
            &service,
        );
        let is_of_service = |row: &Row| {
            let mut rows = KNOBS.iter().filter(|knob| knob.name == row.setting);
            rows.any(|knob| knob.read_by == ReadBy::ServiceSettings)
        };
        let rows = rows.into_iter().filter(|row| !is_of_service(row));
        let rows = rows.map(|row| {
            let value = row.value.unwrap_or("-".into());
            user.homeless(&format!("{} | {value} | {}", row.setting, row.source))
        });
        rows.collect::<Vec<_>>()
    };
    assert_eq!(
        rows(&User::new()),
        [
            "database | ~/data/crm/crm.db | default",
            "url | - | not set",
            "output | table | default",
            "timezone | UTC | environment TZ",
            "pager | - | default: PAGER or less",
            "on_behalf_of | - | not set",
            "host | 0.0.0.0 | default",
            "port | 8000 | default",
            "backup_dir | - | not set",
            "backup_every | 1h | default",
            "backup_keep | 24 | default",
            "finished | completed,done,closed,cancelled,canceled,won,lost | default",
            "cadence | 7 | default",
            "auto_process | off | default",
            "on_duplicate | create | default",
            "token | - | not used: there is no url",
            "config | ~/settings/crm/config.toml | default, does not exist",
        ]
    );
    let user = User::new()
        .config("output = 'json'")
        .variable("DATABASE_URL", "e.db")
        .flag("--url", "http://h/")
        .variable("PORT", "80")
        .variable("CRM_TZ", "asia/tokyo")
        .flag("--backup-dir", "b")
        .variable("CRM_PAGER", "less -S")
        .variable("CRM_ON_BEHALF_OF", "Grace Hopper")
        .variable("CRM_BACKUP_EVERY", "90m");
    assert_eq!(
        rows(&user),
        [
            "database | - | not used: flag --url decides",
            "url | http://h | flag --url",
            "output | json | ~/settings/crm/config.toml",
            "timezone | Asia/Tokyo | environment CRM_TZ",
            "pager | less -S | environment CRM_PAGER",
            "on_behalf_of | Grace Hopper | environment CRM_ON_BEHALF_OF",
            "host | 0.0.0.0 | default",
            "port | 80 | environment PORT",
            "backup_dir | ~/here/b | flag --backup-dir",
            "backup_every | 90m | environment CRM_BACKUP_EVERY",
            "backup_keep | 24 | default",
            "finished | - | not used: the server at the URL decides",
            "cadence | - | not used: the server at the URL decides",
            "auto_process | - | not used: the server at the URL decides",
            "on_duplicate | - | not used: the server at the URL decides",
            "token | - | not set",
            "config | ~/settings/crm/config.toml | default",
        ]
    );
}

#[test]
fn every_setting_but_the_token_file_has_a_row() {
    let user = User::new();
    let settings = user.settings(Asker::Command).unwrap();
    let (listen, backups) = (user.listen().unwrap(), user.backups().unwrap());
    let service = user.ask(ServiceSettings::find).unwrap();
    let rows = show::rows(&settings, &listen, &backups, &service);
    let rows: Vec<&str> = rows.iter().map(|row| row.setting).collect();
    let names = KNOBS.iter().map(|knob| knob.name);
    let names: Vec<&str> = names.filter(|name| *name != TOKEN_FILE.name).collect();
    assert_eq!(rows, names);
}

#[test]
fn names_follow_one_rule() {
    for knob in KNOBS {
        let kebab = format!("--{}", knob.name.replace('_', "-"));
        let capitals = knob.name.to_ascii_uppercase();
        let prefixed = format!("CRM_{capitals}");
        // Older names that other programs use too.
        let (flag, variable) = match knob.name {
            "database" => ("--db", "DATABASE_URL"),
            "timezone" => ("--tz", "CRM_TZ"),
            "host" | "port" => (kebab.as_str(), capitals.as_str()),
            _ => (kebab.as_str(), prefixed.as_str()),
        };
        assert!(knob.flag.is_none_or(|name| name == flag), "{knob:?}");
        assert!(
            knob.variable.is_none_or(|name| name == variable),
            "{knob:?}"
        );
        assert!(knob.key.is_none_or(|name| name == knob.name), "{knob:?}");
        assert!(knob.flag.is_some() || knob.variable.is_some(), "{knob:?}");
        let same = KNOBS.iter().filter(|other| other.name == knob.name);
        assert_eq!(same.count(), 1, "{}", knob.name);
    }
}

#[test]
fn every_default_is_valid_for_its_kind() {
    for knob in KNOBS {
        let DefaultValue::Value(text) = knob.default else {
            continue;
        };
        let value = knob.kind.read(text).unwrap();
        let is_off = matches!(
            (knob.kind, &value),
            (SettingKind::Rate(_), SettingValue::Unset)
        );
        assert!(
            is_off || value.to_string() == text,
            "{}: {value}",
            knob.name
        );
    }
}

#[test]
fn the_table_of_the_manual_has_a_row_for_each_setting() {
    let table = show::markdown();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), KNOBS.len() + 2);
    for (line, knob) in lines[2..].iter().zip(KNOBS) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 6, "{line}");
        assert_eq!(cells[0], knob.name);
        assert!(cells[5].starts_with(knob.about), "{line}");
    }
    assert!(lines.contains(
        &"| max_body | `--max-body` | `CRM_MAX_BODY` | `max_body` | `1m` | The largest body of a request, in bytes: 1k to 1m |"
    ));
    assert!(lines.contains(
        &"| port | `--port` | `PORT` | | `8000` | The port to listen on; 0 takes any free port |"
    ));
}
