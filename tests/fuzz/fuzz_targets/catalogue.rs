//! The catalogue of signs as text: what is accepted keeps the promises that the renderer relies on.
#![no_main]

use datasets::catalogue::Catalogue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(catalogue) = Catalogue::parse(text) {
        for (id, sign) in (0_u16..).zip(catalogue.signs()) {
            assert_eq!(catalogue.sign(sign.id).map(|s| s.id), Some(sign.id));
            assert_eq!(sign.id, id, "signs are in the order of their ids");
        }
    }
});
