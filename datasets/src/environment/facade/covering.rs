//! Roof tiles and corrugated metal.

use crate::canvas::Rgb;
use crate::environment::tile::{Field, fract};
use crate::num::smoothstep;

use super::band;

/// Albedo of a tiled roof slope, v metres up the slope.
#[must_use]
pub fn roof_tiles(colour: Rgb, stain: &Field, u: f32, v: f32, footprint: f32) -> Rgb {
    let weather = stain.signed(u, v * 0.6, footprint);
    let moss = smoothstep(0.15, 0.4, stain.signed(u * 1.7 + 40.0, v * 1.3, footprint));
    let fade = 1.0 - smoothstep(0.1, 0.3, footprint);
    let course = 0.5 - fract(v / 0.34);
    let wave = 0.5 - (fract(u / 0.24) - 0.5).abs() * 2.0;
    let relief = 1.0 + fade * (0.3 * course + 0.22 * wave) + 0.35 * weather;
    colour.scale(relief).mix(Rgb::srgb8(92, 92, 70), 0.3 * moss)
}

/// Albedo of corrugated metal with ribs every `pitch` metres, joints and rust below fixings.
#[must_use]
pub fn cladding(colour: Rgb, stain: &Field, pitch: f32, u: f32, v: f32, footprint: f32) -> Rgb {
    let t = fract(u / pitch);
    let fade = 1.0 - smoothstep(0.35, 0.9, footprint / pitch);
    // flank to the light, crest, flank in shade, trough
    let rib = if t < 0.2 {
        0.16
    } else if t < 0.5 {
        0.03
    } else if t < 0.7 {
        -0.22
    } else {
        -0.04
    };
    let joint = band(fract(v / 3.6) * 3.6, 0.0, 0.03, footprint);
    let streak = stain.signed(u * 1.6, v * 0.12, footprint);
    let dirt = 0.35 * (1.0 - smoothstep(0.0, 1.6, v)) * (0.6 + stain.at(u, v, footprint));
    let c = colour.scale(1.0 + rib * fade + 0.22 * streak - 0.25 * joint);
    c.mix(Rgb::srgb8(96, 86, 74), dirt.clamp(0.0, 0.5))
}
