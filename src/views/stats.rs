//! Where we stand: numbers of leads, of actions and of follow-ups.

use serde_json::{Value as Json, json};

use crate::model::due::Due;

/// A word and how many have it.
pub type Counted = (String, i64);

/// Where we stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// When that was, in the stored form.
    pub at: String,
    /// The zone of the days and weeks.
    pub tz: String,
    /// How many leads there are.
    pub leads: i64,
    /// Leads by their status, the most frequent first.
    pub statuses: Vec<Counted>,
    /// Leads that no action was ever done with.
    pub never_contacted: i64,
    /// Leads whose last action is longer ago than [`RECENT`] days.
    pub not_recently: i64,
    /// The last weeks, the oldest first. The last one is the current one.
    pub weeks: Vec<Week>,
    /// Follow-ups by how urgent they are, in the order of [`Due::ALL`].
    pub due: [i64; 5],
}

/// A lead that was contacted within so many days is not forgotten.
pub const RECENT: i64 = 30;

/// A week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Week {
    /// The date of its Monday.
    pub monday: String,
    /// Leads that were created in it.
    pub leads: i64,
    /// Actions that were done in it.
    pub actions: i64,
    /// These actions by their type.
    pub types: Vec<Counted>,
}

fn to_json(name: &str, counted: &[Counted]) -> Json {
    let counted = counted
        .iter()
        .map(|(word, count)| json!({name: word, "count": count}));
    Json::Array(counted.collect())
}

fn from_json(name: &str, json: &Json) -> Option<Vec<Counted>> {
    let counted = json.as_array()?.iter();
    counted
        .map(|one| Some((one[name].as_str()?.to_string(), one["count"].as_i64()?)))
        .collect()
}

impl Stats {
    /// As the API answers it.
    pub fn to_json(&self) -> String {
        let weeks = self.weeks.iter().map(|week| {
            json!({
                "week": week.monday, "new_leads": week.leads, "actions": week.actions,
                "actions_by_type": to_json("type", &week.types),
            })
        });
        let due = Due::WORDS.iter().zip(self.due);
        let due: serde_json::Map<String, Json> = due
            .map(|(word, count)| (word.to_string(), count.into()))
            .collect();
        json!({
            "at": self.at, "tz": self.tz, "leads": self.leads,
            "leads_by_status": to_json("status", &self.statuses),
            "leads_never_contacted": self.never_contacted,
            "leads_not_contacted_for_30_days": self.not_recently,
            "weeks": weeks.collect::<Vec<Json>>(),
            "followups": due,
        })
        .to_string()
    }

    /// Reads what [`Stats::to_json`] wrote.
    pub fn from_json(json: &[u8]) -> Option<Stats> {
        let json: Json = serde_json::from_slice(json).ok()?;
        let weeks = json["weeks"].as_array()?.iter().map(|week| {
            Some(Week {
                monday: week["week"].as_str()?.into(),
                leads: week["new_leads"].as_i64()?,
                actions: week["actions"].as_i64()?,
                types: from_json("type", &week["actions_by_type"])?,
            })
        });
        let mut due = [0; 5];
        for (word, count) in Due::WORDS.iter().zip(&mut due) {
            *count = json["followups"][word].as_i64()?;
        }
        Some(Stats {
            at: json["at"].as_str()?.into(),
            tz: json["tz"].as_str()?.into(),
            leads: json["leads"].as_i64()?,
            statuses: from_json("status", &json["leads_by_status"])?,
            never_contacted: json["leads_never_contacted"].as_i64()?,
            not_recently: json["leads_not_contacted_for_30_days"].as_i64()?,
            weeks: weeks.collect::<Option<_>>()?,
            due,
        })
    }
}
