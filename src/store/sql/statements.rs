//! The statements whose text depends only on the noun. They are made once for each noun, so that no call builds its text
//! again.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use super::open::is_open;
use crate::model::field::Field;
use crate::model::noun::{Noun, OPEN, Relation};

/// The statements of a noun.
pub(crate) struct Statements {
    /// Inserts all columns except the id. The version of a new record is 1.
    pub(crate) insert: String,
    /// Inserts all columns, the id and the version too.
    pub(crate) restore: String,
    /// Selects all columns of one record by its id.
    pub(crate) select: String,
    /// Deletes one record by its id.
    pub(crate) delete: String,
    /// The type of the change that creates a record.
    pub(crate) created: String,
    /// The type of a change that updates a record.
    pub(crate) updated: String,
    /// The type of the change that deletes a record.
    pub(crate) deleted: String,
    /// The type of the change that deletes a record and erases what is known of it.
    pub(crate) erased: String,
}

/// The statements of a noun. They are made at the first use and kept for the life of the program, as the nouns are.
pub(crate) fn statements(noun: &'static Noun) -> &'static Statements {
    static MADE: RwLock<Vec<(&Noun, &Statements)>> = RwLock::new(Vec::new());
    let find = |made: &[(&'static Noun, &'static Statements)]| {
        let known = made.iter().find(|made| std::ptr::eq(made.0, noun));
        known.map(|made| made.1)
    };
    if let Some(found) = find(&MADE.read().unwrap_or_else(PoisonError::into_inner)) {
        return found;
    }
    let mut made = MADE.write().unwrap_or_else(PoisonError::into_inner);
    // Another thread may have made them in between.
    find(&made).unwrap_or_else(|| {
        let new: &Statements = Box::leak(Box::new(Statements::new(noun)));
        made.push((noun, new));
        new
    })
}

impl Statements {
    fn new(noun: &Noun) -> Statements {
        let names: Vec<&str> = noun.fields[1..].iter().map(|field| field.name).collect();
        let markers: Vec<String> = (1..=names.len())
            .map(|number| format!("${number}"))
            .collect();
        let plural = noun.plural;
        Statements {
            insert: format!(
                "INSERT INTO {plural} ({}, version) VALUES ({}, 1)",
                names.join(", "),
                markers.join(", ")
            ),
            restore: format!(
                "INSERT INTO {plural} (id, {}, version) VALUES ({}, ${}, ${})",
                names.join(", "),
                markers.join(", "),
                names.len() + 1,
                names.len() + 2,
            ),
            select: format!(
                "SELECT {} FROM {} WHERE {} = $1",
                columns(noun),
                table(noun),
                key(noun)
            ),
            delete: format!("DELETE FROM {plural} WHERE id = $1"),
            created: format!("{}.created", noun.name),
            updated: format!("{}.updated", noun.name),
            deleted: format!("{}.deleted", noun.name),
            erased: format!("{}.erased", noun.name),
        }
    }
}

/// The text after `FROM`: the noun's table, or the select of a view under the view's name.
pub(crate) fn table(noun: &Noun) -> Cow<'static, str> {
    match noun.relation {
        Relation::Table => Cow::Borrowed(noun.plural),
        Relation::View { select, .. } => {
            let select = select.replace(OPEN, &is_open("processes.status"));
            Cow::Owned(format!("({select}) AS {}", noun.plural))
        }
    }
}

/// The columns in the order of the noun's fields, then the version.
pub(crate) fn columns(noun: &Noun) -> String {
    format!("{}, {}.version", fields(noun), noun.plural)
}

/// The column of a field. The names of a view's columns may be words of SQL, such as `group`, so they are in quotes.
pub(crate) fn column(noun: &Noun, field: &Field) -> String {
    match noun.is_view() {
        true => format!("{}.\"{}\"", noun.plural, field.name),
        false => format!("{}.{}", noun.plural, field.name),
    }
}

/// The column of the noun's [key](Noun::key).
pub(crate) fn key(noun: &Noun) -> String {
    column(noun, noun.key())
}

/// The columns in the order of the noun's fields.
pub(crate) fn fields(noun: &Noun) -> String {
    let names = noun.fields.iter();
    let names: Vec<String> = names.map(|field| column(noun, field)).collect();
    names.join(", ")
}
