//! The HTTP service: which connections are taken, which routes there are, and what they answer.

use std::future::Future;

use tokio::net::TcpListener;

use crate::error::Result;
use crate::store::{AnyStore, Store};
use connection::Limits;

mod answers;
pub mod api;
mod body;
pub mod connection;
pub mod docs;
pub mod openapi;
mod reply;

/// Serves the store on the listener until `shutdown` is done; then answers what was accepted and closes the store.
pub async fn serve(
    listener: TcpListener,
    store: AnyStore,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let service = warp::service(api::routes(store.clone()));
    let service = hyper_util::service::TowerToHyperService::new(service);
    connection::serve(listener, service, api::refuse, limits, shutdown).await;
    store.close().await
}
