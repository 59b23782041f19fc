//! Parts that `crm backup`, `crm restore`, `crm check` and `crm copy` share.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ValueHint};

use crate::output::Bar;
use crate::store::sqlite::backup::{BackupStage, Content};

/// The argument FILE.
pub(super) fn file(help: &'static str) -> Arg {
    Arg::new("file")
        .value_name("FILE")
        .required(true)
        .value_parser(ValueParser::path_buf())
        .value_hint(ValueHint::FilePath)
        .help(help)
}

/// `--quiet`
pub(super) fn quiet() -> Arg {
    Arg::new("quiet")
        .long("quiet")
        .short('q')
        .action(ArgAction::SetTrue)
        .help("Print only errors and warnings")
}

/// Shows the progress of a backup or a restore.
pub(super) fn progress(quiet: bool) -> impl FnMut(BackupStage) {
    let bar = Bar::new(!quiet);
    move |stage| match stage {
        BackupStage::Copied { done, of } => bar.show("copying", done, of),
        BackupStage::Checking => bar.say("checking"),
    }
}

/// The number of records of each noun and the size of a file, for a summary.
pub(super) fn content(
    content: &Content,
) -> impl Iterator<Item = (&'static str, serde_json::Value)> {
    let records = content.records.iter();
    let records = records.map(|(noun, count)| (noun.plural, (*count).into()));
    records.chain([("bytes", content.bytes.into())])
}
