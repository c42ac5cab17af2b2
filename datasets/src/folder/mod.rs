//! Data sets on disk as sources of frames: rendered by us, the published Synset layout, or plain class folders.
//!
//! Every file is decoded once when the folder is opened, so that a bad one is found before a run of hours and not in
//! the middle of it. The same pass makes the content hash.

mod check;
pub mod decode;
mod jpeg_end;
mod layout;
mod masks;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::GrayImage;

use crate::catalogue::Catalogue;
use crate::digest;
use crate::source::{Frame, FrameKey, FrameSource, MetadataValue, Skipped, SourceError};
use crate::synthetic::shuffled;
use table::Table;

/// How to read a folder.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Leave out frames that cannot be used, instead of failing; see [`Folder::skipped`].
    pub skip_bad: bool,
    /// Number of classes that the network knows; a class id beyond is an error. `None`: any id is fine.
    pub classes: Option<u16>,
    /// File of `CsvFiles/` that selects the pictures, for example `synset_train.csv`. `None`: all pictures.
    pub list: Option<String>,
    /// Worker threads for the check; 0 stands for one a processor.
    pub threads: usize,
}

/// Which of the known layouts a folder has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Written by `roadgaze render`.
    Rendered,
    /// `Cycles/`, `Masks/`, `CsvFiles/` as published; a mask counts where it is above 10.
    Synset,
    /// Class sub-folders with pictures, masks beside them.
    Plain,
}

/// A mask of the published sets is sign above this.
const PUBLISHED: u8 = 10;

/// Files of one frame.
#[derive(Clone, Debug)]
struct Entry {
    key: FrameKey,
    image: PathBuf,
    mask: PathBuf,
}

/// A data set on disk.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    layout: Layout,
    entries: Vec<Entry>,
    class_names: Vec<String>,
    table: Option<Table>,
    skipped: Vec<Skipped>,
    content_hash: String,
}

impl Folder {
    /// Open a folder, find out its layout and check every file.
    ///
    /// # Errors
    /// If it is not a folder of a known layout, or holds a file that cannot be used (with
    /// [`OpenOptions::skip_bad`]: if no file can be used).
    pub fn open(root: &Path, options: &OpenOptions) -> Result<Self, SourceError> {
        let mut found = layout::find(root, options)?;
        let table = match found.layout {
            Layout::Rendered => Some(Table::read(&root.join(crate::write::metadata::FILE))?),
            Layout::Synset | Layout::Plain => None,
        };
        if let (Some(table), None) = (&table, &options.list) {
            found.frames.extend(layout::gone(root, table).into_iter().map(Err));
        }
        let mut skipped: Vec<Skipped> = Vec::new();
        let mut entries = Vec::new();
        let mut hashes = Vec::new();
        for (candidate, checked) in check::all(found, table.as_ref(), options.threads) {
            match (candidate, checked) {
                (Some(entry), Ok(hash)) => {
                    hashes.push((entry.key, hash));
                    entries.push(entry);
                }
                (_, Err(error)) if options.skip_bad => skipped.push(Skipped::from(error)),
                (_, Err(error)) => return Err(error),
                (None, Ok(_)) => {}
            }
        }
        if entries.is_empty() {
            let problem = match skipped.first() {
                Some(first) => format!(
                    "none of {} pictures can be used; the first, {}: {}",
                    skipped.len(),
                    first.path.display(),
                    first.problem
                ),
                None => "expected pictures, found none".to_owned(),
            };
            return Err(layout::not_a_data_set(root, &problem));
        }
        let content_hash =
            digest::content(hashes.iter().map(|(k, h)| (k.class, k.index, h.as_str())));
        let (layout, class_names) = layout::names(root, &entries, options.classes)?;
        let class_names = completed(class_names, options.classes);
        let entries = balanced(entries);
        Ok(Self {
            root: root.to_owned(),
            layout,
            entries,
            class_names,
            table,
            skipped,
            content_hash,
        })
    }

    /// The layout that was found.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }
}

impl FrameSource for Folder {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn content_hash(&self) -> String {
        self.content_hash.clone()
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    fn key(&self, position: usize) -> Result<FrameKey, SourceError> {
        let len = self.entries.len();
        let entry = self.entries.get(position);
        entry.map(|entry| entry.key).ok_or(SourceError::OutOfRange { position, len })
    }

    fn frame(&self, position: usize) -> Result<Frame, SourceError> {
        let key = self.key(position)?;
        let entry = &self.entries[position];
        let (image, mask) = check::load(entry, self.layout)?;
        let mut metadata = self.table.as_ref().map_or_else(BTreeMap::new, |t| t.row(key));
        let file = entry.image.strip_prefix(&self.root).unwrap_or(&entry.image);
        metadata.insert("file".into(), MetadataValue::Text(file.display().to_string()));
        Ok(Frame { key, image, mask, metadata })
    }
}

/// The names of a folder that holds only some classes, brought to the number that the network knows: those that
/// are missing come from the catalogue if all that are there agree with it, and are empty otherwise.
fn completed(mut names: Vec<String>, classes: Option<u16>) -> Vec<String> {
    let count = classes.map_or(0, usize::from);
    if names.len() > count || names.iter().filter(|name| !name.is_empty()).count() == count {
        return names;
    }
    let signs = Catalogue::get().signs();
    let agrees = names.iter().zip(signs).all(|(name, sign)| name.is_empty() || *name == sign.name);
    if count == signs.len() && agrees {
        return signs.iter().map(|sign| sign.name.clone()).collect();
    }
    names.resize(count, String::new());
    names
}

/// Entries sorted by key, put in the order of [`Synthetic`](crate::synthetic::Synthetic): in rounds of one frame a
/// class, the classes of a round shuffled. A rendered folder has the order of the set that it was
/// rendered from.
fn balanced(entries: Vec<Entry>) -> Vec<Entry> {
    let mut rounds: Vec<Vec<Entry>> = Vec::new();
    let (mut class, mut round) = (None, 0);
    for entry in entries {
        round = if class == Some(entry.key.class) { round + 1 } else { 0 };
        class = Some(entry.key.class);
        if round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[round].push(entry);
    }
    let mix = |round: Vec<Entry>| {
        let index = round.iter().map(|entry| entry.key.index).min().unwrap_or(0);
        shuffled(round.len(), index).into_iter().map(|at| round[at].clone()).collect::<Vec<_>>()
    };
    rounds.into_iter().flat_map(mix).collect()
}

/// Set the mask to 255 where the published sets count it as sign, 0 elsewhere.
fn binarise_published(mask: &mut GrayImage) {
    for value in mask.iter_mut() {
        *value = if *value > PUBLISHED { 255 } else { 0 };
    }
}
