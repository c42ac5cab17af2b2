//! The whole way of a network of one's own: manifest from the graph, lowering, and the runtime.
//!
//! The runtime asserts on some malformed graphs; `Network` turns that into an error, so panics count here only where
//! they leave it. Slow: the runtime optimizes every graph that it accepts.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use models::{Network, describe};

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| PathBuf::from(format!("/dev/shm/roadgaze-fuzz-{}.onnx", std::process::id())));

fuzz_target!(
    init: {
        // libFuzzer's hook would abort on a panic that is caught
        std::panic::set_hook(Box::new(|_| {}));
    },
    |data: &[u8]| {
        fs::write(&*FILE, data).expect("/dev/shm can be written");
        let Ok(mut manifest) = describe::describe(&FILE) else { return };
        manifest.input.width = manifest.input.width.min(64);
        manifest.input.height = manifest.input.height.min(64);
        let _ = Network::with_manifest(manifest, &FILE);
    }
);
