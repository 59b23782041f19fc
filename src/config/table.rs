//! The table of settings: the only list of them.
//!
//! The flags of the command line, the keys of the config file, the rows of `crm config` and the manual's table are all made
//! from it, so a new setting is one row here and one reader. The order of the rows is the order in which they are shown.
//! Names are written out rather than derived, so that a search for a flag or a variable finds its row.

use crate::config::kind::SettingKind::{
    self, Count, Database, File, Folder, Format, Host, Keep, Many, Name, Path, Port, Program, Rate,
    Size, Switch, Time, Token, Url, Word, Zone,
};
use crate::model::record::LARGEST;
use crate::model::rules::{LONGEST_CADENCE, check_status};
use crate::net::peer::check_network;
use crate::server::cors::check_origin;
use crate::server::hosts::check_host;
use DefaultValue::{Rule, Unset, Value};
use ReadBy::{Backups, Commands, Everything, Listen, Rules, ServiceSettings};

/// One setting.
#[derive(Debug)]
pub struct Knob {
    /// Its name, as `crm config` shows it.
    pub name: &'static str,
    /// Its flag, with the hyphens.
    pub flag: Option<&'static str>,
    /// Its environment variable.
    pub variable: Option<&'static str>,
    /// Its key in the config file.
    pub key: Option<&'static str>,
    /// Which commands read it.
    pub read_by: ReadBy,
    /// What it takes, with its unit and range.
    pub kind: SettingKind,
    /// Its value if none is given.
    pub default: DefaultValue,
    /// What it does, for help and the manual.
    pub about: &'static str,
}

/// Which commands read a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBy {
    /// All commands and the service.
    Everything,
    /// All commands, but not the service, which ignores it.
    Commands,
    /// The service, for its address, and `crm health`, which looks for the service there.
    Listen,
    /// The service, for its backups.
    Backups,
    /// The service, and the commands that work on a database: the [rules](crate::model::rules) of its records. The flags are
    /// those of `crm serve`; a command over a URL goes by the rules of the server.
    Rules,
    /// The service, for everything else. `crm health` reads these too, to know whether the service uses TLS.
    ServiceSettings,
}

/// The value of a setting that is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// No value: the setting is off.
    Unset,
    /// This one, written as a user would give it.
    Value(&'static str),
    /// It depends on the surroundings; this describes it.
    Rule(&'static str),
}

/// The longest time between two backups, in seconds: a year.
const YEAR: u64 = 366 * 86_400;

/// The longest time for which changes are kept, in seconds: twenty years. `forever` is longer.
const LONGEST_KEPT: u64 = 20 * 365 * 86_400;

/// The longest time limit of the service, in seconds.
const HOUR: u64 = 3_600;

/// The most backups that are kept. Each one makes the folder slower to list.
const MOST_BACKUPS: u64 = 10_000;

/// An empty text stands for a flag, variable or key that a setting does not have.
const fn named(name: &'static str) -> Option<&'static str> {
    if name.is_empty() { None } else { Some(name) }
}

/// A row: name, flag, variable, key; who reads it, kind, default; what it does.
macro_rules! knobs {
    ($($id:ident: $name:literal, $flag:literal, $variable:literal, $key:literal;
       $read_by:expr, $kind:expr, $default:expr; $about:literal;)*) => {
        $(
            #[doc = concat!("The row of `", $name, "`.")]
            pub static $id: Knob = Knob {
                name: $name,
                flag: named($flag),
                variable: named($variable),
                key: named($key),
                read_by: $read_by,
                kind: $kind,
                default: $default,
                about: $about,
            };
        )*
        /// All settings, in the order in which they are shown.
        pub static KNOBS: &[&Knob] = &[$(&$id),*];
    };
}

knobs! {
    DATABASE: "database", "--db", "DATABASE_URL", "database";
        Everything, Database, Rule("crm.db in the current folder if it exists, else in the user's data folder");
        "The database: the path of a SQLite file or a postgres:// URL";
    URL: "url", "--url", "CRM_URL", "url";
        Commands, Url, Unset;
        "Work through the HTTP API of another crm instead of on a database";
    OUTPUT: "output", "--output", "CRM_OUTPUT", "output";
        Everything, Format, Value("table");
        "How records are printed";
    TIMEZONE: "timezone", "--tz", "CRM_TZ", "timezone";
        Everything, Zone, Rule("the zone of the system, and UTC for `crm serve`");
        "The time zone, such as Europe/Berlin: times without an offset are read in it, and tables show times in it";
    PAGER: "pager", "", "CRM_PAGER", "pager";
        Commands, Program, Rule("`PAGER`, or `less` without one");
        "The program that shows a table or a page of the manual that is longer than the screen; `cat` for none";
    ON_BEHALF_OF: "on_behalf_of", "--on-behalf-of", "CRM_ON_BEHALF_OF", "on_behalf_of";
        Commands, Name, Unset;
        "For whom the changes are made, such as an agent's user; kept with each change, and never checked";
    HOST: "host", "--host", "HOST", "";
        Listen, Host, Value("0.0.0.0");
        "The address to listen on";
    PORT: "port", "--port", "PORT", "";
        Listen, Port, Value("8000");
        "The port to listen on; 0 takes any free port";
    BACKUP_DIR: "backup_dir", "--backup-dir", "CRM_BACKUP_DIR", "backup_dir";
        Backups, Folder, Unset;
        "Back up the database into this folder at regular intervals";
    BACKUP_EVERY: "backup_every", "--backup-every", "CRM_BACKUP_EVERY", "backup_every";
        Backups, Time(YEAR), Value("1h");
        "The time between two backups, such as 30s, 15m, 1h, 1d or 1w";
    BACKUP_KEEP: "backup_keep", "--backup-keep", "CRM_BACKUP_KEEP", "backup_keep";
        Backups, Count(1, MOST_BACKUPS), Value("24");
        "How many of the newest backups to keep";
    KEEP_CHANGES: "keep_changes", "--keep-changes", "CRM_KEEP_CHANGES", "keep_changes";
        ServiceSettings, Keep(LONGEST_KEPT), Value("90d");
        "How long changes are kept, for their history, to take them back, and for readers of changes; 0 keeps only what the service needs itself";
    FINISHED: "finished", "--finished", "CRM_FINISHED", "finished";
        Rules, Many(check_status, "STATUS"), Value("completed,done,closed,cancelled,canceled,won,lost");
        "The statuses of a process that is finished, in any case of letters; every other process is open; may be given several times";
    CADENCE: "cadence", "--cadence", "CRM_CADENCE", "cadence";
        Rules, Count(1, LONGEST_CADENCE as u64), Value("7");
        "After how many days a logged action is followed up, if neither the request nor the process says";
    AUTO_PROCESS: "auto_process", "--auto-process", "CRM_AUTO_PROCESS", "auto_process";
        Rules, Switch, Unset;
        "Let each new action with a lead move the lead's follow-up, as logging it does; a process is opened where the lead has none";
    ON_DUPLICATE: "on_duplicate", "--on-duplicate", "CRM_ON_DUPLICATE", "on_duplicate";
        Rules, Word(&["create", "reject", "update"]), Value("create");
        "What to do if another lead already has the address of a new lead, and the request does not say";
    TOKEN: "token", "", "CRM_TOKEN", "token";
        Commands, Token, Unset;
        "The token that is sent to the server at the URL";
    TOKEN_FILE: "token_file", "--token-file", "", "token_file";
        Commands, Path, Unset;
        "The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself";
    OPEN: "open", "--open", "CRM_OPEN", "open";
        ServiceSettings, Switch, Unset;
        "Allow everyone to read and write, even if the database has tokens";
    REQUIRE_TOKEN: "require_token", "--require-token", "CRM_REQUIRE_TOKEN", "require_token";
        ServiceSettings, Switch, Unset;
        "Refuse access without a token, even if the database has no token yet";
    TLS_CERT: "tls_cert", "--tls-cert", "CRM_TLS_CERT", "tls_cert";
        ServiceSettings, File, Unset;
        "Serve HTTPS with this certificate and its chain, in PEM; read again when the file changes";
    TLS_KEY: "tls_key", "--tls-key", "CRM_TLS_KEY", "tls_key";
        ServiceSettings, File, Unset;
        "The private key of the certificate, in PEM";
    CORS_ORIGIN: "cors_origin", "--cors-origin", "CRM_CORS_ORIGIN", "cors_origin";
        ServiceSettings, Many(check_origin, "ORIGIN"), Unset;
        "Allow pages of this origin, such as https://app.example.com, to use the API; may be given several times";
    TRUSTED_PROXY: "trusted_proxy", "--trusted-proxy", "CRM_TRUSTED_PROXY", "trusted_proxy";
        ServiceSettings, Many(check_network, "ADDRESS"), Unset;
        "Trust X-Forwarded-For from this proxy, an address or a network like 10.0.0.0/8; may be given several times";
    ALLOWED_HOST: "allowed_host", "--allowed-host", "CRM_ALLOWED_HOST", "allowed_host";
        ServiceSettings, Many(check_host, "HOST"), Unset;
        "Also answer requests for this host, where the service listens on a loopback address and has no token; may be given several times";
    WEBHOOK_ALLOW: "webhook_allow", "--webhook-allow", "CRM_WEBHOOK_ALLOW", "webhook_allow";
        ServiceSettings, Many(check_network, "ADDRESS"), Unset;
        "Let webhooks reach this address or network like 10.0.0.0/8, although it is not public; may be given several times";
    LOG: "log", "--log", "CRM_LOG", "log";
        ServiceSettings, Word(&["text", "json"]), Value("text");
        "The format of the log on standard error";
    QUIET: "quiet", "--quiet", "CRM_QUIET", "quiet";
        ServiceSettings, Switch, Unset;
        "Log only warnings and errors, without a line for each request";
    MAX_BODY: "max_body", "--max-body", "CRM_MAX_BODY", "max_body";
        ServiceSettings, Size(1_024, LARGEST as u64), Value("1m");
        "The largest body of a request, in bytes";
    MAX_HEAD: "max_head", "--max-head", "CRM_MAX_HEAD", "max_head";
        ServiceSettings, Size(8 * 1_024, 1_024 * 1_024), Value("64k");
        "The largest head of a request (its first line and its headers), in bytes";
    MAX_URL: "max_url", "--max-url", "CRM_MAX_URL", "max_url";
        ServiceSettings, Size(1_024, 63 * 1_024), Value("63k");
        "The longest path of a request with its parameters, in bytes";
    MAX_DEPTH: "max_depth", "--max-depth", "CRM_MAX_DEPTH", "max_depth";
        ServiceSettings, Count(2, 127), Value("127");
        "The most levels of objects and arrays in a body";
    MAX_CONNECTIONS: "max_connections", "--max-connections", "CRM_MAX_CONNECTIONS", "max_connections";
        ServiceSettings, Count(1, 65_536), Value("1024");
        "The most connections at a time; above it a new one is closed at once, or an idle one of an address that has many more";
    MAX_CONNECTIONS_PER_ADDRESS: "max_connections_per_address", "--max-connections-per-address",
        "CRM_MAX_CONNECTIONS_PER_ADDRESS", "max_connections_per_address";
        ServiceSettings, Count(1, 65_536), Value("512");
        "The most connections of one address at a time; those of a trusted proxy do not count";
    MAX_STREAMS: "max_streams", "--max-streams", "CRM_MAX_STREAMS", "max_streams";
        ServiceSettings, Count(1, 65_536), Value("1024");
        "The most streams of changes at a time; they do not count as connections, and one address may have as many as connections";
    HEAD_TIMEOUT: "head_timeout", "--head-timeout", "CRM_HEAD_TIMEOUT", "head_timeout";
        ServiceSettings, Time(HOUR), Value("10s");
        "How long the head of a request may take, from its first byte";
    BODY_TIMEOUT: "body_timeout", "--body-timeout", "CRM_BODY_TIMEOUT", "body_timeout";
        ServiceSettings, Time(HOUR), Value("30s");
        "How long the body of a request may take, from the end of its head";
    REQUEST_TIMEOUT: "request_timeout", "--request-timeout", "CRM_REQUEST_TIMEOUT", "request_timeout";
        ServiceSettings, Time(HOUR), Value("1m");
        "How long a response may take to begin, from the end of the request";
    QUERY_TIMEOUT: "query_timeout", "--query-timeout", "CRM_QUERY_TIMEOUT", "query_timeout";
        ServiceSettings, Time(HOUR), Value("30s");
        "How long the database may search for the next part of a list";
    IDLE_TIMEOUT: "idle_timeout", "--idle-timeout", "CRM_IDLE_TIMEOUT", "idle_timeout";
        ServiceSettings, Time(HOUR), Value("75s");
        "How long a connection may be idle between two requests";
    RATE_PER_TOKEN: "rate_per_token", "--rate-per-token", "CRM_RATE_PER_TOKEN", "rate_per_token";
        ServiceSettings, Rate(1_000_000), Value("off");
        "The most requests of one token in a second";
    RATE_PER_ADDRESS: "rate_per_address", "--rate-per-address", "CRM_RATE_PER_ADDRESS", "rate_per_address";
        ServiceSettings, Rate(1_000_000), Value("off");
        "The most requests of one address in a second";
    MAX_WAITING_WRITES: "max_waiting_writes", "--max-waiting-writes", "CRM_MAX_WAITING_WRITES", "max_waiting_writes";
        ServiceSettings, Count(1, 65_536), Value("4096");
        "The most writes that wait for the database at a time";
    CONFIG: "config", "--config", "", "";
        Everything, Path, Rule("crm/config.toml in the user's config folder");
        "The config file";
}

impl Knob {
    /// Whether its flag is one of every command; otherwise it is one of `crm serve`.
    pub fn is_global(&self) -> bool {
        matches!(self.read_by, Everything | Commands)
    }

    /// The ways to give it, as a message lists them.
    pub(super) fn names(&self) -> String {
        let names = [self.flag, self.variable, self.key];
        let names: Vec<&str> = names.into_iter().flatten().collect();
        match names.split_last() {
            Some((last, [])) => last.to_string(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
}
