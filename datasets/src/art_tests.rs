//! Tests of the art: it fills its outline, and every sign is told from every other at 64 pixels.

use super::*;

#[test]
fn the_art_fills_the_outline() {
    for sign in Catalogue::get().signs() {
        let t = rasterize(sign, TEXELS).unwrap();
        let (mut both, mut either) = (0_u32, 0_u32);
        for y in 0..t.height {
            for x in 0..t.width {
                let px = (x as f32 + 0.5) * t.texel_mm - 0.5 * sign.size_mm[0];
                let py = 0.5 * sign.size_mm[1] - (y as f32 + 0.5) * t.texel_mm;
                let (a, b) =
                    (t.alpha[y * t.width + x] > 127, sign.outline.signed_distance_mm(px, py) < 0.0);
                both += u32::from(a && b);
                either += u32::from(a || b);
            }
        }
        let iou = f64::from(both) / f64::from(either);
        assert!(iou > 0.99, "{} {}: intersection over union {iou}", sign.id, sign.name);
    }
}

/// 64 x 64 view of a face, shifted by a pixel fraction, brightened by a factor; grey outside.
fn view(sign: &Sign, shift: f32, gain: f32) -> Vec<Rgb> {
    let t = texture(sign);
    let step = sign.size_mm[0].max(sign.size_mm[1]) / 64.0;
    let mut pixels = Vec::with_capacity(64 * 64);
    for y in 0..64_u16 {
        for x in 0..64_u16 {
            let px = (f32::from(x) - 31.5 + shift) * step;
            let py = (31.5 - f32::from(y) - shift) * step;
            let inside = sign.outline.signed_distance_mm(px, py) < 0.0;
            let seen = if inside { t.sample(px, py, step) } else { Rgb::grey(0.3) };
            pixels.push(seen.scale(gain));
        }
    }
    pixels
}

/// Mean absolute difference of linear-light components.
fn difference(a: &[Rgb], b: &[Rgb]) -> f32 {
    let sum: f32 = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a.r - b.r).abs() + (a.g - b.g).abs() + (a.b - b.b).abs())
        .sum();
    sum / (3 * a.len()) as f32
}

#[test]
fn the_nearest_template_names_every_sign_at_64_pixels() {
    let signs = Catalogue::get().signs();
    let templates: Vec<_> = signs.iter().map(|s| view(s, 0.0, 1.0)).collect();
    for sign in signs {
        for (shift, gain) in [(0.6, 1.0), (-0.6, 0.85), (0.0, 1.15)] {
            let seen = view(sign, shift, gain);
            let rated = templates.iter().enumerate().map(|(id, t)| (difference(&seen, t), id));
            let best = rated.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
            assert_eq!(best.1, usize::from(sign.id), "{} at {shift} {gain}", sign.name);
        }
    }
}

#[test]
fn no_two_signs_look_alike_at_64_pixels() {
    let signs = Catalogue::get().signs();
    let templates: Vec<_> = signs.iter().map(|s| view(s, 0.0, 1.0)).collect();
    for a in 0..signs.len() {
        for b in 0..a {
            let d = difference(&templates[a], &templates[b]);
            assert!(d > 0.004, "{} and {}: {d}", signs[a].name, signs[b].name);
        }
    }
}

#[test]
fn a_coarse_footprint_averages() {
    let sign = Catalogue::get().sign(14).unwrap();
    let wide = texture(sign).sample(0.0, 0.0, 600.0);
    assert!(wide.r > wide.g && wide.r < 0.9, "{wide:?}");
}
