//! The user's own photographs as environments: one sub-folder an environment, random crops behind the same signs.
//!
//! Crops are squares of 50 to 100 % of the photograph's shorter side, box-averaged to the size of the picture and
//! mirrored half of the time. They stand upright, as their Exif data say. The decoder of compressed photographs is not ours, so
//! that pictures with photographs have the same bytes on every machine is likely but not promised.

use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::canvas::{Canvas, Rgb};
use crate::catalogue::Catalogue;
use crate::config::Identity;
use crate::digest::Digest;
use crate::environment::Environment;
use crate::folder::decode;
use crate::rng::{Stream, key};
use crate::sets::{Conditional, CorrelationSettings};
use crate::source::SourceError;
use crate::synthetic::environment_word;

/// Longest list of preferred photographs' environments of a class.
const PREFERENCES: usize = 4;

/// Photographs by environment.
#[derive(Debug)]
pub struct Photographs {
    environments: Vec<(String, Vec<PathBuf>)>,
    hash: String,
}

impl Photographs {
    /// Find the photographs in the sub-folders of a folder.
    ///
    /// # Errors
    /// If the folder has fewer than two sub-folders with pictures, or cannot be read.
    pub fn open(folder: &Path) -> Result<Self, SourceError> {
        let problem = |path: &Path, problem: String| SourceError::File {
            path: path.to_owned(),
            problem,
            remedy: "expected one sub-folder of PNG or JPEG photographs for each environment"
                .into(),
        };
        let hidden = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
        };
        let list = |path: &Path| -> Result<Vec<PathBuf>, SourceError> {
            let entries = fs::read_dir(path)
                .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect())
                .map_err(|e| problem(path, format!("cannot list the folder: {e}")));
            entries.map(|mut paths: Vec<PathBuf>| {
                // what other systems leave beside pictures: ._a.jpg, .thumbnails
                paths.retain(|path| !hidden(path));
                paths.sort();
                paths
            })
        };
        let mut environments = Vec::new();
        let mut digest = Digest::new();
        for sub in list(folder)?.into_iter().filter(|path| path.is_dir()) {
            let label = sub.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut files = list(&sub)?;
            files.retain(|file| decode::is_picture(file) && file.is_file());
            if files.is_empty() {
                return Err(problem(&sub, "found no photographs".into()));
            }
            digest = digest.part(label.as_bytes());
            for file in &files {
                let bytes =
                    fs::read(file).map_err(|e| problem(file, format!("cannot be read: {e}")))?;
                digest = digest.part(&bytes);
                // now and not when it is drawn, in the middle of a set
                if decode::glance(&bytes).map_err(|found| problem(file, found))? {
                    digest = digest.part(b"turned");
                }
            }
            environments.push((label, files));
        }
        if environments.len() < 2 {
            return Err(problem(
                folder,
                format!("found {} sub-folders, expected at least 2", environments.len()),
            ));
        }
        Ok(Self { environments, hash: digest.hex() })
    }

    /// Names of the environments: the sub-folders, sorted.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.environments.iter().map(|(label, _)| label.clone()).collect()
    }

    /// Hash over names and content of all photographs.
    #[must_use]
    pub fn content_hash(&self) -> &str {
        &self.hash
    }

    /// P(environment | class): where all sub-folders have the names of painted environments, the catalogue's
    /// preferences; otherwise preferences that are arbitrary but fixed, because nothing is known about the places.
    #[must_use]
    pub fn table(&self, settings: CorrelationSettings) -> Conditional {
        let labels = self.labels();
        let words: Vec<String> = Environment::ALL.iter().map(|&e| environment_word(e)).collect();
        let known = labels.iter().all(|label| words.contains(label));
        let signs = Catalogue::get().signs().iter();
        let preferences: Vec<Vec<usize>> = signs
            .map(|sign| {
                if known {
                    let column = |e: &Environment| {
                        labels.iter().position(|label| *label == environment_word(*e))
                    };
                    sign.environments.iter().filter_map(column).collect()
                } else {
                    arbitrary(sign.id, labels.len())
                }
            })
            .collect();
        Conditional::new(&preferences, labels.len(), settings)
    }

    /// A crop of one photograph of an environment, in linear light, with the photograph's name.
    ///
    /// # Errors
    /// If the photograph cannot be read.
    pub fn crop(
        &self,
        environment: usize,
        identity: &Identity,
        size: usize,
    ) -> Result<(Canvas, String), SourceError> {
        let (label, files) = &self.environments[environment % self.environments.len()];
        let mut stream = identity.stream("photograph");
        let file = stream.pick(files);
        let photo = decode::rgb(file)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        Ok((cut(&photo, &mut stream, size), format!("{label}/{name}")))
    }
}

fn arbitrary(class: u16, environments: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..environments).collect();
    let mut stream = Stream::from_seed(key("photograph preference", &[u64::from(class)]));
    for last in (1..environments).rev() {
        order.swap(last, stream.below(last + 1));
    }
    order.truncate(PREFERENCES);
    order
}

fn cut(photo: &RgbImage, stream: &mut Stream, size: usize) -> Canvas {
    let side = |n: u32| usize::try_from(n).unwrap_or(0);
    let (width, height) = (side(photo.width()), side(photo.height()));
    let shorter = width.min(height).max(1);
    let length = (shorter / 2 + stream.below(shorter.div_ceil(2) + 1)).clamp(1, shorter);
    let left = stream.below(width - length + 1);
    let top = stream.below(height - length + 1);
    let mirrored = stream.chance(0.5);
    let mut canvas = Canvas::new(size, size, Rgb::default());
    let raw = photo.as_raw();
    for y in 0..size {
        let rows = span(y, length, size);
        for x in 0..size {
            let columns = span(if mirrored { size - 1 - x } else { x }, length, size);
            let mut sum = Rgb::default();
            for v in rows.clone() {
                for u in columns.clone() {
                    let at = 3 * ((top + v) * width + left + u);
                    sum = sum.plus(Rgb::srgb8(raw[at], raw[at + 1], raw[at + 2]));
                }
            }
            let count = rows.len() * columns.len();
            canvas.pixels[y * size + x] = sum.scale(1.0 / count as f32);
        }
    }
    canvas
}

/// Source pixels of a destination pixel; at least one.
fn span(at: usize, length: usize, size: usize) -> std::ops::Range<usize> {
    let start = (at * length / size).min(length - 1);
    let end = ((at + 1) * length / size).clamp(start + 1, length);
    start..end
}
