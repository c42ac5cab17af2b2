//! Pictures and masks that somebody else made: any bytes, no panic, bounded memory.
#![no_main]

use std::path::Path;

use datasets::folder::decode::{LARGEST_SIDE, rgb_and_mask_from_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok((picture, mask)) = rgb_and_mask_from_bytes(data, Path::new("fuzz.png")) {
        assert_eq!(picture.dimensions(), mask.dimensions());
        assert!(picture.width() <= LARGEST_SIDE && picture.height() <= LARGEST_SIDE);
    }
});
