//! `PUT /{plural}/{id}`, `PATCH /{plural}/{id}`, `crm NOUN update`: changes a record.

use serde_json::json;

use crate::base::error::Result;
use crate::base::time::Zone;
use crate::model::draft::{Draft, Purpose, ReadIn};
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::terms::Terms;
use crate::operation::about::{
    About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, WRITE, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, body, refused, whole};
use crate::operation::fields::example;
use crate::store::contract::{HttpRequest, Kept, Saved, Write, WriteExtent};
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;

/// Changes the fields that a draft gives.
#[derive(Clone, Debug)]
pub struct Update {
    id: i64,
    draft: Draft,
    /// The zone of times without an offset in a body that is still to come, and whether the request names it.
    zone: (Zone, bool),
}

impl Update {
    /// Writes a draft to the record with this id.
    pub fn new(id: i64, draft: Draft) -> Update {
        Update {
            id,
            draft,
            zone: (Zone::UTC, true),
        }
    }
}

impl Operation for Update {
    const ABOUT: &'static About = &About {
        of: Of::Records,
        methods: &[("PUT", "update{title}"), ("PATCH", "patch{title}")],
        path: "/{plural}/{id}",
        access: WRITE,
        conditional: true,
        parameters: &[],
        body: Body::Draft(Purpose::Update),
        answer: Answer::Record,
        needs: Needs::Database,
        summary: "Change {a} {name}",
        describe: Describe::Noun(describe),
        words: Some(Words {
            verb: "update",
            about: "Change the given fields of {plural}",
            long: "",
            takes: &[
                CommandPart::Ids,
                CommandPart::Draft,
                CommandPart::Show,
                CommandPart::IfMatch,
            ],
            confirm: None,
            examples: CommandExamples::Noun(|noun| noun.examples.update),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<Update> {
        Ok(Update {
            zone: (asked.zone.clone(), asked.is_zone_named),
            ..Update::new(asked.id, Draft::new(asked.noun()?))
        })
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        let (zone, is_named) = (&self.zone.0, self.zone.1);
        let times = ReadIn { zone, is_named };
        self.draft = Draft::from_json_in(self.draft.noun, body, Purpose::Update, times)?;
        Ok(())
    }

    fn draft(&mut self, draft: Draft) {
        self.draft = draft;
    }

    fn told(_noun: Option<&'static Noun>, saved: Saved) -> Told {
        Told::Record(saved.record)
    }
}

fn describe(noun: &'static Noun) -> Described {
    let changed = whole(noun, &format!("The whole {} after the change.", noun.name));
    let attributes = json!({"company": "Acme", "phone": null});
    let mut examples = json!({
        "attributes": {
            "summary": "Set one of your own fields and remove another",
            "value": {"attributes": attributes},
        },
    });
    let clearable = noun
        .fields
        .iter()
        .find(|field| field.nullable() && field.searchable());
    if let Some(field) = clearable {
        examples["change"] =
            json!({"summary": "Change a field", "value": {field.name: example(field)}});
        examples["clear"] = json!({"summary": "Clear a field", "value": {field.name: null}});
    }
    let about = format!(
        "Changes the given fields. Attributes merge by their top-level keys. PUT and PATCH are the same.{}",
        old_name_note(noun)
    );
    Described::new(about)
        .answers(200, changed)
        .answers(400, refused(noun))
        .body(body(&format!("{}Update", noun.title), examples))
}

fn old_name_note(noun: &'static Noun) -> String {
    let renamed = noun.fields.iter().filter_map(|field| {
        let old = field.old_name?;
        Some(format!(
            " If both `{name}` and `{old}` are given, the one that differs from the stored value counts; if both differ, `{name}`.",
            name = field.name
        ))
    });
    renamed.collect()
}

impl Write for Update {
    type Done = Saved;

    fn of(&self) -> Option<(&'static Noun, i64)> {
        Some((self.draft.noun, self.id))
    }

    fn size(&self) -> usize {
        self.draft.size()
    }

    fn extent(&self) -> WriteExtent {
        WriteExtent::One
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        terms: &Terms,
    ) -> Result<Saved> {
        Ok(Saved {
            record: apply(ledger, self.id, &self.draft, terms).await?,
            created: false,
        })
    }

    fn keep(&self, done: &Saved) -> Kept {
        done.keep()
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Saved>> {
        Ok(Saved::kept(self.draft.noun, kept).filter(|saved| !saved.created))
    }

    fn request(&self) -> HttpRequest {
        let path = Self::ABOUT.at(Some(self.draft.noun), &self.id.to_string());
        HttpRequest::of(Self::ABOUT.methods[0].0, path).with(self.draft.to_json())
    }

    fn word(_status: u16) -> &'static str {
        "updated"
    }
}

/// Changes a record with one statement. A draft without changes writes nothing, so `updated_at` stays.
pub(super) async fn apply<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    id: i64,
    draft: &Draft,
    terms: &Terms,
) -> Result<Record> {
    ledger.will_change(id, draft).await?;
    let record = ledger.read(draft.noun, id).await?;
    change(ledger, record, draft, terms).await
}

/// Changes a record that was read and locked. Without a change it keeps its version.
pub(super) async fn change<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    record: Record,
    draft: &Draft,
    terms: &Terms,
) -> Result<Record> {
    let changes = match draft.changes(&record) {
        Ok(changes) => changes,
        Err(problems) => return Err(ledger.refused(draft, problems).await?),
    };
    // Conditions are checked after the request itself (RFC 9110, section 13.2.1).
    terms.hold(record.version())?;
    match changes.is_empty() {
        true => Ok(record),
        false => ledger.change(draft, record, changes).await,
    }
}
