//! Does the same with several records, one after the other.

use std::io::Write;

use super::say::complain;
use crate::base::error::{Code, Error};
use crate::model::noun::Noun;
use crate::model::shown::Shown;
use crate::output::{Look, Printer, Stop};

/// The fields that `--fields` requests.
pub(super) fn shown(noun: &'static Noun, fields: Option<&str>) -> Result<Option<Shown>, Error> {
    fields.map(|fields| Shown::parse(noun, fields)).transpose()
}

/// Calls `act` with each item, in order, and continues after a failure. Returns the exit code of the first failure, and
/// where the output went.
/// `name` names an item in an error, if there are several.
pub(super) async fn each<T, W: Write>(
    look: Look,
    items: &[T],
    name: impl Fn(&T) -> String,
    mut printer: Printer<W>,
    mut act: impl AsyncFnMut(&T, &mut Printer<W>) -> Result<(), Stop>,
) -> Result<(u8, W), Stop> {
    let mut code = 0;
    for item in items {
        match act(item, &mut printer).await {
            Ok(()) => {}
            Err(Stop::ClosedPipe) => return Err(Stop::ClosedPipe),
            Err(Stop::Failed(mut error)) => {
                printer.flush()?;
                if items.len() > 1 {
                    error.message = format!("{}: {}", name(item), error.message);
                }
                complain(look.format, &error);
                if code == 0 {
                    code = error.code.exit();
                }
                // The server cannot be reached for the other items either.
                if error.code == Code::Unreachable {
                    break;
                }
            }
        }
    }
    let (_, out) = printer.finish()?;
    Ok((code, out))
}
