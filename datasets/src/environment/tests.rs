//! Laws that hold in every place: finite light everywhere, the same picture again, another with another seed.

use super::{Environment, Light, Season, View, example, paint};
use crate::canvas::{Canvas, Rgb};
use crate::geometry::{Rotation, Vec3};
use crate::num::radians;
use crate::rng::Stream;

/// Paint a view on a small canvas that starts as NaN, so that a pixel left out is seen.
fn painted(environment: Environment, view: &View, size: usize) -> Canvas {
    let mut canvas = Canvas::new(size, size, Rgb::grey(f32::NAN));
    paint(environment, view, &mut canvas);
    canvas
}

fn assert_light(canvas: &Canvas, context: &str) {
    for (i, p) in canvas.pixels.iter().enumerate() {
        for c in [p.r, p.g, p.b] {
            assert!(c.is_finite() && c >= 0.0, "{context}: pixel {i} is {p:?}");
        }
    }
}

/// Environments whose painters draw a place of their own.
const LAID_OUT: [Environment; 6] = [
    Environment::InnerCity,
    Environment::Village,
    Environment::Farmland,
    Environment::Forest,
    Environment::Mountain,
    Environment::Coast,
];

/// Views far beyond what the camera levels draw.
fn extreme(seed: u64, size: usize) -> View {
    let mut s = Stream::new("extreme", &[seed]);
    let mut view = example::view(seed, size);
    let pick = |s: &mut Stream| {
        if s.chance(0.5) { s.range(-1.0, 1.0) } else { s.range(-1.0, 1.0).signum() }
    };
    let yaw = radians(45.0 * pick(&mut s));
    let pitch = radians(25.0 * pick(&mut s));
    view.camera.rotation = Rotation::from_angles(yaw, pitch, radians(15.0 * pick(&mut s)));
    view.road_bearing = radians(60.0 * pick(&mut s));
    view.kerb_x = 6.0 * pick(&mut s);
    view.season = [Season::Spring, Season::Summer, Season::Autumn, Season::Winter][s.below(4)];
    let overcast = s.chance(0.3);
    view.light = Light {
        to_sun: Vec3::new(pick(&mut s), s.range(-0.1, 1.0), pick(&mut s)).unit(),
        sun: if overcast { Rgb::default() } else { Rgb::grey(s.range(0.0, 1.2)) },
        sky: Rgb::new(0.3, 0.35, 0.4).scale(s.range(0.05, 2.0)),
        cloud_cover: if overcast { 1.0 } else { s.unit() },
        dusk: if s.chance(0.3) { s.unit() } else { 0.0 },
    };
    view
}

#[test]
fn every_pixel_is_painted_with_finite_light_under_extreme_views() {
    for (i, environment) in Environment::ALL.into_iter().enumerate() {
        for k in 0..20_u64 {
            let seed = 1000 * u64::try_from(i).unwrap() + k;
            let view = extreme(seed, 48);
            assert_light(&painted(environment, &view, 48), &format!("{environment:?} {seed}"));
        }
    }
}

#[test]
fn all_seasons_dusk_and_overcast_paint_ordinary_views() {
    for environment in Environment::ALL {
        for (k, season) in
            [Season::Spring, Season::Summer, Season::Autumn, Season::Winter].into_iter().enumerate()
        {
            let mut view = example::view(k as u64, 64);
            view.season = season;
            view.light.dusk = [0.0, 1.0][k % 2];
            view.light.cloud_cover = [0.0, 1.0, 0.5][k % 3];
            assert_light(&painted(environment, &view, 64), &format!("{environment:?} {season:?}"));
        }
    }
}

#[test]
fn the_same_view_gives_the_same_bits_and_another_seed_another_picture() {
    let bits = |c: &Canvas| -> Vec<[u32; 3]> {
        c.pixels.iter().map(|p| [p.r.to_bits(), p.g.to_bits(), p.b.to_bits()]).collect()
    };
    for environment in LAID_OUT {
        let view = example::view(11, 64);
        let first = painted(environment, &view, 64);
        assert_eq!(bits(&first), bits(&painted(environment, &view, 64)), "{environment:?}");
        let other = painted(environment, &View { seed: view.seed ^ 1, ..view }, 64);
        let different = first
            .pixels
            .iter()
            .zip(&other.pixels)
            .filter(|(a, b)| (a.luminance() - b.luminance()).abs() > 0.02)
            .count();
        assert!(different > 64 * 64 / 8, "{environment:?}: only {different} pixels differ");
    }
}

#[test]
fn environments_differ_from_each_other_in_the_same_view() {
    let view = example::view(4, 64);
    let pictures: Vec<Canvas> = LAID_OUT.into_iter().map(|e| painted(e, &view, 64)).collect();
    for (i, a) in pictures.iter().enumerate() {
        for b in &pictures[..i] {
            assert!(a.pixels.iter().zip(&b.pixels).any(|(p, q)| p != q));
        }
    }
}
