//! Decoding of pictures that somebody else made: bounded in size, and with errors that name the file.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageReader, Limits, RgbImage};

use crate::source::SourceError;

/// Largest side of a picture that is read, pixels.
pub const LARGEST_SIDE: u32 = 16_384;
/// Most memory that decoding one picture may take, bytes.
const LARGEST_ALLOC: u64 = 1 << 28;

/// Whether a file has the extension of a picture format that is read.
#[must_use]
pub fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    matches!(extension.as_str(), "png" | "jpg" | "jpeg")
}

/// Error about a file of a data set.
pub(crate) fn bad_file(path: &Path, problem: impl Into<String>) -> SourceError {
    SourceError::File {
        path: path.to_owned(),
        problem: problem.into(),
        remedy: "replace or remove the file, or leave out what cannot be used with --skip-bad"
            .to_owned(),
    }
}

fn unreadable(path: &Path, error: impl std::fmt::Display) -> SourceError {
    bad_file(path, format!("expected a PNG or JPEG picture: {error}"))
}

fn decode(path: &Path) -> Result<DynamicImage, SourceError> {
    let file = File::open(path).map_err(|e| unreadable(path, e))?;
    decode_from(BufReader::new(file), path)
}

fn decode_from(bytes: impl BufRead + Seek, path: &Path) -> Result<DynamicImage, SourceError> {
    let mut reader =
        ImageReader::new(bytes).with_guessed_format().map_err(|e| unreadable(path, e))?;
    // a few bytes of header must not make us reserve gigabytes
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_ALLOC);
    reader.limits(limits);
    // zune-jpeg 0.5.15 panics on some damaged files (found by fuzzing); reader and picture are gone if it does
    catch_unwind(AssertUnwindSafe(|| reader.decode()))
        .map_err(|_payload| unreadable(path, "the decoder failed on damaged data"))?
        .map_err(|e| unreadable(path, e))
}

/// A picture in sRGB, 8 bits a channel.
///
/// # Errors
/// If the file is missing, damaged, too large or no picture.
pub fn rgb(path: &Path) -> Result<RgbImage, SourceError> {
    Ok(decode(path)?.into_rgb8())
}

/// A mask, 8 bits.
///
/// # Errors
/// If the file is missing, damaged, too large or no picture.
pub fn mask(path: &Path) -> Result<GrayImage, SourceError> {
    Ok(decode(path)?.into_luma8())
}

/// [`rgb`] and [`mask`] of a file that is already in memory; the path is for messages alone.
///
/// # Errors
/// If the bytes are damaged, too large or no picture.
pub fn rgb_and_mask_from_bytes(
    bytes: &[u8],
    path: &Path,
) -> Result<(RgbImage, GrayImage), SourceError> {
    let picture = decode_from(Cursor::new(bytes), path)?;
    Ok((picture.to_rgb8(), picture.into_luma8()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_on_which_the_decoder_panics_is_an_error_with_its_name() {
        let damaged = include_bytes!("../../../tests/fuzz/seeds/picture/decoder-panics.jpg");
        let error = rgb_and_mask_from_bytes(damaged, Path::new("frame.jpg")).unwrap_err();
        assert!(error.to_string().contains("frame.jpg"), "{error}");
    }
}
