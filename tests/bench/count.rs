//! Goes one hot path a number of times on a file, for callgrind to count its instructions: `count NAME TIMES FILE`; the
//! names without words. See `tests/bench/counts`.

mod paths;

use std::error::Error;
use std::io::Write;

use paths::{Ground, PATHS};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, times, file] = &words[..] else {
        for (name, _) in PATHS {
            writeln!(std::io::stdout(), "{name}")?;
        }
        return Ok(());
    };
    let known = PATHS.iter().find(|(known, _)| known == name);
    let (_, path) = known.ok_or("expected the name of a path")?;
    let ground = Ground::new(file.as_ref())?;
    for _ in 0..times.parse()? {
        path(&ground)?;
    }
    Ok(())
}
