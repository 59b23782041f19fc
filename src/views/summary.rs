//! The summary of a lead: all that matters of it, as one object.

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::duplicates::Duplicate;
use super::timeline::ENTRY;
use crate::model::action::ACTION;
use crate::model::attributes::Entries;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::process::PROCESS;
use crate::model::record::Record;

/// What is known of a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The lead.
    pub lead: Record,
    /// Its open processes, those that are due first.
    pub open: Vec<Record>,
    /// Its last actions, the newest first.
    pub actions: Vec<Record>,
    /// The last changes of it and of its processes, as entries of its timeline, the newest first.
    pub changes: Vec<Record>,
    /// Other leads that may be the same person.
    pub duplicates: Vec<Duplicate>,
    /// Who works on its open processes.
    pub leases: Vec<Held>,
    /// How many there are.
    pub counts: RecordCounts,
}

/// A lease that counts, without its secret word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The id of the process.
    pub process: i64,
    /// Who has it.
    pub worker: String,
    /// When it ends, in the stored form.
    pub until: String,
}

/// Numbers of records of a lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Of all its actions.
    pub actions: i64,
    /// Of all its processes.
    pub processes: i64,
    /// Of those that are open.
    pub open: i64,
}

impl Summary {
    /// As the API and `-o json` show it.
    pub fn to_json(&self) -> String {
        // Records are written as they are. A JSON value in between would lose the digits of numbers.
        let array = |records: &[Record]| {
            let records: Vec<String> = records.iter().map(Record::to_json).collect();
            format!("[{}]", records.join(","))
        };
        let duplicates: Vec<String> = self.duplicates.iter().map(Duplicate::to_json).collect();
        let leases = self.leases.iter().map(|held| {
            serde_json::json!({"process_id": held.process, "worker": held.worker, "lease_until": held.until})
        });
        let leases = Json::Array(leases.collect());
        let RecordCounts {
            actions,
            processes,
            open,
        } = self.counts;
        format!(
            r#"{{"lead":{},"open_processes":{},"leases":{leases},"last_actions":{},"last_changes":{},"possible_duplicates":[{}],"counts":{{"actions":{actions},"processes":{processes},"open_processes":{open}}}}}"#,
            self.lead.to_json(),
            array(&self.open),
            array(&self.actions),
            array(&self.changes),
            duplicates.join(","),
        )
    }

    /// Reads what [`Summary::to_json`] wrote. What a newer server adds is left out.
    pub fn from_json(json: &[u8]) -> Option<Summary> {
        let entries: Entries<'_> = serde_json::from_slice(json).ok()?;
        let member = |name: &str| {
            let member = entries.0.iter().find(|member| member.0 == name);
            member.map(|member| member.1.get())
        };
        let records = |name: &str, noun: &'static Noun| {
            let all: Vec<&RawValue> = serde_json::from_str(member(name)?).ok()?;
            let all = all.iter();
            all.map(|one| Record::from_json(noun, one.get().as_bytes()))
                .collect::<Option<Vec<Record>>>()
        };
        let duplicates: Vec<Json> = serde_json::from_str(member("possible_duplicates")?).ok()?;
        let duplicates = duplicates.iter().map(Duplicate::from_json);
        let leases: Vec<Json> = serde_json::from_str(member("leases")?).ok()?;
        let leases = leases.iter().map(|held| {
            Some(Held {
                process: held["process_id"].as_i64()?,
                worker: held["worker"].as_str()?.into(),
                until: held["lease_until"].as_str()?.into(),
            })
        });
        let counts: Json = serde_json::from_str(member("counts")?).ok()?;
        let count = |name: &str| counts[name].as_i64();
        Some(Summary {
            lead: Record::from_json(&LEAD, member("lead")?.as_bytes())?,
            open: records("open_processes", &PROCESS)?,
            actions: records("last_actions", &ACTION)?,
            changes: records("last_changes", &ENTRY)?,
            duplicates: duplicates.collect::<Option<_>>()?,
            leases: leases.collect::<Option<_>>()?,
            counts: RecordCounts {
                actions: count("actions")?,
                processes: count("processes")?,
                open: count("open_processes")?,
            },
        })
    }
}
