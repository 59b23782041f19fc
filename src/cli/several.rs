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
                    error.message = named(&name(item), &error.message);
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

/// A message that names its item, a noun and a number, once: `Lead 4 has 5 actions` stays as it is, and `Lead not found`
/// becomes `lead 4: not found`.
pub(super) fn named(name: &str, message: &str) -> String {
    let (noun, number) = name.split_once(' ').unwrap_or((name, ""));
    let after = |text: &'_ str, word: &str| {
        let (first, rest) = text.split_at_checked(word.len())?;
        let ends = !rest.starts_with(|next: char| next.is_alphanumeric());
        (ends && first.eq_ignore_ascii_case(word)).then(|| text.len() - rest.trim_start().len())
    };
    let Some(at) = after(message, noun) else {
        return format!("{name}: {message}");
    };
    let rest = &message[at..];
    match rest.starts_with(|next: char| next.is_ascii_digit()) {
        true if after(rest, number).is_some() => message.into(),
        true => format!("{name}: {message}"),
        false => format!("{name}: {rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn an_item_is_named_once() {
        for (name, message, told) in [
            ("lead 4", "Lead 4 has 5 actions", "Lead 4 has 5 actions"),
            ("lead 4", "lead 4: is old", "lead 4: is old"),
            ("lead 4", "Lead not found", "lead 4: not found"),
            ("lead 4", "no lead has it", "lead 4: no lead has it"),
            ("lead 4", "Lead 41 is old", "lead 4: Lead 41 is old"),
            ("lead 4", "leads: is old", "lead 4: leads: is old"),
            (
                "record 2",
                "email: is required",
                "record 2: email: is required",
            ),
            ("lead 4", "", "lead 4: "),
        ] {
            assert_eq!(named(name, message), told);
        }
    }
}
