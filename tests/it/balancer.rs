//! The load balancer of `docker-compose.scale.yml`: HAProxy with its configuration, in front of real replicas.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};

use crate::support::{Home, Server};

/// Where Debian puts it, which is not on every path.
const HAPROXY: &str = "/usr/sbin/haproxy";

/// HAProxy, which ends with the test.
struct Balancer(Child);

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A service without HAProxy on this machine is tested without it, but not in CI.
fn haproxy() -> Option<&'static str> {
    let program = [HAPROXY, "haproxy"].into_iter().find(|program| {
        let version = Command::new(program).arg("-v").output();
        version.is_ok_and(|version| version.status.success())
    });
    if program.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI needs HAProxy");
    }
    program
}

/// The configuration with this listener and these replicas instead of those of Compose.
fn configuration(listener: &TcpListener, replicas: &[Server]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("haproxy.cfg");
    let whole = std::fs::read_to_string(file).unwrap();
    let mut replaced = 0;
    let mut lines: Vec<String> = Vec::new();
    for line in whole.lines() {
        let listen = format!("    bind fd@{}", listener.as_raw_fd());
        let start = line.trim_start();
        if start == "bind :8000" {
            lines.push(listen);
        } else if start.starts_with("server-template ") {
            for (number, replica) in replicas.iter().enumerate() {
                lines.push(format!("    server r{number} {}", replica.address()));
            }
        } else if start.starts_with("default-server ") {
            lines.push(line.replace(" resolvers docker init-addr none", ""));
        } else {
            lines.push(line.to_string());
            continue;
        }
        replaced += 1;
    }
    assert_eq!(replaced, 3, "{whole}");
    lines.join("\n") + "\n"
}

#[test]
fn a_client_cannot_forge_its_address_through_the_balancer() {
    let Some(program) = haproxy() else {
        return;
    };
    let homes = [Home::new(), Home::new()];
    // As the replicas of Compose, and loopback, where this balancer is.
    let trusted = "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16";
    let mut words = vec!["--db", "crm.db"];
    for network in trusted.split(' ') {
        words.extend(["--trusted-proxy", network]);
    }
    let replicas = [homes[0].serve(&words), homes[1].serve(&words)];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    fcntl_setfd(&listener, FdFlags::empty()).unwrap();
    let file = homes[0].write("haproxy.cfg", &configuration(&listener, &replicas));
    let child = Command::new(program).arg("-f").arg(file).spawn().unwrap();
    let balancer = Balancer(child);

    let forged = [
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-For: 10.9.9.9",
        "x-forwarded-for: 203.0.113.9, 10.9.9.9, 192.168.9.9",
        "X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-For: 203.0.113.9",
        "Forwarded: for=203.0.113.9",
        "X-Real-IP: 203.0.113.9",
    ];
    for line in forged {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let request = format!(
            "GET /leads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{line}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{line}: {answer}");
    }
    drop(balancer);
    let logs = replicas.map(|replica| replica.stop().1);
    let requests = logs.iter().flat_map(|log| log.lines());
    let requests: Vec<&str> = requests
        .filter(|line| line.contains(" GET /leads "))
        .collect();
    assert_eq!(requests.len(), forged.len(), "{logs:?}");
    for request in requests {
        assert!(request.contains("B 127.0.0.1 "), "{request}");
    }
}
