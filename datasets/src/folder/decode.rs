//! Decoding of pictures that somebody else made: bounded in size, upright, and with errors that name the file.

use std::fs::File;
use std::io::{Cursor, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation;
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageReader, ImageResult, Limits, Luma, RgbImage,
};

use super::jpeg_end;
use crate::source::SourceError;

/// Largest side of a picture that is read, pixels.
pub const LARGEST_SIDE: u32 = 16_384;
/// Most memory that decoding one picture may take, bytes; its file is no longer either.
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

fn unreadable(error: impl std::fmt::Display) -> String {
    format!("expected a PNG or JPEG picture: {error}")
}

/// The bytes of a file, not more than a picture can have.
fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let file = File::open(path);
    match file.and_then(|file| file.take(LARGEST_ALLOC + 1).read_to_end(&mut bytes)) {
        Ok(len) if len as u64 > LARGEST_ALLOC => {
            Err(bad_file(path, unreadable(format!("more than {LARGEST_ALLOC} bytes found"))))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(bad_file(path, unreadable(error))),
    }
}

fn decode(path: &Path) -> Result<DynamicImage, SourceError> {
    picture(&read(path)?).map_err(|problem| bad_file(path, problem))
}

/// A decoder that has read the header, and how what it will give is to be turned.
fn begin(bytes: &[u8]) -> ImageResult<(impl ImageDecoder, Orientation)> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    // a few bytes of header must not make us reserve gigabytes
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_ALLOC);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    Ok((decoder, orientation))
}

/// Do something with a decoder that may panic: zune-jpeg 0.5.15 does on some damaged files (found by fuzzing).
fn caught<T>(work: impl FnOnce() -> ImageResult<T>) -> Result<T, String> {
    // reader and picture are gone if it does
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_payload| unreadable("the decoder failed on damaged data"))?
        .map_err(unreadable)
}

/// A whole picture as a person sees it: turned as its file says.
fn picture(bytes: &[u8]) -> Result<DynamicImage, String> {
    let picture = caught(|| {
        let (decoder, orientation) = begin(bytes)?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok(picture)
    })?;
    if jpeg_end::is_missing(bytes) { Err(unreadable("the file is cut off")) } else { Ok(picture) }
}

/// What header and end of a file tell without decoding it: whether it says that its picture is to be turned.
///
/// # Errors
/// What is wrong, if it is no picture, too large, or cut off.
pub(crate) fn glance(bytes: &[u8]) -> Result<bool, String> {
    let orientation = caught(|| begin(bytes).map(|(_, orientation)| orientation))?;
    if jpeg_end::is_missing(bytes) {
        return Err(unreadable("the file is cut off"));
    }
    Ok(orientation != Orientation::NoTransforms)
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
    Ok(coverage(decode(path)?))
}

/// What is transparent is not the sign, whatever colour it has.
fn coverage(picture: DynamicImage) -> GrayImage {
    if !picture.has_alpha() {
        return picture.into_luma8();
    }
    let both = picture.into_luma_alpha8();
    GrayImage::from_fn(both.width(), both.height(), |x, y| {
        let [grey, alpha] = both.get_pixel(x, y).0;
        Luma([u8::try_from(u16::from(grey) * u16::from(alpha) / 255).unwrap_or(u8::MAX)])
    })
}

/// [`rgb`] and [`mask`] of a file that is already in memory; the path is for messages alone.
///
/// # Errors
/// If the bytes are damaged, too large or no picture.
pub fn rgb_and_mask_from_bytes(
    bytes: &[u8],
    path: &Path,
) -> Result<(RgbImage, GrayImage), SourceError> {
    let picture = picture(bytes).map_err(|problem| bad_file(path, problem))?;
    Ok((picture.to_rgb8(), coverage(picture)))
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
