//! The journal of a run: one line a finished frame, so that a killed run knows where it stopped.
//!
//! Rows stay on disk and only their places in memory: the rows of 49,200 frames would take
//! some hundred megabytes.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::{self, WriteError};
use crate::source::MetadataValue;

/// Name of the journal in the output folder, while it is needed.
pub const FILE: &str = "journal.part";

/// A finished frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Position in the source.
    pub position: usize,
    /// Every parameter.
    pub values: BTreeMap<String, MetadataValue>,
}

/// A value as it stands in the journal. Numbers are stored as their bits: what comes back is exactly what was written.
#[derive(Serialize, Deserialize)]
enum Stored {
    #[serde(rename = "n")]
    NumberBits(u64),
    #[serde(rename = "i")]
    Integer(i64),
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "f")]
    Flag(bool),
}

impl From<&MetadataValue> for Stored {
    fn from(value: &MetadataValue) -> Self {
        match value {
            MetadataValue::Number(x) => Self::NumberBits(x.to_bits()),
            MetadataValue::Integer(i) => Self::Integer(*i),
            MetadataValue::Text(t) => Self::Text(t.clone()),
            MetadataValue::Flag(f) => Self::Flag(*f),
        }
    }
}

impl From<Stored> for MetadataValue {
    fn from(value: Stored) -> Self {
        match value {
            Stored::NumberBits(bits) => Self::Number(f64::from_bits(bits)),
            Stored::Integer(i) => Self::Integer(i),
            Stored::Text(t) => Self::Text(t),
            Stored::Flag(f) => Self::Flag(f),
        }
    }
}

/// The open journal; holds a lock on its file.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    end: u64,
    /// Place and length of the line of each position.
    lines: Vec<Option<(u64, usize)>>,
}

impl Journal {
    /// Open or create a journal for `frames` positions; a torn last line is cut off.
    ///
    /// # Errors
    /// If it cannot be read or written, or another run holds it.
    pub fn open(path: &Path, frames: usize) -> Result<Self, WriteError> {
        let io = |doing: &'static str| move |e: std::io::Error| WriteError::io(path, doing, &e);
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io("open the journal"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(WriteError::new(
                    path,
                    "another run is writing into this folder",
                    "wait for it or choose another folder with --out",
                ));
            }
            // some network file systems have no locks: better to go on than to refuse them
            Err(TryLockError::Error(_)) => {}
        }
        let mut lines = vec![None; frames];
        let mut end = 0;
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(io("read the journal"))?;
            // a torn or damaged line and all after it are done again
            let Some(row) = (line.last() == Some(&b'\n')).then(|| parse(&line)).flatten() else {
                break;
            };
            if let Some(slot) = lines.get_mut(row.position) {
                *slot = Some((end, read));
            }
            end += read as u64;
        }
        file.set_len(end).map_err(io("shorten the journal"))?;
        Ok(Self { path: path.to_owned(), file, end, lines })
    }

    /// Number of frames written.
    #[must_use]
    pub fn written(&self) -> usize {
        self.lines.iter().flatten().count()
    }

    /// Number of frames of the data set.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.lines.len()
    }

    /// Whether a frame is written.
    #[must_use]
    pub fn has(&self, position: usize) -> bool {
        self.lines.get(position).is_some_and(Option::is_some)
    }

    /// Treat a frame as not written, because its files are gone.
    pub fn forget(&mut self, position: usize) {
        if let Some(line) = self.lines.get_mut(position) {
            *line = None;
        }
    }

    /// Positions not yet written, ascending.
    #[must_use]
    pub fn missing(&self) -> Vec<usize> {
        (0..self.lines.len()).filter(|&p| !self.has(p)).collect()
    }

    /// Record a frame whose files are on disk.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub fn append(&mut self, row: &Row) -> Result<(), WriteError> {
        let values: BTreeMap<&str, Stored> =
            row.values.iter().map(|(name, value)| (name.as_str(), value.into())).collect();
        let write = |file: &mut File| {
            let mut line = serde_json::to_vec(&(row.position, values))?;
            line.push(b'\n');
            file.seek(SeekFrom::Start(self.end))?;
            file.write_all(&line)?;
            Ok(line.len())
        };
        let length = write(&mut self.file)
            .map_err(|e: std::io::Error| WriteError::io(&self.path, "write the journal", &e))?;
        if let Some(slot) = self.lines.get_mut(row.position) {
            *slot = Some((self.end, length));
        }
        self.end += length as u64;
        Ok(())
    }

    /// Read the row of a position.
    ///
    /// # Errors
    /// If the frame is not written or the journal cannot be read.
    pub fn row(&mut self, position: usize) -> Result<Row, WriteError> {
        let damaged = |path: &Path| {
            WriteError::new(path, "the journal is damaged", "delete the folder and start again")
        };
        let line = self.lines.get(position).copied().flatten();
        let (start, length) = line.ok_or_else(|| damaged(&self.path))?;
        let mut bytes = vec![0; length];
        self.file
            .seek(SeekFrom::Start(start))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|e| WriteError::io(&self.path, "read the journal", &e))?;
        parse(&bytes).ok_or_else(|| damaged(&self.path))
    }

    /// Delete the journal of a finished run.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub fn remove(&self) -> Result<(), WriteError> {
        disk::remove(&self.path, "remove the journal")
    }
}

fn parse(line: &[u8]) -> Option<Row> {
    let (position, values): (usize, BTreeMap<String, Stored>) =
        serde_json::from_slice(line).ok()?;
    Some(Row { position, values: values.into_iter().map(|(k, v)| (k, v.into())).collect() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn row(position: usize) -> Row {
        let values = [
            ("x".to_owned(), MetadataValue::Number(0.1 + position as f64)),
            ("name".to_owned(), MetadataValue::Text("a \"b\"\n".into())),
        ];
        Row { position, values: values.into() }
    }

    #[test]
    fn rows_come_back_and_a_torn_line_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        {
            let mut journal = Journal::open(&path, 5).unwrap();
            journal.append(&row(3)).unwrap();
            journal.append(&row(0)).unwrap();
            let again = Journal::open(&path, 5).unwrap_err().to_string();
            assert!(again.contains("another run"), "{again}");
        }
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [whole.as_slice(), b"[4,{\"x\":"].concat()).unwrap();
        let mut journal = Journal::open(&path, 5).unwrap();
        assert_eq!(journal.missing(), [1, 2, 4]);
        journal.append(&row(4)).unwrap();
        for position in [0, 3, 4] {
            assert_eq!(journal.row(position).unwrap(), row(position));
        }
        assert!(journal.row(1).is_err());
    }
}
