//! Who makes the changes of a command.

use crate::config::Settings;
use crate::model::author::Author;

/// Who makes the changes of a command: the user of the system. A server goes by the token instead.
pub(super) fn author(settings: &Settings) -> Author {
    // A user without a name in the system's list is known by the number alone.
    let user = whoami::username();
    let user = user.unwrap_or_else(|_| rustix::process::getuid().as_raw().to_string());
    let behalf = settings.on_behalf_of.as_ref();
    Author {
        by: format!("local:{user}").into(),
        on_behalf_of: behalf.map(|name| name.value.as_str().into()),
        ..Author::default()
    }
}
