//! What becomes of each column: a field, an attribute, a part of the name, or nothing.
//!
//! What the user says with `--map` comes first, then what crm's own files say, then what is known of the program, and what has
//! no place goes by `--extra`. Several columns may become the same: the first one that is not empty counts, and the others are
//! kept as attributes under their names.

use std::collections::HashMap;

use super::known::{NamePart, Place, Program, normal};
use super::names::{AS_JSON, REFUSED, own_key};
use super::row::Columns;
use crate::base::error::{Error, Result, quoted};
use crate::base::time::Zone;
use crate::model::attributes;
use crate::model::field::{Field, Presence};
use crate::model::kind::Kind;
use crate::model::noun::Noun;

/// What a column becomes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The field at this position.
    Field(usize),
    /// A part of the name.
    Name(NamePart),
    /// An attribute. Its cells are JSON, or texts.
    Own {
        /// Its key.
        key: String,
        /// Whether a text is read as JSON.
        is_json: bool,
    },
    /// The attribute `created_at`: a time, if it can be read as one.
    Created,
    /// A reference to a lead, by the lead's address.
    Lead,
    /// The id of the record, which is only used to find it.
    Id,
    /// Left out, for this reason.
    Out(&'static str),
}

/// What becomes of columns that have no place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extra {
    /// They become attributes under their names.
    #[default]
    Attributes,
    /// They are left out.
    Ignore,
    /// The file is refused.
    Refuse,
}

impl Extra {
    /// The words of `--extra`.
    pub const WORDS: [(&str, Extra); 3] = [
        ("attributes", Extra::Attributes),
        ("ignore", Extra::Ignore),
        ("refuse", Extra::Refuse),
    ];
}

/// What a user says about the columns.
#[derive(Debug, Default)]
pub struct Wishes {
    /// `--map COLUMN=TARGET`
    pub map: Vec<String>,
    /// `--set KEY=VALUE`
    pub set: Vec<String>,
    /// `--extra`
    pub extra: Extra,
    /// Whether records are found by their ids.
    pub by_id: bool,
}

/// A value that every row gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Where it goes.
    pub target: Target,
    /// The value.
    pub value: String,
    /// Whether the value is JSON.
    pub is_json: bool,
}

/// What becomes of the columns of a file.
#[derive(Debug)]
pub struct Mapping {
    /// The noun of the records.
    pub noun: &'static Noun,
    /// The program that wrote the file.
    pub program: Program,
    /// The zone of times without an offset.
    pub zone: Zone,
    /// What every row gets.
    pub fixed: Vec<Fixed>,
    /// Whether records are found by their ids.
    pub by_id: bool,
    extra: Extra,
    given: Vec<(String, Target)>,
    targets: Vec<(Target, usize)>,
    /// How many columns become the same.
    sharing: HashMap<Target, usize>,
}

/// The rank of what has no other rank.
const LAST: usize = usize::MAX;

impl Mapping {
    /// Reads the wishes. The columns are told by [`Mapping::learn`].
    pub fn new(
        noun: &'static Noun,
        program: Program,
        wishes: &Wishes,
        zone: &Zone,
    ) -> Result<Mapping> {
        let mut given = Vec::new();
        for pair in &wishes.map {
            let (column, word) = pair.rsplit_once('=').ok_or_else(|| {
                Error::invalid(format!(
                    "--map: expected COLUMN=FIELD, got {}",
                    quoted(pair)
                ))
            })?;
            let column = column.trim().to_string();
            if given
                .iter()
                .any(|(known, _): &(String, Target)| *known == column)
            {
                return Err(Error::invalid(format!(
                    "--map: {} is given twice",
                    quoted(&column)
                )));
            }
            let target = target(noun, word.trim())
                .map_err(|expected| Error::invalid(format!("--map: {expected}")))?;
            given.push((column, target));
        }
        let fixed: Result<Vec<Fixed>, String> =
            wishes.set.iter().map(|pair| fixed(noun, pair)).collect();
        Ok(Mapping {
            noun,
            program,
            // Its own files have times in UTC, as all that crm prints for programs.
            zone: match program {
                Program::Crm => Zone::UTC,
                _ => zone.clone(),
            },
            fixed: fixed.map_err(|expected| Error::invalid(format!("--set: {expected}")))?,
            by_id: wishes.by_id,
            extra: wishes.extra,
            given,
            targets: Vec::new(),
            sharing: HashMap::new(),
        })
    }

    /// Decides about the columns that are new. The error names those that have no place, if such a file is refused.
    pub fn learn(&mut self, columns: &Columns) -> Result<()> {
        for name in columns
            .names()
            .get(self.targets.len()..)
            .unwrap_or_default()
        {
            let (target, rank) = self.decide(name)?;
            if let Some(fixed) = self.fixed.iter().find(|fixed| fixed.target == target) {
                return Err(Error::invalid(format!(
                    "--set: the column {} is {} already; leave it out with --map {}",
                    quoted(name),
                    self.told(&fixed.target),
                    quoted(&format!("{name}=")),
                )));
            }
            *self.sharing.entry(target.clone()).or_default() += 1;
            self.targets.push((target, rank));
        }
        Ok(())
    }

    fn decide(&self, name: &str) -> Result<(Target, usize)> {
        if let Some(at) = self.given.iter().position(|(column, _)| column == name) {
            return Ok((self.given[at].1.clone(), at));
        }
        if name == REFUSED {
            return Ok((Target::Out("it says why the row was refused"), LAST));
        }
        let base = self.given.len();
        if let Some((target, rank)) = self.known(name) {
            return Ok((target, base.saturating_add(rank)));
        }
        match self.extra {
            Extra::Attributes => Ok((
                Target::Own {
                    key: name.into(),
                    is_json: false,
                },
                LAST,
            )),
            Extra::Ignore => Ok((Target::Out("--extra ignore"), LAST)),
            Extra::Refuse => Err(Error::invalid(format!(
                "--extra: the column {} has no place; --map {} gives it one",
                quoted(name),
                quoted(&format!("{name}=attributes.KEY")),
            ))),
        }
    }

    fn known(&self, name: &str) -> Option<(Target, usize)> {
        let noun = self.noun;
        if name == noun.key().name && self.by_id {
            return Some((Target::Id, 0));
        }
        if let Some((key, is_json)) = own_key(name).filter(|own| !own.0.is_empty()) {
            let key = key.into();
            return Some((Target::Own { key, is_json }, 0));
        }
        let written = |at: &usize| noun.fields[*at].presence != Presence::Automatic;
        let field = noun.position(name).filter(written);
        if let Some(at) = field {
            return Some((Target::Field(at), 0));
        }
        let is_of_crm = self.program == Program::Crm;
        if let Some((rank, place)) = self
            .program
            .place(name)
            .filter(|_| is_of_crm || noun.email().is_some())
        {
            return Some((self.placed(place)?, rank + 1));
        }
        if noun.email().is_some() {
            return None;
        }
        let bare = normal(name);
        let is_named = |field: &Field| {
            let names = [Some(field.name), field.old_name, field.flag];
            names
                .into_iter()
                .flatten()
                .any(|known| normal(known) == bare)
        };
        let at = noun.fields.iter().position(is_named).filter(written);
        let reference = || {
            let refers = noun.fields.iter().any(is_reference_to_lead);
            let is_address =
                ["email", "leademail", "emailaddress", "contactemail"].contains(&&*bare);
            (refers && is_address).then_some(Target::Lead)
        };
        let target = at.map(Target::Field).or_else(reference)?;
        Some((target, 1))
    }

    fn placed(&self, place: Place) -> Option<Target> {
        Some(match place {
            Place::Field(name) => Target::Field(self.noun.position(name)?),
            Place::Name(part) => Target::Name(part),
            Place::Own(key) => Target::Own {
                key: key.into(),
                is_json: false,
            },
            Place::Created => Target::Created,
            Place::Out(why) => Target::Out(why),
        })
    }

    /// What the column at this position becomes, with its rank among those that become the same: the lowest counts.
    pub fn target(&self, column: usize) -> (&Target, usize) {
        match self.targets.get(column) {
            Some((target, rank)) => (target, *rank),
            None => (&Target::Out("it is not known"), LAST),
        }
    }

    /// Whether other columns become the same.
    pub fn is_shared(&self, target: &Target) -> bool {
        self.sharing.get(target).is_some_and(|count| *count > 1)
    }

    /// The columns that `--map` names and the file does not have.
    pub fn unknown<'m>(&'m self, columns: &'m Columns) -> impl Iterator<Item = &'m str> {
        let given = self.given.iter().map(|(column, _)| column.as_str());
        given.filter(|column| columns.find(column).is_none())
    }

    /// Whether a column becomes this.
    pub fn has(&self, target: &Target) -> bool {
        self.targets.iter().any(|(known, _)| known == target)
    }

    /// How a target is named.
    pub fn told(&self, target: &Target) -> String {
        match target {
            Target::Field(at) => self.noun.fields[*at].name.into(),
            Target::Name(_) => "name".into(),
            Target::Own { key, .. } => format!("attributes.{key}"),
            Target::Created => "attributes.created_at".into(),
            Target::Lead => "lead_id, by the address of the lead".into(),
            Target::Id => "id".into(),
            Target::Out(why) => format!("left out: {why}"),
        }
    }

    /// The mapping in lines, for the user: what changes its name, and then what keeps it.
    pub fn lines(&self, columns: &Columns) -> Vec<String> {
        let mut groups: Vec<(String, Vec<(usize, &str)>)> = Vec::new();
        let (mut same, mut kept): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for (name, (target, rank)) in columns.names().iter().zip(&self.targets) {
            let told = self.told(target);
            match target {
                Target::Own { key, .. } if key == name => {
                    kept.push(name);
                    continue;
                }
                // A column of JSON has a mark behind its name.
                _ if told == name.strip_suffix(AS_JSON).unwrap_or(name)
                    && !self.is_shared(target) =>
                {
                    same.push(name);
                    continue;
                }
                _ => {}
            }
            let rank = match target {
                Target::Name(part) => 1000 + *part as usize,
                _ => *rank,
            };
            match groups.iter_mut().find(|group| group.0 == told) {
                Some(group) => group.1.push((rank, name)),
                None => groups.push((told, vec![(rank, name)])),
            }
        }
        let mut lines = Vec::new();
        for (told, mut names) in groups {
            names.sort_by_key(|name| name.0);
            let names: Vec<&str> = names.into_iter().map(|name| name.1).collect();
            lines.push(format!("{} -> {told}", listed(&names)));
        }
        if !same.is_empty() {
            lines.push(format!("{} as they are named", listed(&same)));
        }
        if !kept.is_empty() {
            lines.push(format!("{} -> attributes under their names", listed(&kept)));
        }
        for fixed in &self.fixed {
            lines.push(format!(
                "{} -> {}",
                quoted(&fixed.value),
                self.told(&fixed.target)
            ));
        }
        lines
    }
}

/// Names, of which only the first are shown.
fn listed(names: &[&str]) -> String {
    const MOST: usize = 12;
    let shown: Vec<&str> = names.iter().take(MOST).copied().collect();
    match names.len().checked_sub(MOST) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn is_reference_to_lead(field: &Field) -> bool {
    matches!(field.kind, Kind::Reference(target) if target.name == "lead")
}

/// Reads what `--map` says a column becomes.
fn target(noun: &'static Noun, word: &str) -> Result<Target, String> {
    if word.is_empty() || word == "ignore" {
        return Ok(Target::Out("--map"));
    }
    if let Some((key, is_json)) = own_key(word).filter(|own| !own.0.is_empty()) {
        let key = key.into();
        return Ok(Target::Own { key, is_json });
    }
    let bare = word.replace('-', "_");
    let part = NamePart::WORDS.iter().find(|known| known.0 == bare);
    if let (Some((_, part)), true) = (part, noun.position("name").is_some()) {
        return Ok(Target::Name(*part));
    }
    let names = |field: &Field| {
        let names = [Some(field.name), field.old_name, field.flag];
        names.into_iter().flatten().any(|name| name == bare)
    };
    match noun.fields.iter().position(names) {
        Some(0) => Ok(Target::Id),
        Some(at) if noun.fields[at].presence != Presence::Automatic => Ok(Target::Field(at)),
        Some(_) => Err(format!(
            "{word} is a field that crm sets itself; expected attributes.KEY"
        )),
        None => {
            let mut known = noun.writable();
            if noun.position("name").is_some() {
                known.extend(NamePart::WORDS.map(|known| known.0));
            }
            Err(format!(
                "expected one of {}, attributes.KEY, or nothing to leave the column out, got {}",
                known.join(", "),
                quoted(word)
            ))
        }
    }
}

/// Reads `KEY=VALUE` or `KEY:=JSON`.
fn fixed(noun: &'static Noun, pair: &str) -> Result<Fixed, String> {
    let Some((key, value)) = pair.split_once('=') else {
        return Err(format!(
            "expected KEY=VALUE or KEY:=JSON, got {}",
            quoted(pair)
        ));
    };
    let (key, is_json) = match key.strip_suffix(':') {
        Some(key) => (key, true),
        None => (key, false),
    };
    if is_json {
        attributes::check(value)
            .map_err(|wrong| format!("{key}:= takes JSON, but {} {wrong}", quoted(value)))?;
    }
    if value.contains('\0') || key.is_empty() {
        return Err(format!(
            "expected KEY=VALUE without a NUL character, got {}",
            quoted(pair)
        ));
    }
    let target = match noun.position(key) {
        Some(_) => target(noun, key)?,
        None => Target::Own {
            key: key.strip_prefix("attributes.").unwrap_or(key).into(),
            is_json: false,
        },
    };
    Ok(Fixed {
        target,
        value: value.into(),
        is_json,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::ACTION;
    use crate::model::lead::LEAD;

    fn columns(names: &str) -> Columns {
        let mut columns = Columns::default();
        for name in names.split(',') {
            columns.position(name);
        }
        columns
    }

    fn wishes(map: &[&str], set: &[&str], extra: Extra) -> Wishes {
        Wishes {
            map: map.iter().map(|one| one.to_string()).collect(),
            set: set.iter().map(|one| one.to_string()).collect(),
            extra,
            by_id: false,
        }
    }

    fn lines(noun: &'static Noun, names: &str, wishes: &Wishes) -> Result<Vec<String>> {
        let columns = columns(names);
        let program = Program::find(columns.names(), None);
        let mut mapping = Mapping::new(noun, program, wishes, &Zone::UTC)?;
        mapping.learn(&columns)?;
        Ok(mapping.lines(&columns))
    }

    #[test]
    fn a_mapping_is_told() {
        let names = "Record ID,Last Name,First Name,Email,Phone Number,Lead Status,Create Date,Lifecycle Stage,Budget";
        let told = lines(
            &LEAD,
            names,
            &wishes(
                &["Budget=attributes.budget"],
                &["source=fair"],
                Extra::Attributes,
            ),
        );
        assert_eq!(
            told.unwrap(),
            [
                "Record ID -> attributes.hubspot_id",
                "First Name, Last Name -> name",
                "Email -> email",
                "Phone Number -> attributes.phone",
                "Lead Status -> status",
                "Create Date -> attributes.created_at",
                "Budget -> attributes.budget",
                "Lifecycle Stage -> attributes under their names",
                "\"fair\" -> attributes.source",
            ]
        );
        let told = lines(&ACTION, "type,at,email,notes", &Wishes::default()).unwrap();
        assert_eq!(
            told,
            [
                "type -> action_type",
                "at -> timestamp",
                "email -> lead_id, by the address of the lead",
                "notes -> attributes under their names",
            ]
        );
    }

    #[test]
    fn wishes_that_cannot_be_met_are_refused() {
        for (map, set, extra, told) in [
            (
                &["Budget"][..],
                &[][..],
                Extra::Attributes,
                "--map: expected COLUMN=FIELD",
            ),
            (
                &["x=salary"],
                &[],
                Extra::Attributes,
                "--map: expected one of email, name",
            ),
            (&["x=created_at"], &[], Extra::Attributes, "crm sets itself"),
            (
                &["x=name", "x=email"],
                &[],
                Extra::Attributes,
                "given twice",
            ),
            (
                &[],
                &["source"],
                Extra::Attributes,
                "--set: expected KEY=VALUE",
            ),
            (
                &[],
                &["size:=a"],
                Extra::Attributes,
                "--set: size:= takes JSON",
            ),
            (
                &[],
                &["status=won"],
                Extra::Attributes,
                "--set: the column \"status\" is status already",
            ),
            (
                &[],
                &[],
                Extra::Refuse,
                "--extra: the column \"x\" has no place",
            ),
        ] {
            let refused = lines(&LEAD, "email,status,x", &wishes(map, set, extra)).unwrap_err();
            assert!(refused.message.contains(told), "{}", refused.message);
        }
        let set = wishes(&["status="], &["status=won"], Extra::Ignore);
        let told = lines(&LEAD, "email,status,x", &set).unwrap();
        assert_eq!(
            told,
            [
                "status -> left out: --map",
                "x -> left out: --extra ignore",
                "email as they are named",
                "\"won\" -> status",
            ]
        );
    }
}
