//! The rule of the house: imports run one way, downwards in the map of `src/lib.rs`.

use std::path::Path;

use crate::imports::{self, Imports};

/// The modules as the map lists them; one may import from those above it and from its own.
const ORDER: [&str; 14] = [
    "base",
    "manual",
    "net",
    "model",
    "import",
    "views",
    "store",
    "operation",
    "ops",
    "server",
    "config",
    "output",
    "cli",
    "main",
];

fn all() -> Imports {
    let imports = imports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let count: usize = imports.values().map(Vec::len).sum();
    assert!(
        imports.len() > 50 && count > 200,
        "the imports were not found"
    );
    imports
}

#[test]
fn imports_run_downwards() {
    let top = |module: &str| module.split("::").next().unwrap().to_string();
    let place = |name: &str| ORDER.iter().position(|module| *module == name);
    for (module, found) in all() {
        for import in found {
            let (module, import) = (top(&module), top(&import));
            let (Some(from), Some(to)) = (place(&module), place(&import)) else {
                panic!("{module} imports {import}: the map does not know one of them");
            };
            assert!(
                to <= from,
                "{module} imports {import}, which stands below it in the map"
            );
        }
    }
}

#[test]
fn no_files_import_one_another_in_a_circle() {
    assert_eq!(imports::circle(&all()), None);
}

#[test]
fn no_file_imports_from_the_file_of_its_folder() {
    assert_eq!(imports::upward(&all()), []);
}

/// Every file in a folder of a store with the modules of `store` that it names.
fn paths_into_the_store(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            paths_into_the_store(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for part in text.split("store::").skip(1) {
            let name = part.split(|c: char| !c.is_alphanumeric() && c != '_');
            let name = name.into_iter().next().unwrap_or_default();
            found.push((path.display().to_string(), name.to_string()));
        }
    }
}

#[test]
fn stores_are_strangers_to_one_another() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let text = |name: &str| std::fs::read_to_string(store.join(name)).unwrap();
    assert!(!text("remote.rs").contains("sqlite"));
    for file in ["postgres.rs", "postgres/link.rs", "postgres/list.rs"] {
        assert!(!text(file).contains("store::sqlite"), "{file}");
        assert!(!text(file).contains("store::remote"), "{file}");
    }
    let mut found = Vec::new();
    paths_into_the_store(&store.join("sqlite"), &mut found);
    assert!(found.len() > 50, "the imports were not found");
    for (file, name) in found {
        assert!(!["remote", "postgres"].contains(&&*name), "{file}: {name}");
    }
}

#[test]
fn the_map_names_every_module() {
    let lib =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for line in lib.lines() {
        let Some(module) = line.strip_prefix("pub mod ") else {
            continue;
        };
        let module = module.trim_end_matches(';');
        assert!(
            lib.contains(&format!("[`{module}`]")),
            "the map does not name {module}"
        );
    }
}

/// The packages of a lock file, with their versions.
fn locked(file: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let lock: toml::Table = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let text = |package: &toml::Value, key: &str| package[key].as_str().unwrap().to_string();
    let packages = lock["package"].as_array().unwrap().iter();
    packages
        .map(|package| (text(package, "name"), text(package, "version")))
        .collect()
}

#[test]
fn what_is_fuzzed_is_what_is_built() {
    let (built, fuzzed) = (locked("Cargo.lock"), locked("tests/fuzz/Cargo.lock"));
    let mut shared = 0;
    for (name, version) in fuzzed {
        let versions: Vec<&str> = built
            .iter()
            .filter(|package| package.0 == name)
            .map(|package| package.1.as_str())
            .collect();
        // What only libFuzzer needs is not in the other.
        if !versions.is_empty() {
            shared += 1;
            assert!(
                versions.contains(&version.as_str()),
                "{name} {version}: tests/fuzz/Cargo.lock has another version than Cargo.lock; copy that over it and run \
                 `cargo check --manifest-path tests/fuzz/Cargo.toml`"
            );
        }
    }
    assert!(shared > 50, "the packages were not found");
}

/// The files whose SQL may write the tables of records, and why.
const WRITERS: [(&str, &str); 11] = [
    ("store/sql/ledger.rs", "the ledger itself"),
    (
        "store/sql/reversal.rs",
        "the texts with which the ledger takes changes back",
    ),
    (
        "store/sqlite/writer/transaction.rs",
        "the version of a record that the ledger restores",
    ),
    ("store/sql/statements.rs", "the texts that the ledger runs"),
    (
        "store/sql/due.rs",
        "that a follow-up was looked at, which is no part of the record",
    ),
    ("store/sql/faults.rs", "a command that is printed"),
    ("store/sql/copying.rs", "a copy into an empty database"),
    (
        "store/sqlite/file/legacy/carry.rs",
        "the upgrade of an old file",
    ),
    (
        "store/sqlite/file/restore/numbers.rs",
        "the versions of a restored file",
    ),
    (
        "store/sqlite/file/schema/table.rs",
        "triggers, for other programs",
    ),
    (
        "store/postgres/addresses.rs",
        "the upgrade of an old database",
    ),
];

/// The tables after these words of SQL in a source file, without its tests.
fn written_tables(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
    let code: Vec<&str> = lines.collect();
    let code = code.join("\n");
    let verbs = ["INSERT INTO ", "DELETE FROM ", "REPLACE INTO ", "UPDATE "];
    let mut found = Vec::new();
    for verb in verbs {
        for (at, _) in code.match_indices(verb) {
            let rest = &code[at + verb.len()..];
            let end =
                rest.find(|letter: char| !letter.is_alphanumeric() && !"_.{}".contains(letter));
            found.push(rest[..end.unwrap_or(rest.len())].to_string());
        }
    }
    found
}

/// A change of a record that the ledger does not write would be missing from the history.
#[test]
fn only_the_ledger_writes_records() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut writers: Vec<String> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_string();
            if !name.ends_with(".rs") || name.ends_with("tests.rs") || name.contains("/tests/") {
                continue;
            }
            let tables = written_tables(&std::fs::read_to_string(&path).unwrap());
            let is_record = |table: &String| {
                let own = ["crm_", "sqlite_", "temp.", "heartbeat", "SKIP", "SET"];
                // `DO UPDATE SET` and `FOR UPDATE` name no table, and neither does a trigger's `UPDATE ON`.
                !table.is_empty() && table != "ON" && !own.iter().any(|own| table.starts_with(own))
            };
            if tables.iter().any(is_record) {
                writers.push(name);
            }
        }
    }
    writers.sort();
    let mut known: Vec<&str> = WRITERS.iter().map(|writer| writer.0).collect();
    known.sort();
    assert_eq!(writers, known);
}
