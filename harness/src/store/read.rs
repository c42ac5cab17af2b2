//! Reading a run store back, for reports and comparisons. Nothing is written to it, but the file is opened for writing:
//! SQLite must be able to take over the journal of a run that was cut off.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row};

use super::{AttributionRow, FILE_NAME, FrameRow, Preview, SCHEMA, Stage, StoreError};
use crate::metrics::{Localisation, RatioError, Undefined};

/// A frame as stored, without its preview.
pub type StoredFrame = FrameRow;

/// Setting of runs whose cross-fit ratios are by single orders.
const OF_SINGLE_ORDERS: &str = "set.shap.plans";

/// A whole run, read into memory (about 1 kB a frame; previews are fetched one by one).
#[derive(Debug)]
pub struct Stored {
    path: PathBuf,
    db: Connection,
    /// Settings and facts of the run, by name; values are JSON.
    pub settings: BTreeMap<String, String>,
    /// Frames in the order of their positions.
    pub frames: Vec<StoredFrame>,
}

impl Stored {
    /// Read the run in a folder.
    ///
    /// # Errors
    /// If there is none, it is of another version, or its values are not what the schema promises.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        if !path.is_file() {
            return Err(StoreError::Schema {
                path,
                expected: SCHEMA,
                found: "no file found".to_owned(),
                remedy: "name a folder that `roadgaze run --out` has written".to_owned(),
            });
        }
        let db = Connection::open_with_flags(
            &path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|source| StoreError::database(&path, source))?;
        let broken = |source| StoreError::database(&path, source);
        // one state of it all: a run may be storing frames meanwhile
        let snapshot = db.unchecked_transaction().map_err(broken)?;
        check_version(&path, &db)?;
        let settings = settings(&path, &db)?;
        let mut frames = frames(&path, &db)?;
        if !settings.contains_key(OF_SINGLE_ORDERS) {
            // written when the cross-fit ratio was one of halves and the error that of the plain ratio
            let errors = frames.iter_mut().flat_map(|f| &mut f.attributions);
            errors.filter_map(|a| a.ratio_error.as_mut()).for_each(|e| e.cross_fit = None);
        }
        super::seal::check(&path, &db)?;
        snapshot.commit().map_err(broken)?;
        Ok(Self { path, db, settings, frames })
    }

    /// File and connection, for the tables that other modules of the store keep.
    pub(super) fn parts(&self) -> (&Path, &Connection) {
        (&self.path, &self.db)
    }

    /// A setting as plain text: the JSON value without the quotes of a string.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        let value = self.settings.get(name).map_or("", String::as_str);
        serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned())
    }

    /// The picture kept of a frame, if one was kept.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn preview(&self, position: u32) -> Result<Option<Preview>, StoreError> {
        let sql = "SELECT jpeg, mask_png FROM preview WHERE position = ?1";
        let result = self.db.query_row(sql, [position], |row| {
            Ok(Preview { jpeg: row.get(0)?, mask_png: row.get(1)? })
        });
        match result {
            Ok(preview) => Ok(Some(preview)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(source) => Err(StoreError::database(&self.path, source)),
        }
    }

    /// The coalition plan of that hash.
    ///
    /// # Errors
    /// If the database cannot be read or holds no such plan.
    pub fn plan(&self, hash: &str) -> Result<Vec<u8>, StoreError> {
        self.db
            .query_row("SELECT body FROM plan WHERE hash = ?1", [hash], |row| row.get(0))
            .map_err(|source| StoreError::database(&self.path, source))
    }

    /// Methods of which there is at least one attribution, in alphabetical order.
    #[must_use]
    pub fn methods(&self) -> Vec<String> {
        let mut methods: Vec<String> = self
            .frames
            .iter()
            .flat_map(|frame| frame.attributions.iter().map(|a| a.method.clone()))
            .collect();
        methods.sort();
        methods.dedup();
        methods
    }
}

pub(super) fn version(path: &Path, db: &Connection) -> Result<i64, StoreError> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|source| StoreError::database(path, source))
}

pub(super) fn check_version(path: &Path, db: &Connection) -> Result<(), StoreError> {
    let found = version(path, db)?;
    if found == SCHEMA {
        return Ok(());
    }
    Err(StoreError::Schema {
        path: path.to_owned(),
        expected: SCHEMA,
        found: format!("schema {found} found"),
        remedy: "use the version of roadgaze that wrote it".to_owned(),
    })
}

pub(super) fn settings(
    path: &Path,
    db: &Connection,
) -> Result<BTreeMap<String, String>, StoreError> {
    collect(path, db, "SELECT name, value FROM setting", |row| Ok((row.get(0)?, row.get(1)?)))
        .map(|rows| rows.into_iter().collect())
}

fn frames(path: &Path, db: &Connection) -> Result<Vec<StoredFrame>, StoreError> {
    let wrong = |position: u32, what, found: String| StoreError::Value {
        path: path.to_owned(),
        place: format!("frame {position}"),
        what,
        found,
    };
    let sql =
        "SELECT position, class, class_index, shape, environment, image_hash, mask_share, top5,
                      confidence, logits, tensor, features FROM frame ORDER BY position";
    let raw = collect(path, db, sql, |row| {
        let frame = FrameRow {
            position: row.get(0)?,
            class: row.get(1)?,
            index: row.get(2)?,
            shape: row.get(3)?,
            environment: row.get(4)?,
            image_hash: row.get(5)?,
            mask_share: row.get(6)?,
            top5: Vec::new(),
            confidence: row.get(8)?,
            logits: Vec::new(),
            tensor: Vec::new(),
            features: Vec::new(),
            attributions: Vec::new(),
            stages: Vec::new(),
            preview: None,
        };
        let blobs: [Vec<u8>; 3] = [row.get(9)?, row.get(10)?, row.get(11)?];
        Ok((frame, row.get::<_, String>(7)?, blobs))
    })?;
    let mut frames = BTreeMap::new();
    for (mut frame, top5, blobs) in raw {
        let p = frame.position;
        let numbers = |blob: &[u8]| {
            f32_from_bytes(blob)
                .ok_or_else(|| wrong(p, "numbers of 4 bytes each", format!("{} bytes", blob.len())))
        };
        frame.logits = numbers(&blobs[0])?;
        frame.tensor = numbers(&blobs[1])?;
        frame.features = numbers(&blobs[2])?;
        let classes: Result<_, _> =
            top5.split(',').filter(|t| !t.is_empty()).map(str::parse).collect();
        frame.top5 = classes.map_err(|e| wrong(p, "class numbers", format!("`{top5}` ({e})")))?;
        frames.insert(p, frame);
    }
    let sql =
        "SELECT position, method, target, grid_rows, grid_columns, map, pixel_ratio, undefined,
                      ceiling, evaluations, proportional, pointing, relevance_rank, inside, border,
                      inside_area, border_area, ratio_error, sample_units, cross_fit, map_error
                      FROM attribution ORDER BY position, method";
    for (p, a, maps, ratio, undefined) in collect(path, db, sql, |row| {
        let row_of_map = AttributionRow {
            method: row.get(1)?,
            target: row.get(2)?,
            grid: (row.get(3)?, row.get(4)?),
            map: Vec::new(),
            ratio: Err(Undefined::NoPositive),
            ceiling: row.get(8)?,
            evaluations: row.get(9)?,
            proportional: row.get(10)?,
            localisation: localisation(row)?,
            ratio_error: ratio_error(row)?,
            map_error: Vec::new(),
        };
        Ok((
            row.get::<_, u32>(0)?,
            row_of_map,
            [row.get::<_, Vec<u8>>(5)?, row.get(20)?],
            row.get::<_, Option<f64>>(6)?,
            row.get::<_, Option<String>>(7)?,
        ))
    })? {
        let cells = usize::from(a.grid.0) * usize::from(a.grid.1);
        let map = |blob: &[u8], may_be_empty: bool| {
            f32_from_bytes(blob)
                .filter(|m| m.len() == cells || (may_be_empty && m.is_empty()))
                .ok_or_else(|| {
                    wrong(p, "a map of the grid's size", format!("{} bytes", blob.len()))
                })
        };
        let (map, map_error) = (map(&maps[0], false)?, map(&maps[1], true)?);
        let ratio = match (ratio, undefined.as_deref().map(reason)) {
            (Some(value), None) => Ok(value),
            (None, Some(Some(reason))) => Err(reason),
            _ => return Err(wrong(p, "a ratio or why there is none", format!("{undefined:?}"))),
        };
        if let Some(frame) = frames.get_mut(&p) {
            frame.attributions.push(AttributionRow { map, ratio, map_error, ..a });
        }
    }
    let sql = "SELECT position, stage, micros FROM stage_time ORDER BY position";
    for (p, name, micros) in collect(path, db, sql, |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
    })? {
        let stage = Stage::from_name(&name).ok_or_else(|| wrong(p, "a known stage", name))?;
        let micros = u64::try_from(micros)
            .map_err(|e| wrong(p, "a time of at least 0", format!("{micros} ({e})")))?;
        if let Some(frame) = frames.get_mut(&p) {
            frame.stages.push((stage, micros));
        }
    }
    let mut frames: Vec<FrameRow> = frames.into_values().collect();
    frames.iter_mut().for_each(|frame| frame.stages.sort_unstable());
    Ok(frames)
}

fn localisation(row: &Row<'_>) -> rusqlite::Result<Option<Localisation>> {
    let Some(pointing) = row.get(11)? else { return Ok(None) };
    Ok(Some(Localisation {
        pointing,
        relevance_rank: row.get(12)?,
        inside: row.get(13)?,
        border: row.get(14)?,
        inside_area: row.get(15)?,
        border_area: row.get(16)?,
    }))
}

fn ratio_error(row: &Row<'_>) -> rusqlite::Result<Option<RatioError>> {
    let Some(standard_error) = row.get(17)? else { return Ok(None) };
    let units = usize::try_from(row.get::<_, u32>(18)?).unwrap_or(usize::MAX);
    Ok(Some(RatioError { standard_error, units, cross_fit: row.get(19)? }))
}

fn reason(name: &str) -> Option<Undefined> {
    [Undefined::NoPositive, Undefined::EmptyMask].into_iter().find(|u| u.name() == name)
}

pub(super) fn collect<T>(
    path: &Path,
    db: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let run = || -> rusqlite::Result<Vec<T>> { db.prepare(sql)?.query_map([], read)?.collect() };
    run().map_err(|source| StoreError::database(path, source))
}

fn f32_from_bytes(bytes: &[u8]) -> Option<Vec<f32>> {
    let (chunks, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| chunks.iter().map(|c| f32::from_le_bytes(*c)).collect())
}

#[cfg(test)]
pub(super) mod tests;
