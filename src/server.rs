//! The HTTP service: its routes and their responses. [`net`](crate::net) accepts the connections.
//!
//! | file | what it holds |
//! |---|---|
//! | [`settings`], [`limit`] | the settings of the service, and the limits of one request |
//! | [`route`] | which path and method lead to which operation |
//! | [`gate`], [`passes`] | tokens, and the end of streamed answers whose token is no longer valid |
//! | [`site`], [`cors`], [`hosts`] | requests from the pages of other sites, and the hosts that requests name |
//! | [`observe`] | the log and the metrics of requests |
//! | [`api`] | what all requests share |
//! | [`request`], [`preference`], [`conditions`] | a request, what its client prefers, its conditions and its idempotency key |
//! | [`reply`], [`written`] | responses, and the responses to writes |
//! | [`stream`], [`tail`], [`event`] | streams of changes, what all of them share, and their text |
//! | [`openapi`], [`docs`] | the OpenAPI document, and the page that shows it |
//! | [`webhooks`] | sends the changes to webhooks |
//! | [`reminders`] | announces the follow-ups whose time has come |
//! | [`calendar`] | the calendar of follow-ups |
//! | [`call`] | runs the operation of a request |
//! | [`entry`] | the steps before every operation |

use std::future::Future;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::base::error::Result;
use crate::net::accept;
use crate::net::peer::Peer;
use crate::net::service::RefusedRequest;
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use api::Api;
use settings::ServerSettings;
use webhooks::Deliverer;

pub mod api;
mod bulk;
mod calendar;
mod call;
mod conditions;
pub mod cors;
pub mod docs;
pub mod entry;
mod event;
pub mod gate;
pub mod hosts;
pub mod limit;
pub mod observe;
pub mod openapi;
mod passes;
mod preference;
mod reminders;
mod reply;
mod request;
mod route;
pub mod settings;
mod single;
mod site;
mod stream;
mod swagger;
mod tail;
pub mod webhooks;
mod written;

/// Serves the store on the listener until `shutdown` resolves. Then it answers the requests that it has read, and closes the
/// store.
pub async fn serve(
    listener: TcpListener,
    store: AnyStore,
    mut settings: ServerSettings,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let address = listener.local_addr();
    settings.hosts.is_local =
        address.is_ok_and(|address| address.ip().to_canonical().is_loopback());
    let api = Arc::new(Api::new(store.clone(), &settings));
    let proxies = settings.connections.proxies.clone();
    let is_tls = settings.connections.tls.is_some();
    let service = |address| {
        let routes = entry::routes(api.clone(), Peer::new(address, &proxies, is_tls));
        hyper_util::service::TowerToHyperService::new(warp::service(routes))
    };
    let refuse = {
        let api = api.clone();
        move |error, refused: RefusedRequest<'_>| api.refuse(error, &refused)
    };
    let meter = api.observer.meter.clone();
    // A task of its own, so that a read of the tokens never holds up the accept loop.
    let (passes, mut enforcing) = (api.passes.clone(), JoinSet::new());
    enforcing.spawn(async move { passes.enforce().await });
    let (tail, stopped) = (api.tail.clone(), api.tail.clone());
    enforcing.spawn(async move { tail.follow().await });
    let announcing = store.clone();
    let mut announcers = JoinSet::new();
    announcers.spawn(reminders::announce(announcing));
    let searched = store.clone();
    enforcing.spawn(async move { searched.keep_index().await });
    // Streams have no end of their own.
    let shutdown = async move {
        shutdown.await;
        stopped.stop();
    };
    let deliveries = api.observer.deliveries.clone();
    let deliverer = Deliverer::start(store.clone(), settings.webhooks, deliveries)?;
    accept::serve(
        listener,
        service,
        refuse,
        settings.connections,
        meter,
        shutdown,
    )
    .await;
    announcers.shutdown().await;
    enforcing.shutdown().await;
    deliverer.end().await;
    store.close().await
}
