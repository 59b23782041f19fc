//! The operations: one file each, and the list of them.
//!
//! A new operation is one file here and one line in the list. The file has the path, who may use it, its input and output,
//! the words of its command, and its rule over a [`Transaction`](crate::store::transaction::Transaction). Everything else
//! follows from it: the route, the gate, the metrics, the OpenAPI document, the command, the completions, and the request
//! to another server.

use crate::base::error::Result;
use crate::model::draft::Draft;
use crate::model::lead::OnDuplicate;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::terms::Terms;
use crate::store::contract::{Listed, Saved, Store};

use crate::model::nouns::NOUNS;
use crate::operation::about::{About, Access, Of, fill};
use crate::operation::asked::{ListAll, Operation, Survey};
use crate::operation::service::Inform;
use crate::views::VIEWS;

/// Makes the list of operations: their modules, [`Op`], and the calls of [`Op::visit`].
macro_rules! operations {
    ($($module:ident::$name:ident: $kind:ident,)*) => {
        $(pub mod $module;)*

        /// An operation of the list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Op {
            $(
                #[doc = concat!("[`", stringify!($module), "`]")]
                $name,
            )*
        }

        impl Op {
            /// All operations, in the order of the OpenAPI document.
            pub const ALL: &'static [Op] = &[$(Op::$name),*];

            /// The data of the operation.
            pub fn about(self) -> &'static About {
                match self {
                    $(Op::$name => $module::$name::ABOUT,)*
                }
            }

            /// Calls the method of the visitor for this kind of operation.
            pub async fn visit<V: Visit>(self, visitor: V) -> V::Out {
                match self {
                    $(Op::$name => operations!(@visit visitor $kind $module::$name),)*
                }
            }
        }
    };
    (@visit $visitor:ident list $operation:path) => { $visitor.list().await };
    (@visit $visitor:ident search $operation:path) => { $visitor.search().await };
    (@visit $visitor:ident stream $operation:path) => { $visitor.stream().await };
    (@visit $visitor:ident get $operation:path) => { $visitor.get().await };
    (@visit $visitor:ident survey $operation:path) => { $visitor.survey::<$operation>().await };
    (@visit $visitor:ident timeline $operation:path) => { $visitor.timeline().await };
    (@visit $visitor:ident duplicates $operation:path) => { $visitor.duplicates().await };
    (@visit $visitor:ident all $operation:path) => { $visitor.list_all::<<$operation as ListAll>::Item>().await };
    (@visit $visitor:ident bulk $operation:path) => { $visitor.bulk().await };
    (@visit $visitor:ident write $operation:path) => { $visitor.write::<$operation>().await };
    (@visit $visitor:ident inform $operation:path) => { $visitor.inform::<$operation>().await };
}

// The list. A line has a file, its type, and a kind: `write` runs a rule, `survey` reads several things at one
// moment, `inform` reports on the service, `bulk` writes many records, and the others are reads, which have faster paths.
operations! {
    create::Create: write,
    bulk::Bulk: bulk,
    get::Get: get,
    summary::Summarize: survey,
    timeline::ListTimeline: timeline,
    duplicates::FindDuplicates: duplicates,
    dismiss_duplicates::DismissDuplicates: write,
    list::List: list,
    stream::Stream: stream,
    search::Search: search,
    update::Update: write,
    delete::Delete: write,
    erase::Erase: write,
    merge::Merge: write,
    log::Log: write,
    stats::AskStats: survey,
    create_token::CreateToken: write,
    list_tokens::ListTokens: all,
    revoke_token::RevokeToken: write,
    undo::Undo: write,
    claim::Claim: write,
    snooze::Snooze: write,
    complete::Complete: write,
    renew::Renew: write,
    release::Release: write,
    create_webhook::CreateWebhook: write,
    list_webhooks::ListWebhooks: all,
    test_webhook::TestWebhook: write,
    rotate_webhook::RotateWebhook: write,
    pause_webhook::PauseWebhook: write,
    resume_webhook::ResumeWebhook: write,
    redeliver_webhook::RedeliverWebhook: write,
    delete_webhook::DeleteWebhook: write,
    calendar::Calendar: inform,
    health::Health: inform,
    ready::Readiness: inform,
    metrics::Metrics: inform,
    openapi::OpenApi: inform,
    docs::Docs: inform,
    home::Home: inform,
}

pub mod story;

/// Does something with an operation of any kind.
pub trait Visit: Sized {
    /// The result.
    type Out;

    /// Visits the list of a noun's records.
    fn list(self) -> impl Future<Output = Self::Out>;

    /// Visits the stream of a feed.
    fn stream(self) -> impl Future<Output = Self::Out>;

    /// Visits the search over all records.
    fn search(self) -> impl Future<Output = Self::Out>;

    /// Visits the read of a record by its id.
    fn get(self) -> impl Future<Output = Self::Out>;

    /// Visits a read of several things at one moment.
    fn survey<T: Survey>(self) -> impl Future<Output = Self::Out>;

    /// Visits the timeline of a record.
    fn timeline(self) -> impl Future<Output = Self::Out>;

    /// Visits the search for duplicates.
    fn duplicates(self) -> impl Future<Output = Self::Out>;

    /// Visits a list of everything of a kind that is no record, such as tokens.
    fn list_all<L: Listed>(self) -> impl Future<Output = Self::Out>;

    /// Visits the writing of many records.
    fn bulk(self) -> impl Future<Output = Self::Out>;

    /// Visits a write.
    fn write<T: Operation>(self) -> impl Future<Output = Self::Out>;

    /// Visits an operation that reports on the service.
    fn inform<T: Inform>(self) -> impl Future<Output = Self::Out>;
}

/// One route: the operation of a method at a path.
#[derive(Clone, Debug)]
pub struct Route {
    /// The operation.
    pub op: Op,
    /// The noun that it works on.
    pub noun: Option<&'static Noun>,
    /// The method. `GET` includes HEAD.
    pub method: &'static str,
    /// The path as the OpenAPI document writes it: `/leads/{id}`.
    pub path: String,
    /// Its id in the OpenAPI document.
    pub id: String,
    /// Who may use it.
    pub access: Access,
}

/// All routes, in the order of the OpenAPI document: those of each noun, then the others.
pub fn routes() -> Vec<Route> {
    let nouns = NOUNS.iter().chain(VIEWS).map(|noun| Some(*noun));
    let mut routes: Vec<Route> = Vec::new();
    for noun in nouns.chain([None]) {
        let ops = Op::ALL.iter().copied();
        let has_path = |op: &Op| !matches!(op.about().of, Of::Command(_));
        for op in ops.filter(|op| has_path(op) && op.about().is_with(noun)) {
            let about = op.about();
            routes.extend(about.methods.iter().map(|(method, id)| Route {
                op,
                noun,
                method,
                path: fill(about.path, noun),
                id: fill(id, noun),
                access: about.access,
            }));
        }
    }
    // The operations are in the order of the help. The document has the methods of a path together, GET first.
    let paths: Vec<String> = routes.iter().map(|route| route.path.clone()).collect();
    routes.sort_by_key(|route| {
        let path = paths.iter().position(|path| *path == route.path);
        let method = ["GET", "POST"]
            .iter()
            .position(|known| *known == route.method);
        (path, method.unwrap_or(usize::MAX))
    });
    routes
}

/// Shortcuts for writes of records, without conditions and without an idempotency key.
pub trait Records: Store + Sync {
    /// Creates a record, or does what `on_duplicate` says.
    fn create(
        &self,
        draft: Draft,
        on_duplicate: OnDuplicate,
    ) -> impl Future<Output = Result<Saved>> + Send {
        async move {
            let write = create::Create::new(draft, on_duplicate);
            Ok(self.write(write, Terms::default()).await?.done)
        }
    }

    /// Changes the fields that the draft gives, and returns the whole record.
    fn update(&self, id: i64, draft: Draft) -> impl Future<Output = Result<Record>> + Send {
        async move {
            let write = update::Update::new(id, draft);
            Ok(self.write(write, Terms::default()).await?.done.record)
        }
    }

    /// Deletes a record. With `cascade` it also deletes the records that refer to it.
    fn delete(
        &self,
        noun: &'static Noun,
        id: i64,
        cascade: bool,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            let write = delete::Delete::new(noun, id, cascade);
            self.write(write, Terms::default()).await.map(drop)
        }
    }
}

impl<S: Store + Sync> Records for S {}
