//! Shards of NPY arrays for training: pictures, masks, labels and indices of some thousand frames.
//!
//! A shard is complete or absent: its frames enter the journal when its files have their names.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::disk::{WriteError, part_name, write_whole};
use super::journal::{Journal, Row};
use super::npy::{Element, header};
use super::{Run, row_of};
use crate::source::{Frame, FrameSource};

const KINDS: [&str; 4] = ["images", "masks", "labels", "indices"];

fn shard_path(out: &Path, kind: &str, shard: usize) -> PathBuf {
    out.join(format!("{kind}-{shard:05}.npy"))
}

/// Strike shards from the journal that are not completely there.
pub(super) fn forget_missing(
    source: &dyn FrameSource,
    out: &Path,
    shard_frames: usize,
    journal: &mut Journal,
) {
    for (shard, range) in ranges(source.len(), shard_frames).enumerate() {
        let complete = KINDS.iter().all(|kind| shard_path(out, kind, shard).is_file())
            && range.clone().all(|position| journal.has(position));
        if !complete {
            range.for_each(|position| journal.forget(position));
        }
    }
}

fn ranges(frames: usize, shard_frames: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let step = shard_frames.max(1);
    (0..frames).step_by(step).map(move |start| start..(start + step).min(frames))
}

/// Write all shards that the journal lacks.
pub(super) fn write_all(
    run: &Run<'_>,
    shard_frames: usize,
    journal: &mut Journal,
) -> Result<(), WriteError> {
    for (shard, range) in ranges(run.total, shard_frames).enumerate() {
        if !journal.has(range.start) {
            for row in write_shard(run, shard, range)? {
                journal.append(&row)?;
            }
        }
    }
    Ok(())
}

fn write_shard(
    run: &Run<'_>,
    shard: usize,
    range: std::ops::Range<usize>,
) -> Result<Vec<Row>, WriteError> {
    let positions: Vec<usize> = range.clone().collect();
    let first = run.source.frame(range.start)?;
    let (width, height) = first.image.dimensions();
    let side = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let (w, h, n) = (side(width), side(height), positions.len());
    let images = ArrayFile::create(&shard_path(run.out, "images", shard), &[n, h, w, 3])?;
    let masks = ArrayFile::create(&shard_path(run.out, "masks", shard), &[n, h, w])?;
    let rows: Mutex<Vec<Option<Row>>> = Mutex::new(vec![None; n]);
    let store = |slot: usize, frame: &Frame| {
        if frame.image.dimensions() != (width, height) {
            return Err(WriteError::new(
                run.out,
                format!(
                    "expected all pictures of {width} x {height} pixels, found {} x {}",
                    frame.image.width(),
                    frame.image.height()
                ),
                "use --format png for pictures of different sizes",
            ));
        }
        images.put(slot, frame.image.as_raw())?;
        masks.put(slot, frame.mask.as_raw())?;
        let row = row_of(run.source, range.start + slot, frame);
        rows.lock().unwrap_or_else(PoisonError::into_inner)[slot] = Some(row);
        run.one_more();
        Ok(())
    };
    store(0, &first)?;
    run.each(&positions[1..], &|position| {
        store(position - range.start, &run.source.frame(position)?)
    })?;
    let mut labels = Vec::with_capacity(n);
    let mut indices = Vec::with_capacity(n);
    for &position in &positions {
        let key = run.source.key(position)?;
        labels.push(i64::from(key.class));
        indices.push(i64::from(key.index));
    }
    write_integers(&shard_path(run.out, "labels", shard), &labels)?;
    write_integers(&shard_path(run.out, "indices", shard), &indices)?;
    masks.finish()?;
    images.finish()?;
    let rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(rows.into_iter().flatten().collect())
}

fn write_integers(path: &Path, values: &[i64]) -> Result<(), WriteError> {
    write_whole(path, |file| {
        file.write_all(&header(Element::I64, &[values.len()]))?;
        values.iter().try_for_each(|v| file.write_all(&v.to_le_bytes()))
    })
}

/// An array of bytes under construction, filled item by item in any order.
struct ArrayFile {
    path: PathBuf,
    file: Mutex<File>,
    data_start: u64,
}

impl ArrayFile {
    fn create(path: &Path, shape: &[usize]) -> Result<Self, WriteError> {
        let header = header(Element::U8, shape);
        let length = header.len() + shape.iter().product::<usize>();
        let make = || {
            let mut file = File::create(part_name(path))?;
            file.write_all(&header)?;
            file.set_len(length as u64)?;
            Ok(file)
        };
        let file = make().map_err(|e| WriteError::io(path, "create the file", &e))?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), data_start: header.len() as u64 })
    }

    fn put(&self, item: usize, bytes: &[u8]) -> Result<(), WriteError> {
        let place = self.data_start + (item * bytes.len()) as u64;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place))
            .and_then(|_| file.write_all(bytes))
            .map_err(|e| WriteError::io(&self.path, "write the file", &e))
    }

    fn finish(self) -> Result<(), WriteError> {
        let file = self.file.into_inner().unwrap_or_else(PoisonError::into_inner);
        file.sync_data()
            .and_then(|()| fs::rename(part_name(&self.path), &self.path))
            .map_err(|e| WriteError::io(&self.path, "finish the file", &e))
    }
}
