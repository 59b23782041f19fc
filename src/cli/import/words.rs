//! The words of `crm NOUN import`.

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, Command, ValueHint};

use super::asked::ON_DUPLICATE;
use crate::cli::help::examples;
use crate::cli::keeping::quiet;
use crate::import::mapping::Extra;
use crate::model::noun::Noun;
use crate::operation::about::fill;

/// The command of a noun.
pub(super) fn command(noun: &'static Noun) -> Command {
    let (name, plural) = (noun.name, noun.plural);
    let has_address = noun.email().is_some();
    let many = |long: &'static str, value: &'static str| {
        let arg = Arg::new(long).long(long).value_name(value);
        arg.action(ArgAction::Append).allow_hyphen_values(true)
    };
    let word = |long: &'static str, words: Vec<&'static str>| {
        Arg::new(long)
            .long(long)
            .value_parser(PossibleValuesParser::new(words))
    };
    let switch = |long: &'static str| Arg::new(long).long(long).action(ArgAction::SetTrue);
    let found = match has_address {
        true => "by its address in any spelling",
        false => "by the key",
    };
    Command::new("import")
        .about(format!("Make {plural} of the rows of a file: CSV, JSON{}", if has_address { ", vCard" } else { "" }))
        .long_about(fill(
            "Make {plural} of the rows of a file: CSV, NDJSON, JSON, vCard. The delimiter, the encoding and the program that wrote \
             the file are found by looking, and what becomes of each column is shown. Each row is done by itself; rows that are \
             refused are counted by reason and written to --rejects, in which they can be mended and imported again. All changes \
             are one group for `crm undo`. What is done stays done if the command is interrupted, and the same command goes on. \
             `crm help import` has the details.",
            Some(noun),
        ))
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(ValueParser::path_buf())
                .value_hint(ValueHint::FilePath)
                .help("The file; - is standard input"),
        )
        .arg(
            many("map", "COLUMN=FIELD")
                .help(match has_address {
                    true => "What a column becomes: a field, attributes.KEY, first_name, last_name; nothing leaves it out",
                    false => "What a column becomes: a field or attributes.KEY; nothing leaves it out",
                }),
        )
        .arg(many("set", "KEY=VALUE").help("A field or an attribute that every row gets; KEY:=JSON for any JSON value"))
        .arg(
            word("extra", Extra::WORDS.map(|word| word.0).into())
                .value_name("WHAT")
                .help("What becomes of columns without a place: attributes under their names, or else they are ignored, or the file is refused [default: attributes]"),
        )
        .arg(
            word("on-duplicate", ON_DUPLICATE.map(|word| word.0).into())
                .value_name("WHAT")
                .help(format!(
                    "What a row does if its {name} is there already, {found} [default: {}]",
                    if has_address { "update" } else { "create; with --key, update" }
                )),
        )
        .arg(
            Arg::new("key").long("key").value_name("FIELD").help(match has_address {
                true => "By what a lead is found that is there already: attributes.KEY, or id for a file of crm [default: email]",
                false => "By what one is found that is there already: attributes.KEY, or id for a file of crm",
            }),
        )
        .arg(switch("dry-run").help("Only say what would be done: how much of each, and the first ten"))
        .arg(
            Arg::new("rejects")
                .long("rejects")
                .value_name("FILE")
                .value_parser(ValueParser::path_buf())
                .value_hint(ValueHint::FilePath)
                .help("Write the rows that are refused to a file, as they were, with the reasons"),
        )
        .arg(
            Arg::new("delimiter")
                .long("delimiter")
                .value_name("CHARACTER")
                .help("What separates the cells of a CSV: comma, semicolon, tab, bar or a character [default: found by looking]"),
        )
        .arg(
            Arg::new("encoding")
                .long("encoding")
                .value_name("NAME")
                .help("The encoding of the text, such as utf-8, utf-16le or windows-1252 [default: found by looking]"),
        )
        .arg(switch("anew").help("Do not go on with an import of the same file that was interrupted"))
        .arg(switch("yes").short('y').help("Do not ask, even if many rows have no address"))
        .arg(quiet())
        .after_help(examples(&match has_address {
            true => vec![
                format!("crm {name} import contacts.csv --dry-run"),
                format!("crm {name} import contacts.csv --rejects rejects.csv"),
                format!("crm {name} import contacts.csv --map 'Company=attributes.company' --set source=fair"),
                format!("crm {name} import hubspot.csv --key attributes.hubspot_id"),
                format!("crm {name} import contacts.vcf --on-duplicate skip"),
            ],
            false => vec![
                format!("crm {name} import {plural}.csv --dry-run"),
                format!("crm {name} import {plural}.csv --key attributes.number"),
            ],
        }.iter().map(String::as_str).collect::<Vec<_>>()))
}
