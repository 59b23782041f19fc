//! The program `crm`: parse, pick the runtime, run, print one error, exit.

use std::borrow::Cow;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use crm::base::error::Error;
use crm::base::log;
use crm::cli::{self, Ask};
use crm::command::{self, Ended, complain};
use crm::config::{
    Asker, Backups, Flags, Format, Listen, Location, Service, Settings, Surroundings, error_format,
    table,
};
use crm::model::token;
use crm::output::Stop;
use tokio::runtime::{Builder, Runtime};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // A defect of ours, in one line: a backtrace helps nobody who only uses the program.
        let place = panic
            .location()
            .map_or_else(String::new, |place| format!(" at {place}"));
        complain(
            Format::Table,
            &Error::internal(format!("crm has a defect{place}; please report it")),
        );
    }));
    let code = std::panic::catch_unwind(run).unwrap_or(1);
    // What reads the log may have stopped, which is no reason to stay.
    log::end(Duration::from_secs(1));
    ExitCode::from(code)
}

fn run() -> u8 {
    let around = Surroundings::of_process();
    let matches = match cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return misused(&error, &around),
    };
    let flags = cli::flags(&matches);
    // Until the settings are known, or where they are at fault.
    let mut format = error_format(&flags, &around);
    let ended = cli::ask(&matches)
        .map_err(Stop::from)
        .and_then(|ask| obey(ask, &flags, &around, &mut format));
    match ended {
        Ok(code) => code,
        Err(Stop::ClosedPipe) => 0,
        Err(Stop::Failed(error)) => {
            complain(format, &error);
            error.code.exit()
        }
    }
}

fn obey(ask: Ask, flags: &Flags, around: &Surroundings, format: &mut Format) -> Ended {
    match ask {
        Ask::Serve => {
            let found = settings(flags, around, Asker::Serve)?;
            let listen = Listen::find(flags, around)?;
            let backups = Backups::find(flags, around)?;
            let service = Service::find(flags, around)?;
            command::begin_log(&service)?;
            if flags.get(&table::URL).is_some() {
                command::say("note: serve works on a database; --url is ignored");
            }
            let runtime = runtime(Builder::new_multi_thread())?;
            let ended = runtime.block_on(command::serve(&found, &listen, backups, &service));
            // Everything is answered and closed; what still runs is a read that nobody waits for.
            runtime.shutdown_timeout(Duration::from_secs(1));
            ended
        }
        Ask::Verb(noun, verb) => {
            let found = settings(flags, around, Asker::Command)?;
            *format = found.output.value;
            runtime(Builder::new_current_thread())?.block_on(command::verb(&found, noun, verb))
        }
        Ask::Token(verb) => {
            let found = settings(flags, around, Asker::Command)?;
            *format = found.output.value;
            runtime(Builder::new_current_thread())?.block_on(command::token(&found, verb))
        }
        Ask::Backup { file, force, quiet } => {
            let found = settings(flags, around, Asker::Command)?;
            *format = found.output.value;
            runtime(Builder::new_current_thread())?
                .block_on(command::back_up(&found, file, force, quiet))
        }
        Ask::Restore { file, quiet } => {
            let found = settings(flags, around, Asker::Command)?;
            *format = found.output.value;
            runtime(Builder::new_current_thread())?.block_on(command::restore(&found, file, quiet))
        }
        Ask::Check { quiet } => {
            let found = settings(flags, around, Asker::Command)?;
            *format = found.output.value;
            command::check(&found, quiet)
        }
        Ask::Copy { from, to, quiet } => {
            let found = Settings::find(flags, around, Asker::Command)?;
            *format = found.output.value;
            runtime(Builder::new_current_thread())?
                .block_on(command::copy(&found, flags, around, &from, &to, quiet))
        }
        Ask::Config => command::config(flags, around),
        Ask::Health => {
            runtime(Builder::new_current_thread())?.block_on(command::health(flags, around))
        }
        Ask::Completions(shell) => command::completions(shell),
        Ask::Man(folder) => command::man(folder.as_deref()),
        Ask::Help(words) => command::help(&words),
    }
}

/// The settings. What was given and is of no use is told.
fn settings(flags: &Flags, around: &Surroundings, asker: Asker) -> Result<Settings, Error> {
    let found = Settings::find(flags, around, asker)?;
    if flags.get(&table::TOKEN_FILE).is_some() && !matches!(found.target.value, Location::Url(_)) {
        command::say(command::NO_TOKEN);
    }
    Ok(found)
}

fn runtime(mut builder: Builder) -> Result<Runtime, Error> {
    // What the runtime opens for signals it cannot do without, and panics: all that it opens has to find room.
    let spare: std::io::Result<Vec<_>> = (0..3).map(|_| UnixStream::pair()).collect();
    let built = spare.and_then(|spare| {
        drop(spare);
        builder.enable_all().build()
    });
    built.map_err(|error| Error::failed(format!("cannot start: {error}")))
}

/// Help and version, or words that are no command line of crm's.
fn misused(error: &clap::Error, around: &Surroundings) -> u8 {
    let wanted = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if wanted || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return if wanted { 0 } else { 2 };
    }
    let mut flags = Flags::default();
    if let Some(word) = output_flag() {
        flags.set(&table::OUTPUT, word);
    }
    match error_format(&flags, around) {
        format @ (Format::Json | Format::Ndjson) => {
            let text = error.render().to_string();
            let sentence: Vec<&str> = text
                .lines()
                .take_while(|line| !line.is_empty())
                .map(str::trim)
                .collect();
            let sentence = sentence.join(" ");
            complain(
                format,
                &Error::invalid(sentence.trim_start_matches("error: ")),
            );
        }
        _ => {
            let text = error.render().to_string();
            match token::hidden(&text) {
                Cow::Borrowed(_) => drop(error.print()),
                Cow::Owned(hidden) => command::say(hidden.trim_end()),
            }
        }
    }
    2
}

/// `--output` of a command line that could not be read.
fn output_flag() -> Option<String> {
    let mut args = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-o" | "--output" => return args.next(),
            "--" => return None,
            arg => {
                let short = arg.strip_prefix("-o").filter(|_| !arg.starts_with("--"));
                if let Some(value) = arg.strip_prefix("--output=").or(short) {
                    return Some(value.trim_start_matches('=').to_string());
                }
            }
        }
    }
    None
}
