//! What the requests of all connections share: the store, the limits, the observer.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::cors::Cors;
use super::gate::Policy;
use super::hosts::Hosts;
use super::limit::RequestLimits;
use super::observe::Observer;
use super::passes::Passes;
use super::route;
use super::settings::ServerSettings;
use super::tail::Tail;
use crate::base::time::Zone;
use crate::net::body::BodyBudget;
use crate::net::hits::Hits;
use crate::net::rate::Rates;
use crate::net::responses::ResponseBudget;
use crate::net::streams::Streams;
use crate::store::any::AnyStore;

/// How many requests write many records at a time.
const BULKS: usize = 16;

/// What the requests of all connections share.
pub struct Api {
    pub(super) store: AnyStore,
    pub(super) policy: Policy,
    pub(super) passes: Arc<Passes>,
    pub(super) bodies: BodyBudget,
    pub(super) answers: ResponseBudget,
    /// Places of the requests that write many records at once. Each holds some megabytes.
    pub(super) bulks: Arc<Semaphore>,
    /// The open streams.
    pub(super) streams: Streams,
    /// The memory of streams that catch up. It is not that of requests, which never wait for it.
    pub(super) streamed: ResponseBudget,
    pub(super) tail: Arc<Tail>,
    pub(super) observer: Observer,
    pub(super) cors: Cors,
    pub(super) hosts: Hosts,
    pub(super) limits: RequestLimits,
    /// The zone of times without an offset in requests that name none.
    pub(super) zone: Zone,
    pub(super) rates: Rates,
    pub(super) hits: Arc<Hits>,
}

impl Api {
    /// Makes the API of a store.
    pub fn new(store: AnyStore, settings: &ServerSettings) -> Api {
        let (limits, hits) = (settings.requests, settings.connections.hits.clone());
        let streams = Streams::new(&settings.connections.limits, hits.clone());
        let observer = Observer::new(&store, route::templates(), hits.clone(), &streams);
        Api {
            passes: Arc::new(Passes::new(store.clone(), settings.policy)),
            policy: settings.policy,
            bodies: BodyBudget::new(limits.of_body(), hits.clone()),
            answers: ResponseBudget::default(),
            bulks: Arc::new(Semaphore::new(BULKS)),
            streams,
            streamed: ResponseBudget::default(),
            tail: Arc::new(Tail::new(store.clone())),
            store,
            observer,
            cors: settings.cors.clone(),
            hosts: settings.hosts.clone(),
            limits,
            zone: settings.zone.clone(),
            rates: Rates::new(limits.per_token, limits.per_address, hits.clone()),
            hits,
        }
    }
}
