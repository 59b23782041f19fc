//! `crm NOUN export`: writes records to a file that other programs open and that `crm NOUN import` reads again.
//!
//! The file is written beside its place and then takes its name, so nobody ever sees half of it. A list is read chunk by chunk, and
//! holds no transaction; so the command looks whether records have changed meanwhile, and then reads them once more.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use tempfile::NamedTempFile;

use super::filters::{filter_args, list_args, pairs};
use super::help::examples;
use super::ids::in_filters;
use super::keeping::quiet;
use super::open::{Wants, open};
use super::say::say;
use super::session::{Ended, OfNoun, Session};
use super::signals;
use crate::base::error::{Code, Error, Result, quoted};
use crate::config::Format;
use crate::model::noun::Noun;
use crate::model::query::Query;
use crate::output::{self, Bar, ExportFormat, Exporter, Look, OwnColumns, Stop};
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use crate::views::changes::CHANGE;

pub(super) const EXPORT: OfNoun = OfNoun {
    name: "export",
    words: command,
    run,
};

/// How often the records are read, if they change meanwhile.
const TRIES: u32 = 3;

/// The command of a noun.
fn command(noun: &'static Noun) -> Command {
    let (name, plural) = (noun.name, noun.plural);
    let wanted = ["where", "q", "sort", "limit"];
    let list = list_args(noun).into_iter();
    let has_address = noun.email().is_some();
    let cards = if has_address { " or .vcf" } else { "" };
    let mut lines = vec![
        format!("crm {name} export {plural}.csv"),
        format!("crm {name} export {plural}.ndjson --quiet"),
    ];
    if has_address {
        lines.push(format!(
            "crm {name} export for-excel.csv --spreadsheet --status won"
        ));
        lines.push(format!("crm {name} export contacts.vcf"));
    }
    Command::new(EXPORT.name)
        .about(format!("Write {plural} to a file that other programs open, and that an import reads again"))
        .long_about(format!(
            "Write {plural} to a file: CSV with a column for each attribute, NDJSON, JSON{}. `crm {name} import` reads it again \
             without a loss. The file is written beside its place and then takes its name.",
            if has_address { ", vCard" } else { "" }
        ))
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(ValueParser::path_buf())
                .value_hint(ValueHint::FilePath)
                .help(format!("The file, whose name ends with .csv, .ndjson, .json{cards}; - is standard output, in the format of -o")),
        )
        .arg(
            Arg::new("spreadsheet")
                .long("spreadsheet")
                .action(ArgAction::SetTrue)
                .help("Guard the cells of a CSV that a spreadsheet would run as a formula; an import takes the guard off again"),
        )
        .args(filter_args(noun))
        .args(list.filter(|arg| wanted.contains(&arg.get_id().as_str())))
        .arg(quiet())
        .after_help(examples(&lines.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// Runs the command.
fn run(session: &Session<'_>, noun: &'static Noun, matches: &ArgMatches) -> Ended {
    let path = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let settings = session.settings()?;
    let spreadsheet = matches.get_flag("spreadsheet");
    let look = Session::look(&settings);
    let mut filters = pairs(noun, matches, settings.zone()?)?;
    if let Some(limit) = matches.get_one::<String>("limit") {
        filters.push(("limit".into(), limit.clone()));
    }
    let export = Export {
        noun,
        format: format(noun, &path, spreadsheet, look.format)?,
        path,
        filters,
        quiet: matches.get_flag("quiet"),
    };
    session.block_on(async {
        let store = open(&settings, Wants::Read).await?;
        let stopped = signals::stopped()?;
        let ended = tokio::select! {
            ended = export.run(&store, look) => ended,
            // The file beside is removed as it goes out of scope.
            code = stopped => Ok(code),
        };
        let closed = store.close().await;
        let code = ended?;
        closed?;
        Ok(code)
    })
}

/// The format of a file by its name.
fn format(
    noun: &'static Noun,
    path: &Path,
    spreadsheet: bool,
    look: Format,
) -> Result<ExportFormat> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase());
    let name = name.unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let format = match extension {
        None if name == "-" => match look {
            Format::Table | Format::Csv => ExportFormat::Csv(spreadsheet),
            Format::Ndjson => ExportFormat::Ndjson,
            Format::Json => ExportFormat::Json,
            Format::Id => {
                return Err(Error::invalid(
                    "-o id: expected csv, ndjson or json for an export",
                ));
            }
        },
        Some("csv") => ExportFormat::Csv(spreadsheet || name.ends_with(".xlsx-safe.csv")),
        Some("ndjson" | "jsonl") => ExportFormat::Ndjson,
        Some("json") => ExportFormat::Json,
        Some("vcf" | "vcard") if noun.email().is_some() => ExportFormat::Vcard,
        _ => {
            return Err(Error::invalid(format!(
                "FILE: expected a name that ends with .csv, .ndjson, .json{}, got {}",
                if noun.email().is_some() {
                    " or .vcf"
                } else {
                    ""
                },
                quoted(&name)
            )));
        }
    };
    match format {
        ExportFormat::Csv(_) => Ok(format),
        _ if spreadsheet => Err(Error::invalid("--spreadsheet: expected a CSV")),
        _ => Ok(format),
    }
}

struct Export {
    noun: &'static Noun,
    format: ExportFormat,
    path: PathBuf,
    filters: Vec<(String, String)>,
    quiet: bool,
}

impl Export {
    async fn run(&self, store: &AnyStore, look: Look) -> Ended {
        if self.path.as_os_str() == "-" {
            let out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
            let columns = self.columns(store).await?;
            self.write(store, out, columns).await?;
            return Ok(0);
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let before = newest(store).await?;
            let columns = self.columns(store).await?;
            let file = beside(&self.path)?;
            let out = BufWriter::with_capacity(64 * 1024, file);
            let (count, fits, out) = self.write(store, out, columns).await?;
            let changed = changes(store, self.noun, before).await?;
            if (changed > 0 || !fits) && tries < TRIES {
                continue;
            }
            if !fits {
                return Err(Error::new(
                    Code::Conflict,
                    format!(
                        "{} got new attributes while they were read; run the command again",
                        self.noun.plural
                    ),
                )
                .into());
            }
            let file = out
                .into_inner()
                .map_err(|error| self.failed(&error.into_error()))?;
            self.persist(file)?;
            if changed > 0 {
                say(&format!(
                    "note: {} changed while they were read; the file has each as it was when it was read",
                    self.noun.plural
                ));
            }
            if !self.quiet {
                let said = [
                    ("file", self.path.display().to_string().into()),
                    (self.noun.plural, count.into()),
                ];
                output::summary(io::stdout().lock(), look, &said)?;
            }
            return Ok(0);
        }
    }

    /// The columns of own fields. Only a CSV has them.
    async fn columns(&self, store: &AnyStore) -> Result<OwnColumns, Stop> {
        let mut columns = OwnColumns::default();
        if !matches!(self.format, ExportFormat::Csv(_)) {
            return Ok(columns);
        }
        let bar = Bar::counting(!self.quiet);
        let mut pairs = self.filters.clone();
        in_filters(store, self.noun, &mut pairs).await?;
        pairs.extend([
            ("fields".into(), "id,attributes".into()),
            ("count".into(), "true".into()),
        ]);
        let mut listing = store.list(Query::new(self.noun, pairs)?).await?;
        let (mut done, of) = (0, listing.total.unwrap_or_default());
        while let Some(records) = listing.next_chunk().await? {
            for record in &records {
                if !columns.add(self.noun, record) {
                    return Err(Error::invalid("FILE: the records have too many different attributes for a CSV; export to .ndjson").into());
                }
            }
            done += records.len() as u64;
            bar.show("looking for columns", done, of);
        }
        Ok(columns)
    }

    /// Writes all records. Returns how many, and whether the file has a place for everything.
    async fn write<W: Write>(
        &self,
        store: &AnyStore,
        out: W,
        columns: OwnColumns,
    ) -> Result<(u64, bool, W), Stop> {
        let mut pairs = self.filters.clone();
        in_filters(store, self.noun, &mut pairs).await?;
        pairs.push(("count".into(), "true".into()));
        let bar = Bar::counting(!self.quiet);
        let mut exporter = Exporter::new(out, self.noun, self.format, columns)?;
        let mut listing = store.list(Query::new(self.noun, pairs)?).await?;
        let (mut done, of, mut fits) = (0, listing.total.unwrap_or_default(), true);
        while let Some(records) = listing.next_chunk().await? {
            for record in &records {
                fits &= exporter.record(record)?;
            }
            done += records.len() as u64;
            bar.show("exporting", done, of);
        }
        let (count, out) = exporter.end()?;
        Ok((count, fits, out))
    }

    fn persist(&self, file: NamedTempFile) -> Result<()> {
        let synced = file.as_file().sync_all();
        synced.map_err(|error| self.failed(&error))?;
        file.persist(&self.path)
            .map_err(|error| self.failed(&error.error))?;
        let folder = File::open(folder(&self.path)).and_then(|folder| folder.sync_all());
        folder.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::failed(format!("{}: {error}", self.path.display()))
    }
}

/// A new file beside this one.
fn beside(path: &Path) -> Result<NamedTempFile> {
    let made = tempfile::Builder::new()
        .prefix(".crm-export-")
        .tempfile_in(folder(path));
    made.map_err(|error| {
        // The error of a temporary file names it, and nobody knows that name.
        let told = error.to_string();
        let told = told.split(" at path ").next().unwrap_or_default();
        Error::failed(format!("{}: {told}", path.display()))
    })
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The number of the newest change. `None` if the caller may not read changes.
async fn newest(store: &AnyStore) -> Result<Option<i64>> {
    let pairs = vec![
        ("sort".into(), format!("-{}", CHANGE.key().name)),
        ("limit".into(), "1".into()),
        ("fields".into(), CHANGE.key().name.into()),
    ];
    let read = async {
        let mut listing = store.list(Query::new(&CHANGE, pairs)?).await?;
        let found = listing.next_chunk().await?;
        Ok::<i64, Error>(
            found
                .and_then(|found| found.first().map(|change| change.id()))
                .unwrap_or_default(),
        )
    };
    match read.await {
        Ok(newest) => Ok(Some(newest)),
        Err(error) if error.code == Code::Denied => Ok(None),
        Err(error) => Err(error),
    }
}

/// How many changes of records of a noun came after this one.
async fn changes(store: &AnyStore, noun: &'static Noun, before: Option<i64>) -> Result<u64> {
    let Some(before) = before else {
        return Ok(0);
    };
    let pairs = vec![
        (CHANGE.key().name.into(), format!("gt:{before}")),
        ("type".into(), format!("{}.*", noun.name)),
        ("count".into(), "true".into()),
        ("limit".into(), "1".into()),
    ];
    let listing = store.list(Query::new(&CHANGE, pairs)?).await?;
    Ok(listing.total.unwrap_or_default())
}
