//! A table as CSV: one header line, absent values empty (RFC 4180).

use std::path::Path;

use super::{ExportError, Table};

pub(super) fn write(table: &Table, path: &Path) -> Result<(), ExportError> {
    let run = || -> csv::Result<()> {
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record(table.columns.iter().map(|c| c.name.as_str()))?;
        for row in 0..table.rows() {
            writer.write_record(table.columns.iter().map(|c| c.values.text(row)))?;
        }
        writer.flush()?;
        Ok(())
    };
    run().map_err(|e| ExportError::write(path, e))
}
