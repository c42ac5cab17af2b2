//! Device logs: any bytes are decoded to lines and a count of malformed frames, never a panic.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use harness::telemetry::Strings;
use libfuzzer_sys::fuzz_target;

/// The strings of a build of `roadgaze`, the rest of it cut away (`tests/fuzz/seeds.py`).
static STRINGS: LazyLock<Strings> = LazyLock::new(|| {
    // on the heap, as a file that is read: the reader of ELF wants its header aligned
    let elf = include_bytes!("../strings.elf").to_vec();
    Strings::of(&elf, Path::new("strings.elf")).expect("an ELF with defmt strings")
});

fuzz_target!(|data: &[u8]| {
    let decoded = STRINGS.decode(data);
    // a frame takes at least one byte and its mark
    assert!(decoded.lines.len() + decoded.malformed <= data.len() + 1);
});
