//! A receiver of webhooks: a small HTTP server that keeps what it gets and answers as a test wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request that has arrived as a whole.
#[derive(Clone, Debug)]
pub struct Got {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub text: String,
    /// Whether it was answered with success.
    pub delivered: bool,
}

impl Got {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().into()
    }

    pub fn seq(&self) -> i64 {
        self.json()["data"]["seq"].as_i64().unwrap()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The status and further headers: `503 No\r\nretry-after: 1`.
    Head(String),
    /// The same after a time.
    Late(Duration, String),
    /// The connection is closed.
    Cut,
}

pub fn ok() -> Reply {
    Reply::Head("204 No Content".into())
}

pub fn head(text: &str) -> Reply {
    Reply::Head(text.into())
}

type Rule = Box<dyn FnMut(&Got) -> Reply + Send>;

/// A receiver. It ends with the runtime of its test.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<Got>>>,
    rule: Arc<Mutex<Rule>>,
}

impl Receiver {
    pub async fn start(rule: impl FnMut(&Got) -> Reply + Send + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Receiver {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            got: Arc::default(),
            rule: Arc::new(Mutex::new(Box::new(rule))),
        };
        let own = receiver.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move {
                    let _ = own.serve(socket).await;
                });
            }
        });
        receiver
    }

    /// Answers as this rule says from now on.
    pub fn answers(&self, rule: impl FnMut(&Got) -> Reply + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// All requests so far.
    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    async fn serve(&self, socket: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(socket);
        loop {
            let (mut length, mut headers) = (0, Vec::new());
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                let line = line.trim_end();
                if line.is_empty() {
                    break;
                }
                if let Some((name, value)) = line.split_once(": ") {
                    headers.push((name.to_ascii_lowercase(), value.to_string()));
                }
                if let Some(("content-length", value)) =
                    headers.last().map(|(name, value)| (name.as_str(), value))
                {
                    length = value.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            let header = |name: &str| {
                let found = headers.iter().find(|header| header.0 == name);
                found.map(|header| header.1.clone()).unwrap_or_default()
            };
            let mut got = Got {
                id: header("webhook-id"),
                timestamp: header("webhook-timestamp"),
                signature: header("webhook-signature"),
                text: String::from_utf8(body).unwrap(),
                delivered: false,
            };
            let reply = (self.rule.lock().unwrap())(&got);
            got.delivered = match &reply {
                Reply::Head(head) | Reply::Late(_, head) => head.starts_with('2'),
                Reply::Cut => false,
            };
            self.got.lock().unwrap().push(got);
            let head = match reply {
                Reply::Cut => return Ok(()),
                Reply::Head(head) => head,
                Reply::Late(time, head) => {
                    tokio::time::sleep(time).await;
                    head
                }
            };
            let length = if head.starts_with("204") {
                ""
            } else {
                "content-length: 0\r\n"
            };
            let text = format!("HTTP/1.1 {head}\r\n{length}\r\n");
            stream.get_mut().write_all(text.as_bytes()).await?;
        }
    }
}
