//! The commands' words: which there are, and what was asked for.
//!
//! The flags of a noun are made from its table of fields, so that a new field has its flag, its help and its completion
//! by itself. What was typed becomes an [`Ask`]; what it does is in [`crate::command`].

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use clap_complete::Shell;

use crate::base::error::{Error, Problems, Result, quoted};
use crate::base::time;
use crate::config::table::{CONFIG, DATABASE, DefaultValue, KNOBS, Knob, OUTPUT, TOKEN_FILE, URL};
use crate::config::{Flags, Format, SettingKind};
use crate::manual::topics;
use crate::model::attributes::Attributes;
use crate::model::draft::{Draft, Input, input_from_text};
use crate::model::lead::OnDuplicate;
use crate::model::nouns::NOUNS;
use crate::model::query::{CONTROLS, OPERATORS};
use crate::model::record::{Field, Kind, Noun, Presence};
use crate::model::terms::{Versions, etag};
use crate::model::token::Scope;

/// What the user asks for.
#[derive(Debug)]
pub enum Ask {
    /// `crm serve`
    Serve,
    /// A verb on a noun.
    Verb(&'static Noun, Verb),
    /// `crm token`
    Token(TokenVerb),
    /// `crm backup`
    Backup {
        /// The file to make.
        file: PathBuf,
        /// Replace one that is there.
        force: bool,
        /// Say nothing of a success.
        quiet: bool,
    },
    /// `crm restore`
    Restore {
        /// The backup.
        file: PathBuf,
        /// Say nothing of a success.
        quiet: bool,
    },
    /// `crm check`; its file is one of the [`Flags`].
    Check {
        /// Say nothing where all is well.
        quiet: bool,
    },
    /// `copy`
    Copy {
        /// What is copied.
        from: String,
        /// What it is copied to.
        to: String,
        /// Show no progress.
        quiet: bool,
    },
    /// `crm config`
    Config,
    /// `crm health`
    Health,
    /// `crm completions`
    Completions(Shell),
    /// `crm man`, with the folder to write to.
    Man(Option<PathBuf>),
    /// `crm help`, with the words of a command or a topic of the manual.
    Help(Vec<String>),
}

/// What to do with tokens.
#[derive(Debug)]
pub enum TokenVerb {
    /// `create`
    Create {
        /// Its name.
        name: String,
        /// What it lets its holder do.
        scope: Scope,
        /// As given.
        expires: Option<String>,
    },
    /// `list`
    List,
    /// `revoke`
    Revoke(String),
}

/// What to do with the records of a noun.
#[derive(Debug)]
pub enum Verb {
    /// `create`
    Create {
        /// The new record.
        source: Source,
        /// For leads.
        on_duplicate: OnDuplicate,
        /// `--fields`
        fields: Option<String>,
    },
    /// `get`
    Get {
        /// As given; `-` stands for those on standard input.
        ids: Vec<String>,
        /// `--fields`
        fields: Option<String>,
        /// Print the ETags instead.
        etag: bool,
    },
    /// `list`
    List {
        /// The filters, `q`, `sort` and `after`, as the API's parameters.
        pairs: Vec<(String, String)>,
        /// `--limit`
        limit: Option<String>,
        /// Print the number alone.
        count: bool,
        /// `--fields`
        fields: Option<String>,
    },
    /// `update`
    Update {
        /// As for `get`.
        ids: Vec<String>,
        /// The change.
        source: Source,
        /// `--fields`
        fields: Option<String>,
        /// `--if-match`
        versions: Option<Versions>,
    },
    /// `delete`
    Delete {
        /// As for `get`.
        ids: Vec<String>,
        /// Do not ask.
        yes: bool,
        /// For leads: with their actions and processes.
        cascade: bool,
        /// `--if-match`
        versions: Option<Versions>,
    },
}

/// Where a draft comes from.
#[derive(Debug)]
pub enum Source {
    /// From flags.
    Flags(Draft),
    /// From a file with a JSON object, `-` for standard input.
    Json(PathBuf),
}

/// The whole command line of `crm`.
pub fn command() -> Command {
    let global = |arg: Arg| arg.global(true).help_heading("Global options");
    Command::new("crm")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The smallest CRM that is real: leads, actions and follow-ups, served over HTTP and at the terminal")
        .after_help(examples(&[
            "crm lead create --email ada@example.com --name 'Ada Lovelace'",
            "crm lead list --status new",
            "crm process list --where 'next_followup_datetime=lte:now'",
            "crm config",
        ]))
        .subcommand_required(true)
        .arg_required_else_help(true)
        // clap's own takes no --help.
        .disable_help_subcommand(true)
        .args([&DATABASE, &URL, &CONFIG].map(|knob| global(knob_arg(knob))))
        .arg(global(knob_arg(&OUTPUT).short('o')))
        .arg(global(knob_arg(&TOKEN_FILE)))
        // It is taken to be refused: what stands on a command line can be read by everybody on the machine.
        .arg(Arg::new("token").long("token").global(true).hide(true).num_args(0..=1).action(ArgAction::Append))
        .subcommand(serve())
        .subcommand(token())
        .subcommands(NOUNS.map(noun_command))
        .subcommands(keeping())
        .subcommand(
            Command::new("config")
                .about("Show each setting and where it comes from")
                .after_help(examples(&["crm config", "crm config -o json"])),
        )
        .subcommand(
            Command::new("health")
                .about("Ask a running service whether it takes writes")
                .long_about(
                    "Ask a running service whether it takes writes: the one at --url or CRM_URL, else the one on this \
                     machine at HOST and PORT. Prints `ok` and exits 0, or says why not. With -o json it shows what \
                     /ready answers: the last commit, and where the service makes backups the last of them and since \
                     when they fail.",
                )
                .after_help(examples(&["crm health", "crm health --url http://localhost:8000"])),
        )
        .subcommand(
            Command::new("completions")
                .about("Print the completion script of a shell")
                .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(ValueParser::from(
                    clap::value_parser!(Shell),
                )))
                .after_help(examples(&["crm completions bash > crm.bash", "crm completions zsh > _crm"])),
        )
        .subcommand(
            Command::new("help")
                .about("Show a topic of the manual, or what a command takes, as its --help does")
                .arg(
                    Arg::new("words")
                        .value_name("TOPIC|COMMAND")
                        .num_args(0..)
                        .help("A topic or a command; without one, all of them are listed"),
                )
                .after_help(examples(&[
                    "crm help",
                    "crm help backups",
                    "crm help lead create",
                ])),
        )
        .subcommand(
            Command::new("man")
                .about("Print the manual page of crm, or write all manual pages into a folder")
                .arg(
                    Arg::new("dir")
                        .long("dir")
                        .value_name("DIR")
                        .value_parser(ValueParser::path_buf())
                        .value_hint(ValueHint::DirPath)
                        .help(
                            "Write a page for each command (crm-lead-list.1) and each topic (crm-backups.7) into this \
                             folder, which is made if it is not there",
                        ),
                )
                .after_help(examples(&["crm man > crm.1", "crm man --dir man"])),
        )
}

/// The command line as its manual pages show it: they leave out the second names of flags, which `--help` adds by itself.
pub fn spelled_out() -> Command {
    fn spell(command: Command) -> Command {
        let names: Vec<String> = command
            .get_subcommands()
            .map(|known| known.get_name().to_string())
            .collect();
        let command = command.mut_args(|arg| {
            let others = arg.get_visible_aliases().unwrap_or_default();
            let others: Vec<String> = others.iter().map(|other| format!("--{other}")).collect();
            match (
                others.is_empty(),
                arg.get_help().map(|help| help.to_string()),
            ) {
                (false, Some(help)) => arg.help(format!("{help} (also {})", others.join(", "))),
                _ => arg,
            }
        });
        names
            .into_iter()
            .fold(command, |command, name| command.mut_subcommand(name, spell))
    }
    spell(command())
}

/// The help page of a command, as its `--help` prints it.
pub fn help(words: &[String]) -> Result<clap::builder::StyledStr> {
    let mut page = command();
    page.build();
    for word in words {
        let known = page.find_subcommand(word).cloned();
        page = known.ok_or_else(|| {
            Error::invalid(format!(
                "help: expected a command or a topic of the manual ({}), got {}",
                topics::names(),
                quoted(word)
            ))
        })?;
    }
    Ok(page.render_long_help())
}

/// The end of a help page.
fn examples(lines: &[&str]) -> String {
    format!("Examples:\n  {}", lines.join("\n  "))
}

fn serve() -> Command {
    Command::new("serve")
        .about("Run the HTTP service")
        .long_about(
            "Run the HTTP service. Prints one line with its address and its database when it is ready to answer. Ends on \
             SIGTERM or SIGINT after it has answered what it accepted. The API is described at /docs and /openapi.json.",
        )
        .args(knobs_of_serve().map(knob_arg))
        .after_help(examples(&[
            "crm serve",
            "crm serve --host 127.0.0.1 --port 0 --db crm.db",
            "crm serve --backup-dir backups --backup-every 1h --backup-keep 24",
        ]))
}

fn token() -> Command {
    let name = || {
        Arg::new("name")
            .value_name("NAME")
            .required(true)
            .help("The token's name")
    };
    Command::new("token")
        .disable_help_subcommand(true)
        .about("Tokens: who may use the service; create, list, revoke")
        .long_about(
            "Tokens: who may use the service. As long as a database has none, a service over it is open to everybody who \
             reaches it; with the first one every request needs one, but for /health, /ready, /docs and /openapi.json. Works on \
             the database itself, or over --url with a token of the scope admin.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(examples(&[
            "crm token create ci --scope write --expires 90d",
            "crm token list",
        ]))
        .subcommand(
            Command::new("create")
                .about("Make a token and print it, this once")
                .long_about(
                    "Make a token and print it. It is shown this once: the database keeps only its SHA-256 and its first \
                     letters.",
                )
                .arg(name())
                .arg(
                    Arg::new("scope")
                        .long("scope")
                        .value_name("SCOPE")
                        .required(true)
                        .value_parser(PossibleValuesParser::new(Scope::WORDS.map(|known| known.0)))
                        .help("What it lets its holder do; write includes read, and admin, which manages tokens, both"),
                )
                .arg(
                    Arg::new("expires")
                        .long("expires")
                        .value_name("TIME")
                        .help("When it expires: a time from now like 90d, 12h or 2w, or a time [default: never]"),
                )
                .after_help(examples(&[
                    "crm token create ada --scope admin",
                    "crm token create cron --scope read --expires 90d > token",
                ])),
        )
        .subcommand(
            Command::new("list")
                .about("List the tokens, without their secrets")
                .after_help(examples(&["crm token list", "crm token list -o json"])),
        )
        .subcommand(
            Command::new("revoke")
                .about("Revoke a token; it stops working at once")
                .arg(name())
                .after_help(examples(&[
                    "crm token create old --scope write > old",
                    "crm token create new --scope write > new && crm token revoke old",
                ])),
        )
}

/// The settings whose flags are those of `crm serve`.
fn knobs_of_serve() -> impl Iterator<Item = &'static Knob> {
    let all = KNOBS.iter().copied();
    all.filter(|knob| knob.flag.is_some() && !knob.is_global())
}

/// The flag of a setting.
fn knob_arg(knob: &'static Knob) -> Arg {
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
        SettingKind::Format => arg.value_parser(PossibleValuesParser::new(
            Format::WORDS.map(|format| format.0),
        )),
        SettingKind::Many(..) => arg.action(ArgAction::Append),
        _ => arg,
    }
}

/// What was given as the flag of a setting.
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

/// The commands that keep a database from being lost.
fn keeping() -> [Command; 4] {
    let file = |help: &'static str| {
        Arg::new("file")
            .value_name("FILE")
            .required(true)
            .value_parser(ValueParser::path_buf())
            .value_hint(ValueHint::FilePath)
            .help(help)
    };
    let quiet = || {
        Arg::new("quiet")
            .long("quiet")
            .short('q')
            .action(ArgAction::SetTrue)
            .help("Print nothing but errors and warnings")
    };
    [
        Command::new("backup")
            .about("Back the database up into a file")
            .long_about(
                "Back the database up into one file, which holds all that was written before. Others may go on working \
                 with it meanwhile. The file is checked and synced before it gets its name: what has that name is whole.",
            )
            .arg(file("The file to make"))
            .arg(
                Arg::new("force")
                    .long("force")
                    .action(ArgAction::SetTrue)
                    .help("Replace a file that is there"),
            )
            .arg(quiet())
            .after_help(examples(&[
                "crm backup backup.db",
                "crm backup \"crm-$(date -u +%Y%m%dT%H%M%SZ).db\" -o json",
                "crm backup backup.db --force --quiet",
            ])),
        Command::new("restore")
            .about("Put a backup in the place of the database")
            .long_about(
                "Put a backup in the place of the database, after it was checked. The database must not be in use. What \
                 was there is kept beside it under a name that is printed. The backup stays as it is.",
            )
            .arg(file("The backup"))
            .arg(quiet())
            .after_help(examples(&[
                "crm backup backup.db && crm restore backup.db",
                "crm backup today.db && crm restore today.db --db copy.db",
            ])),
        Command::new("check")
            .about("Check that the database is whole")
            .long_about(
                "Check that the database is whole: that its pages, indexes and rows hang together, that no record refers \
                 to one that is gone, and that its tables are those of crm. Prints `ok` and exits 0, or a line for \
                 each finding and exits 1. Changes nothing; others may go on working with the database meanwhile.",
            )
            .arg(
                Arg::new("file")
                    .value_name("FILE")
                    .value_hint(ValueHint::FilePath)
                    .help("The database, or a backup of one, instead of --db"),
            )
            .arg(quiet())
            .after_help(examples(&[
                "crm check",
                "crm backup backup.db && crm check backup.db",
                "crm check -o json",
            ])),
        Command::new("copy")
            .about("Copy everything into another database")
            .long_about(
                "Copy all leads, actions and processes into an empty database, ids and times kept, and compare both at \
                 the end. What writes to the source has to be stopped meanwhile; where it was not, the copy fails. One that \
                 was interrupted goes on when the same command is given again; until it is finished the target cannot be \
                 used for anything else.",
            )
            .arg(
                Arg::new("from")
                    .value_name("FROM")
                    .required(true)
                    .help("What is copied: a file, a postgres:// URL, or the http:// URL of another crm"),
            )
            .arg(
                Arg::new("to")
                    .value_name("TO")
                    .required(true)
                    .help("What it is copied to: a file or a postgres:// URL"),
            )
            .arg(quiet())
            .after_help(examples(&[
                "crm backup backup.db && crm copy backup.db copy.db",
                "crm backup crm.db --force && crm copy crm.db postgres://crm@localhost/crm",
            ])),
    ]
}

fn noun_command(noun: &'static Noun) -> Command {
    let name = noun.name;
    let plural = noun.plural;
    let fields = || {
        Arg::new("show")
            .long("fields")
            .value_name("FIELDS")
            .help("Show only these fields, in this order, parted by commas")
    };
    let ids = || {
        Arg::new("ids")
            .value_name("ID")
            .required(true)
            .num_args(1..)
            .help(format!(
                "One or more ids of {plural}, - to read them from standard input"
            ))
    };
    let if_match = || {
        Arg::new("if_match")
            .long("if-match")
            .value_name("ETAG")
            .help(format!(
                "Only if this is the {name}'s ETag still, as `{name} get ID --etag` shows it"
            ))
    };
    let [create, get, list, update, delete] = noun_examples(noun);
    let mut creation = Command::new("create")
        .about(format!("Create {} {name}", noun.article()))
        .args(field_args(noun, Verbal::Create))
        .arg(json_arg(noun))
        .arg(fields())
        .after_help(examples(create));
    let mut deletion = Command::new("delete")
        .about(format!("Delete {plural}"))
        .arg(ids())
        .arg(
            Arg::new("yes")
                .long("yes")
                .short('y')
                .action(ArgAction::SetTrue)
                .help("Do not ask"),
        )
        .arg(if_match())
        .after_help(examples(delete));
    if noun.name == "lead" {
        creation = creation.arg(
            Arg::new("on_duplicate")
                .long("on-duplicate")
                .value_name("WHAT")
                .value_parser(PossibleValuesParser::new(
                    OnDuplicate::WORDS.map(|known| known.0),
                ))
                .default_value("create")
                .help("What to do when a lead has the address already"),
        );
        deletion = deletion.arg(
            Arg::new("cascade")
                .long("cascade")
                .action(ArgAction::SetTrue)
                .help("Delete the lead's actions and processes with it"),
        );
    }
    Command::new(name)
        .disable_help_subcommand(true)
        .about(format!("{}: create, get, list, update, delete", noun.about))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(examples(&[create[0], list[0]]))
        .subcommand(creation)
        .subcommand(
            Command::new("get").about(format!("Show {plural} by their ids")).arg(ids()).arg(fields()).arg(
                Arg::new("etag")
                    .long("etag")
                    .action(ArgAction::SetTrue)
                    .conflicts_with("show")
                    .help("Print the ETag instead, which changes with each change of the record"),
            ).after_help(examples(get)),
        )
        .subcommand(
            Command::new("list")
                .about(format!("List {plural}"))
                .long_about(format!(
                    "List {plural}, all of them unless told otherwise. A filter's value is compared for equality; with an \
                     operator before it (eq: ne: gt: gte: lt: lte: in: is: like:) otherwise, such as in:a,b, is:null or \
                     like:A%. A filter given twice has to hold twice."
                ))
                .args(filter_args(noun))
                .args(list_args())
                .arg(fields())
                .after_help(examples(list)),
        )
        .subcommand(
            Command::new("update")
                .about(format!("Change the given fields of {plural}"))
                .arg(ids())
                .args(field_args(noun, Verbal::Update))
                .arg(json_arg(noun))
                .arg(fields())
                .arg(if_match())
                .after_help(examples(update)),
        )
        .subcommand(deletion)
}

/// Examples of create, get, list, update and delete. They work one after the other on a database with one record of each
/// noun; a test runs them.
fn noun_examples(noun: &Noun) -> [&'static [&'static str]; 5] {
    match noun.name {
        "lead" => [
            &[
                "crm lead create --email ada@example.com --name 'Ada Lovelace'",
                "crm lead create --email eve@acme.org --set company=Acme --set 'size:=120'",
                "crm lead create --email ada@example.com --on-duplicate update",
                "echo '{\"email\": \"bob@acme.org\"}' | crm lead create --json - -o id",
            ],
            &[
                "crm lead get 1",
                "crm lead list -o id | crm lead get - -o ndjson",
            ],
            &[
                "crm lead list --status new",
                "crm lead list --where attributes.company=Acme",
                "crm lead list --sort -created_at --limit 10",
                "crm lead list --q ada -o csv --fields id,email",
                "crm lead list --status ne:lost --count",
            ],
            &[
                "crm lead update 1 --status contacted --set company=Acme --unset size",
                "crm lead list --status new -o id | crm lead update - --status won",
                "crm lead update 1 --clear name",
            ],
            &["crm lead delete 1 --cascade --yes"],
        ],
        "action" => [
            &[
                "crm action create --lead 1 --type call --details 'Asked for a quote'",
                "crm action create --lead 1 --type mail --at -2h",
            ],
            &["crm action get 1 -o json"],
            &[
                "crm action list --lead 1 --sort -timestamp",
                "crm action list --at gte:today",
            ],
            &["crm action update 1 --details 'Sent the quote'"],
            &["crm action delete 1 --yes"],
        ],
        _ => [
            &[
                "crm process create --name 'Campaign' --lead 1 --channel mail --next +3d",
                "crm process create --name 'Call back' --lead 1 --next fri",
            ],
            &["crm process get 1"],
            &[
                "crm process list --where 'next_followup_datetime=lte:now'",
                "crm process list --next lte:tomorrow --sort next_followup_datetime",
            ],
            &[
                "crm process update 1 --next +1w",
                "crm process update 1 --status done --clear next",
            ],
            &["crm process delete 1 --yes"],
        ],
    }
}

/// Which verb the flags of the fields are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verbal {
    Create,
    Update,
}

fn kebab(name: &str) -> String {
    name.replace('_', "-")
}

/// A field's flag, with its second names.
fn flag(field: &'static Field) -> Arg {
    let mut arg = Arg::new(field.name)
        .long(kebab(field.name))
        .value_name(match field.kind {
            Kind::Id | Kind::Reference(_) => "ID",
            Kind::Time | Kind::Stamp => "TIME",
            Kind::Attributes => "JSON",
            Kind::Email => "EMAIL",
            Kind::Text | Kind::Word => "TEXT",
        });
    for other in [field.flag, field.old_name].into_iter().flatten() {
        arg = arg.visible_alias(kebab(other));
    }
    // A time may be -2h.
    arg.allow_hyphen_values(matches!(field.kind, Kind::Time | Kind::Stamp))
}

fn writable(noun: &'static Noun) -> impl Iterator<Item = &'static Field> {
    noun.fields
        .iter()
        .filter(|field| field.presence != Presence::Automatic)
}

fn field_args(noun: &'static Noun, verb: Verbal) -> Vec<Arg> {
    let mut args: Vec<Arg> = writable(noun)
        .map(|field| {
            let about = field.about.split(';').next().unwrap_or(field.about);
            let help = match (field.presence, verb) {
                (Presence::Required, Verbal::Create) => format!("{about} (required)"),
                (Presence::Default(default), Verbal::Create) if field.kind != Kind::Attributes => {
                    format!("{about} [default: {default}]")
                }
                (Presence::Now, Verbal::Create) => format!("{about} [default: now]"),
                _ => about.to_string(),
            };
            let help = match field.kind {
                Kind::Time => format!("{help}; also now, today, tomorrow, +3d, -2h, fri"),
                _ => help,
            };
            flag(field).help(help)
        })
        .collect();
    let many = |name: &'static str| Arg::new(name).long(name).action(ArgAction::Append);
    args.push(
        many("set")
            .value_name("KEY=VALUE")
            .help("Set an attribute to a text, with KEY:=JSON to any other value"),
    );
    if verb == Verbal::Update {
        args.push(many("unset").value_name("KEY").help("Remove an attribute"));
        args.push(
            many("clear")
                .value_name("FIELD")
                .help("Set a field to null"),
        );
    }
    args
}

fn json_arg(noun: &'static Noun) -> Arg {
    let mut arg = Arg::new("json")
        .long("json")
        .value_name("FILE")
        .value_parser(ValueParser::path_buf())
        .value_hint(ValueHint::FilePath)
        .help(
            "Read the record as a JSON object from a file, - for standard input, instead of flags",
        );
    for name in writable(noun).map(|field| field.name).chain(["set"]) {
        arg = arg.conflicts_with(name);
    }
    arg
}

fn filter_args(noun: &'static Noun) -> Vec<Arg> {
    let fields = noun.fields.iter();
    fields
        .map(|field| {
            let help = match field.kind {
                Kind::Attributes => {
                    "Filter by all attributes as text; by one with --where attributes.KEY=…".into()
                }
                _ => format!("Filter by {}", field.name),
            };
            flag(field)
                .value_name("FILTER")
                .action(ArgAction::Append)
                .help(help)
        })
        .collect()
}

fn list_args() -> [Arg; 6] {
    [
        Arg::new("where").long("where").value_name("FIELD=FILTER").action(ArgAction::Append).help(
            "A filter as the API writes it, such as status=ne:lost or attributes.company=Acme",
        ),
        Arg::new("q").long("q").value_name("TEXT").help("Find a text in any of the text fields, whatever its case"),
        Arg::new("sort").long("sort").value_name("FIELDS").allow_hyphen_values(true).help(
            "Sort by these fields, parted by commas, a - before one turns it around [default: id]",
        ),
        Arg::new("limit")
            .long("limit")
            .value_name("COUNT")
            .help("At most so many"),
        Arg::new("after").long("after").value_name("CURSOR").help("Go on behind a page: the cursor that stands below its table, or in the API's Link header"),
        Arg::new("count").long("count").action(ArgAction::SetTrue).help("Print how many there are, and nothing else"),
    ]
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

/// What was asked for.
pub fn ask(matches: &ArgMatches) -> Result<Ask> {
    if matches.value_source("token").is_some() {
        return Err(Error::invalid(
            "--token: a token is not taken on the command line, where others can read it; expected CRM_TOKEN, \
             --token-file or the config file",
        ));
    }
    let (name, matches) = matches.subcommand().unwrap_or(("", matches));
    let file = || {
        matches
            .get_one::<PathBuf>("file")
            .cloned()
            .unwrap_or_default()
    };
    match name {
        "serve" => Ok(Ask::Serve),
        "token" => {
            let (verb, matches) = matches.subcommand().unwrap_or(("", matches));
            let text = |name: &str| matches.get_one::<String>(name).cloned();
            let name = || text("name").unwrap_or_default();
            Ok(Ask::Token(match verb {
                "create" => TokenVerb::Create {
                    name: name(),
                    scope: text("scope")
                        .and_then(|word| Scope::parse(&word))
                        .unwrap_or(Scope::Read),
                    expires: text("expires"),
                },
                "revoke" => TokenVerb::Revoke(name()),
                _ => TokenVerb::List,
            }))
        }
        "backup" => Ok(Ask::Backup {
            file: file(),
            force: matches.get_flag("force"),
            quiet: matches.get_flag("quiet"),
        }),
        "restore" => Ok(Ask::Restore {
            file: file(),
            quiet: matches.get_flag("quiet"),
        }),
        "check" => Ok(Ask::Check {
            quiet: matches.get_flag("quiet"),
        }),
        "copy" => Ok(Ask::Copy {
            from: matches
                .get_one::<String>("from")
                .cloned()
                .unwrap_or_default(),
            to: matches.get_one::<String>("to").cloned().unwrap_or_default(),
            quiet: matches.get_flag("quiet"),
        }),
        "config" => Ok(Ask::Config),
        "health" => Ok(Ask::Health),
        "completions" => Ok(Ask::Completions(
            *matches.get_one::<Shell>("shell").unwrap_or(&Shell::Bash),
        )),
        "help" => {
            let words = matches.get_many::<String>("words").into_iter().flatten();
            Ok(Ask::Help(words.cloned().collect()))
        }
        "man" => Ok(Ask::Man(matches.get_one::<PathBuf>("dir").cloned())),
        name => {
            let noun = NOUNS.into_iter().find(|noun| noun.name == name);
            let (noun, (verb, matches)) = noun
                .zip(matches.subcommand())
                .ok_or_else(|| Error::invalid(format!("{} is no command", quoted(name))))?;
            Ok(Ask::Verb(noun, verb_of(noun, verb, matches)?))
        }
    }
}

fn verb_of(noun: &'static Noun, verb: &str, matches: &ArgMatches) -> Result<Verb> {
    let all = |name: &str| -> Vec<String> {
        matches
            .get_many::<String>(name)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    };
    let fields = || matches.get_one::<String>("show").cloned();
    match verb {
        "create" => Ok(Verb::Create {
            source: source(noun, matches)?,
            on_duplicate: match noun.name {
                "lead" => matches
                    .get_one::<String>("on_duplicate")
                    .and_then(|word| OnDuplicate::parse(word))
                    .unwrap_or_default(),
                _ => OnDuplicate::Create,
            },
            fields: fields(),
        }),
        "get" => Ok(Verb::Get {
            ids: all("ids"),
            fields: fields(),
            etag: matches.get_flag("etag"),
        }),
        "list" => Ok(Verb::List {
            pairs: pairs(noun, matches)?,
            limit: matches.get_one::<String>("limit").cloned(),
            count: matches.get_flag("count"),
            fields: fields(),
        }),
        "update" => Ok(Verb::Update {
            ids: all("ids"),
            source: source(noun, matches)?,
            fields: fields(),
            versions: versions(matches)?,
        }),
        _ => Ok(Verb::Delete {
            ids: all("ids"),
            yes: matches.get_flag("yes"),
            cascade: noun.name == "lead" && matches.get_flag("cascade"),
            versions: versions(matches)?,
        }),
    }
}

/// The versions that `--if-match` names; a bare number is taken for the ETag that it is in.
fn versions(matches: &ArgMatches) -> Result<Option<Versions>> {
    let Some(text) = matches.get_one::<String>("if_match") else {
        return Ok(None);
    };
    let ids = matches.get_many::<String>("ids").into_iter().flatten();
    if ids.clone().count() > 1 || ids.into_iter().any(|id| id == "-") {
        return Err(Error::invalid("--if-match: expected one id beside it"));
    }
    let versions = match text.parse::<u64>() {
        Ok(version) => Versions::parse(&etag(i64::try_from(version).unwrap_or(i64::MAX)), false),
        Err(_) => Versions::parse(text, false),
    };
    versions
        .map(Some)
        .map_err(|expected| Error::invalid(format!("--if-match: {expected}")))
}

/// The draft that the flags give.
fn source(noun: &'static Noun, matches: &ArgMatches) -> Result<Source> {
    let all = |name: &str| -> Vec<&String> {
        match matches.try_get_many::<String>(name) {
            Ok(values) => values.into_iter().flatten().collect(),
            Err(_) => Vec::new(),
        }
    };
    let has_flags = !all("unset").is_empty() || !all("clear").is_empty();
    if let Some(file) = matches.get_one::<PathBuf>("json") {
        return match has_flags {
            true => Err(Error::invalid(
                "--json: expected no --unset or --clear beside it",
            )),
            false => Ok(Source::Json(file.clone())),
        };
    }
    let mut draft = Draft::new(noun);
    let mut attributes = Attributes::default();
    let mut has_attributes = false;
    for field in writable(noun) {
        let Some(text) = matches.get_one::<String>(field.name) else {
            continue;
        };
        match input_from_text(field, text) {
            Ok(Input::Object(object)) => {
                attributes = object;
                has_attributes = true;
            }
            Ok(input) => draft.give(field.name, input),
            Err(expected) => draft.refuse(field.name, expected),
        }
    }
    for pair in all("set") {
        has_attributes = true;
        if let Err(expected) = set(&mut attributes, pair) {
            draft.refuse("--set", expected);
        }
    }
    for key in all("unset") {
        has_attributes = true;
        attributes.set(key, "null");
    }
    if has_attributes {
        draft.give("attributes", Input::Object(attributes));
    }
    for name in all("clear") {
        let field = name.replace('-', "_");
        let known = |known: &&Field| {
            known.name == field
                || known.old_name == Some(&field)
                || known.flag.is_some_and(|flag| kebab(flag) == **name)
        };
        match writable(noun).find(known) {
            Some(field) if matches.get_one::<String>(field.name).is_some() => {
                draft.refuse("--clear", format!("{} is set by a flag too", field.name));
            }
            Some(field) => draft.give(field.name, Input::Null),
            None => {
                let known: Vec<&str> = writable(noun).map(|field| field.name).collect();
                draft.refuse(
                    "--clear",
                    format!("expected one of {}, got {}", known.join(", "), quoted(name)),
                );
            }
        }
    }
    Ok(Source::Flags(draft))
}

/// Reads `key=text` or `key:=JSON`.
fn set(attributes: &mut Attributes, pair: &str) -> Result<(), String> {
    let Some((key, value)) = pair.split_once('=') else {
        return Err(format!(
            "expected KEY=VALUE or KEY:=JSON, got {}",
            quoted(pair)
        ));
    };
    if key.contains('\0') || value.contains('\0') {
        return Err("must not contain a NUL character".into());
    }
    match key.strip_suffix(':') {
        Some(key) => {
            crate::model::attributes::check(value).map_err(|wrong| {
                format!(
                    "{key}:= takes JSON, and {} {wrong}; {key}= sets a text",
                    quoted(value)
                )
            })?;
            attributes.set(key, value.trim());
        }
        None => attributes.set_text(key, value),
    }
    Ok(())
}

/// The parameters of a list.
fn pairs(noun: &'static Noun, matches: &ArgMatches) -> Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for field in noun.fields {
        for value in matches.get_many::<String>(field.name).into_iter().flatten() {
            pairs.push((field.name.into(), value.clone()));
        }
    }
    let mut problems = Problems::default();
    for filter in matches.get_many::<String>("where").into_iter().flatten() {
        match filter.split_once('=') {
            Some((name, _)) if CONTROLS.contains(&name.trim()) => problems.push(
                "--where",
                format!("{0} is no filter; expected --{0}", name.trim()),
            ),
            Some((name, value)) => pairs.push((name.trim().into(), value.into())),
            None => problems.push(
                "--where",
                format!(
                    "expected FIELD=VALUE or FIELD=OPERATOR:VALUE, got {}",
                    quoted(filter)
                ),
            ),
        }
    }
    if !problems.is_empty() {
        return Err(Error::fields(problems));
    }
    for (name, value) in &mut pairs {
        let field = noun.position(name).map(|at| &noun.fields[at]);
        if field.is_some_and(|field| matches!(field.kind, Kind::Time | Kind::Stamp)) {
            *value = times(value);
        }
    }
    for name in ["q", "sort", "after"] {
        if let Some(value) = matches.get_one::<String>(name) {
            pairs.push((name.into(), value.clone()));
        }
    }
    Ok(pairs)
}

/// A filter's value with the command line's words for times turned into times.
fn times(filter: &str) -> String {
    let word = |text: &str| time::words(text).unwrap_or_else(|| text.into());
    match filter
        .split_once(':')
        .filter(|(operator, _)| OPERATORS.contains(operator))
    {
        Some((operator @ ("like" | "is"), value)) => format!("{operator}:{value}"),
        Some((operator, values)) => {
            let values: Vec<String> = values.split(',').map(word).collect();
            format!("{operator}:{}", values.join(","))
        }
        None => word(filter),
    }
}
