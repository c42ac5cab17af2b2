//! `metadata.parquet`: one row a frame in the order of the data set, one column a parameter.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::disk::{WriteError, write_whole};
use super::journal::{Journal, Row};
use crate::source::{FrameKey, MetadataValue};

/// Name of the file in the output folder.
pub const FILE: &str = "metadata.parquet";

/// Rows of a row group: few enough that their parameters take some ten megabytes.
const GROUP_ROWS: usize = 4096;

/// Type of a column; a column with both kinds of numbers holds [`Kind::Number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Flag,
    Integer,
    Number,
    Text,
}

impl Kind {
    fn of(value: &MetadataValue) -> Self {
        match value {
            MetadataValue::Flag(_) => Self::Flag,
            MetadataValue::Integer(_) => Self::Integer,
            MetadataValue::Number(_) => Self::Number,
            MetadataValue::Text(_) => Self::Text,
        }
    }

    /// The narrowest type that holds both.
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Integer, Self::Number) | (Self::Number, Self::Integer) => Self::Number,
            _ => Self::Text,
        }
    }
}

/// Write the rows of all frames; returns key and pixel hash of each, sorted by key.
pub(super) fn write(
    path: &Path,
    journal: &mut Journal,
) -> Result<Vec<(FrameKey, String)>, WriteError> {
    let mut columns: BTreeMap<String, Kind> = BTreeMap::new();
    let mut hashes = Vec::with_capacity(journal.frames());
    for position in 0..journal.frames() {
        let row = journal.row(position)?;
        hashes.push(identity(&row));
        for (name, value) in &row.values {
            let kind = Kind::of(value);
            columns.entry(name.clone()).and_modify(|k| *k = k.join(kind)).or_insert(kind);
        }
    }
    let mut journal_error = None;
    write_whole(path, |file| {
        let result = write_groups(file, &columns, journal.frames(), |position| {
            journal.row(position).map_err(|e| {
                let text = e.to_string();
                journal_error = Some(e);
                ParquetError::General(text)
            })
        });
        result.map_err(std::io::Error::other)
    })
    .map_err(|e| journal_error.unwrap_or(e))?;
    hashes.sort();
    Ok(hashes)
}

fn identity(row: &Row) -> (FrameKey, String) {
    let integer = |name: &str| match row.values.get(name) {
        Some(MetadataValue::Integer(i)) => *i,
        _ => 0,
    };
    let hash = match row.values.get("pixels_sha256") {
        Some(MetadataValue::Text(hash)) => hash.clone(),
        _ => String::new(),
    };
    let key = FrameKey {
        class: u16::try_from(integer("class")).unwrap_or(u16::MAX),
        index: u32::try_from(integer("index")).unwrap_or(u32::MAX),
    };
    (key, hash)
}

fn schema(columns: &BTreeMap<String, Kind>) -> Result<TypePtr, ParquetError> {
    let mut fields = Vec::with_capacity(columns.len());
    for (name, kind) in columns {
        let physical = match kind {
            Kind::Flag => Physical::BOOLEAN,
            Kind::Integer => Physical::INT64,
            Kind::Number => Physical::DOUBLE,
            Kind::Text => Physical::BYTE_ARRAY,
        };
        let field =
            Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        let field = match kind {
            Kind::Text => field.with_converted_type(ConvertedType::UTF8),
            _ => field,
        };
        fields.push(Arc::new(field.build()?));
    }
    Ok(Arc::new(Type::group_type_builder("frame").with_fields(fields).build()?))
}

fn write_groups(
    file: &mut (impl std::io::Write + Send),
    columns: &BTreeMap<String, Kind>,
    frames: usize,
    mut row: impl FnMut(usize) -> Result<Row, ParquetError>,
) -> Result<(), ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("roadgaze".into())
        .build();
    let mut writer = SerializedFileWriter::new(file, schema(columns)?, Arc::new(properties))?;
    for start in (0..frames).step_by(GROUP_ROWS) {
        let rows = (start..(start + GROUP_ROWS).min(frames))
            .map(&mut row)
            .collect::<Result<Vec<_>, _>>()?;
        let mut group = writer.next_row_group()?;
        for (name, &kind) in columns {
            if let Some(mut column) = group.next_column()? {
                write_column(&mut column, kind, rows.iter().map(|r| r.values.get(name)))?;
                column.close()?;
            }
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

fn write_column<'a>(
    column: &mut SerializedColumnWriter<'_>,
    kind: Kind,
    cells: impl Iterator<Item = Option<&'a MetadataValue>> + Clone,
) -> Result<(), ParquetError> {
    // definition level 1 = there is a value, 0 = null
    let levels: Vec<i16> = cells.clone().map(|cell| i16::from(cell.is_some())).collect();
    let levels = Some(levels.as_slice());
    let values = cells.flatten();
    match kind {
        Kind::Flag => {
            let values: Vec<bool> =
                values.map(|v| matches!(v, MetadataValue::Flag(true))).collect();
            column.typed::<BoolType>().write_batch(&values, levels, None)?;
        }
        Kind::Integer => {
            let values: Vec<i64> =
                values.map(|v| if let MetadataValue::Integer(i) = v { *i } else { 0 }).collect();
            column.typed::<Int64Type>().write_batch(&values, levels, None)?;
        }
        Kind::Number => {
            let values: Vec<f64> = values
                .map(|v| match v {
                    MetadataValue::Number(x) => *x,
                    MetadataValue::Integer(i) => *i as f64,
                    _ => f64::NAN,
                })
                .collect();
            column.typed::<DoubleType>().write_batch(&values, levels, None)?;
        }
        Kind::Text => {
            let values: Vec<ByteArray> =
                values.map(|v| ByteArray::from(word(v).into_bytes())).collect();
            column.typed::<ByteArrayType>().write_batch(&values, levels, None)?;
        }
    }
    Ok(())
}

fn word(value: &MetadataValue) -> String {
    match value {
        MetadataValue::Text(text) => text.clone(),
        MetadataValue::Number(x) => x.to_string(),
        MetadataValue::Integer(i) => i.to_string(),
        MetadataValue::Flag(f) => f.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    #[test]
    fn rows_of_different_parameters_share_one_table() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&dir.path().join("j"), 2).unwrap();
        let row = |position: usize, values: &[(&str, MetadataValue)]| Row {
            position,
            values: values.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
        };
        let number = MetadataValue::Number(0.1);
        let text = MetadataValue::Text("forest".into());
        journal.append(&row(1, &[("a", MetadataValue::Integer(3)), ("e", text)])).unwrap();
        journal.append(&row(0, &[("a", number), ("f", MetadataValue::Flag(true))])).unwrap();
        let path = dir.path().join(FILE);
        write(&path, &mut journal).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let rows: Vec<String> =
            reader.get_row_iter(None).unwrap().map(|r| r.unwrap().to_string()).collect();
        assert_eq!(rows, ["{a: 0.1, e: null, f: true}", "{a: 3.0, e: \"forest\", f: null}"]);
    }
}
