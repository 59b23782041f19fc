//! A PostgreSQL of the tests' own, and a schema in it for each.
//!
//! The first test that needs it starts one cluster for all, in a temporary folder, reached by a socket in that folder. A
//! shell beside it waits for the end of this process, however that comes, then stops the cluster and removes the folder.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Makes a cluster, says where it is when it answers, and removes it when its input ends. Takes the folder of the
/// programs and further settings.
const SCRIPT: &str = r#"
set -e
bin=$1; port=$2; shift 2
folder=$(mktemp -d "${TMPDIR:-/tmp}/crm-pg-XXXXXX")
cd "$folder"
trap 'rm -rf "$folder"' EXIT
trap : INT TERM
"$bin/initdb" -D data -U crm -A trust -E UTF8 --locale=C --no-sync >log 2>&1 || { cat log >&2; exit 1; }
"$bin/postgres" -D data -c port=$port -c listen_addresses= -c unix_socket_directories="$folder" "$@" >>log 2>&1 </dev/null &
postgres=$!
until "$bin/pg_isready" -q -h "$folder" -p $port -U crm -d postgres; do
    kill -0 $postgres 2>/dev/null || { cat log >&2; exit 1; }
    sleep 0.05
done
echo "$folder"
cat >/dev/null || :
# A test may have left it standing still.
kill -CONT $postgres 2>/dev/null || :
kill -QUIT $postgres 2>/dev/null || :
wait $postgres || :
"#;

/// A cluster that runs for as long as this is held, or this process lives.
pub struct Cluster {
    pub folder: PathBuf,
    /// Its standard input is what keeps the cluster.
    _shell: Child,
}

/// A program that is run by the user of PostgreSQL, which refuses to run as root.
pub fn as_postgres(program: impl AsRef<OsStr>) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    command
}

/// The folder of PostgreSQL's programs, the newest where there are several.
pub fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|path| path.join("initdb").exists())
        .collect();
    found.sort_by_key(|path| {
        let version = path
            .parent()
            .and_then(|path| path.file_name()?.to_str()?.parse().ok());
        version.unwrap_or(0_u32)
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    found.pop().or(on_path)
}

impl Cluster {
    /// Starts one with these settings, `None` where there is no PostgreSQL on this machine.
    pub fn start(settings: &[&str]) -> Option<Cluster> {
        Cluster::start_at(5432, settings)
    }

    /// The same with a port, for where it is not reached by its socket alone.
    pub fn start_at(port: u16, settings: &[&str]) -> Option<Cluster> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "CI needs PostgreSQL: neither /usr/lib/postgresql nor PATH has initdb"
            );
            return None;
        };
        let mut command = as_postgres("sh");
        command
            .args(["-c", SCRIPT, "sh"])
            .arg(&programs)
            .arg(port.to_string());
        for setting in settings {
            command.args(["-c", setting]);
        }
        let mut shell = command
            // Root's may not be entered by another user.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(!line.is_empty(), "PostgreSQL did not start");
        Some(Cluster {
            folder: Path::new(line.trim_end()).into(),
            _shell: shell,
        })
    }

    /// The URL of a database of it, with these parameters.
    pub fn url(&self, parameters: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://crm@{folder}/postgres?{parameters}")
    }

    /// Its processes.
    pub fn processes(&self) -> Vec<u32> {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let first = file.lines().next().unwrap().trim().parse().unwrap();
        [vec![first], children(first)].concat()
    }

    /// Runs statements over a connection of its own.
    pub async fn run(&self, sql: &str) {
        let url = self.url("");
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }
}

/// The processes that a process has started.
pub fn children(of: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children"));
    let listed = listed.unwrap_or_default();
    let ids = listed.split_whitespace();
    ids.map(|id| id.parse().unwrap()).collect()
}

/// A cluster for one test alone, `None` where there is no PostgreSQL.
pub async fn own() -> Option<Cluster> {
    let started = tokio::task::spawn_blocking(|| Cluster::start(&[]));
    started.await.unwrap()
}

/// The cluster that all tests share, `None` where there is no PostgreSQL; the test that asks is then skipped, and says so.
pub async fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let shared = tokio::task::spawn_blocking(|| {
        // What is tested of power cuts is PostgreSQL's own; the rest goes faster without syncs.
        SHARED.get_or_init(|| Cluster::start(&["fsync=off", "max_connections=400"]))
    });
    let cluster = shared.await.unwrap().as_ref();
    if cluster.is_none() {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or_default();
        let line = format!("{test} is skipped: there is no PostgreSQL on this machine\n");
        // Past the harness, which keeps what a test prints to itself unless it fails.
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    cluster
}

/// The URL of a new schema in it.
pub async fn schema() -> Option<String> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let cluster = shared().await?;
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    cluster.run(&format!("CREATE SCHEMA {name}")).await;
    Some(cluster.url(&format!("options=-csearch_path%3D{name}")))
}
