//! `study.sqlite`: what all cells of a study have to say, a row a frame; every figure of the report is derived from it alone.
//!
//! Tables: `fact` (name, text: plan, versions, hashes), `cell` (a row a cell of the grid, those without a network among them)
//! and `frame` (a row a cell and frame). Written anew by every collection, whole or not at all; version in
//! `PRAGMA user_version`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row, params};

use super::StudyError;
use super::cell::{DataFacts, NetworkFacts};
use crate::run::Method;

/// Name of the store inside a study's folder.
pub const FILE_NAME: &str = "study.sqlite";
/// Schema version that this code writes and reads.
const SCHEMA: i64 = 3;

const TABLES: &str = "
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE cell (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    network TEXT NOT NULL,
    data TEXT NOT NULL,
    method TEXT NOT NULL,
    explainer TEXT NOT NULL,
    frames_asked INTEGER NOT NULL,
    problem TEXT,
    executable TEXT NOT NULL,
    hash_data TEXT NOT NULL,
    import TEXT,
    hash_plan TEXT NOT NULL,
    evaluations INTEGER NOT NULL,
    made_by TEXT NOT NULL
) STRICT;
CREATE TABLE frame (
    cell TEXT NOT NULL REFERENCES cell(id),
    position INTEGER NOT NULL,
    class INTEGER NOT NULL,
    class_index INTEGER NOT NULL,
    shape TEXT NOT NULL,
    environment TEXT NOT NULL,
    mask_share REAL NOT NULL,
    predicted INTEGER NOT NULL,
    confidence REAL NOT NULL,
    pixel_ratio REAL,
    plain_ratio REAL,
    corrected INTEGER NOT NULL,
    ratio_error REAL,
    proportional REAL,
    inside REAL,
    border REAL,
    inside_area REAL,
    border_area REAL,
    map BLOB NOT NULL,
    yaw_deg REAL,
    pitch_deg REAL,
    pixels_per_metre REAL,
    PRIMARY KEY (cell, position)
) STRICT;
";

/// One frame of a cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Position in the data set.
    pub position: u32,
    /// True class.
    pub class: u16,
    /// Index within the class.
    pub index: u32,
    /// Shape of the sign.
    pub shape: String,
    /// Environment behind it.
    pub environment: String,
    /// Share of the picture that the mask covers: the chance level of the ratio.
    pub mask_share: f64,
    /// Class with the highest logit.
    pub predicted: u16,
    /// Its softmax probability.
    pub confidence: f64,
    /// Pixel ratio, corrected for sampling where it can be; none without an explanation or without positive attribution.
    pub ratio: Option<f64>,
    /// The ratio of the map as it stands.
    pub plain_ratio: Option<f64>,
    /// Whether `ratio` is the corrected one; if not, it equals `plain_ratio`.
    pub corrected: bool,
    /// Standard error of the ratio by sampling.
    pub ratio_error: Option<f64>,
    /// Ratio of a map that looks at the whole sign evenly.
    pub proportional: Option<f64>,
    /// Share of the positive attribution inside the sign, on its border; area shares of both zones.
    pub zones: Option<[f64; 4]>,
    /// Attribution of every cell of the map.
    pub map: Vec<f32>,
    /// Yaw and pitch of the camera, degrees, and pixels a metre; none for folders.
    pub pose: Option<[f64; 3]>,
}

impl Point {
    /// Whether the best class is the true one.
    #[must_use]
    pub const fn correct(&self) -> bool {
        self.predicted == self.class
    }

    /// What tells frames of a set apart.
    #[must_use]
    pub const fn key(&self) -> (u16, u32) {
        (self.class, self.index)
    }
}

/// One cell with its frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// Folder of the run inside the study.
    pub id: String,
    /// The network.
    pub network: NetworkFacts,
    /// The data set.
    pub data: DataFacts,
    /// Name of the method in the plan.
    pub method: String,
    /// `gradcam`, an estimator of Shapley values with its evaluations (`permutation, 962`), or empty.
    pub explainer: String,
    /// Frames that the plan asks for.
    pub asked: usize,
    /// Why frames are missing, where that is known.
    pub problem: Option<String>,
    /// Hash of the program that ran the cell; empty if it was not run.
    pub executable: String,
    /// Hash of the data set; empty if it was not run, or by a program that does not tell.
    pub hash_data: String,
    /// The run, as the plan names it, if the cell was not run by the study.
    pub import: Option<String>,
    /// Hash of the coalition plans; empty without any.
    pub hash_plan: String,
    /// Coalitions of a frame, ends and repeats included; 0 without any.
    pub evaluations: usize,
    /// What computed it, as far as the store tells: `backend`, `machine.device`, `machine.torch`.
    pub made_by: BTreeMap<String, String>,
    /// Frames, in the order of their positions.
    pub points: Vec<Point>,
}

impl Entry {
    /// `gradcam`, or the estimator of Shapley values; empty for decisions alone.
    #[must_use]
    pub fn estimator(&self) -> &str {
        estimator_of(&self.explainer)
    }

    /// Name of the method in the run store; none for decisions alone.
    #[must_use]
    pub fn attribution(&self) -> Option<&'static str> {
        match self.estimator() {
            "" => None,
            "gradcam" => Some(Method::Gradcam.name()),
            _ => Some(Method::KernelShap.name()),
        }
    }
}

/// The estimator in [`Entry::explainer`].
#[must_use]
pub fn estimator_of(explainer: &str) -> &str {
    explainer.split(',').next().unwrap_or_default()
}

/// A whole study in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    /// Plan, versions and hashes.
    pub facts: BTreeMap<String, String>,
    /// Cells in the order of the plan.
    pub entries: Vec<Entry>,
}

impl Book {
    /// Write the book into a folder, replacing an earlier one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, StudyError> {
        let path = folder.join(FILE_NAME);
        let part = folder.join(format!("{FILE_NAME}.part"));
        drop(fs::remove_file(&part));
        let fill = || -> rusqlite::Result<()> {
            let mut db = Connection::open(&part)?;
            let transaction = db.transaction()?;
            transaction.execute_batch(TABLES)?;
            for (name, value) in &self.facts {
                transaction.execute("INSERT INTO fact VALUES (?1, ?2)", params![name, value])?;
            }
            for (number, entry) in (1_u32..).zip(&self.entries) {
                insert(&transaction, number, entry)?;
            }
            transaction.pragma_update(None, "user_version", SCHEMA)?;
            transaction.commit()
        };
        fill().map_err(|source| StudyError::book(&part, source))?;
        fs::rename(&part, &path).map_err(|source| StudyError::file(&path, source))?;
        Ok(path)
    }

    /// Read the book in a folder.
    ///
    /// # Errors
    /// If there is none, it is of another version, or its values are not what the schema promises.
    pub fn read(folder: &Path) -> Result<Self, StudyError> {
        let path = folder.join(FILE_NAME);
        if !path.is_file() {
            return Err(StudyError::NoStudy { path });
        }
        let read = || -> rusqlite::Result<Result<Self, i64>> {
            let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let version = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if version != SCHEMA {
                return Ok(Err(version));
            }
            let facts = db
                .prepare("SELECT name, value FROM fact")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let sql = "SELECT id, network, data, method, explainer, frames_asked, problem, executable, hash_data,
                       import, hash_plan, evaluations, made_by FROM cell ORDER BY number";
            let mut entries: Vec<Entry> =
                db.prepare(sql)?.query_map([], entry)?.collect::<rusqlite::Result<_>>()?;
            let sql = "SELECT position, class, class_index, shape, environment, mask_share, predicted, confidence,
                       pixel_ratio, ratio_error, proportional, inside, border, inside_area, border_area, map,
                       yaw_deg, pitch_deg, pixels_per_metre, plain_ratio, corrected FROM frame WHERE cell = ?1 ORDER BY position";
            let mut query = db.prepare(sql)?;
            for entry in &mut entries {
                entry.points =
                    query.query_map([&entry.id], point)?.collect::<rusqlite::Result<_>>()?;
            }
            Ok(Ok(Self { facts, entries }))
        };
        match read().map_err(|source| StudyError::book(&path, source))? {
            Ok(book) => Ok(book),
            Err(found) => Err(StudyError::Schema { path, expected: SCHEMA, found }),
        }
    }
}

fn insert(db: &Connection, number: u32, entry: &Entry) -> rusqlite::Result<()> {
    let json = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
    // where a manifest lies is no business of another machine
    let network = NetworkFacts { manifest: None, ..entry.network.clone() };
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    db.prepare_cached(
        "INSERT INTO cell VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        entry.id,
        number,
        json(serde_json::to_string(&network)),
        json(serde_json::to_string(&entry.data)),
        entry.method,
        entry.explainer,
        count(entry.asked),
        entry.problem,
        entry.executable,
        entry.hash_data,
        entry.import,
        entry.hash_plan,
        count(entry.evaluations),
        json(serde_json::to_string(&entry.made_by)),
    ])?;
    let mut frame = db.prepare_cached(
        "INSERT INTO frame VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
    )?;
    for p in &entry.points {
        frame.execute(params![
            entry.id,
            p.position,
            p.class,
            p.index,
            p.shape,
            p.environment,
            p.mask_share,
            p.predicted,
            p.confidence,
            p.ratio,
            p.plain_ratio,
            p.corrected,
            p.ratio_error,
            p.proportional,
            p.zones.map(|z| z[0]),
            p.zones.map(|z| z[1]),
            p.zones.map(|z| z[2]),
            p.zones.map(|z| z[3]),
            p.map.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(),
            p.pose.map(|v| v[0]),
            p.pose.map(|v| v[1]),
            p.pose.map(|v| v[2]),
        ])?;
    }
    Ok(())
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let from_json = |column: usize, source: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            source.into(),
        )
    };
    let (network, data): (String, String) = (row.get(1)?, row.get(2)?);
    let made_by: String = row.get(12)?;
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    Ok(Entry {
        id: row.get(0)?,
        network: serde_json::from_str(&network).map_err(|e| from_json(1, e))?,
        data: serde_json::from_str(&data).map_err(|e| from_json(2, e))?,
        method: row.get(3)?,
        explainer: row.get(4)?,
        asked: count(row.get(5)?),
        problem: row.get(6)?,
        executable: row.get(7)?,
        hash_data: row.get(8)?,
        import: row.get(9)?,
        hash_plan: row.get(10)?,
        evaluations: count(row.get(11)?),
        made_by: serde_json::from_str(&made_by).map_err(|e| from_json(12, e))?,
        points: Vec::new(),
    })
}

fn point(row: &Row<'_>) -> rusqlite::Result<Point> {
    let zones = match row.get::<_, Option<f64>>(11)? {
        Some(inside) => Some([inside, row.get(12)?, row.get(13)?, row.get(14)?]),
        None => None,
    };
    let pose = match row.get::<_, Option<f64>>(16)? {
        Some(yaw) => Some([yaw, row.get(17)?, row.get(18)?]),
        None => None,
    };
    let bytes: Vec<u8> = row.get(15)?;
    let (chunks, _) = bytes.as_chunks::<4>();
    Ok(Point {
        position: row.get(0)?,
        class: row.get(1)?,
        index: row.get(2)?,
        shape: row.get(3)?,
        environment: row.get(4)?,
        mask_share: row.get(5)?,
        predicted: row.get(6)?,
        confidence: row.get(7)?,
        ratio: row.get(8)?,
        plain_ratio: row.get(19)?,
        corrected: row.get(20)?,
        ratio_error: row.get(9)?,
        proportional: row.get(10)?,
        zones,
        map: chunks.iter().map(|c| f32::from_le_bytes(*c)).collect(),
        pose,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_comes_back_as_it_was_written() {
        let point = Point {
            position: 3,
            class: 7,
            index: 1,
            shape: "circular".to_owned(),
            environment: "forest".to_owned(),
            mask_share: 0.21,
            predicted: 7,
            confidence: 0.75,
            ratio: Some(0.1 + 0.2),
            plain_ratio: Some(0.25),
            corrected: true,
            ratio_error: None,
            proportional: Some(0.8),
            zones: Some([0.1, 0.2, 0.3, 0.4]),
            map: vec![0.5, -1.0],
            pose: Some([1.0, -2.0, 200.0]),
        };
        let bare = Point { position: 4, ratio: None, zones: None, pose: None, ..point.clone() };
        let entry = Entry {
            id: "cells/a/CF-test/cam-2".to_owned(),
            network: NetworkFacts {
                name: "a".to_owned(),
                train: "CF".to_owned(),
                ..NetworkFacts::default()
            },
            data: DataFacts { name: "synthetic:CF/test".to_owned(), ..DataFacts::default() },
            asked: 2,
            explainer: "permutation, 962".to_owned(),
            import: Some("desktop/a".to_owned()),
            hash_plan: "00ff".to_owned(),
            evaluations: 962,
            made_by: BTreeMap::from([("backend".to_owned(), "torch".to_owned())]),
            points: vec![point, bare],
            ..Entry::default()
        };
        let missing = Entry {
            id: "cells/b/CF-test/cam-2".to_owned(),
            problem: Some("no such network".to_owned()),
            ..Entry::default()
        };
        let facts = BTreeMap::from([("plan".to_owned(), "title = 't'".to_owned())]);
        let book = Book { facts, entries: vec![entry, missing] };
        let folder = tempfile::tempdir().unwrap();
        book.write(folder.path()).unwrap();
        book.write(folder.path()).unwrap();
        assert_eq!(Book::read(folder.path()).unwrap(), book);
        let named = |e: &Entry| (e.estimator().to_owned(), e.attribution());
        let [explained, decided] = [&book.entries[0], &book.entries[1]].map(named);
        assert_eq!(explained, ("permutation".to_owned(), Some("kernel-shap")));
        assert_eq!(decided, (String::new(), None));
        let error = Book::read(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("roadgaze study"), "{error}");
    }
}
