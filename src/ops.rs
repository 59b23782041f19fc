//! The operations: one file each, and the list of them.
//!
//! A new operation is one file here and one line in the list. The file says where the operation is in the API, who may ask
//! for it, what it takes and answers and what its command is called, and has its rule over a
//! [`Transaction`](crate::store::transaction::Transaction). All else follows: the route, the gate, the metrics, the
//! document, the command, the completions, the request to another server.

use crate::base::error::Result;
use crate::model::draft::Draft;
use crate::model::lead::OnDuplicate;
use crate::model::record::{Noun, Record};
use crate::model::terms::Terms;
use crate::store::contract::{Saved, Store};

use crate::model::nouns::NOUNS;
use crate::operation::about::{About, Access, fill};
use crate::operation::asked::Operation;
use crate::operation::service::Inform;
use crate::views::VIEWS;

/// Makes the list of operations: their modules, [`Op`], and what [`Op::visit`] does with each.
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
            /// Every operation, in the order of the API's document.
            pub const ALL: &'static [Op] = &[$(Op::$name),*];

            /// What it is.
            pub fn about(self) -> &'static About {
                match self {
                    $(Op::$name => $module::$name::ABOUT,)*
                }
            }

            /// Does what a visitor does with an operation of its kind.
            pub async fn visit<V: Visit>(self, visitor: V) -> V::Out {
                match self {
                    $(Op::$name => operations!(@visit visitor $kind $module::$name),)*
                }
            }
        }
    };
    (@visit $visitor:ident list $operation:path) => { $visitor.list().await };
    (@visit $visitor:ident get $operation:path) => { $visitor.get().await };
    (@visit $visitor:ident tokens $operation:path) => { $visitor.tokens().await };
    (@visit $visitor:ident write $operation:path) => { $visitor.write::<$operation>().await };
    (@visit $visitor:ident inform $operation:path) => { $visitor.inform::<$operation>().await };
}

// The one list. A line is a file, the type in it, and its kind: `write` runs a rule, `inform` tells of the service, and
// the others are reads that go their own, faster ways.
operations! {
    list::List: list,
    create::Create: write,
    get::Get: get,
    update::Update: write,
    delete::Delete: write,
    list_tokens::ListTokens: tokens,
    create_token::CreateToken: write,
    revoke_token::RevokeToken: write,
    health::Health: inform,
    ready::Readiness: inform,
    metrics::Metrics: inform,
    openapi::OpenApi: inform,
    docs::Docs: inform,
    home::Home: inform,
}

/// Does something with an operation, whichever it is.
pub trait Visit: Sized {
    /// What comes of it.
    type Out;

    /// With the list of a noun's records.
    fn list(self) -> impl Future<Output = Self::Out>;

    /// With a record by its id.
    fn get(self) -> impl Future<Output = Self::Out>;

    /// With the list of tokens.
    fn tokens(self) -> impl Future<Output = Self::Out>;

    /// With a write.
    fn write<T: Operation>(self) -> impl Future<Output = Self::Out>;

    /// With what tells of the service.
    fn inform<T: Inform>(self) -> impl Future<Output = Self::Out>;
}

/// One route: what a method does at a path.
#[derive(Clone, Debug)]
pub struct Route {
    /// The operation.
    pub op: Op,
    /// The noun that it is done with.
    pub noun: Option<&'static Noun>,
    /// `GET`; where it is, HEAD is too.
    pub method: &'static str,
    /// `/leads/{id}`, as the API's document writes it.
    pub path: String,
    /// Its id in the API's document.
    pub id: String,
    /// Who may ask for it.
    pub access: Access,
}

/// Every route, in the order of the API's document: those of each noun, then the others.
pub fn routes() -> Vec<Route> {
    let nouns = NOUNS.iter().chain(VIEWS).map(|noun| Some(*noun));
    let mut routes = Vec::new();
    for noun in nouns.chain([None]) {
        let ops = Op::ALL.iter().copied();
        for op in ops.filter(|op| op.about().is_with(noun)) {
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
    routes
}

/// Short calls of the operations on records, without conditions and without an idempotency key.
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

    /// Deletes a record, with `cascade` all that refers to it as well.
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
