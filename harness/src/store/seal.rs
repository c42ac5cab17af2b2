//! Digests of what is stored, so that a bit that flips on the disk is noticed and not reported as a result.
//!
//! SQLite notices damage to its own structure, not to the numbers in it. So each frame (its row, attributions and
//! stage times), preview, setting, plan and the samples of the device have a digest in table `seal`, written by the
//! same transaction: the first 16 bytes of the sha256 over type, length and bytes of every column.
//! [`check`] recomputes all of them. A store without seals (of the desktop, or older) has no [`MARK`] and passes.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, params};
use sha2::{Digest as _, Sha256};

use super::StoreError;

/// `PRAGMA application_id` of a store with seals: `RGZ1`.
const MARK: i64 = 0x5247_5a31;
const BYTES: usize = 16;
const TABLE: &str =
    "CREATE TABLE seal (item TEXT PRIMARY KEY, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;";

/// Something with a digest of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// Row, attributions and stage times of a frame.
    Frame(u32),
    /// Picture and mask kept of a frame.
    Preview(u32),
    /// A setting.
    Setting(String),
    /// A coalition plan.
    Plan(String),
    /// All samples of the device.
    Device,
}

impl Item {
    fn name(&self) -> String {
        match self {
            Self::Frame(position) => format!("frame {position}"),
            Self::Preview(position) => format!("preview {position}"),
            Self::Setting(name) => format!("setting {name}"),
            Self::Plan(hash) => format!("plan {hash}"),
            Self::Device => "device samples".to_owned(),
        }
    }

    fn digest(&self, db: &Connection) -> rusqlite::Result<[u8; BYTES]> {
        let mut hash = Sha256::new();
        match self {
            Self::Frame(at) => {
                add(&mut hash, db, "SELECT * FROM frame WHERE position = ?1", [at])?;
                let sql = "SELECT * FROM attribution WHERE position = ?1 ORDER BY method";
                add(&mut hash, db, sql, [at])?;
                let sql = "SELECT * FROM stage_time WHERE position = ?1 ORDER BY stage";
                add(&mut hash, db, sql, [at])?;
            }
            Self::Preview(at) => {
                add(&mut hash, db, "SELECT * FROM preview WHERE position = ?1", [at])?;
            }
            Self::Setting(name) => {
                add(&mut hash, db, "SELECT * FROM setting WHERE name = ?1", [name])?;
            }
            Self::Plan(plan) => add(&mut hash, db, "SELECT * FROM plan WHERE hash = ?1", [plan])?,
            Self::Device => add(&mut hash, db, "SELECT * FROM device_state ORDER BY rowid", [])?,
        }
        let mut digest = [0; BYTES];
        digest.copy_from_slice(&hash.finalize()[..BYTES]);
        Ok(digest)
    }
}

/// Type, length and bytes of every column of every row.
fn add(hash: &mut Sha256, db: &Connection, sql: &str, key: impl Params) -> rusqlite::Result<()> {
    let mut query = db.prepare_cached(sql)?;
    let columns = query.column_count();
    let mut rows = query.query(key)?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            let mut part = |kind: u8, bytes: &[u8]| {
                hash.update([kind]);
                hash.update((bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            };
            match row.get_ref(column)? {
                ValueRef::Null => part(0, &[]),
                ValueRef::Integer(number) => part(1, &number.to_le_bytes()),
                ValueRef::Real(number) => part(2, &number.to_le_bytes()),
                ValueRef::Text(text) => part(3, text),
                ValueRef::Blob(bytes) => part(4, bytes),
            }
        }
        hash.update([5]);
    }
    hash.update([6]);
    Ok(())
}

/// Makes the table and marks the store as one with seals.
pub(super) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(TABLE)?;
    db.pragma_update(None, "application_id", MARK)
}

/// Either sign is enough: a bit that flips in the mark must not take the seals out of force.
fn is_sealed(db: &Connection) -> rusqlite::Result<bool> {
    let id: i64 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'seal')";
    Ok(id == MARK || db.query_row(sql, [], |row| row.get(0))?)
}

/// Seals an item as it is stored now; nothing in a store without seals.
pub(super) fn seal(db: &Connection, item: &Item) -> rusqlite::Result<()> {
    if !is_sealed(db)? {
        return Ok(());
    }
    db.prepare_cached("INSERT OR REPLACE INTO seal VALUES (?1, ?2)")?
        .execute(params![item.name(), item.digest(db)?])
        .map(drop)
}

/// Seals everything as it is stored now.
pub(super) fn seal_all(db: &Connection) -> rusqlite::Result<()> {
    items(db)?.iter().try_for_each(|item| seal(db, item))
}

fn items(db: &Connection) -> rusqlite::Result<Vec<Item>> {
    let mut all = Vec::new();
    let numbers = |sql: &str| -> rusqlite::Result<Vec<u32>> {
        db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    let names = |sql: &str| -> rusqlite::Result<Vec<String>> {
        db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    all.extend(numbers("SELECT position FROM frame")?.into_iter().map(Item::Frame));
    all.extend(numbers("SELECT position FROM preview")?.into_iter().map(Item::Preview));
    all.extend(names("SELECT name FROM setting")?.into_iter().map(Item::Setting));
    all.extend(names("SELECT hash FROM plan")?.into_iter().map(Item::Plan));
    let sql = "SELECT name FROM sqlite_master WHERE name = 'device_state'";
    all.extend(names(sql)?.into_iter().map(|_| Item::Device));
    Ok(all)
}

/// Checks every seal; all items must have one, and every seal its item.
///
/// # Errors
/// [`StoreError::Damaged`] with the first item that is not as it was written.
pub(super) fn check(path: &Path, db: &Connection) -> Result<(), StoreError> {
    let broken = |source| StoreError::database(path, source);
    if !is_sealed(db).map_err(broken)? {
        return Ok(());
    }
    let damaged = |place: String| StoreError::Damaged { path: path.to_owned(), place };
    let sql = "SELECT item, digest FROM seal";
    let seals = super::read::collect(path, db, sql, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut seals: BTreeMap<String, Vec<u8>> = seals.into_iter().collect();
    for item in items(db).map_err(broken)? {
        let name = item.name();
        let digest = item.digest(db).map_err(broken)?;
        if seals.remove(&name).as_deref() != Some(&digest[..]) {
            return Err(damaged(name));
        }
    }
    seals.into_keys().next().map_or(Ok(()), |name| Err(damaged(name)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::read::tests::row;
    use super::super::{FILE_NAME, FrameRow, RunStore, Stage, Stored};
    use super::*;

    #[test]
    fn every_value_that_another_program_changes_is_noticed() {
        let changes = [
            ("UPDATE frame SET confidence = 0.5 WHERE position = 1", "frame 1"),
            ("UPDATE attribution SET ceiling = 0.99 WHERE position = 2", "frame 2"),
            ("UPDATE stage_time SET micros = 1 WHERE position = 0 AND stage = 'store'", "frame 0"),
            ("UPDATE preview SET jpeg = x'00' WHERE position = 1", "preview 1"),
            ("UPDATE setting SET value = '4' WHERE name = 'set.frames'", "setting set.frames"),
            ("UPDATE plan SET body = x'00'", "plan abc"),
            ("DELETE FROM attribution WHERE position = 0", "frame 0"),
            ("DELETE FROM stage_time WHERE position = 2 AND stage = 'network'", "frame 2"),
            ("DELETE FROM setting", "setting late"),
            ("DELETE FROM seal WHERE item = 'frame 1'", "frame 1"),
        ];
        for (sql, place) in changes {
            let dir = tempfile::tempdir().unwrap();
            let settings = BTreeMap::from([("set.frames".to_owned(), "3".to_owned())]);
            let mut store = RunStore::create(dir.path(), &settings).unwrap();
            store.add_plans(&[("abc".to_owned(), b"body")]).unwrap();
            for position in 0..3 {
                let stages = vec![(Stage::Network, 5)];
                store.add(&FrameRow { stages, ..row(position) }).unwrap();
                store.add_store_time(position, 77);
            }
            store.set("late", "1").unwrap();
            store.set("late", "2").unwrap();
            store.finish().unwrap();
            Stored::open(dir.path()).unwrap();
            let db = Connection::open(dir.path().join(FILE_NAME)).unwrap();
            assert!(db.execute(sql, []).unwrap() > 0, "{sql} changes nothing");
            drop(db);
            for error in [
                Stored::open(dir.path()).unwrap_err(),
                RunStore::resume(dir.path(), &settings, |_| false).unwrap_err(),
            ] {
                let text = error.to_string();
                assert!(
                    text.contains(&format!("{place} is not as it was written")),
                    "{sql}: {text}"
                );
            }
        }
    }

    #[test]
    fn a_flipped_mark_does_not_take_the_seals_out_of_force() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = RunStore::create(dir.path(), &BTreeMap::new()).unwrap();
        store.add(&row(0)).unwrap();
        store.finish().unwrap();
        let db = Connection::open(dir.path().join(FILE_NAME)).unwrap();
        db.pragma_update(None, "application_id", MARK ^ 1).unwrap();
        assert_eq!(db.execute("UPDATE frame SET confidence = 0.5", []).unwrap(), 1);
        drop(db);
        let text = Stored::open(dir.path()).unwrap_err().to_string();
        assert!(text.contains("frame 0 is not as it was written"), "{text}");
    }

    #[test]
    fn a_store_of_another_writer_has_no_seals_and_passes() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = RunStore::create(dir.path(), &BTreeMap::new()).unwrap();
        store.add(&row(0)).unwrap();
        store.finish().unwrap();
        let db = Connection::open(dir.path().join(FILE_NAME)).unwrap();
        db.execute_batch("DROP TABLE seal; PRAGMA application_id = 0").unwrap();
        drop(db);
        assert_eq!(Stored::open(dir.path()).unwrap().frames.len(), 1);
        let mut store = RunStore::resume(dir.path(), &BTreeMap::new(), |_| true).unwrap();
        store.add(&row(1)).unwrap();
        store.finish().unwrap();
        assert_eq!(Stored::open(dir.path()).unwrap().frames.len(), 2);
    }
}
