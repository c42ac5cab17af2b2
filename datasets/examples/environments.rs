//! Draws a sheet of the environments: one row each, six views at 224 px.
//!
//! `cargo run --release -p datasets --example environments -- OUT.png [first seed] [name]`
#![expect(clippy::print_stderr, reason = "a command-line example")]

use datasets::canvas::{Canvas, Rgb, srgb_encode};
use datasets::environment::{Environment, example, paint};
use datasets::num::to_u8;

const SIZE: usize = 224;
const COLUMNS: usize = 6;
const GAP: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("name the picture to write: environments OUT.png")?;
    let first: u64 = arguments.next().map_or(Ok(0), |a| a.parse())?;
    let wanted = arguments.next().map(|name| name.to_lowercase());
    let chosen: Vec<Environment> = Environment::ALL
        .into_iter()
        .filter(|e| wanted.as_ref().is_none_or(|w| format!("{e:?}").to_lowercase() == *w))
        .collect();
    // a single environment fills a sheet of its own
    let rows = if chosen.len() == 1 { 4 } else { chosen.len() };
    let step = SIZE + GAP;
    let (width, height) = (COLUMNS * step - GAP, (rows * step).saturating_sub(GAP));
    let mut sheet = image::RgbImage::new(u32::try_from(width)?, u32::try_from(height)?);
    for row in 0..rows {
        for column in 0..COLUMNS {
            let environment = chosen.get(row).or(chosen.first()).ok_or("no such environment")?;
            let seed = first + u64::try_from(row * COLUMNS + column)?;
            let mut canvas = Canvas::new(2 * SIZE, 2 * SIZE, Rgb::default());
            let view = example::view(seed, 2 * SIZE);
            paint(*environment, &view, &mut canvas);
            // as a camera would expose
            let mean = canvas.pixels.iter().map(|p| p.luminance()).sum::<f32>()
                / canvas.pixels.len() as f32;
            let gain = (0.34 / mean.max(0.02)).clamp(0.75, 2.6);
            for y in 0..SIZE {
                for x in 0..SIZE {
                    let at = |dx: usize, dy: usize| canvas.at(2 * x + dx, 2 * y + dy);
                    let sum = at(0, 0).plus(at(1, 0)).plus(at(0, 1)).plus(at(1, 1));
                    let c = sum.scale(0.25 * gain);
                    let level = |v: f32| to_u8(srgb_encode(v));
                    sheet.put_pixel(
                        u32::try_from(column * step + x)?,
                        u32::try_from(row * step + y)?,
                        image::Rgb([level(c.r), level(c.g), level(c.b)]),
                    );
                }
            }
        }
    }
    sheet.save(&out)?;
    eprintln!("{out}: {rows} rows of {COLUMNS} views, {width} x {height} px");
    Ok(())
}
