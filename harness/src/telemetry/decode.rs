//! Reads defmt frames back into lines of text.
//!
//! The wrong executable decodes to plausible nonsense, so a log is refused unless the sha256 that
//! was written beside it is that of the executable at hand.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use defmt_decoder::{DecodeError as FrameError, Locations, Table};

use super::{executable_hash_path, file_hash};

/// Why a log could not be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A file could not be read.
    #[error("{path}: {source}; name the telemetry.defmt of a run, and the program that wrote it")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The log was written by another executable.
    #[error(
        "{log}: written by the executable with sha256 {expected}, but {executable} has {found}; \
         name the one that wrote the log with --executable"
    )]
    OtherExecutable {
        /// The log.
        log: PathBuf,
        /// Hash beside the log.
        expected: String,
        /// Executable at hand.
        executable: PathBuf,
        /// Its hash.
        found: String,
    },
    /// The executable holds no usable defmt strings.
    #[error("{executable}: {problem}; use the executable as built, not stripped")]
    NoTable {
        /// Executable at hand.
        executable: PathBuf,
        /// What is missing.
        problem: String,
    },
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `trace` to `error`; empty for plain prints.
    pub level: String,
    /// Seconds since the start of the run with six decimals, as `defmt-print` shows them; empty if there is no time.
    pub time: String,
    /// `file:line` where the executable has full debug information, else empty.
    pub place: String,
    /// The message.
    pub message: String,
}

impl Line {
    /// Microseconds since the start of the run; 0 if there is no time.
    #[must_use]
    pub fn micros(&self) -> u64 {
        let (seconds, micros) = self.time.split_once('.').unwrap_or((self.time.as_str(), ""));
        let number = |digits: &str| digits.parse::<u64>().unwrap_or(0);
        number(seconds).saturating_mul(1_000_000).saturating_add(number(micros))
    }
}

/// All events of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Events in the order written.
    pub lines: Vec<Line>,
    /// Frames that could not be read; after a cut or a flipped bit the decoder finds the next whole frame.
    pub malformed: usize,
}

/// Decode a log with the executable that wrote it.
///
/// # Errors
/// If a file cannot be read, or the executable is another one, or has no defmt strings.
pub fn decode_file(log: &Path, executable: &Path) -> Result<Decoded, DecodeError> {
    let read = |path: &Path| {
        fs::read(path).map_err(|source| DecodeError::File { path: path.to_owned(), source })
    };
    let bytes = read(log)?;
    let hash_path = executable_hash_path(log);
    let expected = String::from_utf8_lossy(&read(&hash_path)?).trim().to_owned();
    let found = file_hash(executable)
        .map_err(|source| DecodeError::File { path: executable.to_owned(), source })?;
    if expected != found {
        return Err(DecodeError::OtherExecutable {
            log: log.to_owned(),
            expected,
            executable: executable.to_owned(),
            found,
        });
    }
    Ok(Strings::of(&read(executable)?, executable)?.decode(&bytes))
}

/// The format strings of an executable, and where in its sources they stand.
#[derive(Debug)]
pub struct Strings {
    table: Table,
    places: Locations,
}

impl Strings {
    /// Reads them from the bytes of an executable; the path is for messages alone.
    ///
    /// # Errors
    /// If it has none.
    pub fn of(elf: &[u8], executable: &Path) -> Result<Self, DecodeError> {
        let no_table =
            |problem: String| DecodeError::NoTable { executable: executable.to_owned(), problem };
        let table = Table::parse(elf)
            .map_err(|e| no_table(format!("{e:#}")))?
            .ok_or_else(|| no_table("no .defmt section found".to_owned()))?;
        // without full debug information some entries have no place; then none is shown
        let places = table.get_locations(elf).unwrap_or_default();
        Ok(Self { table, places })
    }

    /// Decodes the bytes of a log, damaged ones too.
    #[must_use]
    pub fn decode(&self, bytes: &[u8]) -> Decoded {
        let mut decoder = self.table.new_stream_decoder();
        decoder.received(bytes);
        let mut decoded = Decoded { lines: Vec::new(), malformed: 0 };
        loop {
            match decoder.decode() {
                Ok(frame) => decoded.lines.push(Line {
                    level: frame.level().map_or(String::new(), |l| l.as_str().to_owned()),
                    time: frame.display_timestamp().map_or(String::new(), |t| t.to_string()),
                    place: self
                        .places
                        .get(&frame.index())
                        .map_or(String::new(), |p| format!("{}:{}", p.file.display(), p.line)),
                    message: frame.display_message().to_string(),
                }),
                Err(FrameError::UnexpectedEof) => return decoded,
                Err(FrameError::Malformed) => {
                    decoded.malformed += 1;
                    if !self.table.encoding().can_recover() {
                        return decoded;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firmware_host::{DropReason, Event};

    #[test]
    fn events_come_back_as_text_and_another_executable_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let log_path = dir.path().join("telemetry.defmt");
        let me = std::env::current_exe().unwrap();
        let log = super::super::open_log(&log_path, &file_hash(&me).unwrap()).unwrap();
        for sequence in 0..50 {
            Event::Captured { sequence, slot: 3 }.log();
        }
        Event::Dropped { sequence: 50, reason: DropReason::QueueFull }.log();
        log.finish().unwrap();

        let decoded = decode_file(&log_path, &me).unwrap();
        assert_eq!(decoded.malformed, 0);
        assert_eq!(decoded.lines.len(), 51);
        assert!(decoded.lines[7].message.contains("sequence: 7"), "{:?}", decoded.lines[7]);
        assert_eq!(decoded.lines[50].level, "warn");
        assert!(decoded.lines[50].message.contains("QueueFull"));
        for line in &decoded.lines {
            let micros = line.micros();
            assert_eq!(line.time, format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000));
        }

        // a cut in the middle of a frame costs that frame alone
        let bytes = fs::read(&log_path).unwrap();
        fs::write(&log_path, &bytes[3..]).unwrap();
        let cut = decode_file(&log_path, &me).unwrap();
        assert!(cut.lines.len() >= 50 && cut.malformed <= 1, "{} lines", cut.lines.len());

        let other = dir.path().join("other");
        fs::write(&other, b"not an executable").unwrap();
        assert!(matches!(decode_file(&log_path, &other), Err(DecodeError::OtherExecutable { .. })));
    }
}
