//! The commands of operations, made from the list of operations.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::draft::{field_args, json_arg};
use super::dupes;
use super::export;
use super::filters::{filter_args, list_args};
use super::find;
use super::follow;
use super::help::examples;
use super::history;
use super::ids;
use super::import;
use super::log;
use super::merge;
use super::names::kebab;
use super::session::OfNoun;
use crate::base::error::{Error, Result};
use crate::model::draft::Purpose;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::terms::{Tag, Versions};
use crate::operation::about::{
    About, Body, BodyField, CommandPart, Of, Parameter, Takes, Words, fill,
};
use crate::ops::Op;
use crate::views::VIEWS;

/// The commands: `token`, one for each noun, one for each view, and those that are not subcommands.
pub(super) fn commands() -> Vec<Command> {
    let mut commands = vec![token(), webhook()];
    commands.extend(NOUNS.iter().map(|noun| noun_command(noun)));
    for view in VIEWS {
        commands.extend(verbs(Some(view)).map(|(_, about, words)| {
            let command = verb(about, words, Some(view)).name(view.plural);
            command.about(view.about)
        }));
    }
    commands.extend(plain().map(|(_, about, words)| verb(about, words, about.of.noun())));
    commands
}

/// The operation that a command line names, and its noun. `None` if it names none.
pub(super) fn find<'m>(
    name: &str,
    matches: &'m ArgMatches,
) -> Option<(Op, Option<&'static Noun>, &'m ArgMatches)> {
    if let Some(view) = VIEWS.iter().find(|view| view.plural == name) {
        let (op, ..) = verbs(Some(view)).next()?;
        return Some((op, Some(view), matches));
    }
    if let Some((op, about, _)) = plain().find(|(_, _, words)| words.verb == name) {
        return Some((op, about.of.noun(), matches));
    }
    let noun = NOUNS.iter().copied().find(|noun| noun.name == name);
    let (asked, matches) = matches.subcommand()?;
    let is_asked = |words: &Words| words.verb == asked;
    let (op, ..) = match (noun, name) {
        (None, "token") => others(is_token).find(|(_, _, words)| is_asked(words))?,
        (None, "webhook") => others(is_webhook).find(|(_, _, words)| is_asked(words))?,
        (None, _) => return None,
        (Some(_), _) => verbs(noun).find(|(_, _, words)| is_asked(words))?,
    };
    Some((op, noun, matches))
}

/// The operations that have a command, with their words.
fn verbs(
    noun: Option<&'static Noun>,
) -> impl Iterator<Item = (Op, &'static About, &'static Words)> {
    let all = Op::ALL.iter().map(|op| (*op, op.about()));
    all.filter(move |(_, about)| about.is_with(noun) && !is_plain(about))
        .filter_map(|(op, about)| Some((op, about, about.words.as_ref()?)))
}

/// Whether the command of an operation is not a subcommand.
fn is_plain(about: &About) -> bool {
    matches!(about.of, Of::Changes | Of::Found | Of::Plain(_))
}

/// The operations whose commands are not subcommands, with their words.
fn plain() -> impl Iterator<Item = (Op, &'static About, &'static Words)> {
    let all = Op::ALL.iter().map(|op| (*op, op.about()));
    all.filter(|(_, about)| is_plain(about))
        .filter_map(|(op, about)| Some((op, about, about.words.as_ref()?)))
}

/// Those of them that work on no noun but on this.
fn others(of: fn(Of) -> bool) -> impl Iterator<Item = (Op, &'static About, &'static Words)> {
    verbs(None).filter(move |(_, about, _)| of(about.of))
}

fn is_token(of: Of) -> bool {
    matches!(of, Of::Tokens)
}

fn is_webhook(of: Of) -> bool {
    matches!(of, Of::Webhooks)
}

fn webhook() -> Command {
    let group = Command::new("webhook")
        .disable_help_subcommand(true)
        .about("Webhooks, which are sent every change: create, list, test, rotate, pause, resume, redeliver, delete")
        .long_about(
            "Webhooks are sent every change, signed as Standard Webhooks says. A running `crm serve` sends them, within a second \
             of the change. These commands work on the database itself, or with --url and a token with the scope admin. \
             `crm help webhooks` describes what a receiver gets.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(examples(&[
            "crm webhook create https://hooks.example.com/crm --type 'lead.*' > secret",
            "crm webhook list -o json",
        ]));
    group.subcommands(others(is_webhook).map(|(_, about, words)| verb(about, words, None)))
}

fn token() -> Command {
    let group = Command::new("token")
        .disable_help_subcommand(true)
        .about("Tokens, which control access to the service: create, list, revoke")
        .long_about(
            "Tokens control who may use the service. As long as a database has no token, a service over it is open to \
             everyone who can reach it. From the first token on, every request needs one, except for /health, /ready, /docs \
             and /openapi.json. These commands work on the database itself, or with --url and a token with the scope admin.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(examples(&[
            "crm token create ci --scope write --expires 90d",
            "crm token list",
        ]));
    group.subcommands(others(is_token).map(|(_, about, words)| verb(about, words, None)))
}

/// The commands of each noun that are not operations.
static OF_NOUNS: [OfNoun; 3] = [history::HISTORY, import::IMPORT, export::EXPORT];

fn noun_command(noun: &'static Noun) -> Command {
    let known = verbs(Some(noun)).map(|(_, _, words)| words.verb);
    let known: Vec<&str> = known
        .chain(OF_NOUNS.iter().map(|of_noun| of_noun.name))
        .collect();
    Command::new(noun.name)
        .disable_help_subcommand(true)
        .about(format!("{}: {}", noun.about, known.join(", ")))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(examples(&[noun.examples.create[0], noun.examples.list[0]]))
        .subcommands(verbs(Some(noun)).map(|(_, about, words)| verb(about, words, Some(noun))))
        .subcommands(OF_NOUNS.iter().map(|of_noun| (of_noun.words)(noun)))
}

/// The command of a noun that a command line asks for, if it is not an operation.
pub(super) fn of_noun<'m>(
    name: &str,
    matches: &'m ArgMatches,
) -> Option<(&'static OfNoun, &'static Noun, &'m ArgMatches)> {
    let noun = NOUNS.into_iter().find(|noun| noun.name == name)?;
    let (asked, matches) = matches.subcommand()?;
    let of_noun = OF_NOUNS.iter().find(|of_noun| of_noun.name == asked)?;
    Some((of_noun, noun, matches))
}

fn verb(about: &'static About, words: &'static Words, noun: Option<&'static Noun>) -> Command {
    let mut command = Command::new(words.verb)
        .about(fill(words.about, noun))
        .after_help(examples(words.examples.lines(noun)));
    if !words.long.is_empty() {
        command = command.long_about(fill(words.long, noun));
    }
    let args = words.takes.iter().flat_map(|word| args(*word, about, noun));
    command.args(args)
}

/// The arguments of a part of a command line.
fn args(word: CommandPart, about: &'static About, noun: Option<&'static Noun>) -> Vec<Arg> {
    match (word, noun) {
        (CommandPart::Ids, _) => vec![
            // Records of a file have their ids.
            match matches!(about.body, Body::Draft(_)) {
                true => Arg::new("ids").required_unless_present("json"),
                false => Arg::new("ids").required(true),
            }
                .value_name("ID")
                .num_args(1..)
                .help(fill(
                    ids::HELP[usize::from(noun.is_some_and(|noun| noun.email().is_some()))],
                    noun,
                )),
        ],
        (CommandPart::One, noun) => vec![
            Arg::new("ids")
                .value_name("ID")
                .required(true)
                .help(one(noun)),
        ],
        (CommandPart::FiltersOf(noun), _) => {
            let mut args = filter_args(noun);
            let wanted = ["where", "q", "limit", "after"];
            let page = list_args(noun).into_iter();
            args.extend(page.filter(|arg| wanted.contains(&arg.get_id().as_str())));
            args
        }
        (CommandPart::Draft, Some(noun)) => {
            let purpose = match about.body {
                Body::Draft(purpose) => purpose,
                Body::None | Body::Object(_) | Body::Lines => Purpose::Create,
            };
            let mut args = field_args(noun, purpose);
            args.push(json_arg(noun));
            args
        }
        (CommandPart::Filters, Some(noun)) => {
            let mut args = filter_args(noun);
            args.extend(list_args(noun));
            if noun.is_feed() {
                args.extend(follow::args());
            }
            args
        }
        (CommandPart::Draft | CommandPart::Filters, None) => Vec::new(),
        (CommandPart::Show, noun) => vec![
            Arg::new("show")
                .long("fields")
                .value_name("FIELDS")
                .help(match noun.is_some_and(Noun::has_attributes) {
                    true => "Show only these fields, in this order, comma-separated; attributes.KEY is one of your own fields, attributes.* is each that occurs",
                    false => "Show only these fields, in this order, comma-separated",
                }),
        ],
        (CommandPart::Etag, _) => vec![
            Arg::new("etag")
                .long("etag")
                .action(ArgAction::SetTrue)
                .conflicts_with("show")
                .help("Print only the ETag, which changes with each change of the record"),
        ],
        (CommandPart::IfMatch, _) => vec![
            Arg::new("if_match")
                .long("if-match")
                .value_name("ETAG")
                .help(fill(
                    "Only if the {name} still has this ETag, which `{name} get ID --etag` prints",
                    noun,
                )),
        ],
        (CommandPart::Yes, _) => vec![
            Arg::new("yes")
                .long("yes")
                .short('y')
                .action(ArgAction::SetTrue)
                .help("Do not ask for confirmation"),
        ],
        (CommandPart::Key(help), _) => {
            let key = Arg::new("key").value_name("NAME").required(true);
            vec![key.num_args(1..).help(help)]
        }
        (CommandPart::Find, _) => find::args(),
        (CommandPart::Change, _) => vec![
            Arg::new("change")
                .value_name("CHANGE")
                .help("The number of a change, whose whole group is meant [default: your newest group]"),
        ],
        (CommandPart::Log, _) => log::args(),
        (CommandPart::Merge, _) => merge::args(),
        (CommandPart::Dupes, _) => dupes::args(),
        (CommandPart::Parameters, _) => {
            let parameters = flags(about, noun);
            let args = parameters.map(|one| {
                let arg = Arg::new(one.name)
                    .long(kebab(one.name))
                    .help(fill(one.help, noun));
                match one.takes {
                    // Without it, the rules of the database hold.
                    Takes::Word(_, words) => {
                        let help = fill(one.help, noun);
                        let help = format!("{help} [default: {}, unless the setting {} says otherwise]", words[0], one.name);
                        taking(arg, one.takes).help(help)
                    }
                    _ => taking(arg, one.takes),
                }
            });
            args.collect()
        }
        (CommandPart::Inputs, _) => {
            let Body::Object(inputs) = about.body else {
                return Vec::new();
            };
            let args = inputs.iter().map(|input| {
                let arg = Arg::new(input_id(input.name))
                    .required(input.required)
                    .help(input.help);
                let arg = match input.positional {
                    true => arg,
                    false => arg.long(flag(input)),
                };
                taking(arg, input.takes)
            });
            args.collect()
        }
    }
}

/// What names one record.
fn one(noun: Option<&'static Noun>) -> String {
    let words = match noun.is_some_and(|noun| noun.email().is_some()) {
        true => "The {name}: its id or its e-mail address",
        false => "The {name}: its id",
    };
    fill(words, noun)
}

/// The id of the argument of an input. A setting may have the same name, such as `url`.
fn input_id(name: &str) -> String {
    format!("input {name}")
}

/// The flag of an input, without the hyphens. That of a list is in the singular.
fn flag(input: &BodyField) -> String {
    let name = kebab(input.name);
    match input.takes {
        Takes::List(_) => name.strip_suffix('s').unwrap_or(&name).into(),
        _ => name,
    }
}

fn taking(arg: Arg, takes: Takes) -> Arg {
    match takes {
        Takes::Switch | Takes::SwitchFor(_) => arg.action(ArgAction::SetTrue),
        Takes::Word(shown, words) => arg
            .value_name(shown)
            .value_parser(PossibleValuesParser::new(words)),
        Takes::Text(shown) => arg.value_name(shown),
        Takes::List(shown) | Takes::Days(shown) => arg.value_name(shown).action(ArgAction::Append),
        Takes::Time => arg.value_name("TIME"),
    }
}

/// The parameters of an operation that are flags of its command.
fn flags(
    about: &'static About,
    noun: Option<&'static Noun>,
) -> impl Iterator<Item = &'static Parameter> {
    let is_flag = |one: &&Parameter| !matches!(one.takes, Takes::SwitchFor(_));
    about.parameters(noun).filter(is_flag)
}

/// Reads the parameters of an operation from a command line.
pub(super) fn parameters(
    about: &'static About,
    noun: Option<&'static Noun>,
    matches: &ArgMatches,
) -> Vec<(String, String)> {
    let given = flags(about, noun).filter_map(|one| {
        let value = match one.takes {
            Takes::Switch | Takes::SwitchFor(_) => {
                matches.get_flag(one.name).then(|| "true".to_string())
            }
            Takes::Word(..) | Takes::Text(_) | Takes::List(_) | Takes::Days(_) | Takes::Time => {
                matches.get_one::<String>(one.name).cloned()
            }
        };
        Some((one.name.to_string(), value?))
    });
    given.collect()
}

/// Makes the body of an operation that takes an object from the flags of its fields.
pub(super) fn object(about: &'static About, matches: &ArgMatches) -> Option<String> {
    let Body::Object(inputs) = about.body else {
        return None;
    };
    let mut object = serde_json::Map::new();
    for input in inputs {
        let id = input_id(input.name);
        let value = match input.takes {
            Takes::Switch | Takes::SwitchFor(_) => matches.get_flag(&id).then(|| true.into()),
            Takes::List(_) | Takes::Days(_) => matches.get_many::<String>(&id).map(|given| {
                let words = given.flat_map(|text| text.split(','));
                words.map(str::trim).collect::<Vec<&str>>().into()
            }),
            Takes::Word(..) | Takes::Text(_) | Takes::Time => matches
                .get_one::<String>(&id)
                .map(|text| text.as_str().into()),
        };
        if let Some(value) = value {
            object.insert(input.name.into(), value);
        }
    }
    Some(serde_json::Value::Object(object).to_string())
}

/// Reads the versions that `--if-match` names. A bare number stands for the ETag with this number.
pub(super) fn versions(matches: &ArgMatches) -> Result<Option<Versions>> {
    let Some(text) = matches.get_one::<String>("if_match") else {
        return Ok(None);
    };
    let ids: Vec<&String> = matches.get_many("ids").into_iter().flatten().collect();
    let is_one = |id: &str| id.contains('@') || !id.contains([',', '-']);
    if ids.len() > 1 || !ids.iter().all(|id| is_one(id)) {
        return Err(Error::invalid(
            "--if-match: expected exactly one id with it",
        ));
    }
    let versions = match text.parse::<u64>() {
        Ok(version) => Versions::parse(
            &Tag::of(i64::try_from(version).unwrap_or(i64::MAX)).text(),
            false,
        ),
        Err(_) => Versions::parse(text, false),
    };
    versions
        .map(Some)
        .map_err(|expected| Error::invalid(format!("--if-match: {expected}")))
}
