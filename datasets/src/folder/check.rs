//! Loads a frame's files and says what is wrong with them; runs over a whole folder in parallel.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use image::{GrayImage, RgbImage};

use super::decode::{self, bad_file};
use super::layout::Found;
use super::table::Table;
use super::{Entry, Layout, PUBLISHED, binarise_published};
use crate::digest;
use crate::source::{MetadataValue, SourceError};

/// Decode picture and mask of a frame.
pub(super) fn load(entry: &Entry, layout: Layout) -> Result<(RgbImage, GrayImage), SourceError> {
    let image = decode::rgb(&entry.image)?;
    let mut mask = decode::mask(&entry.mask)?;
    if mask.dimensions() != image.dimensions() {
        let ((w, h), (mw, mh)) = (image.dimensions(), mask.dimensions());
        return Err(bad_file(
            &entry.mask,
            format!("expected a mask of {w} x {h} pixels as its picture, found {mw} x {mh}"),
        ));
    }
    let level = if layout == Layout::Synset { PUBLISHED } else { 127 };
    let largest = mask.iter().copied().max().unwrap_or(0);
    if largest <= level {
        let found = format!("found an empty mask: its largest value is {largest}");
        return Err(bad_file(
            &entry.mask,
            format!("expected a sign above {level} of 255, {found}"),
        ));
    }
    if layout == Layout::Synset {
        binarise_published(&mut mask);
    }
    Ok((image, mask))
}

fn check(entry: &Entry, layout: Layout, table: Option<&Table>) -> Result<String, SourceError> {
    let (image, mask) = load(entry, layout)?;
    if table.is_some_and(|table| !table.has(entry.key)) {
        return Err(bad_file(&entry.image, "expected a rendered picture, found another one"));
    }
    let found = digest::pixels(&image, &mask);
    if let Some(MetadataValue::Text(expected)) =
        table.and_then(|table| table.row(entry.key).remove("pixels_sha256"))
        && expected != found
    {
        return Err(bad_file(
            &entry.image,
            format!("pixels differ from those rendered: expected sha256 {expected}, found {found}"),
        ));
    }
    Ok(found)
}

/// Check every frame; results in the order of the frames, whatever the number of threads.
pub(super) fn all(
    found: Found,
    table: Option<&Table>,
    threads: usize,
) -> Vec<(Option<Entry>, Result<String, SourceError>)> {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { processors() } else { threads };
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let worker = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(frame) = found.frames.get(at) else { break };
            if let Ok(entry) = frame {
                let result = check(entry, found.layout, table);
                results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.min(found.frames.len()) {
            scope.spawn(worker);
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    let mut results = results.into_iter().map(|(_, result)| result);
    let both = found.frames.into_iter().map(|frame| match frame {
        Ok(entry) => {
            let result = results.next().unwrap_or_else(|| {
                Err(bad_file(&entry.image, "the check of this picture ended early"))
            });
            (Some(entry), result)
        }
        Err(error) => (None, Err(error)),
    });
    both.collect()
}
