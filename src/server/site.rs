//! Decides whether a request may be for the host that it names, and from the page that it names. This comes before the gate
//! and does not depend on a token, because a browser adds what it has to a request that the page of another site makes.

use warp::http::{HeaderMap, Method};

use super::api::Api;
use super::gate;
use crate::base::error::Result;
use crate::net::peer::Peer;
use crate::operation::about::Access;
use crate::store::contract::Store;

/// Refuses a request to an open local service for a host that is not its own, and a write from a page of another site.
pub(super) async fn admit(
    api: &Api,
    peer: &Peer,
    access: Access,
    method: &Method,
    headers: &HeaderMap,
) -> Result<()> {
    // The tokens are only looked up for a request that is about to be refused.
    if let Some(refused) = api.hosts.refused(headers) {
        match api.store.keyring().await {
            Ok(keyring) if gate::is_open(api.policy, &keyring) => return Err(refused),
            Ok(_) => {}
            // What is public answers even if the database does not.
            Err(_) if access == Access::Public => {}
            Err(error) => return Err(error),
        }
    }
    match method.is_safe() {
        true => Ok(()),
        false => api.cors.admit(peer, headers),
    }
}
