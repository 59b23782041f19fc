//! Who makes a change. Every change is kept together with its author.

use std::borrow::Cow;
use std::sync::Arc;

/// Who makes a change, and by which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The name of the token; `local:` and the user of the system for a command on a database; `-` where a service is open.
    pub by: Arc<str>,
    /// For whom the author acts. The author names it, so it proves nothing.
    pub on_behalf_of: Option<Arc<str>>,
    /// The id of the request.
    pub request_id: Option<Arc<str>>,
    /// The id of the operation in the OpenAPI document.
    pub operation: Cow<'static, str>,
}

/// The name of an author who is not known.
pub const NOBODY: &str = "-";

impl Default for Author {
    fn default() -> Author {
        Author {
            by: NOBODY.into(),
            on_behalf_of: None,
            request_id: None,
            operation: "".into(),
        }
    }
}
