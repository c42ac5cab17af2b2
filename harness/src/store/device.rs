//! Samples of the machine's state in the run store, table `device_state`, made when it is first needed.

use rusqlite::params;

use super::{RunStore, StoreError, Stored, seal};
use crate::telemetry::device::DeviceSample;

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS device_state (
    at_micros INTEGER NOT NULL,
    frequency_mhz REAL,
    temperature_c REAL,
    throttled INTEGER,
    rss_bytes INTEGER,
    load REAL,
    energy_microjoules INTEGER
) STRICT;
";

fn narrow(value: Option<u64>) -> Option<i64> {
    value.map(|v| i64::try_from(v).unwrap_or(i64::MAX))
}

fn wide(value: Option<i64>) -> Option<u64> {
    value.and_then(|v| u64::try_from(v).ok())
}

impl RunStore {
    /// Store samples; those of an earlier part of the run stay.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn add_device_samples(&mut self, samples: &[DeviceSample]) -> Result<(), StoreError> {
        let (path, db) = self.parts();
        let insert = || -> rusqlite::Result<()> {
            let transaction = db.unchecked_transaction()?;
            transaction.execute_batch(TABLE)?;
            for s in samples {
                transaction
                    .prepare_cached("INSERT INTO device_state VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                    .execute(params![
                        narrow(Some(s.at_micros)),
                        s.frequency_mhz,
                        s.temperature_c,
                        narrow(s.throttled),
                        narrow(s.rss_bytes),
                        s.load,
                        narrow(s.energy_microjoules),
                    ])?;
            }
            seal::seal(&transaction, &seal::Item::Device)?;
            transaction.commit()
        };
        insert().map_err(|source| StoreError::database(path, source))
    }
}

impl Stored {
    /// Samples in the order in which they were stored; none for runs that took none.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn device_samples(&self) -> Result<Vec<DeviceSample>, StoreError> {
        let (path, db) = self.parts();
        let read = || -> rusqlite::Result<Vec<DeviceSample>> {
            let there: i64 = db.query_row(
                "SELECT count(*) FROM sqlite_master WHERE name = 'device_state'",
                [],
                |row| row.get(0),
            )?;
            if there == 0 {
                return Ok(Vec::new());
            }
            db.prepare("SELECT * FROM device_state ORDER BY rowid")?
                .query_map([], |row| {
                    Ok(DeviceSample {
                        at_micros: wide(row.get(0)?).unwrap_or(0),
                        frequency_mhz: row.get(1)?,
                        temperature_c: row.get(2)?,
                        throttled: wide(row.get(3)?),
                        rss_bytes: wide(row.get(4)?),
                        load: row.get(5)?,
                        energy_microjoules: wide(row.get(6)?),
                    })
                })?
                .collect()
        };
        read().map_err(|source| StoreError::database(path, source))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn samples_are_read_back_and_a_run_without_any_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = RunStore::create(dir.path(), &BTreeMap::new()).unwrap();
        assert_eq!(Stored::open(dir.path()).unwrap().device_samples().unwrap(), []);
        let sample = DeviceSample {
            at_micros: 7,
            frequency_mhz: Some(1500.5),
            rss_bytes: Some(1 << 33),
            ..DeviceSample::default()
        };
        store.add_device_samples(std::slice::from_ref(&sample)).unwrap();
        store.add_device_samples(&[DeviceSample::default()]).unwrap();
        drop(store);
        let found = Stored::open(dir.path()).unwrap().device_samples().unwrap();
        assert_eq!(found, [sample, DeviceSample::default()]);
    }
}
