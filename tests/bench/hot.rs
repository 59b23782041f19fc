//! How long the hot paths take: `cargo bench`.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on ends with the place where it could not"
)]

mod paths;

use criterion::{Criterion, criterion_group, criterion_main};

use paths::{Ground, PATHS};

fn hot(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::new(&folder.path().join("crm.db")).unwrap();
    for (name, path) in PATHS {
        criterion.bench_function(name, |bencher| bencher.iter(|| path(&ground).unwrap()));
    }
}

criterion_group!(benches, hot);
criterion_main!(benches);
