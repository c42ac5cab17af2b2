//! The run store opener: a store of which bytes were changed is refused, or reads as it was written.
//!
//! The first byte chooses: the rest is a whole database, or patches `(offset, length, bytes)` to a sound one.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use harness::store::{FILE_NAME, RunStore, Stored, StoredFrame};
use libfuzzer_sys::fuzz_target;

static SOUND: &[u8] = include_bytes!("../store.sqlite");
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from(format!("/dev/shm/roadgaze-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("/dev/shm can be written");
    folder
});
static FRAMES: LazyLock<Vec<StoredFrame>> = LazyLock::new(|| {
    put(SOUND);
    Stored::open(&FOLDER).expect("the seed is sound").frames
});

fn put(bytes: &[u8]) {
    for name in ["run.sqlite-wal", "run.sqlite-shm", "run.sqlite-journal"] {
        drop(fs::remove_file(FOLDER.join(name)));
    }
    fs::write(FOLDER.join(FILE_NAME), bytes).expect("/dev/shm can be written");
}

fn patched(mut patches: &[u8]) -> Vec<u8> {
    let mut bytes = SOUND.to_vec();
    while let [high, low, length, rest @ ..] = patches {
        let at = (usize::from(*high) << 8 | usize::from(*low)) * SOUND.len() >> 16;
        let length = usize::from(*length % 8 + 1).min(rest.len()).min(bytes.len() - at);
        bytes[at..at + length].copy_from_slice(&rest[..length]);
        patches = &rest[length..];
    }
    bytes
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else { return };
    let sound = &*FRAMES;
    let whole = kind % 4 == 0;
    put(&if whole { rest.to_vec() } else { patched(rest) });
    if let Ok(stored) = Stored::open(&FOLDER) {
        // a database made up from nothing may be without seals; a patched one must not tell anything new
        assert!(whole || stored.frames == *sound, "rows were invented");
        let _ = stored.device_samples();
        let _ = stored.preview(0);
    }
    if let Ok(store) = RunStore::resume(&FOLDER, &BTreeMap::new(), |_| true) {
        let _ = store.finish();
    }
});
