//! Clean frontal renders: the nearest template names every sign, through lens, light and sensor.
#![expect(clippy::print_stdout, reason = "figures of passing tests are shown with --nocapture")]

use datasets::art::SignFace;
use datasets::canvas::srgb_decode;
use datasets::compose::Scratch;
use datasets::config::{Identity, LevelRanges, SceneConfig, SecondPlate, ShadowKind, Split};
use datasets::environment::Environment;
use datasets::plate::Face as _;
use datasets::renderer::{Rendered, Renderer};

const SIZE: usize = 224;
/// Cells along a side of the box around the sign.
const GRID: usize = 32;

/// Straight ahead, in the middle, at the size of a typical picture.
const STRAIGHT: LevelRanges = LevelRanges {
    yaw_deg: [0.0, 0.0],
    pitch_deg: [3.0, 3.0],
    roll_deg: [0.0, 0.0],
    pixels_per_metre: [180.0, 180.0],
    offset_share: [0.0, 0.0],
    fov_deg: [34.0, 34.0],
    distortion_k1: [0.0, 0.0],
};

/// A new sign on an even day, seen by a good camera.
fn clean(class: u16) -> SceneConfig {
    let identity = Identity { split: Split::Test, class, index: 0 };
    let place = Environment::ALL[usize::from(class) % Environment::ALL.len()];
    let mut config = SceneConfig::draw(identity, &STRAIGHT, place);
    config.pose.plate_lean_deg = 0.0;
    config.pose.plate_tilt_deg = 0.0;
    let surface = &mut config.surface;
    (surface.dirt, surface.streaks, surface.scratches, surface.fading) = (0.0, 0.0, 0.0, 0.0);
    (surface.dents, surface.haze, surface.algae, surface.stickers) = (0.0, 0.0, 0.0, 0);
    let light = &mut config.light;
    (light.cloud_cover, light.dusk, light.headlamp) = (0.9, 0.0, 0.0);
    (light.sun_elevation_deg, light.shadow) = (40.0, ShadowKind::None);
    config.furniture.bolts = false;
    config.furniture.second_plate = SecondPlate::None;
    let formation = &mut config.formation;
    (formation.exposure_stops, formation.balance_red, formation.balance_blue) = (0.0, 1.0, 1.0);
    (formation.vignetting, formation.defocus_px, formation.motion_px) = (0.0, 0.3, 0.0);
    (formation.shot_noise, formation.read_noise, formation.jpeg_quality) = (0.002, 0.001, 0);
    config
}

/// A sign as colours over the box around it, without its brightness; outside the outline all is 0.
struct View(Vec<f32>);

impl View {
    /// `cells`: row by row, colour in linear light or `None` outside the sign.
    fn new(cells: &[Option<[f32; 3]>]) -> Self {
        let inside: Vec<&[f32; 3]> = cells.iter().flatten().collect();
        let mean =
            inside.iter().map(|c| c.iter().sum::<f32>()).sum::<f32>() / (3.0 * inside.len() as f32);
        let values = cells.iter().flat_map(|c| match c {
            Some(c) => [c[0] - mean, c[1] - mean, c[2] - mean, mean],
            None => [0.0; 4],
        });
        let values: Vec<f32> = values.collect();
        let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        Self(values.iter().map(|v| v / length).collect())
    }

    fn template(face: &SignFace) -> Self {
        let [w, h] = face.half_mm();
        let step = 2.0 / GRID as f32;
        let cell = |i: usize| {
            let x = w * ((i % GRID) as f32 * step + 0.5 * step - 1.0);
            let y = h * (1.0 - (i / GRID) as f32 * step - 0.5 * step);
            (face.signed_distance_mm(x, y) < 0.0).then(|| {
                let c = face.colour(x, y, step * w.max(h));
                [c.r, c.g, c.b]
            })
        };
        Self::new(&(0..GRID * GRID).map(cell).collect::<Vec<_>>())
    }

    /// The box is found from the mask alone.
    fn picture(done: &Rendered) -> Self {
        let on = || done.mask.enumerate_pixels().filter(|p| p.2.0[0] > 127);
        let left = on().map(|p| p.0).min().unwrap_or(0);
        let right = on().map(|p| p.0 + 1).max().unwrap_or(0);
        let top = on().map(|p| p.1).min().unwrap_or(0);
        let bottom = on().map(|p| p.1 + 1).max().unwrap_or(0);
        let cell = |i: usize| {
            let part = |low: u32, high: u32, k: usize| {
                let (low, high) = (low as usize, high as usize);
                u32::try_from(low + (high - low) * k / GRID).unwrap_or(u32::MAX)
            };
            let (column, row) = (i % GRID, i / GRID);
            let xs = part(left, right, column)..part(left, right, column + 1).max(1);
            let ys = part(top, bottom, row)..part(top, bottom, row + 1).max(1);
            let (mut sum, mut count) = ([0.0; 3], 0.0);
            for y in ys {
                for x in xs.clone().filter(|&x| done.mask.get_pixel(x, y).0[0] > 127) {
                    let pixel = done.image.get_pixel(x, y).0;
                    (0..3).for_each(|c| sum[c] += srgb_decode(f32::from(pixel[c]) / 255.0));
                    count += 1.0;
                }
            }
            (count > 0.0).then(|| sum.map(|v| v / count))
        };
        Self::new(&(0..GRID * GRID).map(cell).collect::<Vec<_>>())
    }

    fn likeness(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }
}

#[test]
fn the_nearest_template_names_all_82_clean_frontal_renders() {
    let faces: Vec<SignFace> = (0..82).map(|class| SignFace::new(class).unwrap()).collect();
    let templates: Vec<View> = faces.iter().map(View::template).collect();
    let renderer = Renderer::new(SIZE).unwrap();
    let mut scratch = Scratch::new(SIZE);
    let (mut wrong, mut closest) = (Vec::new(), 2.0_f32);
    for (class, face) in (0_u16..).zip(&faces) {
        let view = View::picture(&renderer.render(&clean(class), face, &mut scratch));
        let mut ranked: Vec<(f32, usize)> =
            templates.iter().enumerate().map(|(i, t)| (view.likeness(t), i)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        if ranked[0].1 != usize::from(class) {
            wrong.push((class, ranked[0].1));
        }
        closest = closest.min(ranked[0].0 - ranked[1].0);
    }
    println!("82 signs, {} wrong; smallest lead of the right template {closest:.4}", wrong.len());
    assert!(wrong.is_empty(), "taken for another sign: {wrong:?}");
}
