//! The data of an operation.

use crate::model::draft::Purpose;
use crate::model::nouns::owned;
use crate::model::record::Noun;
use crate::model::token::Scope;

use super::describe::Described;

/// What an operation is. Its texts may hold `{name}`, `{plural}`, `{title}`, `{Plural}`, `{a}` (`a` or `an`) and
/// `{owned}` (the plurals of what refers to it), which stand for the words of the noun.
#[derive(Debug)]
pub struct About {
    /// What it is done with.
    pub of: Of,
    /// Its HTTP methods, each with its id in the API's document. GET brings HEAD with it.
    pub methods: &'static [(&'static str, &'static str)],
    /// Its path. A segment in braces is a parameter.
    pub path: &'static str,
    /// Who may ask for it.
    pub access: Access,
    /// Whether the path has a record's id and the operation takes conditions on the record's version.
    pub conditional: bool,
    /// Its parameters behind the `?`, without those that [`describe`](About::describe) adds.
    pub parameters: &'static [Parameter],
    /// Its body.
    pub body: Body,
    /// What it answers.
    pub answer: Answer,
    /// What it needs.
    pub needs: Needs,
    /// One line for the API's document.
    pub summary: &'static str,
    /// The rest that the API's document says of it.
    pub describe: Describe,
    /// Its command, if it has one.
    pub words: Option<Words>,
}

/// What an operation is done with.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// Each noun that has a table.
    Records,
    /// Each noun, views included.
    Lists,
    /// One noun.
    Noun(&'static Noun),
    /// Tokens.
    Tokens,
    /// The service itself.
    Service,
}

impl Of {
    /// Whether a noun is among them.
    pub fn has(self, noun: &'static Noun) -> bool {
        match self {
            Of::Records => !noun.is_view(),
            Of::Lists => true,
            Of::Noun(of) => std::ptr::eq(of, noun),
            Of::Tokens | Of::Service => false,
        }
    }
}

/// Who may ask for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Who has a token of this scope, or everybody while the service is open; that is never so for [`Scope::Admin`].
    Token(Scope),
}

/// Who may read.
pub const READ: Access = Access::Token(Scope::Read);
/// Who may write.
pub const WRITE: Access = Access::Token(Scope::Write);
/// Who may manage tokens.
pub const ADMIN: Access = Access::Token(Scope::Admin);

/// The body of a request.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// None. One that is sent counts for the idempotency key alone.
    None,
    /// The fields of a record.
    Draft(Purpose),
    /// A JSON object with these fields.
    Object(&'static [Input]),
}

/// What an operation answers when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A record, with its ETag.
    Record,
    /// Many records.
    Records,
    /// One sentence.
    Message,
    /// Anything else.
    Other,
}

/// What an operation needs, which decides what can go wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The database.
    Database,
    /// The database. Monitoring asks for it, so it is never told to come back later.
    DatabaseAlways,
    /// The process alone.
    Nothing,
    /// The process alone. Monitoring asks for it, so it is never told to come back later.
    NothingAlways,
}

impl Needs {
    /// Whether the database is asked.
    pub fn database(self) -> bool {
        matches!(self, Needs::Database | Needs::DatabaseAlways)
    }

    /// Whether rates of requests are limited.
    pub fn limited(self) -> bool {
        matches!(self, Needs::Database | Needs::Nothing)
    }
}

/// A parameter behind the `?`, which is also a flag of the command.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is, for the API's document.
    pub about: &'static str,
    /// What it is, for the command's help.
    pub help: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Whether the operation has it for a noun.
    pub applies: fn(&'static Noun) -> bool,
}

/// What a parameter or an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// `true` or `false`, false without it; as a flag it stands alone.
    Switch,
    /// One of these words, behind what stands for them in the help. Of a parameter the first one without it.
    Word(&'static str, &'static [&'static str]),
    /// Any text; what it stands for in the help.
    Text(&'static str),
}

/// A field of a body that is no record, which is also a flag of the command.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name.
    pub name: &'static str,
    /// What it is, for the command's help.
    pub help: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Whether it has to be given.
    pub required: bool,
    /// Whether it stands without a flag in the command.
    pub positional: bool,
}

/// How the API's document is told more.
#[derive(Clone, Copy, Debug)]
pub enum Describe {
    /// For an operation on nouns.
    Noun(fn(&'static Noun) -> Described),
    /// For any other.
    Plain(fn() -> Described),
    /// Not at all: the operation is not in the document.
    Hidden,
}

/// The words of a command. It stands below the noun's command, or below `token`.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// The verb.
    pub verb: &'static str,
    /// One line.
    pub about: &'static str,
    /// More, if there is more to say; else empty.
    pub long: &'static str,
    /// What it takes besides the global options, in this order.
    pub takes: &'static [Word],
    /// What is asked before it is done, and what it is done with besides the records: ` with all actions and processes`.
    pub confirm: Option<Confirm>,
    /// Whole command lines, which a test runs.
    pub examples: Examples,
}

/// What a question says behind the records, by the noun and the parameters that were given.
pub type Confirm = fn(&'static Noun, &[(String, String)]) -> String;

/// Where the examples of a command are.
#[derive(Clone, Copy, Debug)]
pub enum Examples {
    /// In the noun.
    Noun(fn(&'static Noun) -> &'static [&'static str]),
    /// Here.
    These(&'static [&'static str]),
}

impl Examples {
    /// The command lines.
    pub fn lines(self, noun: Option<&'static Noun>) -> &'static [&'static str] {
        match (self, noun) {
            (Examples::Noun(of), Some(noun)) => of(noun),
            (Examples::Noun(_), None) => &[],
            (Examples::These(lines), _) => lines,
        }
    }
}

/// A part of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The ids of one record or more.
    Ids,
    /// The flags of the noun's fields, or `--json`.
    Draft,
    /// `--fields`, the fields to show.
    Show,
    /// `--etag`, to show the ETag instead.
    Etag,
    /// `--if-match`.
    IfMatch,
    /// `--yes`, do not ask.
    Yes,
    /// The filters and the page of a list.
    Filters,
    /// The operation's parameters.
    Parameters,
    /// The parameter in its path, with its help.
    Key(&'static str),
    /// The fields of its body.
    Inputs,
}

impl About {
    /// Its parameters for a noun.
    pub fn parameters(
        &self,
        noun: Option<&'static Noun>,
    ) -> impl Iterator<Item = &'static Parameter> {
        let applies = move |parameter: &&Parameter| noun.is_none_or(parameter.applies);
        self.parameters.iter().filter(applies)
    }

    /// Whether it is done with this noun, or where there is none, with no noun.
    pub fn is_with(&self, noun: Option<&'static Noun>) -> bool {
        match (self.of, noun) {
            (of, Some(noun)) => of.has(noun),
            (Of::Tokens | Of::Service, None) => true,
            (Of::Records | Of::Lists | Of::Noun(_), None) => false,
        }
    }

    /// Whether it changes anything.
    pub fn writes(&self) -> bool {
        self.methods.iter().any(|(method, _)| *method != "GET")
    }

    /// Whether its path has the id of a record.
    pub fn has_id(&self) -> bool {
        self.path.contains("{id}")
    }

    /// The path to a noun's operation, with `key` in the place of its parameter.
    pub fn at(&self, noun: Option<&'static Noun>, key: &str) -> String {
        let path = fill(self.path, noun);
        match (path.find('{'), path.find('}')) {
            (Some(start), Some(end)) => format!("{}{key}{}", &path[..start], &path[end + 1..]),
            _ => path,
        }
    }
}

/// Puts the words of a noun into a text. Texts of other operations stay as they are.
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
