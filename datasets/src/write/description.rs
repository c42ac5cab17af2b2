//! `dataset.toml`: what a folder holds. Present while a run goes on as a request, at the end with counts and hashes.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Format;
use super::disk::{WriteError, create_folder, remove, write_whole};
use super::journal;
use crate::source::FrameSource;

/// Name of the description of a finished data set.
pub const FILE: &str = "dataset.toml";
/// Name of the description while the data set is being written.
pub const UNFINISHED: &str = "dataset.part.toml";
/// Version of the layout on disk.
pub const LAYOUT: u32 = 1;

/// What was asked for; a run continues only where an equal request was being served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Version of the layout on disk.
    pub layout: u32,
    /// Name of the source, for example `synthetic:CF/test?per_class=50`.
    pub name: String,
    /// `png` or `npy`.
    pub format: String,
    /// Frames of a shard; 0 for pictures.
    pub shard_frames: u64,
    /// Number of frames.
    pub frames: u64,
    /// Identity of the source's content, see [`FrameSource::content_hash`].
    pub source_hash: String,
    /// Set, split and whatever else the caller wants to stand at the top.
    #[serde(flatten)]
    pub identity: toml::Table,
}

impl Request {
    pub(super) fn new(source: &dyn FrameSource, identity: &toml::Table, format: Format) -> Self {
        let (format, shard_frames) = match format {
            Format::Png => ("png", 0),
            Format::Npy { shard_frames } => ("npy", shard_frames.max(1)),
        };
        Self {
            layout: LAYOUT,
            name: source.name(),
            format: format.to_owned(),
            shard_frames: shard_frames as u64,
            frames: source.len() as u64,
            source_hash: source.content_hash(),
            identity: identity.clone(),
        }
    }

    pub(super) fn is_pictures(&self) -> bool {
        self.format == "png"
    }

    /// Name of the list of pictures: `<set>_<split>.csv` where these are known.
    pub(super) fn list_name(&self) -> String {
        let entry = |name: &str| self.identity.get(name).and_then(toml::Value::as_str);
        format!("{}_{}.csv", entry("set").unwrap_or("all"), entry("split").unwrap_or("all"))
    }
}

/// A finished data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// What was asked for.
    #[serde(flatten)]
    pub request: Request,
    /// Identity of the pixels on disk, see [`crate::digest::content`].
    pub content_sha256: String,
    /// Names of the classes by id; empty where the data set has no such class.
    pub class_names: Vec<String>,
    /// Number of frames of each class, by id.
    pub class_frames: Vec<u64>,
}

impl Description {
    /// Read the description in a folder; `None` if there is none.
    ///
    /// # Errors
    /// If the file cannot be read or understood.
    pub fn read(folder: &Path) -> Result<Option<Self>, WriteError> {
        read(&folder.join(FILE))
    }

    /// Number of frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        usize::try_from(self.request.frames).unwrap_or(usize::MAX)
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, WriteError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(WriteError::io(path, "read the file", &e)),
    };
    let problem = |e: toml::de::Error| {
        WriteError::new(
            path,
            format!("not the description of a rendered data set: {}", e.message()),
            "restore the file, or render the data set again",
        )
    };
    toml::from_str(&text).map(Some).map_err(problem)
}

/// Make sure that the folder is new, or was begun with the same request. A finished data set is returned.
pub(super) fn prepare(out: &Path, request: &Request) -> Result<Option<Description>, WriteError> {
    create_folder(out)?;
    if let Some(done) = Description::read(out)? {
        refuse_other(out, request, &done.request)?;
        // left behind by a run that was killed in its last moment; what cannot be removed does no harm
        for name in [UNFINISHED, journal::FILE] {
            fs::remove_file(out.join(name)).ok();
        }
        return Ok(Some(done));
    }
    if let Some(begun) = read::<Request>(&out.join(UNFINISHED))? {
        refuse_other(out, request, &begun)?;
        return Ok(None);
    }
    let entries = fs::read_dir(out).map_err(|e| WriteError::io(out, "list the folder", &e))?;
    let foreign = entries.flatten().map(|entry| entry.file_name()).find(|name| {
        // a run that was killed in its first moment
        let name = name.to_string_lossy();
        name != journal::FILE && name != format!("{UNFINISHED}.part")
    });
    if let Some(name) = foreign {
        return Err(WriteError::new(
            out,
            format!(
                "expected an empty folder or an unfinished data set, found `{}`",
                name.to_string_lossy()
            ),
            "choose another folder with --out",
        ));
    }
    write_toml(&out.join(UNFINISHED), request)?;
    Ok(None)
}

fn refuse_other(out: &Path, wanted: &Request, found: &Request) -> Result<(), WriteError> {
    if wanted == found {
        return Ok(());
    }
    let differs = |what: &str, wanted: &str, found: &str| {
        (wanted != found).then(|| format!("expected {what} {wanted}, found {found}"))
    };
    let number = |n: u64| n.to_string();
    let problem = differs("data set", &wanted.name, &found.name)
        .or_else(|| differs("format", &wanted.format, &found.format))
        .or_else(|| {
            differs("frames a shard", &number(wanted.shard_frames), &number(found.shard_frames))
        })
        .or_else(|| differs("source", &wanted.source_hash, &found.source_hash))
        .unwrap_or_else(|| "the folder was begun by another version".into());
    Err(WriteError::new(
        out,
        format!("the folder holds another data set: {problem}"),
        "choose another folder with --out, or delete this one",
    ))
}

/// Write the description of a finished data set.
pub(super) fn finish(
    out: &Path,
    request: &Request,
    source: &dyn FrameSource,
    content_sha256: &str,
) -> Result<Description, WriteError> {
    let mut class_frames = vec![0_u64; source.class_names().len()];
    for position in 0..source.len() {
        let class = usize::from(source.key(position)?.class);
        if class >= class_frames.len() {
            class_frames.resize(class + 1, 0);
        }
        class_frames[class] += 1;
    }
    let description = Description {
        request: request.clone(),
        content_sha256: content_sha256.to_owned(),
        class_names: source.class_names().to_vec(),
        class_frames,
    };
    write_toml(&out.join(FILE), &description)?;
    remove(&out.join(UNFINISHED), "remove the file")?;
    Ok(description)
}

fn write_toml(path: &Path, value: &impl Serialize) -> Result<(), WriteError> {
    let text = toml::to_string(value)
        .map_err(|e| WriteError::new(path, e.to_string(), "report this as a defect"))?;
    write_whole(path, |file| file.write_all(text.as_bytes()))
}
