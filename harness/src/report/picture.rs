//! Frames as a person wants to see them: heat map over the picture, outline of the mask.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, ImageFormat, Rgb, RgbImage};

use crate::store::{AttributionRow, Preview};

/// Quality of the pictures kept and shown.
const JPEG_QUALITY: u8 = 85;

/// Picture and mask, encoded for the store.
///
/// # Errors
/// If encoding fails.
pub fn preview(image: &RgbImage, mask: &GrayImage) -> Result<Preview, image::ImageError> {
    let mut mask_png = Vec::new();
    mask.write_to(&mut Cursor::new(&mut mask_png), ImageFormat::Png)?;
    Ok(Preview { jpeg: jpeg(image)?, mask_png })
}

fn jpeg(image: &RgbImage) -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(image)?;
    Ok(bytes)
}

/// JPEG of the frame with the positive part of the map laid over it and the mask's outline drawn.
///
/// # Errors
/// If a stored picture cannot be decoded.
pub fn overlay(
    preview: &Preview,
    map: Option<&AttributionRow>,
) -> Result<Vec<u8>, image::ImageError> {
    let mut image = image::load_from_memory(&preview.jpeg)?.to_rgb8();
    let mask = image::load_from_memory(&preview.mask_png)?.to_luma8();
    if let Some(map) = map {
        lay_over(&mut image, map);
    }
    draw_outline(&mut image, &mask);
    jpeg(&image)
}

/// Cells are upsampled bilinearly for the eye; the ratio is computed from the cells themselves.
fn lay_over(image: &mut RgbImage, map: &AttributionRow) {
    let (rows, columns) = (usize::from(map.grid.0), usize::from(map.grid.1));
    let highest = map.map.iter().copied().fold(0.0_f32, f32::max);
    if highest <= 0.0 || rows == 0 || columns == 0 {
        return;
    }
    let (width, height) = (image.width() as f32, image.height() as f32);
    let cell = |r: usize, c: usize| map.map[r * columns + c].max(0.0) / highest;
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let (r0, r1, fr) = between((y as f32 + 0.5) / height, rows);
        let (c0, c1, fc) = between((x as f32 + 0.5) / width, columns);
        let top = cell(r0, c0) * (1.0 - fc) + cell(r0, c1) * fc;
        let bottom = cell(r1, c0) * (1.0 - fc) + cell(r1, c1) * fc;
        let heat = top * (1.0 - fr) + bottom * fr;
        let colour = heat_colour(heat);
        for (channel, &over) in pixel.0.iter_mut().zip(&colour) {
            // the picture stays visible everywhere, dimmed where nothing speaks for the class
            let base = f32::from(*channel) * (0.45 + 0.35 * heat);
            *channel = level(base + over * 0.6 * heat);
        }
    }
}

/// The two cells around a position in [0, 1] and the weight of the second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the grid")]
fn between(position: f32, cells: usize) -> (usize, usize, f32) {
    let last = (cells - 1) as f32;
    let at = (position * cells as f32 - 0.5).clamp(0.0, last);
    let low = at.floor();
    (low as usize, (low + 1.0).min(last) as usize, at - low)
}

/// Dark violet over orange to pale yellow: rises in lightness, so it also reads in grey and for the colour-blind.
fn heat_colour(heat: f32) -> [f32; 3] {
    const STOPS: [[f32; 3]; 5] = [
        [20.0, 10.0, 60.0],
        [110.0, 25.0, 110.0],
        [200.0, 60.0, 75.0],
        [250.0, 150.0, 40.0],
        [255.0, 250.0, 170.0],
    ];
    let (low, high, f) = between((heat * 4.0 + 0.5) / 5.0, STOPS.len());
    [0, 1, 2].map(|c| STOPS[low][c] * (1.0 - f) + STOPS[high][c] * f)
}

fn draw_outline(image: &mut RgbImage, mask: &GrayImage) {
    let inside = |x: u32, y: u32| mask.get_pixel_checked(x, y).is_some_and(|p| p.0[0] > 127);
    let edges: Vec<(u32, u32)> = mask
        .enumerate_pixels()
        .map(|(x, y, _)| (x, y))
        .filter(|&(x, y)| {
            let neighbours =
                [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
            inside(x, y) && neighbours.iter().any(|&(a, b)| !inside(a, b))
        })
        .collect();
    for (x, y) in edges {
        if let Some(pixel) = image.get_pixel_mut_checked(x, y) {
            *pixel = Rgb([60, 255, 245]);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn level(value: f32) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_brightens_where_the_map_is_high_and_outlines_the_mask() {
        let image = RgbImage::from_pixel(64, 64, Rgb([100, 100, 100]));
        let mask = GrayImage::from_fn(64, 64, |x, _| image::Luma([if x < 32 { 255 } else { 0 }]));
        let preview = preview(&image, &mask).unwrap();
        let map = AttributionRow {
            method: "gradcam".to_owned(),
            target: 0,
            grid: (1, 2),
            map: vec![-3.0, 2.0],
            ratio: Ok(0.0),
            ceiling: 1.0,
            proportional: None,
            evaluations: 1,
            localisation: None,
            ratio_error: None,
            map_error: Vec::new(),
        };
        let out =
            image::load_from_memory(&overlay(&preview, Some(&map)).unwrap()).unwrap().to_rgb8();
        let brightness = |x: u32| out.get_pixel(x, 10).0.iter().map(|&c| u32::from(c)).sum::<u32>();
        assert!(brightness(60) > brightness(4) + 100, "{} {}", brightness(60), brightness(4));
        let edge = out.get_pixel(31, 30).0;
        assert!(edge[1] > edge[0], "outline missing: {edge:?}");
    }
}
