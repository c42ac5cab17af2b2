//! Renders `docs/contact-sheet.png`: the same twelve signs in all six sets, side by side.
//!
//! `cargo run --release -p datasets --example contact_sheet -- docs/contact-sheet.png`

use datasets::config::Split;
use datasets::sets::{Set, SetName};
use datasets::source::FrameKey;
use datasets::synthetic::Synthetic;
use image::RgbImage;

/// Signs of all shapes and colours.
const CLASSES: [u16; 12] = [2, 9, 12, 13, 14, 17, 25, 31, 40, 48, 65, 71];
const SIZE: u32 = 144;
const GAP: u32 = 3;
/// Between U and C.
const WIDE_GAP: u32 = 12;
const INDEX: u32 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "contact-sheet.png".into());
    let rows = u32::try_from(Set::SIX.len())?;
    let columns = u32::try_from(CLASSES.len())?;
    let (width, height) = (columns * (SIZE + GAP) - GAP, rows * (SIZE + GAP) - GAP + WIDE_GAP);
    let mut sheet = RgbImage::from_pixel(width, height, image::Rgb([255; 3]));
    for (row, set) in (0_u32..).zip(Set::SIX) {
        let name = SetName::new(set, Split::Test).size(usize::try_from(SIZE)?);
        let source = Synthetic::new(name)?;
        for (column, class) in (0_u32..).zip(CLASSES) {
            let frame = source.render(FrameKey { class, index: INDEX })?;
            let y = row * (SIZE + GAP) + if row < rows / 2 { 0 } else { WIDE_GAP };
            let x = column * (SIZE + GAP);
            image::imageops::replace(&mut sheet, &frame.image, x.into(), y.into());
        }
    }
    sheet.save(&path)?;
    Ok(())
}
