//! Reads the input of commands: ids and records, from standard input and from files.

use std::io::{self, BufRead, Read};
use std::path::Path;

use crate::base::error::Error;
use crate::output::Extent;

pub(super) fn extent(ids: &[String]) -> Extent {
    if ids.len() == 1 {
        Extent::One
    } else {
        Extent::Many
    }
}

/// Replaces each `-` by the ids on standard input.
pub(super) fn expand(ids: &[String]) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for id in ids {
        if id != "-" {
            all.push(id.clone());
            continue;
        }
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|error| Error::failed(format!("standard input: {error}")))?;
            all.extend(line.split_whitespace().map(str::to_string));
        }
    }
    Ok(all)
}

/// Reads a file. `-` is standard input.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().read_to_end(&mut bytes),
        false => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    let name = if path.as_os_str() == "-" {
        "standard input".into()
    } else {
        path.display().to_string()
    };
    read.map_err(|error| Error::failed(format!("{name}: {error}")))?;
    Ok(bytes)
}
