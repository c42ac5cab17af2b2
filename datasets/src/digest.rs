//! SHA-256 in hexadecimal: of pixels, of lists, of settings.

use image::{GrayImage, RgbImage};
use sha2::{Digest as _, Sha256};

/// A hash over labelled parts; each part enters with its length, so parts cannot run into each other.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    state: Sha256,
}

impl Digest {
    /// An empty hash.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Add a part.
    #[must_use]
    pub fn part(mut self, bytes: &[u8]) -> Self {
        self.state.update((bytes.len() as u64).to_le_bytes());
        self.state.update(bytes);
        self
    }

    /// Add a number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.state.update(number.to_le_bytes());
        self
    }

    /// The hash in hexadecimal, 64 digits.
    #[must_use]
    pub fn hex(self) -> String {
        self.state.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Hash of the pixels of a picture and its mask, whatever file format they lie in.
#[must_use]
pub fn pixels(image: &RgbImage, mask: &GrayImage) -> String {
    Digest::new()
        .number(u64::from(image.width()))
        .number(u64::from(image.height()))
        .part(image.as_raw())
        .part(mask.as_raw())
        .hex()
}

/// Hash of a data set from the keys and pixel hashes of its frames, in the order given.
pub fn content<'a>(frames: impl IntoIterator<Item = (u16, u32, &'a str)>) -> String {
    frames
        .into_iter()
        .fold(Digest::new(), |digest, (class, index, pixels)| {
            digest.number(u64::from(class)).number(u64::from(index)).part(pixels.as_bytes())
        })
        .hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha256_and_parts_do_not_run_into_each_other() {
        assert_eq!(
            Digest::new().hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let two = |a: &[u8], b: &[u8]| Digest::new().part(a).part(b).hex();
        assert_ne!(two(b"ab", b"c"), two(b"a", b"bc"));
    }
}
