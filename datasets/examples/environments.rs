//! Draws a sheet of the environments: one row each, six views of the frontal camera without the sign.
//!
//! `cargo run --release -p datasets --example environments -- docs/environments.png`
//!
//! Further arguments: the index of the first picture, the side of a view in pixels, and the name of the only environment to draw.
#![expect(clippy::print_stderr, reason = "a command-line example")]

use datasets::camera_pose::ScenePose;
use datasets::canvas::{Canvas, Rgb, srgb_encode};
use datasets::config::{Identity, SceneConfig, Split};
use datasets::environment::{Environment, View, paint};
use datasets::light::light_from_config;
use datasets::num::to_u8;
use datasets::sets::{Level, SetSettings};

const COLUMNS: usize = 6;
const GAP: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("name the picture to write: environments OUT.png")?;
    let first: u32 = arguments.next().map_or(Ok(0), |a| a.parse())?;
    let size: usize = arguments.next().map_or(Ok(144), |a| a.parse())?;
    let wanted = arguments.next().map(|name| name.to_lowercase());
    let chosen: Vec<Environment> = Environment::ALL
        .into_iter()
        .filter(|e| wanted.as_ref().is_none_or(|w| format!("{e:?}").to_lowercase() == *w))
        .collect();
    // a single environment fills a sheet of its own
    let rows = if chosen.len() == 1 { 4 } else { chosen.len() };
    let step = size + GAP;
    let (width, height) = (COLUMNS * step - GAP, (rows * step).saturating_sub(GAP));
    let mut sheet = image::RgbImage::new(u32::try_from(width)?, u32::try_from(height)?);
    for row in 0..rows {
        for column in 0..COLUMNS {
            let environment = chosen.get(row).or(chosen.first()).ok_or("no such environment")?;
            let index = first + u32::try_from(row * COLUMNS + column)?;
            let mut canvas = Canvas::new(2 * size, 2 * size, Rgb::default());
            let view = view(*environment, index, 2 * size);
            paint(*environment, &view, &mut canvas);
            // as a camera would expose
            let mean = canvas.pixels.iter().map(|p| p.luminance()).sum::<f32>()
                / canvas.pixels.len() as f32;
            let gain = (0.34 / mean.max(0.02)).clamp(0.75, 2.6);
            for y in 0..size {
                for x in 0..size {
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

/// The place as the camera of a picture sees it, on a canvas of `side` x `side` pixels.
fn view(environment: Environment, index: u32, side: usize) -> View {
    let identity = Identity { split: Split::Test, class: 0, index };
    let level = SetSettings::get().level(Level::Frontal);
    let config = SceneConfig::draw(identity, level, environment);
    let pose = ScenePose::new(&config.pose, side);
    View {
        camera: pose.camera,
        road_bearing: pose.road_bearing,
        kerb_x: pose.kerb_x,
        light: light_from_config(&config.light),
        season: config.season,
        seed: config.layout_seed,
    }
}
