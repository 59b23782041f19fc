//! What the parser of URLs passes over.

/// Whether a URL announces a port with a colon and then leaves it out, as `http://host:$PORT/` does where the variable is not
/// set. The parser takes that for the port of the scheme.
pub fn has_empty_port(url: &str) -> bool {
    let rest = url.trim().split_once(':').map_or("", |(_, rest)| rest);
    let rest = rest.trim_start_matches(['/', '\\']);
    let authority = rest.split(['/', '\\', '?', '#']).next();
    authority.is_some_and(|authority| authority.ends_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_left_out_is_noticed() {
        for url in [
            "http://host:",
            "http://host:/x",
            "HTTPS://host:?x",
            "https://ada@[::1]:#x",
            "http:host:/x",
            "http:\\\\host:\\x",
        ] {
            assert!(has_empty_port(url), "{url}");
        }
        for url in [
            "http://host",
            "http://host/x:",
            "http://host:80/",
            "https://[::1]/",
            "http://host?x=a:",
            "host:",
            "",
        ] {
            assert!(!has_empty_port(url), "{url}");
        }
    }
}
