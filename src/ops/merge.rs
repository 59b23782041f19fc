//! `POST /leads/{id}/merge`, `crm lead merge`: merges other leads into one.

use serde_json::json;

use crate::base::error::{Code, Error, Problems, Result, quoted};
use crate::model::draft::{Draft, Purpose, entries};
use crate::model::lead::LEAD;
use crate::model::merge::Plan;
use crate::model::merged::{Merged, Other};
use crate::model::noun::{Noun, parse_id};
use crate::model::record::Record;
use crate::model::terms::Terms;
use crate::operation::about::{
    About, Answer, Body, BodyField, CommandExamples, CommandPart, Describe, Needs, Of, Parameter,
    Takes, WRITE, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, answer, failure, media, reference};
use crate::operation::fields::{id_schema, record};
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::advance::within;
use crate::store::sql::dismissed;
use crate::store::sql::ledger::Ledger;
use crate::store::sql::merged::{Merges, note_of, note_with};
use crate::store::sql::once::MERGED;
use crate::store::transaction::Transaction;

/// The most leads that one request merges into another.
const MOST: usize = 100;

/// Merges leads into one. Either all of it is done, or nothing.
#[derive(Clone, Debug)]
pub struct Merge {
    keep: i64,
    others: Vec<i64>,
    fields: Draft,
    /// Whether to say only what would be done.
    dry_run: bool,
}

impl Merge {
    /// Merges what a body says into this lead.
    pub fn new(keep: i64, body: &str, dry_run: bool) -> Result<Merge> {
        let mut merge = Merge {
            keep,
            others: Vec::new(),
            fields: Draft::new(&LEAD),
            dry_run,
        };
        merge.read(body.as_bytes())?;
        Ok(merge)
    }

    /// Reads the body. The error names everything that is wrong with it.
    fn read(&mut self, body: &[u8]) -> Result<()> {
        let mut problems = Problems::default();
        let mut is_given = false;
        for (key, raw) in entries(body)?.0 {
            match &*key {
                "others" => {
                    is_given = true;
                    match others(self.keep, raw.get()) {
                        Ok(others) => self.others = others,
                        Err(expected) => problems.push("others", expected),
                    }
                }
                "fields" if raw.get() == "null" => {}
                "fields" => match fields(raw.get()) {
                    Ok(fields) => self.fields = fields,
                    Err(error) => problems.extend(within("fields", error)),
                },
                key => {
                    let key: String = key.chars().take(60).collect();
                    problems.push(key, "no such field; expected others, fields");
                }
            }
        }
        if !is_given {
            problems.push("others", format!("is required; {EXPECTED}"));
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::fields(problems)),
        }
    }

    /// Reads and locks all leads, in the order of their ids, so that two who merge the same ones do not wait for each other.
    async fn leads<T: Transaction>(
        &self,
        ledger: &mut Ledger<'_, T>,
    ) -> Result<(Record, Vec<Record>)> {
        let mut ids = self.others.clone();
        ids.push(self.keep);
        ids.sort_unstable();
        let mut found = Vec::with_capacity(ids.len());
        let mut problems = Problems::default();
        for id in ids {
            match ledger.read(&LEAD, id).await {
                Ok(lead) => found.push(lead),
                Err(error) if error.code == Code::NotFound && id != self.keep => {
                    problems.push("others", missing(ledger.tx, id).await?);
                }
                Err(error) => return Err(error),
            }
        }
        if !problems.is_empty() {
            return Err(Error::fields(problems));
        }
        let mut take = |id: i64| {
            let at = found.iter().position(|lead| lead.id() == id);
            let at = at.ok_or_else(|| Error::internal("a lead that was read is missing"))?;
            Ok(found.swap_remove(at))
        };
        let keep = take(self.keep)?;
        let others: Result<Vec<Record>> = self.others.iter().map(|id| take(*id)).collect();
        Ok((keep, others?))
    }

    /// What would be done.
    async fn foresee<T: Transaction>(
        &self,
        tx: &mut T,
        (mut keep, others): (Record, Vec<Record>),
        plan: Plan,
    ) -> Result<Merged> {
        for (at, value) in &plan.changes {
            keep.values[*at] = value.clone();
        }
        keep.fits()?;
        if let Some(at) = LEAD.derived() {
            let newest = others.iter().map(|other| other.values[at].clone());
            let newest = newest.filter(|time| time.text() > keep.values[at].text());
            if let Some(newest) = newest.max_by(|one, other| one.text().cmp(&other.text())) {
                keep.values[at] = newest;
            }
        }
        let mut told = Vec::with_capacity(others.len());
        for other in &others {
            let mut moved = Vec::new();
            for (referrer, field, _) in LEAD.referrers(tx.nouns()) {
                let sql = format!(
                    "SELECT count(*) FROM {} WHERE {} = $1",
                    referrer.plural, field.name
                );
                let rows = tx.query(&sql, &[other.id().into()]).await?;
                let count = rows.first().and_then(|row| row.first()?.int());
                moved.push((referrer, count.unwrap_or_default().unsigned_abs()));
            }
            told.push(of_other(other, moved));
        }
        Ok(Merged {
            lead: keep,
            others: told,
            filled: plan.filled,
            conflicts: plan.conflicts,
            change: None,
        })
    }
}

/// What the list of others has to be.
const EXPECTED: &str =
    "expected an array with the ids of the leads that are merged, such as [9, 12]";

/// Reads the ids of the leads that are merged into `keep`.
fn others(keep: i64, raw: &str) -> Result<Vec<i64>, String> {
    let got = || {
        let raw: String = raw.chars().take(60).collect();
        format!("{EXPECTED}, got {}", quoted(&raw))
    };
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(raw).map_err(|_| got())?;
    if items.is_empty() {
        return Err(got());
    }
    if items.len() > MOST {
        return Err(format!("expected at most {MOST} ids, got {}", items.len()));
    }
    let mut ids = Vec::with_capacity(items.len());
    for item in items {
        let id = parse_id(item.get()).ok_or_else(got)?;
        if id == keep {
            return Err(format!(
                "expected other leads than {keep}, which is the one that stays"
            ));
        }
        if ids.contains(&id) {
            return Err(format!("{id} is given twice"));
        }
        ids.push(id);
    }
    Ok(ids)
}

/// Reads the fields that win over those of all leads.
fn fields(raw: &str) -> Result<Draft> {
    if !raw.starts_with('{') {
        let raw: String = raw.chars().take(60).collect();
        let expected = "expected an object like {\"status\": \"won\"}, got";
        return Err(Error::invalid(format!("{expected} {}", quoted(&raw))));
    }
    let draft = Draft::from_json(&LEAD, raw.as_bytes(), Purpose::Update)?;
    draft.readable(Purpose::Update)?;
    Ok(draft)
}

/// Why a lead cannot be merged that is missing.
async fn missing<T: Transaction>(tx: &mut T, id: i64) -> Result<String> {
    let mut merges = Merges::of(id);
    while let Some((sql, params)) = merges.next() {
        merges.found(&tx.query(&sql, &params).await?);
    }
    Ok(match merges.into() {
        Some(into) => format!("lead {id} was merged into lead {into} already"),
        None => format!("no lead has the id {id}"),
    })
}

fn of_other(other: &Record, moved: Vec<(&'static Noun, u64)>) -> Other {
    let moved = moved.into_iter();
    Other {
        id: other.id(),
        email: other.get("email").text().unwrap_or_default().into(),
        moved: moved
            .map(|(noun, count)| (noun.plural.to_string(), count))
            .collect(),
    }
}

impl Operation for Merge {
    const ABOUT: &'static About = &About {
        of: Of::Noun(&LEAD),
        methods: &[("POST", "merge{Plural}")],
        path: "/{plural}/{id}/merge",
        access: WRITE,
        conditional: true,
        parameters: &[Parameter {
            name: "dry_run",
            about: "Whether to answer only what would be done. Nothing is changed, and `change` is null.",
            help: "Only show what would be done",
            takes: Takes::Switch,
            applies: |_| true,
        }],
        body: Body::Object(&[
            BodyField {
                name: "others",
                help: "The leads that are merged into it",
                takes: Takes::List("ID"),
                required: true,
                positional: true,
            },
            BodyField {
                name: "fields",
                help: "The fields that win over those of all leads",
                takes: Takes::Text("JSON"),
                required: false,
                positional: false,
            },
        ]),
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Merge other {plural} into {a} {name}",
        describe: Describe::Noun(describe),
        words: Some(Words {
            verb: "merge",
            about: "Merge other {plural} into one",
            long: "Merge other {plural} into the first one, which stays. It gets their {owned}, and each field and attribute that \
                   it lacks. Where both have a value, its own stays, unless a flag gives another one. All other values are \
                   listed, and stay in the history. The others are deleted; `crm undo` gives all back. It shows what will be \
                   done, and asks.",
            takes: &[
                CommandPart::Merge,
                CommandPart::IfMatch,
                CommandPart::Yes,
                CommandPart::Parameters,
            ],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm lead create --email ada@x.org -o id && crm lead merge 1 ada@x.org --dry-run",
                "crm lead create --email eve@x.org -o id && crm lead merge 1 eve@x.org --status won --yes",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<Merge> {
        Ok(Merge {
            keep: asked.id,
            others: Vec::new(),
            fields: Draft::new(&LEAD),
            dry_run: asked.switch("dry_run")?,
        })
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        self.read(body)
    }

    fn draft(&mut self, draft: Draft) {
        self.fields = draft;
    }

    fn told(_noun: Option<&'static Noun>, done: Merged) -> Told {
        Told::Merged(Box::new(done))
    }
}

fn describe(noun: &'static Noun) -> Described {
    let number = |about: &str| json!({"type": "integer", "minimum": 0, "description": about});
    let id = |about: &str| {
        let mut schema = id_schema();
        schema["description"] = about.into();
        schema
    };
    let any = |about: &str| json!({"description": about});
    let field = json!({"type": "string", "description": "The field; `attributes.KEY` for one of your own."});
    let other = json!({
        "type": "object",
        "required": ["id", "email", "actions", "processes"],
        "properties": {
            "id": id_schema(),
            "email": {"type": "string"},
            "actions": number("How many of its actions moved."),
            "processes": number("How many of its processes moved."),
        },
    });
    let filled = json!({
        "type": "object",
        "required": ["field", "from", "value"],
        "properties": {"field": field, "from": id("The lead that had it."), "value": any("The value.")},
    });
    let dropped = json!({
        "type": "object",
        "required": ["id", "value"],
        "properties": {"id": id("The lead that had it."), "value": any("The value.")},
    });
    let conflict = json!({
        "type": "object",
        "required": ["field", "kept", "dropped"],
        "properties": {
            "field": field,
            "kept": any("The value that stays."),
            "dropped": {"type": "array", "items": dropped, "description": "The other values."},
        },
    });
    let array = |items: serde_json::Value, about: &str| json!({"type": "array", "items": items, "description": about});
    let properties = json!({
        "lead": reference("schemas", noun.title),
        "merged": array(other, "The leads that were merged into it, and are deleted."),
        "filled": array(filled, "What it lacked, and has from the others."),
        "conflicts": array(conflict, "The fields with different values. What was dropped stays in the changes of the leads that had it."),
        "change": {"type": ["integer", "null"], "description": "The group of the changes: the number of its first change. Take that back to undo all of it. Null in a dry run."},
    });
    let schema = super::create_token::with_all(&properties);
    let example = json!({
        "lead": record(noun),
        "merged": [{"id": 9, "email": "ada+crm@example.com", "actions": 2, "processes": 1}],
        "filled": [{"field": "attributes.phone", "from": 9, "value": "+44 20 7946 0000"}],
        "conflicts": [{"field": "status", "kept": "new", "dropped": [{"id": 9, "value": "contacted"}]}],
        "change": 812,
    });
    let body = json!({
        "type": "object",
        "properties": {
            "others": {"type": "array", "items": id_schema(), "minItems": 1, "maxItems": MOST, "description": "The leads that are merged into the one in the path."},
            "fields": {"anyOf": [reference("schemas", &format!("{}Update", noun.title)), {"type": "null"}], "description": "Fields that win over those of all leads."},
        },
        "required": ["others"],
        "additionalProperties": false,
    });
    let examples = json!({
        "two": {"value": {"others": [9, 12]}},
        "fields": {"summary": "With a field that wins", "value": {"others": [9], "fields": {"status": "contacted"}}},
    });
    let mut done = answer(
        "What was done, or would be done.",
        media(schema, json!({"merged": {"value": example}})),
    );
    done["headers"]["ETag"] = reference("headers", "ETag");
    let refused = |expected: &str| Error::field("others", expected);
    Described::new(format!(
        "The actions and processes of the others move to the {0}, and it gets each field and attribute that it lacks from the \
         first of the others that has it. Where values differ, those in `fields` win over all, and else its own stay. The \
         others are deleted; whoever asks for one gets 404 with `merged_into`. All of it is one group of changes, so one undo \
         gives all back. Blank texts count as missing.",
        noun.name
    ))
    .answers(200, done)
    .answers(
        400,
        failure(
            "The body, a field, the id or a parameter was refused; nothing was changed. The error names every refused field.",
            &[
                ("itself", refused("expected other leads than 5, which is the one that stays")),
                ("merged", refused("lead 9 was merged into lead 5 already")),
            ],
        ),
    )
    .body(json!({
        "required": true,
        "description": "At most 1 MiB and 127 levels, unless the service has lower limits.",
        "content": media(body, examples),
    }))
}

impl Write for Merge {
    type Done = Merged;

    fn of(&self) -> Option<(&'static Noun, i64)> {
        Some((&LEAD, self.keep))
    }

    fn size(&self) -> usize {
        self.fields.size() + self.others.len() * size_of::<i64>()
    }

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        terms: &Terms,
    ) -> Result<Merged> {
        let (keep, others) = self.leads(ledger).await?;
        let plan = Plan::of(&keep, &others, &self.fields);
        let plan = plan.map_err(|found| {
            let problems = within("fields", Error::fields(found));
            let mut all = Problems::default();
            all.extend(problems);
            Error::fields(all)
        })?;
        terms.hold(keep.version())?;
        if self.dry_run {
            return self.foresee(ledger.tx, (keep, others), plan).await;
        }
        // It changes in any case, so that its history says what was merged into it.
        ledger.note(note_with(&self.others));
        let before = ledger.change(&self.fields, keep, plan.changes).await?;
        let mut told = Vec::with_capacity(others.len());
        for other in &others {
            let moved = ledger.hand_over(&LEAD, other.id(), self.keep).await?;
            let by = terms.author.by.clone();
            dismissed::hand_over(ledger.tx, other.id(), self.keep, &by).await?;
            told.push(of_other(other, moved));
        }
        for other in &others {
            ledger.note(note_of(self.keep));
            ledger
                .delete(&LEAD, other.id(), false, &Terms::default())
                .await?;
        }
        // Its actions have moved its newest time.
        let lead = ledger.read(&LEAD, self.keep).await?;
        debug_assert_eq!(lead.version(), before.version());
        Ok(Merged {
            lead,
            others: told,
            filled: plan.filled,
            conflicts: plan.conflicts,
            change: ledger.group(),
        })
    }

    fn keep(&self, done: &Merged) -> Kept {
        Kept {
            version: done.lead.version(),
            text: done.to_json(),
            ..Kept::word(MERGED)
        }
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Merged>> {
        let is_it = kept.word == MERGED;
        let merged = is_it.then(|| Merged::from_json(kept.text.as_bytes()));
        Ok(merged.flatten().map(|merged| Merged {
            lead: merged.lead.with_version(kept.version),
            ..merged
        }))
    }

    fn request(&self) -> HttpRequest {
        let dry_run = if self.dry_run { "?dry_run=true" } else { "" };
        let path = Self::ABOUT.at(Some(&LEAD), &self.keep.to_string()) + dry_run;
        let others = serde_json::Value::from(self.others.clone());
        let fields = match self.fields.to_json() {
            fields if fields == "{}" => String::new(),
            fields => format!(",\"fields\":{fields}"),
        };
        HttpRequest::of(Self::ABOUT.methods[0].0, path)
            .with(format!("{{\"others\":{others}{fields}}}"))
    }

    fn word(_status: u16) -> &'static str {
        MERGED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_other_leads_and_fields() {
        let merge = Merge::new(5, r#"{"others": [9, 12], "fields": null}"#, false).unwrap();
        assert_eq!(merge.others, [9, 12]);
        for (wrong, field, told) in [
            ("{}", "others", "is required"),
            (r#"{"others": 9}"#, "others", "expected an array"),
            (r#"{"others": []}"#, "others", "expected an array"),
            (r#"{"others": ["9"]}"#, "others", "expected an array"),
            (r#"{"others": [0]}"#, "others", "expected an array"),
            (
                r#"{"others": [9, 5]}"#,
                "others",
                "expected other leads than 5",
            ),
            (r#"{"others": [9, 9]}"#, "others", "9 is given twice"),
            (
                r#"{"others": [9], "fields": 1}"#,
                "fields",
                "expected an object",
            ),
            (
                r#"{"others": [9], "fields": {"x": 1}}"#,
                "fields.x",
                "no such field",
            ),
            (r#"{"others": [9], "x": 1}"#, "x", "no such field"),
        ] {
            let error = Merge::new(5, wrong, false).unwrap_err();
            assert_eq!(error.problems[0].field, field, "{wrong}");
            assert!(error.problems[0].expected.starts_with(told), "{error}");
        }
        let many: Vec<i64> = (100..201).collect();
        let error = Merge::new(5, &json!({"others": many}).to_string(), false).unwrap_err();
        assert!(error.message.contains("at most 100 ids"), "{error}");
        for wrong in ["", "[]", "null", "{"] {
            assert!(Merge::new(5, wrong, false).is_err(), "{wrong}");
        }
    }
}
