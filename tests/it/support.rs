//! What the tests stand on: an empty home, the binary run in it, and servers.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crm::server;
use crm::server::settings::ServerSettings;
use crm::store::any::AnyStore;
use crm::store::sqlite::Work;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Waits until something is so, and fails where that takes a minute.
#[track_caller]
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "waited for {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A client for HTTP.
pub fn client() -> reqwest::Client {
    // Whoever comes second finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A request with this JSON.
pub fn with_json(
    request: reqwest::RequestBuilder,
    json: &serde_json::Value,
) -> reqwest::RequestBuilder {
    let request = request.header("content-type", "application/json");
    request.body(json.to_string())
}

/// The path and query that a relative reference in an answer leads to. `asked` is the path of the request.
pub fn resolved(asked: &str, reference: &str) -> String {
    let asked = reqwest::Url::parse("http://host").unwrap().join(asked);
    let target = asked.unwrap().join(reference).unwrap().to_string();
    target.strip_prefix("http://host").unwrap().to_string()
}

/// An empty folder that is home, current folder and temporary folder of what runs in it.
pub struct Home {
    folder: TempDir,
}

impl Home {
    pub fn new() -> Home {
        Home {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `crm` with these words, in this home and with no other environment.
    pub fn crm<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Crm {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crm"));
        command.args(words);
        Crm {
            command: self.at_home(command),
            stdin: String::new(),
        }
    }

    /// `crm` with the words of a line, parted by blanks.
    pub fn line(&self, line: &str) -> Crm {
        self.crm(line.split_whitespace())
    }

    /// A line of the shell, with `crm` on its path.
    pub fn shell(&self, line: &str) -> Crm {
        let binary = Path::new(env!("CARGO_BIN_EXE_crm")).parent().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        let mut command = self.at_home(command);
        command.env(
            "PATH",
            format!("{}:/usr/local/bin:/usr/bin:/bin", binary.display()),
        );
        Crm {
            command,
            stdin: String::new(),
        }
    }

    fn at_home(&self, mut command: Command) -> Command {
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TZ", "UTC")
            .current_dir(self.folder.path());
        command
    }

    /// `crm serve` on a free port with these further words.
    pub fn serve(&self, words: &[&str]) -> Server {
        let mut all = vec!["serve", "--host", "127.0.0.1", "--port", "0"];
        all.extend(words);
        Server::start(self.crm(all).command)
    }
}

/// A run of `crm` that is being put together.
pub struct Crm {
    command: Command,
    stdin: String,
}

impl Crm {
    pub fn env(mut self, name: &str, value: &str) -> Crm {
        self.command.env(name, value);
        self
    }

    pub fn stdin(mut self, text: &str) -> Crm {
        self.stdin = text.into();
        self
    }

    pub fn command(self) -> Command {
        self.command
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(mut self) -> Run {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let text = std::mem::take(&mut self.stdin);
        let writer = std::thread::spawn(move || {
            // A command that does not read its input closes it.
            let _ = stdin.write_all(text.as_bytes());
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Run {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// Runs it, expects success and nothing on standard error, and answers its standard output.
    #[track_caller]
    pub fn ok(self) -> String {
        let run = self.run();
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        run.stdout
    }

    /// Runs it, expects success, and answers its standard output. It may warn, as a first token does that is not for everything.
    #[track_caller]
    pub fn warned(self) -> String {
        let run = self.run();
        assert_eq!(run.code, Some(0), "{run:?}");
        run.stdout
    }

    /// Runs it, expects this exit code and nothing on standard output, and answers its standard error.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        let run = self.run();
        assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{run:?}");
        run.stderr
    }
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

/// A `crm serve` that is ready to answer. It is killed when it goes out of scope.
pub struct Server {
    pub child: Child,
    pub url: String,
    /// The line it printed when it was ready.
    pub line: String,
}

impl Server {
    #[track_caller]
    pub fn start(command: Command) -> Server {
        Server::attempt(command)
            .unwrap_or_else(|run| panic!("the server did not start: {}{}", run.stdout, run.stderr))
    }

    /// A server, or how it ended before it was ready.
    pub fn attempt(mut command: Command) -> Result<Server, Run> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.as_mut().unwrap());
        let url = loop {
            line.clear();
            let read = stdout.read_line(&mut line).unwrap();
            let mut words = line.split_whitespace();
            let url =
                words.find(|word| word.starts_with("http://") || word.starts_with("https://"));
            if url.is_some() || read == 0 {
                break url.map(|url| url.trim_end_matches(',').to_string());
            }
        };
        let Some(url) = url else {
            let mut stderr = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut stderr)
                .unwrap();
            return Err(Run {
                stdout: line,
                stderr,
                code: child.wait().unwrap().code(),
            });
        };
        Ok(Server { child, url, line })
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &line])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Ends it with SIGTERM, and answers how it ended and what it said on standard error.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let mut stderr = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        (self.child.wait().unwrap(), stderr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service inside of the test, over a file in a folder of its own.
pub struct Service {
    pub url: String,
    pub home: Home,
    pub store: AnyStore,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<crm::base::error::Result<()>>,
}

impl Service {
    pub async fn start() -> Service {
        let home = Home::new();
        let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
        Service::at(home, store, ServerSettings::default()).await
    }

    /// One with these settings.
    pub async fn with(settings: ServerSettings) -> Service {
        let home = Home::new();
        let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
        Service::at(home, store, settings).await
    }

    /// One over any store.
    pub async fn over(store: AnyStore) -> Service {
        Service::at(Home::new(), store, ServerSettings::default()).await
    }

    async fn at(home: Home, store: AnyStore, settings: ServerSettings) -> Service {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let ended = tokio::spawn(server::serve(listener, store.clone(), settings, shutdown));
        Service {
            url,
            home,
            store,
            stop: Some(stop),
            ended,
        }
    }

    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.ended.await.unwrap().unwrap();
    }
}
