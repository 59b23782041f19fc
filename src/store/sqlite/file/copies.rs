//! Finds the copies of a database that lie beside it: those that an upgrade and a restore keep, and backups.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::backup_names::BackupNames;
use super::paths::folder_of;

/// How many copies are named.
const NAMED: usize = 10;

/// The names of the copies, sorted. After the first few, their number.
pub(crate) fn copies(path: &Path) -> Vec<String> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Vec::new();
    };
    let kept = format!("{name}.before-");
    let folder = folder_of(path);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<String> = names.filter(|name| name.starts_with(&kept)).collect();
    let backups = BackupNames::of(path).made(folder, SystemTime::now());
    let backups = backups
        .iter()
        .filter_map(|(_, file)| file.file_name()?.to_str());
    found.extend(backups.map(String::from));
    found.sort();
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    if more > 0 {
        found.push(format!("{more} more"));
    }
    found
}
