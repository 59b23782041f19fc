//! The data of an operation.

use crate::model::draft::Purpose;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::nouns::owned;
use crate::model::query;
use crate::model::token::Scope;

use super::describe::Described;

/// The data of an operation. In its texts, words in braces stand for words of the noun: `{name}`, `{plural}`, `{title}`,
/// `{Plural}`, `{a}` (`a` or `an`) and `{owned}` (the plurals of the nouns that refer to it).
#[derive(Debug)]
pub struct About {
    /// What it works on.
    pub of: Of,
    /// Its HTTP methods, each with its id in the OpenAPI document. GET includes HEAD.
    pub methods: &'static [(&'static str, &'static str)],
    /// Its path. A segment in braces is a parameter.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Whether it accepts conditions on the version of the record in its path.
    pub conditional: bool,
    /// Its parameters after the `?`, without those that [`describe`](About::describe) adds.
    pub parameters: &'static [Parameter],
    /// Its body.
    pub body: Body,
    /// What it answers.
    pub answer: Answer,
    /// What it needs to run.
    pub needs: Needs,
    /// One line for the OpenAPI document.
    pub summary: &'static str,
    /// The rest of its description in the OpenAPI document.
    pub describe: Describe,
    /// Its command, if it has one.
    pub words: Option<Words>,
}

/// What an operation works on.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// Each noun that has a table.
    Records,
    /// Each noun, views included.
    Lists,
    /// One noun.
    Noun(&'static Noun),
    /// One noun. Its command is not a subcommand.
    Plain(&'static Noun),
    /// One noun, as a command only. Its request is that of another operation.
    Command(&'static Noun),
    /// Tokens.
    Tokens,
    /// The changes of records. Its command is not a subcommand.
    Changes,
    /// Webhooks.
    Webhooks,
    /// All records, by their words. Its command is not a subcommand.
    Found,
    /// The service itself.
    Service,
}

impl Of {
    /// The noun of a command that is not a subcommand of it.
    pub fn noun(self) -> Option<&'static Noun> {
        match self {
            Of::Plain(noun) => Some(noun),
            _ => None,
        }
    }

    /// Whether it includes a noun.
    pub fn has(self, noun: &'static Noun) -> bool {
        match self {
            Of::Records => !noun.is_view(),
            Of::Lists => true,
            Of::Noun(of) | Of::Plain(of) | Of::Command(of) => std::ptr::eq(of, noun),
            Of::Tokens | Of::Webhooks | Of::Changes | Of::Found | Of::Service => false,
        }
    }
}

/// Who may use an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone.
    Public,
    /// A client with a token of this scope. While the service is open also everyone, except for [`Scope::Admin`].
    Token(Scope),
    /// A client whose path has a token of exactly this scope, also while the service is open.
    InPath(Scope),
}

/// The access to read.
pub const READ: Access = Access::Token(Scope::Read);
/// The access to write.
pub const WRITE: Access = Access::Token(Scope::Write);
/// The access to manage tokens.
pub const ADMIN: Access = Access::Token(Scope::Admin);

/// The body of a request.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// None. A body that is sent only counts for the idempotency key.
    None,
    /// The fields of a record.
    Draft(Purpose),
    /// A JSON object with these fields.
    Object(&'static [BodyField]),
    /// Lines of NDJSON that are read as they arrive.
    Lines,
}

/// What an operation answers when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A record, with its ETag.
    Record,
    /// A list of records.
    Records,
    /// One sentence.
    Message,
    /// Anything else.
    Other,
}

/// What an operation needs to run. It decides which errors are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The database.
    Database,
    /// The database. Monitoring uses the operation, so it has no rate limit.
    DatabaseAlways,
    /// Only the process.
    Nothing,
    /// Only the process. Monitoring uses the operation, so it has no rate limit.
    NothingAlways,
}

impl Needs {
    /// Whether it uses the database.
    pub fn database(self) -> bool {
        matches!(self, Needs::Database | Needs::DatabaseAlways)
    }

    /// Whether rate limits apply.
    pub fn limited(self) -> bool {
        matches!(self, Needs::Database | Needs::Nothing)
    }
}

/// A parameter after the `?`, which is also a flag of the command.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its description in the OpenAPI document.
    pub about: &'static str,
    /// Its description in the help of the command.
    pub help: &'static str,
    /// Which values it takes.
    pub takes: Takes,
    /// Whether the operation on a noun has it.
    pub applies: fn(&'static Noun) -> bool,
}

/// Which values a parameter or an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// `true` or `false`; the default is false. As a flag it has no value.
    Switch,
    /// The same, but no flag: another command gives it. Whoever gives it at all needs a token with this scope, even if the
    /// operation needs less.
    SwitchFor(Scope),
    /// The name of the value in the help, and the words that it can be. The first is the default of a parameter.
    Word(&'static str, &'static [&'static str]),
    /// Any text. This is its name in the help.
    Text(&'static str),
    /// A list of texts. This is its name in the help. As a flag it is comma-separated, and its name is in the singular.
    List(&'static str),
    /// A text with a time or a duration. Its operation takes the parameter `tz`.
    Time,
    /// A list of words that depend on the days of a zone. This is its name in the help. Its operation takes the parameter `tz`.
    Days(&'static str),
}

/// A field of a body that is not a record. It is also a flag of the command.
#[derive(Clone, Copy, Debug)]
pub struct BodyField {
    /// Its name.
    pub name: &'static str,
    /// Its description in the help of the command.
    pub help: &'static str,
    /// Which values it takes.
    pub takes: Takes,
    /// Whether it has to be given.
    pub required: bool,
    /// Whether the command takes it as an argument without a flag.
    pub positional: bool,
}

/// How an operation adds its description to the OpenAPI document.
#[derive(Clone, Copy, Debug)]
pub enum Describe {
    /// For an operation on nouns.
    Noun(fn(&'static Noun) -> Described),
    /// For any other operation.
    Plain(fn() -> Described),
    /// The operation is not in the document.
    Hidden,
}

/// The words of a command, which is a subcommand of the noun or of `token`.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// The verb.
    pub verb: &'static str,
    /// One line for the help.
    pub about: &'static str,
    /// More lines for the help. It may be empty.
    pub long: &'static str,
    /// Its arguments and options in order, without the global options.
    pub takes: &'static [CommandPart],
    /// If it asks for confirmation: the end of the question, such as ` with all actions and processes`.
    pub confirm: Option<Confirm>,
    /// Whole command lines, which a test runs.
    pub examples: CommandExamples,
}

/// Makes the end of a question for confirmation, from the noun and the given parameters.
pub type Confirm = fn(&'static Noun, &[(String, String)]) -> String;

/// Where the examples of a command are.
#[derive(Clone, Copy, Debug)]
pub enum CommandExamples {
    /// In the data of the noun.
    Noun(fn(&'static Noun) -> &'static [&'static str]),
    /// In the data of the operation.
    These(&'static [&'static str]),
}

impl CommandExamples {
    /// The command lines.
    pub fn lines(self, noun: Option<&'static Noun>) -> &'static [&'static str] {
        match (self, noun) {
            (CommandExamples::Noun(of), Some(noun)) => of(noun),
            (CommandExamples::Noun(_), None) => &[],
            (CommandExamples::These(lines), _) => lines,
        }
    }
}

/// A part of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandPart {
    /// The ids of one record or more.
    Ids,
    /// The id of one record, or its e-mail address.
    One,
    /// The filters of the lists of this noun, and the part of a list that is printed.
    FiltersOf(&'static Noun),
    /// The flags of the noun's fields, or `--json`.
    Draft,
    /// `--fields`, the fields to show.
    Show,
    /// `--etag`, to show the ETag instead.
    Etag,
    /// `--if-match`.
    IfMatch,
    /// `--yes`, to skip the confirmation.
    Yes,
    /// The filters and the page of a list.
    Filters,
    /// The operation's parameters.
    Parameters,
    /// The parameter in its path, with its help.
    Key(&'static str),
    /// The fields of its body.
    Inputs,
    /// The number of a change, which may be left out.
    Change,
    /// One or more leads, and what was done with them.
    Log,
    /// The lead that stays, and those that are merged into it.
    Merge,
    /// Leads that are no duplicates of each other.
    Dupes,
    /// The words of a search, and its options.
    Find,
}

impl About {
    /// The start of an operation on the service: a GET without parameters, body and command. Each names its own access.
    pub const SERVICE: About = About {
        of: Of::Service,
        methods: &[],
        path: "",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Other,
        needs: Needs::Nothing,
        summary: "",
        describe: Describe::Hidden,
        words: None,
    };

    /// Its parameters for a noun.
    pub fn parameters(
        &self,
        noun: Option<&'static Noun>,
    ) -> impl Iterator<Item = &'static Parameter> {
        let applies = move |parameter: &&Parameter| noun.is_none_or(parameter.applies);
        self.parameters.iter().filter(applies)
    }

    /// Whether it works on this noun. `None` asks whether it works without a noun.
    pub fn is_with(&self, noun: Option<&'static Noun>) -> bool {
        match (self.of, noun) {
            (of, Some(noun)) => of.has(noun),
            (Of::Tokens | Of::Webhooks | Of::Changes | Of::Found | Of::Service, None) => true,
            (Of::Records | Of::Lists | Of::Noun(_) | Of::Plain(_) | Of::Command(_), None) => false,
        }
    }

    /// Whether its body may have times, so that it takes the parameter `tz`.
    pub fn reads_times(&self, noun: Option<&'static Noun>) -> bool {
        let has_times = |noun: &Noun| {
            noun.fields
                .iter()
                .any(|field| matches!(field.kind, Kind::Time(_)))
        };
        match self.body {
            Body::None => false,
            Body::Draft(_) | Body::Lines => noun.is_some_and(has_times),
            Body::Object(inputs) => inputs
                .iter()
                .any(|input| matches!(input.takes, Takes::Time | Takes::Days(_))),
        }
    }

    /// The scope that one of its parameters needs beyond that of the operation, with the name of the parameter. `query` is
    /// the text after the `?`.
    pub fn guarded(&self, query: &str) -> Option<(&'static str, Scope)> {
        let mut guarded = self.parameters.iter().filter_map(|one| match one.takes {
            Takes::SwitchFor(scope) => Some((one.name, scope)),
            _ => None,
        });
        let (name, scope) = guarded.next().filter(|_| !query.is_empty())?;
        // A text that cannot be read is refused later, and has no parameter until then.
        let pairs = query::pairs(query).unwrap_or_default();
        pairs
            .iter()
            .any(|pair| pair.0 == name)
            .then_some((name, scope))
    }

    /// Whether it changes anything.
    pub fn writes(&self) -> bool {
        self.methods.iter().any(|(method, _)| *method != "GET")
    }

    /// Whether its path has the id of a record.
    pub fn has_id(&self) -> bool {
        self.path.contains("{id}")
    }

    /// The path to a noun's operation, with `key` instead of its parameter.
    pub fn at(&self, noun: Option<&'static Noun>, key: &str) -> String {
        let path = fill(self.path, noun);
        match (path.find('{'), path.find('}')) {
            (Some(start), Some(end)) => format!("{}{key}{}", &path[..start], &path[end + 1..]),
            _ => path,
        }
    }
}

/// Puts the words of a noun into a text. Without a noun the text stays unchanged.
pub fn fill(text: &str, noun: Option<&'static Noun>) -> String {
    let Some(noun) = noun else {
        return text.into();
    };
    text.replace("{name}", noun.name)
        .replace("{plural}", noun.plural)
        .replace("{title}", noun.title)
        .replace("{Plural}", &noun.plural_title())
        .replace("{a}", noun.article())
        .replace("{owned}", &owned(noun).unwrap_or_default())
}
