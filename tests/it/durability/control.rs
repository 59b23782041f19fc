//! The server of the controls: crm as it is but for its syncs, which come with checkpoints and not with every commit. No
//! setting of crm makes one; this test binary is started again and becomes it.

use std::future::pending;
use std::io::Write;
use std::path::Path;

use crm::server;
use crm::store::any::AnyStore;
use crm::store::sqlite::Sqlite;
use tokio::net::TcpListener;

/// Names the database to the server. Without it, the server is a test that has nothing to do.
pub const DATABASE: &str = "CRM_TEST_CONTROL_DATABASE";

/// The line of the shell that is such a server, to be run with [`DATABASE`] in its environment.
pub fn line() -> String {
    let binary = std::env::current_exe().unwrap();
    let name = "durability::control::serve_without_syncs";
    format!(
        "'{}' --exact {name} --ignored --nocapture",
        binary.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "no test, but a server that tests start"]
async fn serve_without_syncs() {
    let Some(database) = std::env::var_os(DATABASE) else {
        return;
    };
    let store = AnyStore::Sqlite(Sqlite::open_unsynced(Path::new(&database)).unwrap());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    // Past the harness. It has begun a line of its own.
    writeln!(
        std::io::stdout(),
        "\nthe control listens on http://{address}"
    )
    .unwrap();
    // Until it is killed.
    server::serve(
        listener,
        store,
        server::settings::ServerSettings::default(),
        pending(),
    )
    .await
    .unwrap();
}
