//! The flags of settings.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, ValueHint};

use crate::config::table::{DefaultValue, KNOBS, Knob};
use crate::config::{Flags, Format, SettingKind};

/// The settings whose flags are those of `crm serve`.
pub(super) fn of_serve() -> impl Iterator<Item = &'static Knob> {
    let all = KNOBS.iter().copied();
    all.filter(|knob| knob.flag.is_some() && !knob.is_global())
}

/// The flag of a setting.
pub(super) fn arg(knob: &'static Knob) -> Arg {
    let mut help = knob.about.to_string();
    for (word, name) in [("env", knob.variable), ("config", knob.key)] {
        if let Some(name) = name {
            help.push_str(&format!(" [{word}: {name}]"));
        }
    }
    if let DefaultValue::Value(text) | DefaultValue::Rule(text) = knob.default {
        help.push_str(&format!(" [default: {text}]"));
    }
    let flag = knob.flag.unwrap_or_default().trim_start_matches('-');
    let arg = Arg::new(knob.name).long(flag).help(help);
    let arg = match knob.kind.value_name() {
        Some(name) => arg.value_name(name),
        None => arg.action(ArgAction::SetTrue),
    };
    match knob.kind {
        SettingKind::Database | SettingKind::File => arg.value_hint(ValueHint::FilePath),
        SettingKind::Path => arg
            .value_parser(ValueParser::path_buf())
            .value_hint(ValueHint::FilePath),
        SettingKind::Folder => arg.value_hint(ValueHint::DirPath),
        SettingKind::Url => arg.value_hint(ValueHint::Url),
        // West of Greenwich an offset begins with a hyphen.
        SettingKind::Zone => arg.value_hint(ValueHint::Other).allow_hyphen_values(true),
        SettingKind::Format => arg.value_parser(PossibleValuesParser::new(
            Format::WORDS.map(|format| format.0),
        )),
        SettingKind::Many(..) => arg.action(ArgAction::Append),
        _ => arg,
    }
}

/// The value that the command line gives for a setting's flag.
fn knob_given(knob: &Knob, matches: &ArgMatches) -> Option<OsString> {
    match knob.kind {
        SettingKind::Switch => matches.get_flag(knob.name).then(|| "true".into()),
        SettingKind::Path => {
            let path = matches.get_one::<PathBuf>(knob.name)?;
            Some(path.clone().into_os_string())
        }
        _ => {
            let all: Vec<&str> = matches
                .get_many::<String>(knob.name)?
                .map(String::as_str)
                .collect();
            Some(all.join(",").into())
        }
    }
}

/// The flags of settings: the global ones and those of `crm serve`.
pub fn flags(matches: &ArgMatches) -> Flags {
    let mut flags = Flags::default();
    let check = matches.subcommand_matches("check");
    flags.file = check.and_then(|check| check.get_one::<String>("file").cloned());
    for knob in KNOBS.iter().filter(|knob| knob.flag.is_some()) {
        let place = match knob.is_global() {
            true => Some(matches),
            false => matches.subcommand_matches("serve"),
        };
        if let Some(value) = place.and_then(|matches| knob_given(knob, matches)) {
            flags.set(knob, value);
        }
    }
    flags
}
