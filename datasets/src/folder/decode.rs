//! Decoding of pictures that somebody else made: bounded in size, and with errors that name the file.

use std::path::Path;

use image::{DynamicImage, GrayImage, ImageReader, Limits, RgbImage};

use crate::source::SourceError;

/// Largest side of a picture that is read, pixels.
pub const LARGEST_SIDE: u32 = 16_384;
/// Most memory that decoding one picture may take, bytes.
const LARGEST_ALLOC: u64 = 1 << 30;

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

fn decode(path: &Path) -> Result<DynamicImage, SourceError> {
    let unreadable = |e: String| bad_file(path, format!("expected a PNG or JPEG picture: {e}"));
    let mut reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|e| unreadable(e.to_string()))?;
    // a few bytes of header must not make us reserve gigabytes
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_ALLOC);
    reader.limits(limits);
    reader.decode().map_err(|e| unreadable(e.to_string()))
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
