//! The names of fields on the command line, and what a person most likely meant by a word in the wrong place.

use crate::config::table::KNOBS;
use crate::model::field::{Field, Presence};
use crate::model::kind::Kind;
use crate::model::noun::Noun;

/// A name as a flag writes it.
pub(super) fn kebab(name: &str) -> String {
    name.replace('_', "-")
}

/// The name of a field's argument: the field's own, or its second flag where a global option has the first one.
pub(super) fn argument(field: &Field) -> &'static str {
    let mut options = KNOBS.iter().filter(|knob| knob.is_global());
    match options.any(|knob| knob.name == field.name) {
        true => field.flag.unwrap_or(field.name),
        false => field.name,
    }
}

/// The shortest flag of a field: `--next` instead of `--next-followup-datetime`.
pub(super) fn short(field: &Field) -> String {
    format!("--{}", kebab(field.flag.unwrap_or(field.name)))
}

/// The field that a person means by this word: its name, its old name or its flag, in any case.
pub(super) fn named(noun: &'static Noun, word: &str) -> Option<&'static Field> {
    let word = word.trim_start_matches("--").replace('-', "_");
    let mut fields = noun.fields.iter();
    fields.find(|field| {
        let names = [Some(field.name), field.old_name, field.flag];
        let mut names = names.into_iter().flatten();
        names.any(|name| name.replace('-', "_").eq_ignore_ascii_case(&word))
    })
}

/// A word as it is typed in a shell: in quotes if it needs them.
pub(super) fn typed(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.,:/@%+=".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// What a person meant by `status=contacted` where no such word is expected, for a command that changes records.
pub(super) fn instead_of(noun: &'static Noun, word: &str) -> Option<String> {
    let (name, value) = word.split_once('=')?;
    if name.is_empty() {
        return None;
    }
    let bare = name.trim_end_matches(':');
    Some(match named(noun, bare) {
        Some(field) if field.presence == Presence::Automatic => return None,
        Some(field) => format!("{} {}", short(field), typed(value)),
        None => format!("--set {}", typed(word.trim_start_matches("attributes."))),
    })
}

/// Refuses a key of `--set` or `--unset` that names a field. An attribute of that name would look like the field, and
/// the field would stay as it is. The error says what was expected.
pub(super) fn attribute_key(
    noun: &'static Noun,
    key: &str,
    value: Option<&str>,
) -> Result<(), String> {
    if let Some(inner) = key.strip_prefix("attributes.") {
        let word = match value {
            Some(value) => typed(&format!("{inner}={value}")),
            None => typed(inner),
        };
        return Err(format!(
            "expected the bare name of the attribute; did you mean {word}?"
        ));
    }
    let Some(field) = named(noun, key) else {
        return Ok(());
    };
    let name = field.name;
    let flag = short(field);
    Err(match (field.presence, field.kind, value) {
        (Presence::Automatic, ..) => format!("{name} is a field, which crm sets itself"),
        (_, Kind::Attributes, _) => {
            "attributes holds all attributes; expected the name of one".to_string()
        }
        (_, _, Some(value)) => {
            format!(
                "{name} is a field, not an attribute; did you mean {flag} {}?",
                typed(value)
            )
        }
        (_, _, None) => {
            let remove = typed(&serde_json::json!({ key: null }).to_string());
            let clear = match field.nullable() {
                true => format!(
                    "did you mean --clear {}? ",
                    kebab(field.flag.unwrap_or(name))
                ),
                false => String::new(),
            };
            format!(
                "{name} is a field, not an attribute; {clear}--attributes {remove} removes an attribute of that name"
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::ACTION;
    use crate::model::lead::LEAD;
    use crate::model::process::PROCESS;

    #[test]
    fn a_word_is_a_field_by_any_of_its_names() {
        for (noun, word, field) in [
            (&LEAD, "status", Some("status")),
            (&LEAD, "Status", Some("status")),
            (&ACTION, "description", Some("details")),
            (&ACTION, "at", Some("timestamp")),
            (&PROCESS, "last-action", Some("last_action_id")),
            (&PROCESS, "--next", Some("next_followup_datetime")),
            (&LEAD, "company", None),
            (&LEAD, "", None),
        ] {
            assert_eq!(named(noun, word).map(|field| field.name), field, "{word}");
        }
    }

    #[test]
    fn a_word_in_the_wrong_place_becomes_a_flag() {
        for (word, meant) in [
            ("status=contacted", Some("--status contacted")),
            ("Name=Ada Lovelace", Some("--name 'Ada Lovelace'")),
            ("company=Acme", Some("--set company=Acme")),
            ("attributes.company=Acme", Some("--set company=Acme")),
            ("size:=12", Some("--set size:=12")),
            ("created_at=today", None),
            ("contacted", None),
            ("=x", None),
        ] {
            assert_eq!(instead_of(&LEAD, word).as_deref(), meant, "{word}");
        }
        assert_eq!(typed("it's"), r"'it'\''s'");
    }
}
