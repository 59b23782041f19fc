//! The terminal that is printed to.

use std::ffi::OsString;
use std::io::{self, IsTerminal};

/// The width that is assumed for a terminal that does not report one, in columns.
const USUAL_WIDTH: usize = 80;

/// The stream that is printed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// The width in columns. `None` means that it is not a terminal.
    pub width: Option<usize>,
    /// Whether to use color and bold.
    pub color: bool,
}

impl Terminal {
    /// Looks at standard output.
    pub fn stdout() -> Terminal {
        let stream = io::stdout();
        let size = terminal_size::terminal_size_of(&stream);
        Self::of(stream.is_terminal(), size, &|name| std::env::var_os(name))
    }

    /// The number of rows of the terminal on standard output, if it reports one.
    pub fn rows() -> Option<usize> {
        let size = terminal_size::terminal_size_of(io::stdout())?;
        Some(size.1.0.into())
    }

    /// Looks at standard error.
    pub fn stderr() -> Terminal {
        let stream = io::stderr();
        let size = terminal_size::terminal_size_of(&stream);
        Self::of(stream.is_terminal(), size, &|name| std::env::var_os(name))
    }

    /// Color is off if `NO_COLOR` is not empty (<https://no-color.org>), and on a terminal whose `TERM` is `dumb`.
    fn of(
        is_terminal: bool,
        size: Option<(terminal_size::Width, terminal_size::Height)>,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Terminal {
        let unwanted = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = environment("TERM").is_some_and(|value| value == "dumb");
        let width = size.map_or(USUAL_WIDTH, |size| size.0.0.into());
        Terminal {
            width: is_terminal.then_some(width),
            color: is_terminal && !unwanted && !dumb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_is_for_terminals_that_want_it() {
        let size = Some((terminal_size::Width(100), terminal_size::Height(30)));
        let of = |is_terminal, name: &'static str, value: &'static str| {
            Terminal::of(is_terminal, size, &|asked| {
                (asked == name).then(|| value.into())
            })
        };
        let full = Terminal {
            width: Some(100),
            color: true,
        };
        let colorless = Terminal {
            color: false,
            ..full
        };
        assert_eq!(of(true, "TERM", "xterm"), full);
        assert_eq!(of(true, "NO_COLOR", ""), full);
        assert_eq!(of(true, "NO_COLOR", "0"), colorless);
        assert_eq!(of(true, "TERM", "dumb"), colorless);
        assert_eq!(of(false, "TERM", "xterm"), Terminal::default());
        let untold = Terminal::of(true, None, &|_| None);
        assert_eq!(untold.width, Some(USUAL_WIDTH));
    }
}
