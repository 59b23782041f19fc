//! The statements whose text depends only on the noun. They are made once for each noun, so that no call builds its text
//! again.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use super::open::is_open;
use crate::model::field::Field;
use crate::model::kind::Kind;
use crate::model::noun::{Noun, OPEN, Relation};
use crate::model::nouns::NOUNS;

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
    /// The field of another noun that has the newest time of this noun's records.
    pub(crate) newest: Option<NewestOf>,
    /// The type of the change that creates a record.
    pub(crate) created: String,
    /// The type of a change that updates a record.
    pub(crate) updated: String,
    /// The type of the change that deletes a record.
    pub(crate) deleted: String,
    /// The type of the change that deletes a record and erases what is known of it.
    pub(crate) erased: String,
    /// The type of the change that tells that a record is due. Only processes ever are.
    pub(crate) due: String,
}

/// Keeps the newest time of a noun's records in the record that they refer to.
pub(crate) struct NewestOf {
    /// The noun of that record.
    pub(crate) owner: &'static Noun,
    /// The position of the reference.
    pub(crate) reference: usize,
    /// The position of the time.
    pub(crate) time: usize,
    /// Raises it to the time `$1` in the record with the id `$2`.
    pub(crate) raise: String,
    /// The condition for a record that has another one than it should. In the select it is the first value.
    pub(crate) differs: String,
    /// Finds it anew, for the records that a condition selects, which follows.
    pub(crate) renew: String,
}

impl NewestOf {
    fn of(noun: &Noun) -> Option<NewestOf> {
        NOUNS.iter().find_map(|owner| {
            let field = &owner.fields[owner.derived()?];
            let Kind::Newest(of) = field.kind else {
                return None;
            };
            if of.plural != noun.plural {
                return None;
            }
            let (table, name, source) = (owner.plural, field.name, of.plural);
            let newest = format!(
                "(SELECT max({}) FROM {source} WHERE {} = {table}.id)",
                of.time, of.reference
            );
            let differs = format!("{table}.{name} IS DISTINCT FROM {newest}");
            Some(NewestOf {
                owner,
                reference: noun.position(of.reference)?,
                time: noun.position(of.time)?,
                raise: format!(
                    "UPDATE {table} SET {name} = $1 WHERE id = $2 AND ({name} IS NULL OR {name} < $1)"
                ),
                renew: format!("UPDATE {table} SET {name} = {newest} WHERE {differs} AND "),
                differs,
            })
        })
    }
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
            newest: NewestOf::of(noun),
            delete: format!("DELETE FROM {plural} WHERE id = $1"),
            created: format!("{}.created", noun.name),
            updated: format!("{}.updated", noun.name),
            deleted: format!("{}.deleted", noun.name),
            erased: format!("{}.erased", noun.name),
            due: format!("{}.due", noun.name),
        }
    }
}

/// The text after `FROM`: the noun's table, or the select of a view under the view's name.
pub(crate) fn table(noun: &Noun) -> Cow<'static, str> {
    match noun.relation {
        // What is composed is never selected.
        Relation::Table | Relation::Composed { .. } => Cow::Borrowed(noun.plural),
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
