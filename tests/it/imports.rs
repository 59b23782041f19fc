//! Which file of `src` imports from which: read from the paths that begin with `crate::`, `super::` and `self::`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files of `src` by their modules, such as `store::sql::select`, each with the modules' files that it imports from.
pub type Imports = BTreeMap<String, Vec<String>>;

/// Reads the imports of every file of a source folder. Tests inside it are left out: they may look at anything.
pub fn read(src: &Path) -> Imports {
    let mut files = BTreeMap::new();
    collect(src, &mut Vec::new(), &mut files);
    let names: Vec<String> = files.keys().cloned().collect();
    files
        .iter()
        .map(|(module, path)| {
            let text = std::fs::read_to_string(path).unwrap();
            let mut found: Vec<String> = paths(&code(&text), module)
                .iter()
                .filter_map(|path| file_of(path, &names))
                .filter(|file| file != module)
                .collect();
            found.sort();
            found.dedup();
            (module.clone(), found)
        })
        .collect()
}

fn collect(folder: &Path, above: &mut Vec<String>, files: &mut BTreeMap<String, PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_string();
        if path.is_dir() && stem != "tests" {
            above.push(stem);
            collect(&path, above, files);
            above.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !["tests", "lib", "main"].contains(&stem.as_str())
        {
            let module: Vec<&str> = above.iter().map(String::as_str).chain([&*stem]).collect();
            files.insert(module.join("::"), path);
        }
    }
}

/// The text without comments and without what stands behind `#[cfg(test)] mod tests {`.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("#[cfg(test") || line.starts_with("#[cfg(all(test") {
            match lines.peek() {
                Some(next) if next.ends_with(';') => {
                    lines.next();
                    continue;
                }
                Some(next) if next.contains("mod ") => break,
                _ => {}
            }
        }
        if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// Every path in the code of a module, from the root of the crate on.
fn paths(code: &str, module: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            // `super::super::` was read from its beginning.
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut here: Vec<String> = module.split("::").map(str::to_string).collect();
            let mut rest = &code[at..];
            let mut prefix = Vec::new();
            if let Some(next) = rest.strip_prefix("crate::") {
                rest = next;
            } else {
                if let Some(next) = rest.strip_prefix("self::") {
                    rest = next;
                }
                while let Some(next) = rest.strip_prefix("super::") {
                    here.pop();
                    rest = next;
                }
                prefix = here;
            }
            tree(&mut rest, &prefix, &mut found);
        }
    }
    found
}

/// Reads `a::b`, or `a::{b, c::d}`.
fn tree(rest: &mut &str, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let mut path = prefix.to_vec();
    loop {
        *rest = rest.trim_start();
        if let Some(next) = rest.strip_prefix('{') {
            *rest = next;
            while !rest.trim_start().starts_with('}') {
                tree(rest, &path, found);
                *rest = rest.trim_start().trim_start_matches(',');
                if rest.trim_start().is_empty() {
                    return;
                }
            }
            *rest = &rest.trim_start()[1..];
            return;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (name, next) = rest.split_at(end.unwrap_or(rest.len()));
        if name.is_empty() {
            // `*`, or something that is no path.
            *rest = next.get(1..).unwrap_or_default();
            break;
        }
        if name != "self" {
            path.push(name.to_string());
        }
        *rest = next;
        match rest.strip_prefix("::") {
            Some(next) => *rest = next,
            None => {
                if let Some(next) = rest.trim_start().strip_prefix("as ") {
                    let end = next.find(|c: char| !c.is_alphanumeric() && c != '_');
                    *rest = &next[end.unwrap_or(next.len())..];
                }
                break;
            }
        }
    }
    found.push(path);
}

/// The file that a path leads into: that of the longest beginning which is a module.
fn file_of(path: &[String], files: &[String]) -> Option<String> {
    (1..=path.len())
        .rev()
        .map(|length| path[..length].join("::"))
        .find(|module| files.contains(module))
}

/// The files that import one another in a circle, if there are any.
pub fn circle(imports: &Imports) -> Option<Vec<String>> {
    fn visit<'i>(
        module: &'i str,
        imports: &'i Imports,
        way: &mut Vec<&'i str>,
        done: &mut Vec<&'i str>,
    ) -> Option<Vec<String>> {
        if let Some(at) = way.iter().position(|known| *known == module) {
            return Some(way[at..].iter().map(|name| name.to_string()).collect());
        }
        if done.contains(&module) {
            return None;
        }
        way.push(module);
        let found = imports[module]
            .iter()
            .find_map(|import| visit(import, imports, way, done));
        way.pop();
        done.push(module);
        found
    }
    let mut done = Vec::new();
    imports
        .keys()
        .find_map(|module| visit(module, imports, &mut Vec::new(), &mut done))
}

/// The imports of a file from the file of a folder that it lies in. A path that only leads through it is none.
pub fn upward(imports: &Imports) -> Vec<(String, String)> {
    let pairs = imports
        .iter()
        .flat_map(|(module, found)| found.iter().map(move |import| (module, import)));
    pairs
        .filter(|(module, import)| module.starts_with(&format!("{import}::")))
        .map(|(module, import)| (module.clone(), import.clone()))
        .collect()
}

mod tests {
    use super::*;

    /// The imports of files with these texts.
    fn of(files: &[(&str, &str)]) -> Imports {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        read(folder.path())
    }

    #[test]
    fn imports_are_found_however_they_are_written() {
        let imports = of(&[
            ("a.rs", "mod b;\nmod c;\npub struct A;"),
            (
                "a/b.rs",
                "use crate::{d::{self, D as E}, a::c::C};\nfn f() { crate::e::g(); }",
            ),
            (
                "a/c.rs",
                "use super::b::{\n    B,\n};\n// use crate::d;\n#[cfg(test)]\nmod tests {\n    use crate::e::E;\n}",
            ),
            ("d.rs", "use std::fmt;"),
            ("e.rs", "pub fn g() -> super::d::D {}"),
        ]);
        assert_eq!(imports["a::b"], ["a::c", "d", "e"]);
        assert_eq!(imports["a::c"], ["a::b"]);
        assert_eq!(imports["e"], ["d"]);
        assert!(imports["d"].is_empty());
    }

    #[test]
    fn a_circle_and_an_upward_import_are_found() {
        let fine = of(&[
            ("a.rs", "pub use self::b::B;"),
            ("a/b.rs", "use crate::c::C;"),
            ("c.rs", ""),
        ]);
        assert_eq!((circle(&fine), upward(&fine)), (None, Vec::new()));
        let round = of(&[
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use crate::a::A;"),
        ]);
        assert_eq!(circle(&round).unwrap(), ["a", "b", "c"]);
        let up = of(&[
            ("a.rs", ""),
            ("a/b.rs", "use super::A;"),
            ("a/c.rs", "use crate::a::b::B;"),
        ]);
        assert_eq!(upward(&up), [("a::b".to_string(), "a".to_string())]);
    }
}
