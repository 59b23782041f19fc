//! Connections to PostgreSQL: each host in turn, the settings of a session, and the end of a connection whose user is gone.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::ready;
use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, Object, RecycleError, RecycleResult};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::config::Host;
use tokio_postgres::error::Severity;
use tokio_postgres::{AsyncMessage, Client, Config, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::{Failure, complain, reason, within};
use super::tls;
use super::url::{self, ParsedUrl};
use crate::base::error::{Error, Result};

/// How long one host of a URL may take to answer, including TLS and password, before the next host is tried. Two dead hosts
/// leave time for a third within the five seconds that a request takes at most.
const HOST_PATIENCE: Duration = Duration::from_millis(1_300);

/// The settings of every session. The server must not cancel statements: it would report a cancelled wait for a synchronous
/// standby as a success, with a warning that might not come. `synchronous_commit = off` would answer before a commit is on
/// disk. The wait for a lock is short enough that even the first of two tries to read can report it.
const SETTINGS: &str = "SET statement_timeout = 0; SET lock_timeout = '2s'; SET client_min_messages = 'warning'; \
    SET idle_in_transaction_session_timeout = '10s'; SET standard_conforming_strings = on; \
    SET default_transaction_isolation = 'read committed'; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// How long a connection may have been idle and still be used without asking the server. Asking takes a round trip, which a
/// busy service does not pay.
const PAUSE: Duration = Duration::from_millis(500);

/// How long [`give_up`] waits for each of its two steps: the request to cancel, and the end of the statement.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// How long a statement may go on after a request to cancel it until that is sent again.
const AGAIN: Duration = Duration::from_millis(100);

/// How many statements a session keeps prepared.
const KEPT_STATEMENTS: usize = 64;

/// The hosts of a database, and how to connect to them.
pub(super) struct Link {
    /// One for each host.
    hosts: Vec<Config>,
    /// The host that answered last.
    last: AtomicUsize,
    tls: MakeRustlsConnect,
}

impl Link {
    pub(super) fn new(url: &str) -> Result<Link> {
        let refuse = |expected| Error::invalid(format!("the database: {expected}"));
        let ParsedUrl {
            hosts,
            verify,
            roots,
            connections: _,
        } = url::parse(url).map_err(refuse)?;
        Ok(Link {
            hosts,
            last: AtomicUsize::new(0),
            tls: MakeRustlsConnect::new(tls::client(verify, roots.as_deref())?),
        })
    }
}

/// A connection that is ready for use, with its prepared statements.
pub(super) struct PgSession {
    pub(super) client: Arc<Client>,
    statements: HashMap<String, Statement>,
    /// Whether the server has sent a warning since this was last set to false.
    pub(super) warned: Arc<AtomicBool>,
    /// Whether a transaction is open. Then the connection must not be used again.
    pub(super) in_transaction: bool,
    task: JoinHandle<()>,
}

impl PgSession {
    /// Prepares a statement, or returns the one that was prepared before.
    pub(super) async fn prepared(&mut self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        if self.statements.len() < KEPT_STATEMENTS {
            self.statements.insert(sql.to_string(), statement.clone());
        }
        Ok(statement)
    }
}

impl Drop for PgSession {
    fn drop(&mut self) {
        // This does not wait for a running statement. When the connection is gone, the server ends the statement; a commit
        // it finishes.
        self.task.abort();
    }
}

impl Link {
    async fn connect(&self, host: &Config) -> Result<PgSession, Failure> {
        let connecting = async {
            let (client, mut connection) = host.connect(self.tls.clone()).await?;
            let warned: Arc<AtomicBool> = Arc::default();
            let seen = warned.clone();
            let task = tokio::spawn(poll_fn(move |context| {
                loop {
                    match ready!(connection.poll_message(context)) {
                        Some(Ok(AsyncMessage::Notice(notice))) => {
                            if notice.parsed_severity() == Some(Severity::Warning) {
                                complain(format_args!("{notice}"));
                                seen.store(true, Ordering::Relaxed);
                            }
                        }
                        Some(Ok(_)) => {}
                        // The code that uses the connection gets the error.
                        Some(Err(_)) | None => return std::task::Poll::Ready(()),
                    }
                }
            }));
            let session = PgSession {
                client: Arc::new(client),
                statements: HashMap::new(),
                warned,
                in_transaction: false,
                task,
            };
            session.client.batch_execute(SETTINGS).await?;
            Ok(session)
        };
        within(HOST_PATIENCE, connecting).await
    }
}

/// The name of a host for messages.
fn named(host: &Config) -> String {
    let port = host.get_ports().first().copied().unwrap_or(5432);
    match (host.get_hosts().first(), host.get_hostaddrs().first()) {
        (Some(Host::Tcp(name)), _) => format!("{name}:{port}"),
        (Some(Host::Unix(path)), _) => path.display().to_string(),
        (None, Some(address)) => format!("{address}:{port}"),
        (None, None) => port.to_string(),
    }
}

/// Why the connection to a host failed, and whether another try may succeed.
fn unreachable(failure: &Failure) -> (String, bool) {
    let error = match failure {
        Failure::Told(error) => error,
        Failure::Late => return ("no answer in time".into(), true),
        Failure::Unreachable { why, passes } => return (why.clone(), *passes),
    };
    let why = reason(error);
    if why == "password missing" {
        let why = "the URL has no password; PGPASSWORD and .pgpass are not read".into();
        return (why, false);
    }
    let cause = std::error::Error::source(error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    (
        why,
        cause.is_some_and(|cause| cause.raw_os_error().is_some()),
    )
}

/// Ends the statement of a connection whose user is gone, and closes the connection. Until then it keeps its place in the
/// pool, so that the pool never has too many connections.
pub(super) fn give_up(session: Object<Link>, cancels: bool) {
    let ending = async move {
        {
            // The answer to this comes after the end of the statement. The connection is not used again: a cancel may still be on
            // its way.
            let end = session.client.batch_execute("");
            tokio::pin!(end);
            let until = Instant::now() + END_PATIENCE;
            let pool = Object::pool(&session).filter(|_| cancels);
            while Instant::now() < until {
                let Some(pool) = &pool else {
                    let _ = within(END_PATIENCE, end).await;
                    break;
                };
                let token = session.client.cancel_token();
                let _ = within(END_PATIENCE, token.cancel_query(pool.manager().tls.clone())).await;
                // A cancel that arrives before the statement begins has no effect, so it is sent again.
                if tokio::time::timeout(AGAIN, &mut end).await.is_ok() {
                    break;
                }
            }
        }
        drop(Object::take(session));
    };
    // Without a runtime the program is ending, and the connection ends with it.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(ending);
    }
}

impl Manager for Link {
    type Type = PgSession;
    type Error = Failure;

    /// Connects to the last host that answered, or to the next one that does.
    async fn create(&self) -> Result<PgSession, Failure> {
        let first = self.last.load(Ordering::Relaxed);
        let (mut refused, mut missed, mut passes) = (None, Vec::new(), false);
        for at in 0..self.hosts.len() {
            let at = (first + at) % self.hosts.len();
            // Boxed, as the callers of this are, so that the future of a request does not reserve space for a new
            // connection.
            match Box::pin(self.connect(&self.hosts[at])).await {
                Ok(session) => {
                    self.last.store(at, Ordering::Relaxed);
                    return Ok(session);
                }
                Err(Failure::Told(error)) if error.as_db_error().is_some() => {
                    refused = Some(Failure::Told(error));
                }
                Err(failure) => {
                    let (why, may_pass) = unreachable(&failure);
                    passes |= may_pass;
                    missed.push(format!("{}: {why}", named(&self.hosts[at])));
                }
            }
        }
        // An error from the server is more useful than an error of the connection.
        Err(refused.unwrap_or(Failure::Unreachable {
            why: missed.join("; "),
            passes,
        }))
    }

    /// Looks at a connection before it is used again. After a pause the server or a device between may have closed it, for
    /// example by `idle_session_timeout`, and that may not be known here yet. A write that is sent on such a connection
    /// would have an unknown result, so the server is asked first.
    async fn recycle(&self, session: &mut PgSession, metrics: &Metrics) -> RecycleResult<Failure> {
        if session.client.is_closed() || session.in_transaction {
            return Err(RecycleError::message("given up"));
        }
        if metrics.last_used() >= PAUSE {
            let asked = Box::pin(within(HOST_PATIENCE, session.client.batch_execute("")));
            asked.await.map_err(RecycleError::Backend)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::TargetSessionAttrs;

    use super::*;

    fn refusal(url: &str) -> String {
        match Link::new(url) {
            Ok(_) => panic!("{url} was taken"),
            Err(error) => error.message,
        }
    }

    #[test]
    fn every_host_has_its_own_port_and_all_else_alike() {
        let link =
            Link::new("postgres://me:secret@one:5433,two:5434/crm?application_name=a").unwrap();
        let seen: Vec<_> = link
            .hosts
            .iter()
            .map(|host| {
                let attributes = host.get_target_session_attrs();
                (
                    host.get_hosts().to_vec(),
                    host.get_ports().to_vec(),
                    attributes,
                )
            })
            .collect();
        let expected = |name: &str, port: u16| {
            let host = vec![Host::Tcp(name.into())];
            (host, vec![port], TargetSessionAttrs::ReadWrite)
        };
        assert_eq!(seen, [expected("one", 5433), expected("two", 5434)]);
        assert!(link.hosts.iter().all(|host| {
            (host.get_user(), host.get_password()) == (Some("me"), Some(b"secret".as_slice()))
        }));
        let any = Link::new("postgres://one,two/crm?target_session_attrs=any").unwrap();
        let attributes = any.hosts[0].get_target_session_attrs();
        assert_eq!(attributes, TargetSessionAttrs::Any);
    }

    #[test]
    fn a_url_that_is_wrong_is_refused_and_its_password_is_not_shown() {
        for (url, named) in [
            ("postgres://me:secret@host/crm?sslmode=maybe", "sslmode"),
            (
                "postgres://me:secret@host/crm?sslmode=require&sslmode=disable",
                "sslmode",
            ),
            ("postgres://me:secret@host/crm?nope=1", "nope"),
            ("postgres://me:secret@host/crm?no\u{1b}pe=1", r"no\u{1b}pe"),
            (
                "postgres://me:secret@host/crm?pool_max_conns=0",
                "pool_max_conns",
            ),
            (
                "postgres://me:secret@host/crm?pool_max_conns=many",
                "pool_max_conns",
            ),
            ("postgres://me:secret@host:x/crm", "port"),
            ("postgres:///crm", "host"),
            ("postgres://me:se/secret@host/crm", "%2F"),
            ("postgres://me:secret@x@host/crm", "%40"),
            ("postgres://me:secret?@host/crm", "%3F"),
            (
                "postgres://me:secret@host/crm?sslmode=verify-ca&sslrootcert=/none.pem",
                "/none.pem",
            ),
            (
                "postgres://me:secret@host/crm?sslmode=verify-ca&sslrootcert=/no%0Ane.pem",
                r"/no\nne.pem",
            ),
        ] {
            let message = refusal(url);
            assert!(message.contains(named), "{url}: {message}");
            assert!(!message.contains("secret"), "{url}: {message}");
            assert!(!message.contains(char::is_control), "{url}: {message}");
        }
    }
}
