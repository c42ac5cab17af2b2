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

/// Start the log of this process and note which executable writes it.
///
/// # Errors
/// If a file cannot be written or the executable cannot be read.
pub fn open_log(path: &Path, executable_hash: &str) -> io::Result<defmt_host::Log> {
    if path.is_symlink() {
        let text = "a file of the run expected, a symbolic link found: it could lead anywhere";
        return Err(io::Error::other(text));
    }
    let hash_path = executable_hash_path(path);
    // anew, so that a link in its place is not followed
    drop(fs::remove_file(&hash_path));
    io::Write::write_all(&mut fs::File::create_new(hash_path)?, executable_hash.as_bytes())?;
    defmt_host::Log::append(path)
}
