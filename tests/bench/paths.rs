//! The hot paths, each as a function that goes it once: what Criterion times (`hot.rs`) and callgrind counts (`count.rs`).

use std::hint::black_box;
use std::sync::Arc;

use crm::base::error::{Error, Result};
use crm::base::time;
use crm::model::draft::{Draft, Purpose};
use crm::model::lead::{LEAD, OnDuplicate};
use crm::model::query::{self, Query};
use crm::model::record::{Cell, Noun, Record, Rows, Shown};
use crm::ops::Records;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::store::sqlite::Work;
use futures_util::future::try_join_all;
use tokio::runtime::Runtime;

/// Creates that are sent at once, as by the benchmark's 64 connections.
pub const AT_ONCE: usize = 64;

/// Leads in the file.
const LEADS: usize = 1_024;

const BODY: &[u8] = br#"{"email":"Ada.Lovelace@Example.com","name":"Ada Lovelace","status":"new","attributes":{"company":"Acme","city":"London","source":"fair","score":42}}"#;

const PARAMETERS: &str = "status=in:new,contacted&created_at=gte:2024-02-29&attributes.city=London&sort=-created_at,name&limit=50";

/// A path that is gone once.
pub type Path = fn(&Ground) -> Result<()>;

/// The paths and their names.
pub const PATHS: [(&str, Path); 6] = [
    ("parse and check a create", |_| {
        let draft = Draft::from_json(&LEAD, black_box(BODY), Purpose::Create)?;
        draft
            .row()
            .map(|row| drop(black_box(row)))
            .map_err(Error::fields)
    }),
    ("render a record", |ground| {
        black_box(ground.record.to_json_bytes());
        Ok(())
    }),
    ("read the parameters of a list", |_| {
        black_box(Query::new(&LEAD, query::pairs(black_box(PARAMETERS))?)?);
        Ok(())
    }),
    ("get by id", |ground| {
        let got = ground.store.get(&LEAD, black_box(517));
        ground.runtime.block_on(got).map(|got| drop(black_box(got)))
    }),
    ("list of 50", |ground| {
        let query = Query::new(&LEAD, vec![("limit".into(), "50".into())])?;
        let rows = Text {
            shown: Arc::new(Shown::all(&LEAD)),
            text: Vec::new(),
        };
        let listing = ground
            .runtime
            .block_on(ground.store.list_into(query, rows))?;
        black_box(listing.first.text);
        Ok(())
    }),
    ("64 creates at once", |ground| ground.create(AT_ONCE)),
];

/// What the paths are gone on.
pub struct Ground {
    store: AnyStore,
    runtime: Runtime,
    record: Record,
}

impl Ground {
    /// A store of a server over a file with some leads; they are written if the file is new.
    pub fn new(file: &std::path::Path) -> std::result::Result<Ground, Box<dyn std::error::Error>> {
        let is_new = !file.exists();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (store, _) = AnyStore::open(file, Work::Server)?;
        let draft = Draft::from_json(&LEAD, BODY, Purpose::Create)?;
        let row = draft.row().map_err(Error::fields)?;
        let record = Record::new(&LEAD, 1, row, &time::now());
        let ground = Ground {
            store,
            runtime,
            record,
        };
        if is_new {
            ground.create(LEADS)?;
        }
        Ok(ground)
    }

    fn create(&self, count: usize) -> Result<()> {
        let drafts = (0..count).map(|_| Draft::from_json(&LEAD, BODY, Purpose::Create));
        let drafts = drafts.collect::<Result<Vec<Draft>>>()?;
        let creates = drafts
            .into_iter()
            .map(|draft| self.store.create(draft, OnDuplicate::Create));
        self.runtime
            .block_on(try_join_all(creates))
            .map(|saved| drop(black_box(saved)))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Nobody is left to hear of an error.
        let _ = self.runtime.block_on(self.store.close());
    }
}

/// A list as the service writes it.
struct Text {
    shown: Arc<Shown>,
    text: Vec<u8>,
}

impl Rows for Text {
    fn empty(&self) -> Text {
        Text {
            shown: self.shown.clone(),
            text: Vec::new(),
        }
    }

    fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]) {
        self.text.push(b',');
        self.shown.write_json(noun, |at| cells[at], &mut self.text);
    }
}
