//! Names that crm itself writes into files.

/// The column, member or property with the reason why a row was refused. It comes first, and is left out when the file is
/// imported again.
pub const REFUSED: &str = "crm_refused";

/// The property with the reason in a vCard.
pub const REFUSED_IN_CARD: &str = "X-CRM-REFUSED";

/// The member of NDJSON that holds a line which is no JSON object.
pub const LINE: &str = "crm_line";

/// How the header of a column says that its cells are JSON: `attributes.size:=`, as `--set size:=120` does.
pub const AS_JSON: &str = ":=";

/// What an own field begins with.
pub const OWN: &str = "attributes.";

/// The header of the column of an own field.
pub fn own_column(key: &str, is_json: bool) -> String {
    let mark = if is_json { AS_JSON } else { "" };
    format!("{OWN}{key}{mark}")
}

/// The key of the header of an own field, and whether its cells are JSON.
pub fn own_key(column: &str) -> Option<(&str, bool)> {
    let key = column.strip_prefix(OWN)?;
    Some(match key.strip_suffix(AS_JSON) {
        Some(key) => (key, true),
        None => (key, false),
    })
}

/// The property of a vCard with the status.
pub const CARD_STATUS: &str = "X-CRM-STATUS";

/// The property of a vCard with all own fields, as JSON.
pub const CARD_ATTRIBUTES: &str = "X-CRM-ATTRIBUTES";
