//! A table as Parquet: optional columns, Snappy, one row group.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::{Column, ExportError, Table, Values};

pub(super) fn write(table: &Table, path: &Path) -> Result<(), ExportError> {
    let file = File::create(path).map_err(|e| ExportError::write(path, e))?;
    write_table(table, file).map_err(|e| ExportError::write(path, e))
}

fn schema(table: &Table) -> Result<TypePtr, ParquetError> {
    let mut fields = Vec::with_capacity(table.columns.len());
    for Column { name, values } in &table.columns {
        let physical = match values {
            Values::Flag(_) => Physical::BOOLEAN,
            Values::Integer(_) => Physical::INT64,
            Values::Number(_) => Physical::DOUBLE,
            Values::Text(_) => Physical::BYTE_ARRAY,
        };
        let field =
            Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        let field = match values {
            Values::Text(_) => field.with_converted_type(ConvertedType::UTF8),
            _ => field,
        };
        fields.push(Arc::new(field.build()?));
    }
    Ok(Arc::new(Type::group_type_builder(table.name).with_fields(fields).build()?))
}

fn write_table(table: &Table, file: File) -> Result<(), ParquetError> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(file, schema(table)?, Arc::new(properties))?;
    if table.rows() > 0 {
        let mut group = writer.next_row_group()?;
        for column in &table.columns {
            let Some(out) = group.next_column()? else { break };
            match &column.values {
                Values::Flag(v) => fill::<BoolType, _>(out, v, |b| *b)?,
                Values::Integer(v) => fill::<Int64Type, _>(out, v, |i| *i)?,
                Values::Number(v) => fill::<DoubleType, _>(out, v, |n| *n)?,
                Values::Text(v) => {
                    fill::<ByteArrayType, _>(out, v, |t| ByteArray::from(t.as_bytes().to_vec()))?;
                }
            }
        }
        group.close()?;
    }
    writer.close().map(drop)
}

/// Values that are there, and for each row whether it has one.
fn fill<D: DataType, T>(
    mut out: SerializedColumnWriter<'_>,
    values: &[Option<T>],
    convert: impl Fn(&T) -> D::T,
) -> Result<(), ParquetError> {
    let there: Vec<D::T> = values.iter().flatten().map(convert).collect();
    let levels: Vec<i16> = values.iter().map(|v| i16::from(v.is_some())).collect();
    out.typed::<D>().write_batch(&there, Some(&levels), None)?;
    out.close()
}
