//! Sends one request to a receiver, and says what came of it.
//!
//! The client follows no redirect, uses no proxy of the environment, because a proxy would resolve the name itself and the
//! check of the address would be void, and keeps no cookie. Every name is resolved by the client itself, and addresses that
//! are not allowed are left out before the connection is made.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use tokio::sync::OnceCell;

use super::networks::AllowedNetworks;
use crate::base::time;
use crate::model::webhook::{SigningSecret, signature};

/// How long a receiver may take to answer, from the beginning of the connection.
const PATIENCE: Duration = Duration::from_secs(15);

/// How much of an answer is read, so that its connection can be used again. Nobody looks at it.
const MOST_READ: usize = 16 * 1024;

/// How long the rest of an answer may take.
const REST: Duration = Duration::from_secs(1);

/// How long a connection is kept for the next change.
const IDLE: Duration = Duration::from_secs(30);

/// The shortest and the longest time that a receiver may ask for with `Retry-After`.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3_600);

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A status 2xx in time.
    Delivered(String),
    /// Anything else, in a few words.
    Failed(String),
    /// The receiver asks to be left alone for a time.
    Wait(String, Duration),
    /// The receiver wants nothing any more.
    Gone(String),
}

/// What is sent.
pub(super) struct Message {
    /// The same over all tries.
    pub(super) id: String,
    /// JSON.
    pub(super) body: String,
}

/// The addresses that a name stands for now.
type Lookup = Arc<
    dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>
        + Send
        + Sync,
>;

/// A client for all receivers.
#[derive(Clone)]
pub(super) struct HookClient {
    resolver: Arc<Resolver>,
    plain: Arc<OnceCell<Client>>,
    secure: Arc<OnceCell<Client>>,
}

/// Resolves names, and leaves out the addresses that are not allowed.
struct Resolver {
    allowed: AllowedNetworks,
    lookup: Lookup,
}

/// Why an address is refused.
fn refused(address: IpAddr) -> String {
    format!("{address} is not a public address; `crm serve --webhook-allow` allows others")
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.lookup)(name.as_str().to_string());
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let found = found.await?;
            let first = found.first().map(SocketAddr::ip);
            let public: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| allowed.has(address.ip()))
                .collect();
            match (public.is_empty(), first) {
                (true, Some(address)) => Err(io::Error::other(refused(address)).into()),
                _ => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

impl HookClient {
    /// A client that reaches public addresses and these.
    pub(super) fn new(allowed: AllowedNetworks) -> HookClient {
        HookClient::with(
            allowed,
            Arc::new(|name: String| {
                Box::pin(async move {
                    // The port is set later.
                    let found = tokio::net::lookup_host((name, 0)).await?;
                    Ok(found.collect())
                })
            }),
        )
    }

    fn with(allowed: AllowedNetworks, lookup: Lookup) -> HookClient {
        // An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        HookClient {
            resolver: Arc::new(Resolver { allowed, lookup }),
            plain: Arc::default(),
            secure: Arc::default(),
        }
    }

    /// The client for a URL. Only https needs the certificates of the system, which a small container does not have.
    async fn client(&self, url: &Url) -> Result<&Client, String> {
        let is_secure = url.scheme() == "https";
        let place = if is_secure { &self.secure } else { &self.plain };
        let made = place.get_or_try_init(|| async {
            let mut builder = Client::builder();
            if !is_secure {
                builder = builder.tls_certs_only([]);
            }
            builder
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .dns_resolver(self.resolver.clone())
                .timeout(PATIENCE)
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(1)
                .user_agent(concat!("crm/", env!("CARGO_PKG_VERSION")))
                .build()
        });
        let made = made.await;
        made.map_err(|error| format!("the HTTP client: {}", cause(&error)))
    }

    /// Sends a message once.
    pub(super) async fn send(
        &self,
        url: &str,
        secrets: &[&SigningSecret],
        message: &Message,
    ) -> Received {
        match self.request(url, secrets, message).await {
            Ok(received) => received,
            Err(why) => Received::Failed(why),
        }
    }

    async fn request(
        &self,
        url: &str,
        secrets: &[&SigningSecret],
        message: &Message,
    ) -> Result<Received, String> {
        let url = Url::parse(url).map_err(|_| "its URL cannot be read".to_string())?;
        // A URL that has an address instead of a name is not resolved.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if let Ok(address) = host.parse::<IpAddr>()
            && !self.resolver.allowed.has(address)
        {
            return Err(refused(address));
        }
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = seconds.unwrap_or_default().as_secs();
        let body = message.body.as_bytes();
        let signed = signature(secrets.iter().copied(), &message.id, seconds, body);
        let request = self
            .client(&url)
            .await?
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signed)
            .body(message.body.clone());
        let mut response = request.send().await.map_err(|error| explain(&error))?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER);
        let after = after.and_then(|after| time::read_delay(after.to_str().ok()?.trim()));
        // The status decides. The rest only has to be read for the connection.
        let rest = async {
            let mut left = MOST_READ;
            while let Ok(Some(part)) = response.chunk().await {
                match left.checked_sub(part.len()) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        let _ = tokio::time::timeout(REST, rest).await;
        Ok(received(status, after))
    }
}

/// What a status means.
fn received(status: StatusCode, after: Option<Duration>) -> Received {
    let text = status.as_u16().to_string();
    match status {
        status if status.is_success() => Received::Delivered(text),
        status if status.is_redirection() => {
            Received::Failed(format!("{text}, a redirect, which is not followed"))
        }
        StatusCode::GONE => Received::Gone(text),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => match after {
            Some(after) => Received::Wait(text, after.clamp(SHORTEST_WAIT, LONGEST_WAIT)),
            None => Received::Failed(text),
        },
        _ => Received::Failed(text),
    }
}

/// Why there is no answer. The URL is left out, because it may hold a secret.
fn explain(error: &reqwest::Error) -> String {
    match error.is_timeout() {
        true => "no answer within 15 s".into(),
        false if error.is_connect() => format!("cannot connect: {}", cause(error)),
        false => cause(error),
    }
}

/// The innermost cause of an error.
fn cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = last.to_string();
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn message() -> Message {
        Message {
            id: "m".into(),
            body: "{}".into(),
        }
    }

    /// A receiver that answers each connection with this text, and how often it was reached.
    async fn receiver(text: String) -> (SocketAddr, Arc<Mutex<u32>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(Mutex::new(0));
        let reached = count.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                *reached.lock().unwrap() += 1;
                let mut bytes = [0; 4096];
                let _ = socket.read(&mut bytes).await;
                let _ = socket.write_all(text.as_bytes()).await;
            }
        });
        (address, count)
    }

    fn loopback() -> AllowedNetworks {
        AllowedNetworks::new(&["127.0.0.0/8".into()])
    }

    async fn answer(head: &str) -> Received {
        let (address, _) = receiver(format!(
            "HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ))
        .await;
        let secret = SigningSecret::new().unwrap();
        let client = HookClient::new(loopback());
        client
            .send(&format!("http://{address}/"), &[&secret], &message())
            .await
    }

    #[tokio::test]
    async fn the_status_decides() {
        assert_eq!(
            answer("204 No Content").await,
            Received::Delivered("204".into())
        );
        assert_eq!(answer("500 No").await, Received::Failed("500".into()));
        assert_eq!(answer("410 Gone").await, Received::Gone("410".into()));
        assert_eq!(answer("429 No").await, Received::Failed("429".into()));
        let wait = answer("503 No\r\nretry-after: 7").await;
        assert_eq!(wait, Received::Wait("503".into(), Duration::from_secs(7)));
        let at = SystemTime::now() + Duration::from_secs(100);
        let at = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&at.try_into().unwrap());
        match answer(&format!("429 No\r\nretry-after: {}", at.unwrap())).await {
            Received::Wait(_, wait) => assert!(wait.as_secs() > 90 && wait.as_secs() <= 100),
            other => panic!("{other:?}"),
        }
        let wait = answer("429 No\r\nretry-after: 99999999999").await;
        assert_eq!(wait, Received::Wait("429".into(), LONGEST_WAIT));
        let (target, reached) =
            receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()).await;
        let redirect = answer(&format!("307 Elsewhere\r\nlocation: http://{target}/")).await;
        assert!(
            matches!(&redirect, Received::Failed(why) if why.starts_with("307")),
            "{redirect:?}"
        );
        assert_eq!(*reached.lock().unwrap(), 0);
    }

    #[tokio::test]
    async fn a_name_that_changes_is_checked_at_each_connection() {
        let (address, reached) =
            receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into())
                .await;
        // It stands for an address that is allowed at first, and for one that is not later, and then for both.
        let answers: Arc<Mutex<Vec<Vec<SocketAddr>>>> = Arc::new(Mutex::new(vec![
            vec![
                "127.0.0.2:0".parse().unwrap(),
                "127.0.0.1:0".parse().unwrap(),
            ],
            vec![
                "127.0.0.2:0".parse().unwrap(),
                "[::ffff:127.0.0.3]:0".parse().unwrap(),
            ],
            vec!["127.0.0.1:0".parse().unwrap()],
        ]));
        let lookup: Lookup = Arc::new(move |name| {
            assert_eq!(name, "hooks.example.com");
            let found = answers.lock().unwrap().pop().unwrap();
            Box::pin(async move { Ok(found) })
        });
        let client = HookClient::with(AllowedNetworks::new(&["127.0.0.1".into()]), lookup);
        let secret = SigningSecret::new().unwrap();
        let url = format!("http://hooks.example.com:{}/?key=s3cret", address.port());
        let send = async || client.send(&url, &[&secret], &message()).await;
        assert_eq!(send().await, Received::Delivered("200".into()));
        let refused = send().await;
        match &refused {
            Received::Failed(why) => {
                assert!(why.contains("127.0.0.2 is not a public address"), "{why}");
                assert!(!why.contains("s3cret"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(*reached.lock().unwrap(), 1);
        assert_eq!(send().await, Received::Delivered("200".into()));
    }

    #[tokio::test]
    async fn addresses_in_a_url_are_checked_in_all_their_forms() {
        let client = HookClient::new(AllowedNetworks::default());
        let secret = SigningSecret::new().unwrap();
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "[::1]",
            "[::ffff:7f00:1]",
            "localhost",
            "0",
        ] {
            let url = format!("http://{host}:9/");
            match client.send(&url, &[&secret], &message()).await {
                Received::Failed(why) => {
                    assert!(why.contains("not a public address"), "{host}: {why}")
                }
                other => panic!("{host}: {other:?}"),
            }
        }
    }
}
