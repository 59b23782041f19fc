//! `POST /{plural}`, `crm NOUN create`: creates a record.

use serde_json::json;

use crate::base::error::{Code, Error, Problems, Result};
use crate::base::time::{self, Zone};
use crate::model::action::ACTION;
use crate::model::draft::{Draft, Purpose, ReadIn};
use crate::model::email::{email, spellings};
use crate::model::field::Presence;
use crate::model::lead::{LEAD, OnDuplicate};
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::rules;
use crate::model::terms::Terms;
use crate::model::value::Value;
use crate::operation::about::{
    About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, Parameter, Takes,
    WRITE, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, body, failure, given, refused, whole};
use crate::store::contract::{HttpRequest, Kept, Saved, Write, WriteExtent};
use crate::store::sql::advance::{Wish, advance, choose, unnamed};
use crate::store::sql::ledger::Ledger;
use crate::store::sql::select::LONGEST_INDEXED;
use crate::store::transaction::Transaction;

/// Creates a record. `on_duplicate` says what happens if another record already has its e-mail address.
#[derive(Clone, Debug)]
pub struct Create {
    draft: Draft,
    /// `None` leaves it to the [rules](rules::Rules) of the database.
    on_duplicate: Option<OnDuplicate>,
    /// The zone of times without an offset in a body that is still to come.
    zone: Zone,
    /// The draft's row, made by [`Write::check`].
    row: Result<Vec<Option<Value>>, Problems>,
}

impl Create {
    /// Creates a record from a draft.
    pub fn new(draft: Draft, on_duplicate: OnDuplicate) -> Create {
        Create {
            draft,
            on_duplicate: Some(on_duplicate),
            zone: Zone::UTC,
            row: Ok(Vec::new()),
        }
    }

    /// What to do if a record already has the address.
    fn on_duplicate(&self) -> OnDuplicate {
        self.on_duplicate.unwrap_or(rules::get().on_duplicate)
    }

    /// Whether the new record is an action that moves a follow-up of its lead.
    fn advances(&self) -> bool {
        std::ptr::eq(self.draft.noun, &ACTION) && rules::get().auto_process
    }
}

impl Operation for Create {
    const ABOUT: &'static About = &About {
        of: Of::Records,
        methods: &[("POST", "create{title}")],
        path: "/{plural}",
        access: WRITE,
        conditional: false,
        parameters: &[Parameter {
            name: "on_duplicate",
            about: "What to do if a {name} already has the address: `create` another {name}; `reject` with 409 and the id of that {name}; `update` that {name} and answer 200 (if there are several, the one with the lowest id). The service may have been started with another default.",
            help: "What to do if a {name} already has the address",
            takes: Takes::Word("WHAT", &["create", "reject", "update"]),
            applies: |noun| noun.email().is_some(),
        }],
        body: Body::Draft(Purpose::Create),
        answer: Answer::Record,
        needs: Needs::Database,
        summary: "Create {a} {name}",
        describe: Describe::Noun(describe),
        words: Some(Words {
            verb: "create",
            about: "Create {a} {name}",
            long: "",
            takes: &[
                CommandPart::Draft,
                CommandPart::Show,
                CommandPart::Parameters,
            ],
            confirm: None,
            examples: CommandExamples::Noun(|noun| noun.examples.create),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<Create> {
        let on_duplicate = asked.word("on_duplicate", &OnDuplicate::WORDS)?;
        let draft = Draft::new(asked.noun()?);
        Ok(Create {
            zone: asked.zone.clone(),
            on_duplicate,
            ..Create::new(draft, OnDuplicate::Create)
        })
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        let times = ReadIn {
            zone: &self.zone,
            // A new record has no value that could have been sent back.
            is_named: true,
        };
        self.draft = Draft::from_json_in(self.draft.noun, body, Purpose::Create, times)?;
        Ok(())
    }

    fn draft(&mut self, draft: Draft) {
        self.draft = draft;
    }

    fn told(_noun: Option<&'static Noun>, saved: Saved) -> Told {
        Told::Saved(saved)
    }
}

fn describe(noun: &'static Noun) -> Described {
    let location = json!({
        "description": format!("The URL of the {}, relative to that of the request.", noun.name),
        "required": true,
        "schema": {"type": "string"},
        "example": format!("{}/1", noun.plural),
    });
    let mut created = whole(noun, &format!("The new {}.", noun.name));
    created["headers"]["Location"] = location.clone();
    let links = [("Get", "get"), ("Update", "update"), ("Delete", "delete")].map(|(name, verb)| {
        (
            format!("{name}{}", noun.title),
            json!({
                "operationId": format!("{verb}{}", noun.title),
                "parameters": {"id": "$response.body#/id"},
            }),
        )
    });
    created["links"] = serde_json::Value::Object(links.into_iter().collect());
    let required = noun
        .fields
        .iter()
        .filter(|field| field.presence == Presence::Required);
    let writable = noun
        .fields
        .iter()
        .filter(|field| field.presence != Presence::Automatic);
    let examples = json!({
        "required": {"summary": "Required fields", "value": given(required)},
        "whole": {"summary": "All fields", "value": given(writable)},
    });
    let about = format!("Creates {} {}.", noun.article(), noun.name);
    let described = Described::new(about)
        .answers(201, created)
        .answers(400, refused(noun))
        .body(body(&format!("{}Create", noun.title), examples));
    let Some(email) = noun.email() else {
        return described;
    };
    let (name, field, address) = (noun.name, email.name, email.example);
    let mut updated = whole(
        noun,
        &format!("With `on_duplicate=update`: the changed {name} that already had the address."),
    );
    updated["headers"]["Location"] = location;
    let taken = format!("{field}: {name} 1 already has the address {address}");
    let conflict = failure(
        &format!("With `on_duplicate=reject`: another {name} already has the address."),
        &[("duplicate", Error::new(Code::Conflict, taken))],
    );
    let mut described = described.answers(200, updated).answers(409, conflict);
    described.description.push_str(
        " Several records may have the same address, unless `on_duplicate` says otherwise.",
    );
    described
}

impl Write for Create {
    type Done = Saved;

    fn check(&mut self) -> Result<()> {
        self.row = self.draft.row();
        match &self.row {
            // The database cannot add a problem, so the draft is refused at once.
            Err(problems)
                if self.on_duplicate() == OnDuplicate::Create
                    && self.draft.references().next().is_none() =>
            {
                Err(Error::fields(problems.clone()))
            }
            _ => Ok(()),
        }
    }

    fn size(&self) -> usize {
        // The draft, and the row that is made from it.
        2 * self.draft.size()
    }

    fn extent(&self) -> WriteExtent {
        match self.on_duplicate() {
            _ if self.advances() => WriteExtent::Several,
            OnDuplicate::Create => WriteExtent::Statement,
            // Only a noun with an address is looked for.
            _ if self.draft.noun.email().is_none() => WriteExtent::Statement,
            _ => WriteExtent::One,
        }
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<Saved> {
        let (on_duplicate, advances) = (self.on_duplicate(), self.advances());
        let draft = &self.draft;
        let noun = draft.noun;
        if on_duplicate != OnDuplicate::Create
            && let Some(field) = noun.email()
            && let Some(address) = draft.text(field.name).and_then(email)
            && let Some(id) =
                with_address(ledger.tx, noun, field.name, &address, on_duplicate).await?
        {
            return match on_duplicate {
                OnDuplicate::Update => {
                    let record = super::update::apply(ledger, id, draft, &Terms::default()).await?;
                    Ok(Saved {
                        record,
                        created: false,
                    })
                }
                _ => {
                    let taken = format!("{} {id} already has the address {address}", noun.name);
                    let mut error = Error::field(field.name, taken);
                    error.code = Code::Conflict;
                    Err(error)
                }
            };
        }
        let row = match std::mem::replace(&mut self.row, Ok(Vec::new())) {
            Ok(row) => row,
            Err(problems) => return Err(ledger.refused(draft, problems).await?),
        };
        // The real id is not known yet, so this uses the longest.
        let mut record = Record::new(noun, i64::MAX, row, &time::now());
        record.fits()?;
        match advances.then(|| record.get("lead_id").int()).flatten() {
            Some(lead) => with_follow_up(ledger, draft, &mut record, lead, &self.zone).await?,
            None => ledger.insert(draft, &mut record).await?,
        }
        Ok(Saved {
            record,
            created: true,
        })
    }

    fn keep(&self, done: &Saved) -> Kept {
        done.keep()
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Saved>> {
        Ok(Saved::kept(self.draft.noun, kept))
    }

    fn request(&self) -> HttpRequest {
        let noun = self.draft.noun;
        let mut request = HttpRequest::of(Self::ABOUT.methods[0].0, Self::ABOUT.at(Some(noun), ""));
        // The server has rules of its own for what is not said.
        let default = match self.draft.noun.email() {
            Some(_) => None,
            None => Some(OnDuplicate::Create),
        };
        if let Some(on_duplicate) = self.on_duplicate.filter(|given| Some(*given) != default) {
            request.path += &format!("?on_duplicate={}", on_duplicate.word());
        }
        request.with(self.draft.to_json())
    }

    fn word(status: u16) -> &'static str {
        match status {
            201 => "created",
            _ => "updated",
        }
    }
}

/// Inserts an action and moves the follow-up of its lead, as [`log`](super::log) does without a wish.
pub(super) async fn with_follow_up<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    draft: &Draft,
    action: &mut Record,
    lead: i64,
    zone: &Zone,
) -> Result<()> {
    // A lead that does not exist is told by the insert.
    let lead = match ledger.read(&LEAD, lead).await {
        Ok(lead) => Some(lead.id()),
        Err(error) if error.code == Code::NotFound => None,
        Err(error) => return Err(error),
    };
    let wish = Wish {
        opens: Some(unnamed()),
        zone: zone.clone(),
        ..Wish::default()
    };
    let process = match lead {
        Some(lead) => {
            let channel = action.get("action_type").to_string();
            choose(ledger, lead, &channel, &wish).await?
        }
        None => None,
    };
    ledger.insert(draft, action).await?;
    advance(ledger, action, process, &wish).await.map(drop)
}

/// Finds the record with an address. Until the end of the transaction no other transaction can look for the address,
/// and a record that will be updated is locked.
async fn with_address<T: Transaction>(
    tx: &mut T,
    noun: &Noun,
    field: &str,
    address: &str,
    on_duplicate: OnDuplicate,
) -> Result<Option<i64>> {
    tx.alone_with(address).await?;
    let table = noun.plural;
    // An older crm or another program may have stored the address in another spelling.
    let mut params: Vec<Value> = spellings(address)
        .iter()
        .map(|one| Value::from(&**one))
        .collect();
    let markers: Vec<String> = (1..=params.len()).map(|at| format!("${at}")).collect();
    let condition = format!(
        "lower({field}) IN ({}) AND octet_length({field}) <= {LONGEST_INDEXED}",
        markers.join(", ")
    );
    // The sum hides the order of the ids from PostgreSQL. It would walk through all records in it, because it does not know how
    // few have an address.
    let find = format!("SELECT min(id + 0) FROM {table} WHERE {condition}");
    let lock = format!(
        "SELECT id FROM {table} WHERE {condition} AND id = ${}{}",
        params.len() + 1,
        T::LOCKING
    );
    loop {
        let rows = tx.query(&find, &params).await?;
        let found = rows.first().and_then(|row| row.first());
        let Some(id) = found.and_then(Value::int) else {
            return Ok(None);
        };
        if on_duplicate != OnDuplicate::Update || T::LOCKING.is_empty() {
            return Ok(Some(id));
        }
        // An update or a delete by id takes no lock on the address. If the record lost its address in the meantime, the next
        // search finds the current state.
        params.push(id.into());
        if !tx.query(&lock, &params).await?.is_empty() {
            return Ok(Some(id));
        }
        params.pop();
    }
}
