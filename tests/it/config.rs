//! The table of settings is held against the command line: each has the flags of the other.

use std::collections::BTreeSet;

use clap::{Arg, Command};
use crm::cli;
use crm::config::table::{KNOBS, Knob};

/// The flags of a command that users are shown, without those that are for one command line only.
fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    let all = command.get_arguments();
    all.filter(|arg| {
        let name = arg.get_long();
        !arg.is_hide_set() && name.is_some_and(|name| name != "no-pager")
    })
}

fn names(command: &Command) -> BTreeSet<String> {
    let names = flags(command).map(|arg| format!("--{}", arg.get_long().unwrap()));
    names.collect()
}

fn settings(wanted: impl Fn(&Knob) -> bool) -> BTreeSet<String> {
    let knobs = KNOBS.iter().filter(|knob| wanted(knob));
    knobs
        .filter_map(|knob| knob.flag.map(String::from))
        .collect()
}

#[test]
fn every_setting_has_its_flag_and_every_flag_its_setting() {
    let crm = cli::command();
    let serve = crm.find_subcommand("serve").unwrap();
    assert_eq!(names(&crm), settings(Knob::is_global));
    assert_eq!(names(serve), settings(|knob| !knob.is_global()));
    let with_flag = KNOBS.iter().filter(|knob| knob.flag.is_some()).count();
    assert_eq!(flags(&crm).chain(flags(serve)).count(), with_flag);
}

#[test]
fn the_help_of_a_setting_names_its_variable_and_its_key() {
    let crm = cli::command();
    let serve = crm.find_subcommand("serve").unwrap();
    for arg in flags(&crm).chain(flags(serve)) {
        let flag = format!("--{}", arg.get_long().unwrap());
        let knob = KNOBS.iter().find(|knob| knob.flag == Some(&flag)).unwrap();
        let help = arg.get_help().unwrap().to_string();
        assert!(help.starts_with(knob.about), "{flag}: {help}");
        for (word, name) in [("env", knob.variable), ("config", knob.key)] {
            let named = name.map(|name| format!("[{word}: {name}]"));
            assert!(
                named.is_none_or(|named| help.contains(&named)),
                "{flag}: {help}"
            );
        }
    }
}
