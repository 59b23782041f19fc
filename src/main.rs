//! The program `crm`.

use std::process::ExitCode;
use std::time::Duration;

use crm::base::error::Error;
use crm::base::log;
use crm::cli;
use crm::cli::say::complain;
use crm::config::Format;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // A panic is a defect of crm. It is reported in one line, because a backtrace does not help a user.
        let place = panic
            .location()
            .map_or_else(String::new, |place| format!(" at {place}"));
        complain(
            Format::Table,
            &Error::internal(format!("crm has a defect{place}; please report it")),
        );
    }));
    let code = std::panic::catch_unwind(cli::main).unwrap_or(ExitCode::FAILURE);
    // The reader of the log may have stopped. Then the program must still end.
    log::end(Duration::from_secs(1));
    code
}
