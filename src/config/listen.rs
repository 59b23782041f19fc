//! The address that `crm serve` listens on.

use crate::base::error::Result;
use crate::config::flags::Flags;
use crate::config::levels::Levels;
use crate::config::origin::Setting;
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
        Ok(Listen {
            host: levels.value(&HOST)?.map(|host| host.to_string()),
            port: levels.value(&PORT)?.map(|port| {
                // The kind of the setting allows nothing larger.
                u16::try_from(port.number()).unwrap_or(u16::MAX)
            }),
        })
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        vec![
            Row::new(&HOST, &self.host.value, &self.host.origin),
            Row::new(&PORT, self.port.value, &self.port.origin),
        ]
    }
}
