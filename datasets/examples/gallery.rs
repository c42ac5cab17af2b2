//! Contact sheets of rendered scenes, to look at as a critic would.
//!
//! ```text
//! cargo run --release -p datasets --example gallery -- OUT.png [frontal|high|corners] [FIRST_INDEX] [SIZE]
//! ```
use std::error::Error;

use datasets::art::SignFace;
use datasets::compose::Scratch;
use datasets::config::{Identity, LevelRanges, SceneConfig, Split};
use datasets::corner_case::{CornerCase, CornerCaseKind};
use datasets::environment::Environment;
use datasets::renderer::Renderer;
use image::RgbImage;

const FRONTAL: LevelRanges = LevelRanges {
    yaw_deg: [-8.0, 8.0],
    pitch_deg: [1.0, 6.0],
    roll_deg: [-2.0, 2.0],
    pixels_per_metre: [134.0, 249.0],
    offset_share: [-0.04, 0.04],
    fov_deg: [26.0, 42.0],
    distortion_k1: [0.0, 0.01],
};
const HIGH: LevelRanges = LevelRanges {
    yaw_deg: [-50.0, 50.0],
    pitch_deg: [-9.0, 20.0],
    roll_deg: [-12.0, 12.0],
    pixels_per_metre: [137.0, 244.0],
    offset_share: [-0.2, 0.2],
    fov_deg: [22.0, 54.0],
    distortion_k1: [-0.05, 0.12],
};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let out =
        args.get(1).ok_or("usage: gallery OUT.png [frontal|high|corners] [FIRST_INDEX] [SIZE]")?;
    let mode = args.get(2).map_or("frontal", String::as_str);
    let first: u32 = args.get(3).map_or(Ok(0), |a| a.parse())?;
    let size: usize = args.get(4).map_or(Ok(224), |a| a.parse())?;
    let renderer = Renderer::new(size)?;
    let mut scratch = Scratch::new(size);
    let columns = if mode == "corners" { 5 } else { 6 };
    let rows = if mode == "corners" { 6 } else { 4 };
    let side = u32::try_from(size)?;
    let mut sheet = RgbImage::new(columns * side, rows * side);
    for i in 0..columns * rows {
        let (column, row) = (i % columns, i / columns);
        let index = if mode == "corners" { first + row } else { first + i };
        let class = u16::try_from((first + i * 7) % 82)?;
        let class = if mode == "corners" { 13 + u16::try_from(row)? } else { class };
        let face = SignFace::new(class).ok_or("no such class")?;
        let identity = Identity { split: Split::Test, class, index };
        let level = if mode == "high" { HIGH } else { FRONTAL };
        let environment = Environment::ALL[(index % 10) as usize];
        let mut config = SceneConfig::draw(identity, &level, environment);
        if mode == "corners" {
            let kind = CornerCaseKind::ALL[row as usize];
            let severity = u8::try_from(column + 1)?;
            config = config.with_corner_case(CornerCase { kind, severity });
        }
        let done = renderer.render(&config, &face, &mut scratch);
        let (x, y) = (i64::from(column * side), i64::from(row * side));
        image::imageops::replace(&mut sheet, &done.image, x, y);
    }
    sheet.save(out)?;
    Ok(())
}
