//! Side profiles of cars and vans.

use crate::geometry::Vec3;
use crate::rng::Stream;

/// Size, profile and wheel radius of a passenger car. The corners follow the outline from the lower front edge over
/// the roof to the lower rear edge.
pub(super) fn car_profile(s: &mut Stream, variant: f32) -> (Vec3, [(f32, f32, f32); 9], f32) {
    let tall = if variant > 0.72 { s.range(0.12, 0.24) } else { 0.0 };
    let (length, roof) = match variant {
        v if v < 0.35 => (s.range(3.8, 4.3), s.range(1.46, 1.54)),
        v if v < 0.55 => (s.range(4.5, 4.8), s.range(1.42, 1.47)),
        _ => (s.range(4.45, 4.8), s.range(1.46, 1.52)),
    };
    let (roof, belt) = (roof + tall, 0.93 + 0.7 * tall);
    let half = 0.5 * s.range(1.76, 1.9);
    let top = half - s.range(0.22, 0.28);
    let cowl = 0.27 * length;
    let saloon = (0.35..0.55).contains(&variant);
    // metres from the rear end: foot and top of the rear window
    let (foot, crown) = if saloon { (0.5, 1.25) } else { (0.1, 0.1 + s.range(0.28, 0.55)) };
    let profile = [
        (0.12, 0.2 + tall * 0.5, half),
        (0.0, 0.5, half - 0.02),
        (0.08, 0.74 + 0.7 * tall, half),
        (cowl, belt, half),
        (cowl + s.range(0.75, 0.95), roof, top),
        (length - crown, roof - 0.05, top),
        (length - foot, belt + 0.02, half),
        (length, 0.56, half - 0.02),
        (length - 0.1, 0.22 + tall * 0.5, half),
    ];
    (Vec3::new(length, 2.0 * half, roof), profile, 0.31 + 0.2 * tall)
}

pub(super) fn van_profile(s: &mut Stream) -> (Vec3, [(f32, f32, f32); 9], f32) {
    let (length, roof) = (s.range(5.0, 6.2), s.range(1.95, 2.6));
    let half = 0.98;
    let profile = [
        (0.1, 0.25, half),
        (0.0, 0.55, half - 0.02),
        (0.1, 0.95, half),
        (0.75, 1.18, half),
        (1.55, roof - 0.06, half - 0.12),
        (length - 0.14, roof, half - 0.12),
        (length - 0.03, 1.2, half),
        (length, 0.5, half - 0.01),
        (length - 0.06, 0.28, half),
    ];
    (Vec3::new(length, 2.0 * half, roof), profile, 0.34)
}
