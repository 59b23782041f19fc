//! The address that `crm serve` listens on.

use crate::base::error::{Error, Result, quoted};
use crate::config::flags::Flags;
use crate::config::levels::Levels;
use crate::config::origin::{Origin, Setting};
use crate::config::row::Row;
use crate::config::surroundings::Surroundings;
use crate::config::table::{HOST, PORT};

/// The address of the service. It is separate from the other settings, so that a `PORT` that is meant for another
/// program does no harm to commands that do not need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// An IP address without brackets, or a name.
    pub host: Setting<String>,
    /// 0 takes any free port.
    pub port: Setting<u16>,
}

impl Listen {
    /// Finds the address.
    pub fn find(flags: &Flags, around: &Surroundings) -> Result<Listen> {
        let levels = Levels::without_file(flags, around);
        let host = levels.value(&HOST)?.map(|host| host.to_string());
        if matches!(host.origin, Origin::Environment(_)) && is_platform(&host.value) {
            return Err(host.origin.refuse(format!(
                "expected an IP address or a host name like 127.0.0.1, got {}, which names a platform: conda and compilers \
                 set HOST to it; unset HOST, or give --host",
                quoted(&host.value)
            )));
        }
        Ok(Listen {
            host,
            port: levels.value(&PORT)?.map(|port| {
                // The kind of the setting allows nothing larger.
                u16::try_from(port.number()).unwrap_or(u16::MAX)
            }),
        })
    }

    /// The error about an address that cannot be used. It names the variables that the address comes from.
    pub fn refused(&self, error: &std::io::Error) -> Error {
        let variable = |origin: &Origin| match origin {
            Origin::Environment(name) => Some(*name),
            _ => None,
        };
        let given = [&self.host.origin, &self.port.origin];
        let given: Vec<&str> = given.into_iter().filter_map(variable).collect();
        let named = match given.is_empty() {
            true => String::new(),
            false => format!("{}: ", given.join(" and ")),
        };
        let (host, port) = (&self.host.value, self.port.value);
        Error::failed(format!(
            "{named}cannot listen on {host} port {port}: {error}"
        ))
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        vec![
            Row::new(&HOST, &self.host.value, &self.host.origin),
            Row::new(&PORT, self.port.value, &self.port.origin),
        ]
    }
}

/// Whether a text is the name of a platform, such as `x86_64-conda-linux-gnu` or `arm64-apple-darwin20.0.0`. Tools for
/// building programs keep it in a variable of the same name.
fn is_platform(text: &str) -> bool {
    const SYSTEMS: [&str; 5] = [
        "-conda-",
        "-apple-darwin",
        "-linux-gnu",
        "-linux-musl",
        "-w64-mingw",
    ];
    SYSTEMS.iter().any(|system| text.contains(system))
}
