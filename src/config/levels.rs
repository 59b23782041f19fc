//! The levels at which a setting can be given: a flag, the environment, the config file.

use std::path::Path;

use crate::base::error::Result;
use crate::config::file::ConfigFile;
use crate::config::flags::Flags;
use crate::config::kind::SettingValue;
use crate::config::origin::{Origin, Setting};
use crate::config::surroundings::Surroundings;
use crate::config::table::{DefaultValue, Knob};

/// Everything that can give a setting.
pub(super) struct Levels<'a> {
    pub(super) flags: &'a Flags,
    pub(super) around: &'a Surroundings<'a>,
    pub(super) file: ConfigFile,
}

impl<'a> Levels<'a> {
    /// All levels. Fails if the config file is wrong.
    pub(super) fn read(flags: &'a Flags, around: &'a Surroundings<'a>) -> Result<Levels<'a>> {
        Ok(Levels {
            flags,
            around,
            file: ConfigFile::read(flags, around)?,
        })
    }

    /// Flags and environment only, for settings without a key in the config file.
    pub(super) fn without_file(flags: &'a Flags, around: &'a Surroundings<'a>) -> Levels<'a> {
        Levels {
            flags,
            around,
            file: ConfigFile::default(),
        }
    }

    /// The value at the highest level that has one. Lower levels are not read: a wrong value there may be meant for
    /// another program, so it does no harm.
    pub(super) fn get(&self, knob: &Knob) -> Result<Option<Setting<String>>> {
        if let Some(given) = self.flags.text(knob) {
            return Ok(Some(given));
        }
        if let Some(given) = self.around.variable(knob)? {
            return Ok(Some(given));
        }
        Ok(self.file.get(knob))
    }

    /// The value at the highest level, read by the kind of the setting. A path becomes absolute. If no level has a
    /// value, the default of the table applies.
    pub(super) fn value(&self, knob: &Knob) -> Result<Setting<SettingValue>> {
        let given = match (self.get(knob)?, knob.default) {
            (Some(given), _) => given,
            (None, DefaultValue::Value(text)) => Setting::new(text.into(), Origin::Default),
            (None, _) => return Ok(Setting::new(SettingValue::Unset, Origin::Default)),
        };
        let mut found = given.read(|text| knob.kind.read(text))?;
        if let SettingValue::Path(path) = &mut found.value {
            // Collecting the components drops a dot at the start.
            *path = self
                .folder(&found.origin)
                .join(&path)
                .components()
                .collect();
        }
        Ok(found)
    }

    /// The folder that a relative path is relative to: for a path in the config file the folder of that file, otherwise
    /// the current folder.
    pub(super) fn folder(&self, origin: &Origin) -> &Path {
        match origin {
            Origin::File(..) => self.file.folder(),
            _ => &self.around.folder,
        }
    }
}
