//! `metadata.parquet` of a rendered folder, kept by columns: rows of maps would take ten times the memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

use super::decode::bad_file;
use crate::source::{FrameKey, MetadataValue, SourceError};

/// Parameters of all frames.
#[derive(Debug)]
pub(super) struct Table {
    columns: BTreeMap<String, Column>,
    rows: BTreeMap<FrameKey, usize>,
}

#[derive(Debug)]
enum Column {
    Number(Vec<Option<f64>>),
    Integer(Vec<Option<i64>>),
    Flag(Vec<Option<bool>>),
    Text(Vec<Option<Box<str>>>),
}

impl Column {
    fn of(field: &Field) -> Option<Self> {
        match field {
            Field::Double(_) => Some(Self::Number(Vec::new())),
            Field::Long(_) => Some(Self::Integer(Vec::new())),
            Field::Bool(_) => Some(Self::Flag(Vec::new())),
            Field::Str(_) => Some(Self::Text(Vec::new())),
            _ => None,
        }
    }

    /// Put a value at a row; rows before it without a value get none.
    fn put(&mut self, row: usize, field: &Field) {
        fn at<T>(cells: &mut Vec<Option<T>>, row: usize, value: T) {
            cells.resize_with(row, || None);
            cells.push(Some(value));
        }
        match (self, field) {
            (Self::Number(cells), Field::Double(x)) => at(cells, row, *x),
            (Self::Integer(cells), Field::Long(i)) => at(cells, row, *i),
            (Self::Flag(cells), Field::Bool(f)) => at(cells, row, *f),
            (Self::Text(cells), Field::Str(t)) => at(cells, row, t.as_str().into()),
            _ => {}
        }
    }

    fn get(&self, row: usize) -> Option<MetadataValue> {
        match self {
            Self::Number(cells) => cells.get(row)?.map(MetadataValue::Number),
            Self::Integer(cells) => cells.get(row)?.map(MetadataValue::Integer),
            Self::Flag(cells) => cells.get(row)?.map(MetadataValue::Flag),
            Self::Text(cells) => {
                cells.get(row)?.as_deref().map(|t| MetadataValue::Text(t.to_owned()))
            }
        }
    }
}

impl Table {
    pub(super) fn read(path: &Path) -> Result<Self, SourceError> {
        let damaged = |e: String| bad_file(path, format!("expected a table of parameters: {e}"));
        let file = File::open(path).map_err(|e| damaged(e.to_string()))?;
        let reader = SerializedFileReader::new(file).map_err(|e| damaged(e.to_string()))?;
        let mut table = Self { columns: BTreeMap::new(), rows: BTreeMap::new() };
        let rows = reader.get_row_iter(None).map_err(|e| damaged(e.to_string()))?;
        for (number, row) in rows.enumerate() {
            let row = row.map_err(|e| damaged(e.to_string()))?;
            for (name, field) in row.get_column_iter() {
                if let Some(column) = table.columns.get_mut(name) {
                    column.put(number, field);
                } else if let Some(mut column) = Column::of(field) {
                    column.put(number, field);
                    table.columns.insert(name.clone(), column);
                }
            }
            let integer = |name: &str| match table.columns.get(name)?.get(number)? {
                MetadataValue::Integer(i) => Some(i),
                _ => None,
            };
            let key = (|| {
                let class = u16::try_from(integer("class")?).ok()?;
                Some(FrameKey { class, index: u32::try_from(integer("index")?).ok()? })
            })();
            let key = key.ok_or_else(|| damaged(format!("row {number} has no class and index")))?;
            table.rows.insert(key, number);
        }
        Ok(table)
    }

    /// All frames, sorted.
    pub(super) fn keys(&self) -> impl Iterator<Item = FrameKey> {
        self.rows.keys().copied()
    }

    /// Whether there is such a frame.
    pub(super) fn has(&self, key: FrameKey) -> bool {
        self.rows.contains_key(&key)
    }

    /// All parameters of a frame; empty for an unknown one.
    pub(super) fn row(&self, key: FrameKey) -> BTreeMap<String, MetadataValue> {
        let Some(&row) = self.rows.get(&key) else { return BTreeMap::new() };
        let values = self.columns.iter().map(|(name, column)| (name.clone(), column.get(row)));
        values.filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
