//! A table as JSON lines: one object a row, absent values `null`.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use serde_json::{Map, Value};

use super::{ExportError, Table};

pub(super) fn write(table: &Table, path: &Path) -> Result<(), ExportError> {
    let run = || -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        for row in 0..table.rows() {
            let object: Map<String, Value> =
                table.columns.iter().map(|c| (c.name.clone(), c.values.json(row))).collect();
            writeln!(out, "{}", Value::Object(object))?;
        }
        out.flush()
    };
    run().map_err(|e| ExportError::write(path, e))
}
