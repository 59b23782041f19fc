//! The line of a request in the log.

use std::io::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use warp::http::Method;

use crate::base::log::{self, Form, Log};
use crate::model::token;

/// The longest path that the log shows, in bytes; longer ones are cut.
const LONGEST_PATH: usize = 512;

/// The longest method that the log shows, in bytes. HTTP has no limit on it.
const LONGEST_METHOD: usize = 16;

/// What the log says about a request.
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    /// `None` if the client left before the answer.
    pub(super) status: Option<u16>,
    pub(super) took: Duration,
    pub(super) bytes: u64,
    pub(super) client: IpAddr,
    pub(super) id: &'a str,
    pub(super) who: Option<&'a str>,
    pub(super) broken: bool,
}

impl RequestLine<'_> {
    /// Writes the line to the log.
    pub(super) fn log(&self, log: &Log) {
        log.request(|form, line| self.write(form, line));
    }

    fn write(&self, form: Form, line: &mut Vec<u8>) {
        // A method may be any word. It is looked through before it is cut, because a part of a token is harder to see.
        let method = token::logged(self.method.as_str());
        let method = cut(&method, LONGEST_METHOD);
        let path = cut(self.path, LONGEST_PATH);
        let more = if path.len() < self.path.len() {
            "…"
        } else {
            ""
        };
        let (path, id) = (token::logged(path), token::logged(self.id));
        match form {
            Form::Text => self.text(method, &path, more, &id, line),
            Form::Json => self.json(method, &path, more, &id, line),
        }
    }

    fn text(&self, method: &str, path: &str, more: &str, id: &str, line: &mut Vec<u8>) {
        let mut numbers = itoa::Buffer::new();
        line.push(b' ');
        line.extend_from_slice(method.as_bytes());
        line.push(b' ');
        log::plain(line, path);
        line.extend_from_slice(more.as_bytes());
        line.push(b' ');
        match self.status {
            Some(status) => line.extend_from_slice(numbers.format(status).as_bytes()),
            None => line.push(b'-'),
        }
        line.push(b' ');
        milliseconds(self.took, line);
        line.extend_from_slice(b"ms ");
        line.extend_from_slice(numbers.format(self.bytes).as_bytes());
        line.extend_from_slice(b"B ");
        address(self.client, line);
        line.push(b' ');
        line.extend_from_slice(id.as_bytes());
        line.push(b' ');
        line.extend_from_slice(self.who.unwrap_or("-").as_bytes());
        if self.broken {
            line.extend_from_slice(b" broke off");
        }
    }

    fn json(&self, method: &str, path: &str, more: &str, id: &str, line: &mut Vec<u8>) {
        let mut numbers = itoa::Buffer::new();
        log::member(line, "message", "request");
        log::member(line, "method", method);
        log::member(line, "path", path);
        if !more.is_empty() {
            // The ellipsis goes before the closing quote.
            line.pop();
            line.extend_from_slice(more.as_bytes());
            line.push(b'"');
        }
        line.extend_from_slice(b",\"status\":");
        match self.status {
            Some(status) => line.extend_from_slice(numbers.format(status).as_bytes()),
            None => line.extend_from_slice(b"null"),
        }
        line.extend_from_slice(b",\"duration_ms\":");
        milliseconds(self.took, line);
        line.extend_from_slice(b",\"bytes\":");
        line.extend_from_slice(numbers.format(self.bytes).as_bytes());
        line.extend_from_slice(b",\"client\":\"");
        address(self.client, line);
        line.push(b'"');
        log::member(line, "request_id", id);
        match self.who {
            Some(name) => log::member(line, "token", name),
            None => line.extend_from_slice(b",\"token\":null"),
        }
        line.extend_from_slice(match self.broken {
            true => b",\"broken\":true",
            false => b",\"broken\":false",
        });
    }
}

/// The start of a text, at most `most` bytes long.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Writes a time in milliseconds, with three digits after the decimal point.
fn milliseconds(time: Duration, line: &mut Vec<u8>) {
    let micros = time.as_micros();
    let micros = u64::try_from(micros).unwrap_or(u64::MAX);
    let mut numbers = itoa::Buffer::new();
    line.extend_from_slice(numbers.format(micros / 1_000).as_bytes());
    let rest = (micros % 1_000) as u16;
    let digit = |by: u16| b'0' + (rest / by % 10) as u8;
    line.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
}

fn address(client: IpAddr, line: &mut Vec<u8>) {
    match client {
        // Most addresses are IPv4, and `write!` would take longer than the rest of the line.
        IpAddr::V4(client) => {
            let mut numbers = itoa::Buffer::new();
            for (at, part) in client.octets().into_iter().enumerate() {
                if at > 0 {
                    line.push(b'.');
                }
                line.extend_from_slice(numbers.format(part).as_bytes());
            }
        }
        IpAddr::V6(client) => {
            let _ = write!(line, "{client}");
        }
    }
}

#[cfg(test)]
mod tests;
