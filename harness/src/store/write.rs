//! Creating, resuming and filling a run store.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use crate::metrics::Undefined;

use super::kernels::{self, INTEGER_KERNELS};
use super::seal::{self, Item};
use super::{
    AttributionRow, DROPPED, FILE_NAME, FrameRow, SCHEMA, Stage, StoreError, UNLOGGED, VERDICT,
};

const TABLES: &str = "
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE plan (hash TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE frame (
    position INTEGER PRIMARY KEY,
    class INTEGER NOT NULL,
    class_index INTEGER NOT NULL,
    shape TEXT NOT NULL,
    environment TEXT NOT NULL,
    image_hash TEXT NOT NULL,
    mask_share REAL NOT NULL,
    top5 TEXT NOT NULL,
    correct INTEGER NOT NULL,
    confidence REAL NOT NULL,
    logits BLOB NOT NULL,
    tensor BLOB NOT NULL,
    features BLOB NOT NULL
) STRICT;
CREATE TABLE attribution (
    position INTEGER NOT NULL REFERENCES frame(position),
    method TEXT NOT NULL,
    target INTEGER NOT NULL,
    grid_rows INTEGER NOT NULL,
    grid_columns INTEGER NOT NULL,
    map BLOB NOT NULL,
    pixel_ratio REAL,
    undefined TEXT,
    ceiling REAL NOT NULL,
    proportional REAL,
    evaluations INTEGER NOT NULL,
    pointing REAL,
    relevance_rank REAL,
    inside REAL,
    border REAL,
    inside_area REAL,
    border_area REAL,
    ratio_error REAL,
    sample_units INTEGER,
    cross_fit REAL,
    map_error BLOB NOT NULL,
    PRIMARY KEY (position, method)
) STRICT;
CREATE TABLE stage_time (
    position INTEGER NOT NULL REFERENCES frame(position),
    stage TEXT NOT NULL,
    micros INTEGER NOT NULL,
    PRIMARY KEY (position, stage)
) STRICT;
CREATE TABLE preview (
    position INTEGER PRIMARY KEY REFERENCES frame(position),
    jpeg BLOB NOT NULL,
    mask_png BLOB NOT NULL
) STRICT;
";

/// An open run store that takes in frames.
#[derive(Debug)]
pub struct RunStore {
    path: PathBuf,
    db: Connection,
    done: BTreeSet<u32>,
    /// A stage of a stored frame whose time was not known when its row was written.
    late: Option<(u32, Stage, u64)>,
    /// Number of the file, to notice when another one or none lies in its place.
    inode: u64,
}

impl RunStore {
    /// Make the folder and a new store in it.
    ///
    /// # Errors
    /// If the folder cannot be written or holds a run already.
    pub fn create(folder: &Path, settings: &BTreeMap<String, String>) -> Result<Self, StoreError> {
        fs::create_dir_all(folder)
            .map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
        let path = folder.join(FILE_NAME);
        if path.exists() {
            return Err(StoreError::Exists { path });
        }
        let db = connect(&path)?;
        let fill = || -> rusqlite::Result<()> {
            let transaction = db.unchecked_transaction()?;
            transaction.execute_batch(TABLES)?;
            seal::create(&transaction)?;
            for (name, value) in settings {
                transaction.execute(
                    "INSERT INTO setting (name, value) VALUES (?1, ?2)",
                    params![name, value],
                )?;
                seal::seal(&transaction, &Item::Setting(name.clone()))?;
            }
            transaction.pragma_update(None, "user_version", SCHEMA)?;
            transaction.commit()
        };
        fill().map_err(|source| StoreError::database(&path, source))?;
        let inode = inode(&path)?;
        Ok(Self { path, db, done: BTreeSet::new(), late: None, inode })
    }

    /// Open the store of a run that was cut off; without one, start anew.
    ///
    /// `fixed` are the settings that decide the results: they must be those of the first part.
    ///
    /// # Errors
    /// If the store cannot be opened, is of another version, or was started with other settings.
    pub fn resume(
        folder: &Path,
        settings: &BTreeMap<String, String>,
        fixed: impl Fn(&str) -> bool,
    ) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        if !path.exists() {
            return Self::create(folder, settings);
        }
        let db = connect(&path)?;
        let broken = |source| StoreError::database(&path, source);
        if super::read::version(&path, &db)? == 0 && is_empty(&db).map_err(broken)? {
            // killed between creating the file and its first transaction
            drop(db);
            fs::remove_file(&path)
                .map_err(|source| StoreError::File { path: path.clone(), source })?;
            return Self::create(folder, settings);
        }
        super::read::check_version(&path, &db)?;
        seal::check(&path, &db)?;
        let stored = super::read::settings(&path, &db)?;
        for (setting, wanted) in settings.iter().filter(|(name, _)| fixed(name)) {
            let found = stored.get(setting).map_or("nothing", String::as_str);
            if found != wanted {
                return Err(StoreError::OtherSettings {
                    path,
                    setting: setting.clone(),
                    stored: found.to_owned(),
                    wanted: wanted.clone(),
                });
            }
        }
        let mut done = BTreeSet::new();
        {
            let mut query = db.prepare("SELECT position FROM frame").map_err(broken)?;
            let rows = query.query_map([], |row| row.get::<_, u32>(0)).map_err(broken)?;
            for position in rows {
                done.insert(position.map_err(broken)?);
            }
        }
        let inode = inode(&path)?;
        let store = Self { path, db, done, late: None, inode };
        if stored.contains_key(VERDICT) {
            // it was on fewer frames
            store.set(VERDICT, "null")?;
        }
        if stored.contains_key(DROPPED) {
            // what was left out is tried again, and counted anew at the end
            store.set(DROPPED, "{}")?;
        }
        Ok(store)
    }

    /// Note the integer kernels of what is stored from now on, beside those of what is there.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn add_kernels(&self, now: &String) -> Result<(), StoreError> {
        let stored = super::read::settings(&self.path, &self.db)?;
        let used = kernels::joined([stored.get(INTEGER_KERNELS), Some(now)]);
        self.set(INTEGER_KERNELS, &used)
    }

    /// Note device events that the log had no room for, beside those of earlier parts of the run.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn add_unlogged(&self, events: u64) -> Result<(), StoreError> {
        let stored = super::read::settings(&self.path, &self.db)?;
        let before = stored.get(UNLOGGED).and_then(|count| count.parse().ok()).unwrap_or(0_u64);
        self.set(UNLOGGED, &before.saturating_add(events).to_string())
    }

    /// Positions that are stored already.
    #[must_use]
    pub fn done(&self) -> &BTreeSet<u32> {
        &self.done
    }

    /// File and connection, for the tables that other modules of the store keep.
    pub(super) fn parts(&self) -> (&Path, &Connection) {
        (&self.path, &self.db)
    }

    /// Where the store lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Store a setting, or replace it.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn set(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let write = || -> rusqlite::Result<()> {
            let transaction = self.db.unchecked_transaction()?;
            transaction.execute(sql, params![name, value])?;
            seal::seal(&transaction, &Item::Setting(name.to_owned()))?;
            transaction.commit()
        };
        self.check(write())
    }

    /// Store coalition plans, each under its hash.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn add_plans<B: AsRef<[u8]>>(&self, plans: &[(String, B)]) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO plan (hash, body) VALUES (?1, ?2)";
        let write = || -> rusqlite::Result<()> {
            let transaction = self.db.unchecked_transaction()?;
            for (hash, body) in plans {
                transaction.execute(sql, params![hash, body.as_ref()])?;
                seal::seal(&transaction, &Item::Plan(hash.clone()))?;
            }
            transaction.commit()
        };
        self.check(write())
    }

    /// Store a frame with all that belongs to it; when this returns it will survive a power cut.
    ///
    /// # Errors
    /// If the database cannot be written, or is no longer in its place; then nothing of the frame is stored.
    pub fn add(&mut self, row: &FrameRow) -> Result<(), StoreError> {
        let inserted = self.insert(row);
        self.check(inserted)?;
        self.is_there()?;
        self.late = None;
        self.done.insert(row.position);
        Ok(())
    }

    /// Note the time that storing a frame took. It goes in with the next frame, or with
    /// [`RunStore::finish`]; a run that is cut off in between lacks this one value.
    pub fn add_store_time(&mut self, position: u32, micros: u64) {
        self.late = Some((position, Stage::Store, micros));
    }

    /// Add an explanation to a frame that is stored already, with the time that it took.
    ///
    /// # Errors
    /// If the database cannot be written, or holds no such frame.
    pub fn add_attribution(
        &mut self,
        position: u32,
        row: &AttributionRow,
        stage: Stage,
        micros: u64,
    ) -> Result<(), StoreError> {
        let insert = || -> rusqlite::Result<()> {
            let transaction = self.db.unchecked_transaction()?;
            insert_attribution(&transaction, position, row)?;
            insert_time(&transaction, position, stage, micros)?;
            seal::seal(&transaction, &Item::Frame(position))?;
            transaction.commit()
        };
        self.check(insert())
    }

    /// Store what is still outstanding; more frames may follow.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn settle(&mut self) -> Result<(), StoreError> {
        self.is_there()?;
        let late = self.late.take();
        let write = || -> rusqlite::Result<()> {
            let transaction = self.db.unchecked_transaction()?;
            insert_late(&transaction, late)?;
            transaction.commit()
        };
        self.check(write())
    }

    /// Store what is still outstanding.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.settle()
    }

    fn insert(&mut self, row: &FrameRow) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        insert_late(&transaction, self.late)?;
        let top5: Vec<String> = row.top5.iter().map(u16::to_string).collect();
        transaction
            .prepare_cached(
                "INSERT INTO frame VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                row.position,
                row.class,
                row.index,
                row.shape,
                row.environment,
                row.image_hash,
                row.mask_share,
                top5.join(","),
                row.correct(),
                row.confidence,
                bytes_from_f32(&row.logits),
                bytes_from_f32(&row.tensor),
                bytes_from_f32(&row.features),
            ])?;
        for a in &row.attributions {
            insert_attribution(&transaction, row.position, a)?;
        }
        for (stage, micros) in &row.stages {
            insert_time(&transaction, row.position, *stage, *micros)?;
        }
        if let Some(preview) = &row.preview {
            transaction
                .prepare_cached("INSERT INTO preview VALUES (?1, ?2, ?3)")?
                .execute(params![row.position, preview.jpeg, preview.mask_png])?;
            seal::seal(&transaction, &Item::Preview(row.position))?;
        }
        seal::seal(&transaction, &Item::Frame(row.position))?;
        transaction.commit()
    }

    /// A file without a name takes in rows that nobody will ever read.
    fn is_there(&self) -> Result<(), StoreError> {
        match inode(&self.path) {
            Ok(found) if found == self.inode => Ok(()),
            _ => Err(StoreError::Gone { path: self.path.clone() }),
        }
    }

    fn check<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|source| StoreError::database(&self.path, source))
    }
}

fn inode(path: &Path) -> Result<u64, StoreError> {
    let found = fs::symlink_metadata(path);
    found.map(|m| m.ino()).map_err(|source| StoreError::File { path: path.to_owned(), source })
}

fn insert_late(db: &Connection, late: Option<(u32, Stage, u64)>) -> rusqlite::Result<()> {
    let Some((position, stage, micros)) = late else { return Ok(()) };
    insert_time(db, position, stage, micros)?;
    seal::seal(db, &Item::Frame(position))
}

fn insert_attribution(db: &Connection, position: u32, a: &AttributionRow) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO attribution VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,
                     ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    )?
    .execute(params![
        position,
        a.method,
        a.target,
        a.grid.0,
        a.grid.1,
        bytes_from_f32(&a.map),
        a.ratio.ok(),
        a.ratio.err().map(Undefined::name),
        a.ceiling,
        a.proportional,
        a.evaluations,
        a.localisation.map(|l| l.pointing),
        a.localisation.map(|l| l.relevance_rank),
        a.localisation.map(|l| l.inside),
        a.localisation.map(|l| l.border),
        a.localisation.map(|l| l.inside_area),
        a.localisation.map(|l| l.border_area),
        a.ratio_error.map(|e| e.standard_error),
        a.ratio_error.map(|e| u32::try_from(e.units).unwrap_or(u32::MAX)),
        a.ratio_error.and_then(|e| e.cross_fit),
        bytes_from_f32(&a.map_error),
    ])
    .map(drop)
}

fn insert_time(db: &Connection, position: u32, stage: Stage, micros: u64) -> rusqlite::Result<()> {
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    db.prepare_cached("INSERT INTO stage_time VALUES (?1, ?2, ?3)")?
        .execute(params![position, stage.name(), micros])
        .map(drop)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let outside = |source| StoreError::Folder { path: path.to_owned(), source };
    // the folder may lie behind links, which SQLite refuses wherever they stand in a path; the file itself may be none
    let folder = path.parent().unwrap_or(Path::new(".")).canonicalize().map_err(outside)?;
    let path = &folder.join(path.file_name().unwrap_or_default());
    // SQLite opens what it cannot write, says so only later, and without the reason; a link could lead out of the folder
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(outside)?;
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let db = Connection::open_with_flags(path, flags)?;
        db.pragma_update(None, "journal_mode", "wal")?;
        db.pragma_update(None, "synchronous", "full")?;
        db.pragma_update(None, "foreign_keys", true)?;
        Ok(db)
    };
    open().map_err(|source| StoreError::database(path, source))
}

fn is_empty(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
        .map(|n| n == 0)
}

fn bytes_from_f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
