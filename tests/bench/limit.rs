//! What the benchmark holds crm against where the limit is not another program but the ground it stands on.
//!
//! `limit hello PORT` is warp's own hello, as its documentation shows it. `limit create PORT` is crm's create without a
//! database: crm's accept loop, its reading and its checking of a lead, and an answer of the same size, but nothing is
//! kept.

use std::net::Ipv4Addr;

use bytes::Bytes;
use crm::base::error::Error;
use crm::base::time;
use crm::model::draft::{Draft, Purpose};
use crm::model::lead::LEAD;
use crm::model::record::Record;
use crm::net::accept;
use crm::net::limits::ConnectionLimits;
use crm::net::meter::ConnectionMeter;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use warp::Filter;
use warp::http::StatusCode;
use warp::http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use warp::reply::Response;

#[tokio::main]
async fn main() -> Result<(), String> {
    let mut words = std::env::args().skip(1);
    let (what, port) = (words.next(), words.next());
    let port: Option<u16> = port.and_then(|port| port.parse().ok());
    match (what.as_deref(), port) {
        (Some("hello"), Some(port)) => hello(port).await,
        (Some("create"), Some(port)) => create(port).await.map_err(|error| error.to_string())?,
        _ => return Err("expected: limit hello|create PORT".into()),
    }
    Ok(())
}

async fn hello(port: u16) {
    let hello = warp::path!("hello" / String).map(|name| format!("Hello, {name}!"));
    warp::serve(hello).run((Ipv4Addr::LOCALHOST, port)).await;
}

async fn create(port: u16) -> std::io::Result<()> {
    let create = warp::path!("leads")
        .and(warp::post())
        .and(warp::header::exact_ignore_case(
            CONTENT_TYPE.as_str(),
            "application/json",
        ))
        .and(warp::body::bytes())
        .map(|body: Bytes| checked(&body).unwrap_or_else(refuse));
    let service = TowerToHyperService::new(warp::service(create));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let for_ever = std::future::pending();
    accept::serve(
        listener,
        move |_| service,
        |error, _| refuse(error),
        ConnectionLimits::default(),
        ConnectionMeter::default(),
        for_ever,
    )
    .await;
    Ok(())
}

/// The answer to a create, as crm's but for the id, which is no new one.
fn checked(body: &[u8]) -> Result<Response, Error> {
    const ID: i64 = 10_001;
    let draft = Draft::from_json(&LEAD, body, Purpose::Create)?;
    let row = draft.row().map_err(Error::fields)?;
    let record = Record::new(&LEAD, ID, row, &time::now());
    let mut response = Response::new(record.to_json_bytes().into());
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(location) = HeaderValue::from_str(&format!("/leads/{ID}")) {
        headers.insert(LOCATION, location);
    }
    headers.insert("x-request-id", HeaderValue::from_static("0123456789abcdef"));
    Ok(response)
}

fn refuse(error: Error) -> Response {
    let mut response = Response::new(error.to_json().into());
    *response.status_mut() =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
