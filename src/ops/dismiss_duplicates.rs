//! `POST /leads/duplicates/dismiss`, `crm lead dupes --dismiss`: remembers that leads are no duplicates of each other.

use serde_json::{Value as Json, json};

use crate::base::error::{Error, Problems, Result, quoted};
use crate::model::lead::LEAD;
use crate::model::noun::{Noun, parse_id};
use crate::model::terms::Terms;
use crate::operation::about::{About, Answer, Body, BodyField, Describe, Needs, Of, Takes, WRITE};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, answer, failure, media};
use crate::operation::fields::id_schema;
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::dismissed::{dismiss, take_back};
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;

/// The most leads of one request.
const MOST: usize = 100;

/// Remembers that leads are no duplicates of each other, or forgets it. The leads stay as they are.
#[derive(Clone, Debug)]
pub struct DismissDuplicates {
    leads: Vec<i64>,
    /// False to take it back.
    dismissed: bool,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dismissal {
    /// The leads.
    pub leads: Vec<i64>,
    /// Whether they are no duplicates of each other from now on.
    pub dismissed: bool,
    /// How many pairs that has changed.
    pub changed: u64,
}

/// The word in the kept result.
const DISMISSED: &str = "dismissed";

const EXPECTED: &str = "expected an array with the ids of two leads or more, such as [3, 9]";

impl DismissDuplicates {
    /// Remembers it of these leads, or takes it back.
    pub fn new(leads: Vec<i64>, dismissed: bool) -> Result<DismissDuplicates> {
        let body = json!({"leads": leads, "dismissed": dismissed}).to_string();
        let mut write = DismissDuplicates {
            leads: Vec::new(),
            dismissed: true,
        };
        write.read(body.as_bytes())?;
        Ok(write)
    }

    fn read(&mut self, body: &[u8]) -> Result<()> {
        let Ok(Json::Object(body)) = serde_json::from_slice(body) else {
            return Err(Error::invalid(
                "body: expected a JSON object like {\"leads\": [3, 9]}",
            ));
        };
        let mut problems = Problems::default();
        for (key, value) in &body {
            match (key.as_str(), value) {
                ("leads", value) => match leads(value) {
                    Ok(leads) => self.leads = leads,
                    Err(expected) => problems.push("leads", expected),
                },
                ("dismissed", Json::Bool(dismissed)) => self.dismissed = *dismissed,
                ("dismissed", Json::Null) => {}
                ("dismissed", _) => problems.push("dismissed", "expected true or false"),
                (key, _) => {
                    let key: String = key.chars().take(60).collect();
                    problems.push(key, "no such field; expected leads, dismissed");
                }
            }
        }
        if !body.contains_key("leads") {
            problems.push("leads", format!("is required; {EXPECTED}"));
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::fields(problems)),
        }
    }
}

fn leads(given: &Json) -> Result<Vec<i64>, String> {
    let got = || {
        let given: String = given.to_string().chars().take(60).collect();
        format!("{EXPECTED}, got {}", quoted(&given))
    };
    let items = given.as_array().filter(|items| items.len() > 1);
    let items = items.ok_or_else(got)?;
    if items.len() > MOST {
        return Err(format!("expected at most {MOST} ids, got {}", items.len()));
    }
    let mut ids = Vec::with_capacity(items.len());
    for item in items {
        let id = parse_id(&item.to_string()).ok_or_else(got)?;
        if ids.contains(&id) {
            return Err(format!("{id} is given twice"));
        }
        ids.push(id);
    }
    Ok(ids)
}

impl Dismissal {
    /// As the API answers it.
    pub fn to_json(&self) -> String {
        json!({"leads": self.leads, "dismissed": self.dismissed, "changed": self.changed})
            .to_string()
    }

    fn from_json(json: &str) -> Option<Dismissal> {
        let json: Json = serde_json::from_str(json).ok()?;
        Some(Dismissal {
            leads: serde_json::from_value(json["leads"].clone()).ok()?,
            dismissed: json["dismissed"].as_bool()?,
            changed: json["changed"].as_u64()?,
        })
    }
}

impl Operation for DismissDuplicates {
    const ABOUT: &'static About = &About {
        of: Of::Noun(&LEAD),
        methods: &[("POST", "dismissDuplicates")],
        path: "/{plural}/duplicates/dismiss",
        access: WRITE,
        conditional: false,
        parameters: &[],
        body: Body::Object(&[
            BodyField {
                name: "leads",
                help: "The leads that are no duplicates of each other",
                takes: Takes::List("ID"),
                required: true,
                positional: false,
            },
            BodyField {
                name: "dismissed",
                help: "False to take it back",
                takes: Takes::Switch,
                required: false,
                positional: false,
            },
        ]),
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Remember that {plural} are no duplicates of each other",
        describe: Describe::Noun(describe),
        words: None,
    };

    fn ask(_asked: &Asked<'_>) -> Result<DismissDuplicates> {
        Ok(DismissDuplicates {
            leads: Vec::new(),
            dismissed: true,
        })
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        self.read(body)
    }

    fn told(_noun: Option<&'static Noun>, done: Dismissal) -> Told {
        Told::Json(done.to_json())
    }
}

fn describe(_noun: &'static Noun) -> Described {
    let ids = json!({"type": "array", "items": id_schema()});
    let properties = json!({
        "leads": ids,
        "dismissed": {"type": "boolean", "description": "Whether they are no duplicates of each other from now on."},
        "changed": {"type": "integer", "minimum": 0, "description": "How many pairs that has changed."},
    });
    let schema = super::create_token::with_all(&properties);
    let body = json!({
        "type": "object",
        "properties": {
            "leads": {"type": "array", "items": id_schema(), "minItems": 2, "maxItems": MOST, "description": "The leads. Each of them is no duplicate of each other one."},
            "dismissed": {"type": ["boolean", "null"], "description": "`false` takes it back. True unless given."},
        },
        "required": ["leads"],
        "additionalProperties": false,
    });
    let examples = json!({
        "dismiss": {"value": {"leads": [3, 9]}},
        "back": {"summary": "Take it back", "value": {"leads": [3, 9], "dismissed": false}},
    });
    let example = json!({"leads": [3, 9], "dismissed": true, "changed": 1});
    let missing = Error::field("leads", "no lead has the id 9");
    Described::new(
        "Pairs that were dismissed are not found as duplicates any more, neither here nor in a summary. It is no change of the \
         leads. If one is merged, its pairs are those of the lead that stays; if one is erased, they are forgotten.",
    )
    .answers(
        200,
        answer("What was done.", media(schema, json!({"dismissed": {"value": example}}))),
    )
    .answers(
        400,
        failure(
            "The body or a parameter was refused; nothing was changed.",
            &[("missing", missing)],
        ),
    )
    .body(json!({"required": true, "content": media(body, examples)}))
}

impl Write for DismissDuplicates {
    type Done = Dismissal;

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        terms: &Terms,
    ) -> Result<Dismissal> {
        let mut problems = Problems::default();
        let mut sorted = self.leads.clone();
        sorted.sort_unstable();
        for id in sorted.iter().filter(|_| self.dismissed) {
            let sql = "SELECT id FROM leads WHERE id = $1";
            if ledger.tx.query(sql, &[(*id).into()]).await?.is_empty() {
                problems.push("leads", format!("no lead has the id {id}"));
            }
        }
        if !problems.is_empty() {
            return Err(Error::fields(problems));
        }
        let by = terms.author.by.clone();
        let mut changed = 0;
        for (at, one) in sorted.iter().enumerate() {
            for other in &sorted[at + 1..] {
                let pair = (*one, *other);
                let is_changed = match self.dismissed {
                    true => dismiss(ledger.tx, pair, 0, &by).await?,
                    false => take_back(ledger.tx, pair).await?,
                };
                changed += u64::from(is_changed);
            }
        }
        Ok(Dismissal {
            leads: self.leads.clone(),
            dismissed: self.dismissed,
            changed,
        })
    }

    fn keep(&self, done: &Dismissal) -> Kept {
        Kept {
            text: done.to_json(),
            ..Kept::word(DISMISSED)
        }
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Dismissal>> {
        let is_it = kept.word == DISMISSED;
        Ok(is_it.then(|| Dismissal::from_json(&kept.text)).flatten())
    }

    fn request(&self) -> HttpRequest {
        let body = json!({"leads": self.leads, "dismissed": self.dismissed});
        let path = Self::ABOUT.at(Some(&LEAD), "");
        HttpRequest::of(Self::ABOUT.methods[0].0, path).with(body.to_string())
    }

    fn word(_status: u16) -> &'static str {
        DISMISSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_two_leads_or_more() {
        let mut write = DismissDuplicates::new(vec![3, 9], false).unwrap();
        assert!(!write.dismissed);
        for (wrong, field) in [
            ("{}", "leads"),
            (r#"{"leads": [3]}"#, "leads"),
            (r#"{"leads": [3, 3]}"#, "leads"),
            (r#"{"leads": [3, "9"]}"#, "leads"),
            (r#"{"leads": [3, 0]}"#, "leads"),
            (r#"{"leads": [3, 1.5]}"#, "leads"),
            (r#"{"leads": [3, 9], "dismissed": 1}"#, "dismissed"),
            (r#"{"leads": [3, 9], "x": 1}"#, "x"),
        ] {
            let error = write.read(wrong.as_bytes()).unwrap_err();
            assert_eq!(error.problems[0].field, field, "{wrong}");
        }
        for wrong in ["", "[]", "null"] {
            assert!(write.read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
