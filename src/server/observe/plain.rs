//! The metrics in the plain text format of Prometheus, version 0.0.4, for programs that do not read OpenMetrics.
//!
//! It is made from the text of OpenMetrics. The formats have the same samples. They differ in the name of a family, which is
//! in plain text that of its samples, in three words for types, and in the lines `# UNIT` and `# EOF`, which plain text does
//! not have.

/// Turns a text of OpenMetrics into plain text.
pub(super) fn plain(open: &str) -> String {
    let mut plain = String::with_capacity(open.len() + 256);
    // The help of a family precedes its type, which decides its name.
    let mut help = "";
    for line in open.lines() {
        if let Some(about) = line.strip_prefix("# HELP ") {
            help = about;
        } else if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap_or((family, ""));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            if let Some(about) = std::mem::take(&mut help).strip_prefix(name) {
                // Plain text does not escape quotation marks here.
                let about = about.replace("\\\"", "\"");
                plain.push_str(&format!("# HELP {name}{suffix}{about}\n"));
            }
            plain.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_the_names_of_their_samples() {
        let open = "# HELP a Say \\\"a\\\".\n# TYPE a counter\na_total{x=\"# TYPE\"} 1\n\
                    # HELP b_seconds Times.\n# TYPE b_seconds histogram\n# UNIT b_seconds seconds\n\
                    b_seconds_sum 0.5\nb_seconds_count 2\nb_seconds_bucket{le=\"+Inf\"} 2\n\
                    # TYPE c gauge\nc 3\n# HELP d Version.\n# TYPE d info\nd_info{version=\"1\"} 1\n\
                    # TYPE e unknown\ne 4\n# EOF\n";
        let expected = "# HELP a_total Say \"a\".\n# TYPE a_total counter\na_total{x=\"# TYPE\"} 1\n\
                        # HELP b_seconds Times.\n# TYPE b_seconds histogram\n\
                        b_seconds_sum 0.5\nb_seconds_count 2\nb_seconds_bucket{le=\"+Inf\"} 2\n\
                        # TYPE c gauge\nc 3\n# HELP d_info Version.\n# TYPE d_info gauge\nd_info{version=\"1\"} 1\n\
                        # TYPE e untyped\ne 4\n";
        assert_eq!(plain(open), expected);
    }
}
