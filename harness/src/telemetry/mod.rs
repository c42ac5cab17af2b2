//! Device events on disk: written as defmt frames while a run goes on, read back with the executable that wrote them.

mod decode;
pub mod device;

pub use decode::{DecodeError, Decoded, Line, Strings, decode_file};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Where the sha256 of the executable stands that wrote a log: beside the log.
#[must_use]
pub fn executable_hash_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".executable-sha256");
    PathBuf::from(name)
}

/// Hexadecimal sha256 of a file, read in pieces.
///
/// # Errors
/// If the file cannot be read.
pub fn file_hash(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = fs::File::open(path)?;
    let mut piece = vec![0_u8; 1 << 16];
    loop {
        let n = io::Read::read(&mut file, &mut piece)?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&piece[..n]);
    }
}

/// Hexadecimal text of a digest.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The log of a run, followed by those parts of it that other executables wrote.
#[must_use]
pub fn logs(log: &Path) -> Vec<PathBuf> {
    let there = |path: &Path| path.symlink_metadata().is_ok();
    let parts = (1..).map(|number| part(log, number));
    let parts = parts.take_while(|part| there(part) || there(&executable_hash_path(part)));
    std::iter::once(log.to_owned()).chain(parts).collect()
}

/// `telemetry.1.defmt` and so on.
fn part(log: &Path, number: u32) -> PathBuf {
    log.with_extension(format!("{number}.defmt"))
}

/// Refuse a log that another process holds: two that resume one run would store the same frames.
///
/// # Errors
/// If it does, with what to do.
pub fn refuse_busy(log: &Path) -> io::Result<()> {
    match fs::File::open(log).map(|file| file.try_lock()) {
        Ok(Err(fs::TryLockError::WouldBlock)) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "a run that nobody works at expected, one that another process writes found; wait for it or stop it",
        )),
        // no log yet, or a file system without locks
        _ => Ok(()),
    }
}

/// Start the log of this process and note which executable writes it; the log of another one is set aside first.
///
/// # Errors
/// If another process writes it, a file cannot be written or the executable cannot be read.
pub fn open_log(path: &Path, executable_hash: &str) -> io::Result<defmt_host::Log> {
    if path.is_symlink() {
        let text = "a file of the run expected, a symbolic link found: it could lead anywhere";
        return Err(io::Error::other(text));
    }
    refuse_busy(path)?;
    set_aside(path, executable_hash)?;
    let hash_path = executable_hash_path(path);
    // anew, so that a link in its place is not followed
    drop(fs::remove_file(&hash_path));
    io::Write::write_all(&mut fs::File::create_new(hash_path)?, executable_hash.as_bytes())?;
    defmt_host::Log::append(path)
}

/// Rename a log that another executable wrote: with the strings of this one it would decode to nonsense.
fn set_aside(log: &Path, executable_hash: &str) -> io::Result<()> {
    let size = |path: &Path| {
        path.symlink_metadata().ok().filter(fs::Metadata::is_file).map_or(0, |file| file.len())
    };
    let hash_path = executable_hash_path(log);
    if size(log) == 0 || size(&hash_path) == 0 {
        return Ok(());
    }
    let writer = fs::read(&hash_path)?;
    if writer.trim_ascii() == executable_hash.as_bytes() {
        return Ok(());
    }
    let number = u32::try_from(logs(log).len()).map_err(io::Error::other)?;
    let aside = part(log, number);
    // the hash first: a power cut in between must not leave a log of which nobody knows the writer
    io::Write::write_all(&mut fs::File::create_new(executable_hash_path(&aside))?, &writer)?;
    fs::rename(log, aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_another_executable_is_set_aside_with_its_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let text = |name: &str| fs::read_to_string(path(name)).unwrap();
        let log = path("telemetry.defmt");
        // none yet, then one of the same executable
        set_aside(&log, "a").unwrap();
        fs::write(&log, "first").unwrap();
        fs::write(path("telemetry.defmt.executable-sha256"), "a\n").unwrap();
        set_aside(&log, "a").unwrap();
        assert_eq!(logs(&log), std::slice::from_ref(&log));
        set_aside(&log, "b").unwrap();
        assert!(!log.exists());
        fs::write(&log, "second").unwrap();
        fs::write(path("telemetry.defmt.executable-sha256"), "b").unwrap();
        set_aside(&log, "c").unwrap();
        assert_eq!(text("telemetry.1.defmt"), "first");
        assert_eq!(text("telemetry.1.defmt.executable-sha256"), "a\n");
        assert_eq!(text("telemetry.2.defmt"), "second");
        assert_eq!(text("telemetry.2.defmt.executable-sha256"), "b");
        assert_eq!(logs(&log), [log.clone(), path("telemetry.1.defmt"), path("telemetry.2.defmt")]);
    }
    #[test]
    fn a_log_that_somebody_holds_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("telemetry.defmt");
        refuse_busy(&log).unwrap();
        let held = fs::File::create(&log).unwrap();
        refuse_busy(&log).unwrap();
        held.lock().unwrap();
        let error = refuse_busy(&log).unwrap_err();
        assert!(error.to_string().contains("another process writes"), "{error}");
        drop(held);
        refuse_busy(&log).unwrap();
    }
}
