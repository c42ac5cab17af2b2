//! Pictures and masks that somebody else made: any bytes, no panic, bounded memory.
#![no_main]

use std::path::Path;
use std::sync::Once;

use datasets::folder::decode::{LARGEST_SIDE, rgb_and_mask_from_bytes};
use libfuzzer_sys::fuzz_target;

/// The fuzzer's own hook ends the process at a panic, before the reader of pictures can make an error of it. What is
/// not caught still ends the process.
static HOOK: Once = Once::new();

fuzz_target!(|data: &[u8]| {
    HOOK.call_once(|| drop(std::panic::take_hook()));
    if let Ok((picture, mask)) = rgb_and_mask_from_bytes(data, Path::new("fuzz.png")) {
        assert_eq!(picture.dimensions(), mask.dimensions());
        assert!(picture.width() <= LARGEST_SIDE && picture.height() <= LARGEST_SIDE);
    }
});
