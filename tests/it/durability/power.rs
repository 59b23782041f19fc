//! The power goes.
//!
//! The database is on an ext4 in an image file behind a loop device. Under load the server is frozen, and the image is
//! copied as it is: with what the file system has handed down to the disk so far, and without what it still holds in
//! memory. The copy is then mounted, where ext4 replays its journal, and is the disk of the next round, as after a cut of
//! the power.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::load::{Book, Load};
use super::{control, integrity, length, needed, say};
use crate::support::{Home, Server, wait_for};

/// A mounted file system in an image file; unmounted when it goes out of scope. The loop device goes with the mount.
pub struct Disk {
    pub image: PathBuf,
    pub mount: PathBuf,
}

impl Disk {
    /// A new one in `folder`, if this machine lets one be made.
    pub fn format(folder: &Path) -> Result<Disk, String> {
        let image = folder.join("disk-0");
        // Sparse: it takes what is written to it.
        let file = std::fs::File::create(&image).unwrap();
        file.set_len(256 << 20).unwrap();
        // What is left for later by itself would be written while the disk is copied.
        let whole = "lazy_itable_init=0,lazy_journal_init=0";
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-E", whole])
            .arg(&image))?;
        Disk::mount(image)
    }

    pub fn mount(image: PathBuf) -> Result<Disk, String> {
        let mount = image.with_extension("mount");
        std::fs::create_dir(&mount).unwrap();
        let mut command = Command::new("mount");
        run(command.args(["-o", "loop"]).arg(&image).arg(&mount))?;
        Ok(Disk { image, mount })
    }

    pub fn database(&self) -> PathBuf {
        self.mount.join("crm.db")
    }

    /// What the block layer counts of the loop device: what was read and written, and what is under way.
    fn traffic(&self) -> Vec<u64> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = self.mount.to_str().unwrap();
        let line = mounts.lines().find(|line| line.contains(mount)).unwrap();
        let device = line.split(' ').next().unwrap().trim_start_matches("/dev/");
        let counts = std::fs::read_to_string(format!("/sys/block/{device}/stat")).unwrap();
        let counts = counts.split_whitespace();
        counts.map(|count| count.parse().unwrap()).collect()
    }

    /// A copy of the image at one moment. The server stands still, but the kernel may be writing by itself: then it is
    /// copied again, as a copy of several moments is what no disk ever holds.
    fn copy(&self, to: &Path) {
        /// The place of the requests under way in the kernel's counts (`Documentation/block/stat.rst`).
        const UNDER_WAY: usize = 8;
        wait_for("the disk to stand still", || {
            let before = self.traffic();
            let mut copy = Command::new("cp");
            copy.args(["--sparse=always"]).arg(&self.image).arg(to);
            run(&mut copy).unwrap();
            let after = self.traffic();
            assert!(after[4] > 0, "the counts show no writes: {after:?}");
            before[UNDER_WAY] == 0 && before == after
        });
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmount = |how: &[&str]| run(Command::new("umount").args(how).arg(&self.mount));
        // A test that has failed may still have the file open.
        if unmount(&[]).is_err() {
            let _ = unmount(&["--lazy"]);
        }
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// Stops every thread of the server where it is. One that waits for the disk stops when that is done.
fn freeze(server: &Server) {
    server.signal("STOP");
    let threads = format!("/proc/{}/task", server.child.id());
    wait_for("the server to stand still", || {
        std::fs::read_dir(&threads).unwrap().all(|thread| {
            let stat = std::fs::read_to_string(thread.unwrap().path().join("stat"));
            // `12 (name) T …`; a thread that has ended has no such file.
            stat.map_or(true, |stat| {
                stat.rsplit(") ").next().unwrap().starts_with('T')
            })
        })
    });
}

/// What became of the writes over some cuts.
struct Outcome {
    acknowledged: usize,
    changes: usize,
    lost: usize,
}

/// Cuts the power of a server this often. Each `start` is given the place of the database.
fn cut(home: &Home, mut disk: Disk, cuts: usize, start: impl Fn(&Path) -> Server) -> Outcome {
    let mut book = Book::default();
    let mut lost = 0;
    for round in 1..=cuts {
        let mut server = start(&disk.database());
        let load = Load::start(server.address(), 8, &format!("r{round}"));
        load.until_some_moment(length(200, 1_000));
        freeze(&server);
        let image = home.path(&format!("disk-{round}"));
        disk.copy(&image);
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        // All that the server had sent before it stood still counts as heard.
        book.enter(load.end());
        let before = std::mem::replace(&mut disk, Disk::mount(image).unwrap());
        let old = before.image.clone();
        drop(before);
        std::fs::remove_file(old).unwrap();
        lost += book.compare(home, disk.database().to_str().unwrap()).len();
        assert_eq!(integrity(&disk.database()), "ok", "cut {round}");
    }
    Outcome {
        acknowledged: book.acknowledged(),
        changes: book.changes(),
        lost,
    }
}

#[test]
fn what_was_acknowledged_survives_power_cuts() {
    let cuts = length(4, 100);
    let begun = Instant::now();
    let home = Home::new();
    let disk = Disk::format(&home.path(""));
    let Some(disk) = needed("what_was_acknowledged_survives_power_cuts", disk) else {
        return;
    };
    let outcome = cut(&home, disk, cuts, |database| {
        home.serve(&["--db", database.to_str().unwrap()])
    });
    assert_eq!(outcome.lost, 0, "of {}", outcome.acknowledged);
    say(&format!(
        "{cuts} power cuts under load: 0 of {} acknowledged writes lost, none doubled, integrity ok, {} changes agree \
         with the records ({:.0?})",
        outcome.acknowledged,
        outcome.changes,
        begun.elapsed()
    ));
}

/// The control: without a sync before the answer the same cuts take acknowledged writes with them.
#[test]
fn power_cuts_find_a_server_that_does_not_sync() {
    let cuts = length(2, 20);
    let home = Home::new();
    let disk = Disk::format(&home.path(""));
    let Some(disk) = needed("power_cuts_find_a_server_that_does_not_sync", disk) else {
        return;
    };
    let outcome = cut(&home, disk, cuts, |database| {
        let server = home.shell(&format!("exec {}", control::line()));
        let server = server.env(control::DATABASE, database.to_str().unwrap());
        Server::start(server.command())
    });
    assert!(outcome.lost > 0, "of {}", outcome.acknowledged);
    say(&format!(
        "the control, synchronous=NORMAL: {cuts} power cuts have taken {} of {} acknowledged writes",
        outcome.lost, outcome.acknowledged
    ));
}
