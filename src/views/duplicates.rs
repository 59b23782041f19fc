//! Groups of leads that may be the same person.

use serde_json::Value as Json;

use crate::model::duplicates::Reasons;
use crate::model::lead::LEAD;
use crate::model::record::Record;

/// Another lead that may be the same person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The lead.
    pub lead: Record,
    /// Why it may be the same, see [`Reason`](crate::model::duplicates::Reason).
    pub reasons: Vec<String>,
}

/// Leads that may be the same person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateGroup {
    /// Why: all reasons of its leads.
    pub reasons: Reasons,
    /// How many they are.
    pub count: u64,
    /// The first of them, in the order of their ids, each with the reasons that it shares with another one.
    pub leads: Vec<Duplicate>,
}

/// Some groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuplicatesPage {
    /// The groups, those with the strongest reasons first.
    pub groups: Vec<DuplicateGroup>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl Duplicate {
    /// As the API shows it.
    pub fn to_json(&self) -> String {
        let text = |name: &str| self.lead.get(name).text().map_or(Json::Null, Json::from);
        let (email, name, status) = (text("email"), text("name"), text("status"));
        let (id, reasons) = (self.lead.id(), Json::from(self.reasons.clone()));
        format!(
            r#"{{"id":{id},"email":{email},"name":{name},"status":{status},"reasons":{reasons}}}"#
        )
    }

    /// Reads what [`Duplicate::to_json`] wrote.
    pub fn from_json(json: &Json) -> Option<Duplicate> {
        let reasons = json["reasons"].as_array()?.iter();
        let reasons = reasons.map(|reason| reason.as_str().map(String::from));
        Some(Duplicate {
            lead: Record::from_json(&LEAD, json.to_string().as_bytes())?,
            reasons: reasons.collect::<Option<_>>()?,
        })
    }
}

impl DuplicateGroup {
    /// As the API shows it.
    pub fn to_json(&self) -> String {
        let leads: Vec<String> = self.leads.iter().map(Duplicate::to_json).collect();
        let (reasons, count) = (Json::from(self.reasons.words()), self.count);
        format!(
            r#"{{"reasons":{reasons},"count":{count},"leads":[{}]}}"#,
            leads.join(",")
        )
    }

    /// Reads what [`DuplicateGroup::to_json`] wrote.
    pub fn from_json(json: &Json) -> Option<DuplicateGroup> {
        let words = json["reasons"].as_array()?.iter();
        let words: Option<Vec<String>> =
            words.map(|word| word.as_str().map(String::from)).collect();
        let leads = json["leads"].as_array()?.iter().map(Duplicate::from_json);
        Some(DuplicateGroup {
            reasons: Reasons::of(&words?),
            count: json["count"].as_u64()?,
            leads: leads.collect::<Option<_>>()?,
        })
    }
}

impl DuplicatesPage {
    /// As the API answers it.
    pub fn to_json(&self) -> String {
        let groups: Vec<String> = self.groups.iter().map(DuplicateGroup::to_json).collect();
        format!("[{}]", groups.join(","))
    }

    /// Reads what [`DuplicatesPage::to_json`] wrote.
    pub fn from_json(json: &[u8], next: Option<String>) -> Option<DuplicatesPage> {
        let groups: Vec<Json> = serde_json::from_slice(json).ok()?;
        let groups = groups.iter().map(DuplicateGroup::from_json);
        Some(DuplicatesPage {
            groups: groups.collect::<Option<_>>()?,
            next,
        })
    }
}
