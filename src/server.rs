//! The HTTP service: which connections are taken, which routes there are, and what they answer.

use std::future::Future;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::error::Result;
use crate::store::{AnyStore, Store};
use api::Api;
use connection::Limits;
use gate::Policy;
use peer::Peer;

mod answers;
pub mod api;
mod body;
pub mod connection;
pub mod cors;
pub mod docs;
pub mod gate;
pub mod observe;
pub mod openapi;
pub mod peer;
mod reply;
mod tokens;

/// Serves the store on the listener until `shutdown` is done; then answers what was accepted and closes the store.
pub async fn serve(
    listener: TcpListener,
    store: AnyStore,
    limits: Limits,
    policy: Policy,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let api = Arc::new(Api::new(store.clone(), policy));
    let service = |address| {
        let routes = api::routes(api.clone(), Peer::new(address));
        hyper_util::service::TowerToHyperService::new(warp::service(routes))
    };
    let refuse = {
        let api = api.clone();
        move |error, refused: connection::Refused<'_>| api.refuse(error, &refused)
    };
    let meter = api.observer.meter.clone();
    connection::serve(listener, service, refuse, limits, meter, shutdown).await;
    store.close().await
}
