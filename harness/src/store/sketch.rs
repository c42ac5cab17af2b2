//! A few values of a large tensor, enough to see whether another run had the same one.
//!
//! The input tensor is sampled on a fixed raster of single pixels in every channel, so that the cause
//! of a difference (channels swapped, another mean, another filter) can be told; a feature map at
//! positions spread evenly over all of it. Both are at the same positions in every run of a network.

/// Points of the raster on each axis.
pub const RASTER: usize = 12;
/// Most values kept of a feature map.
pub const FEATURES: usize = 512;

/// `3 * RASTER * RASTER` values of a tensor `[3, height, width]`: channel by channel, row by row. The points are at pixel
/// `floor((2 i + 1) * pixels / (2 * RASTER))`.
#[must_use]
pub fn of_tensor(tensor: &[f32], (width, height): (usize, usize)) -> Vec<f32> {
    let place = |i: usize, pixels: usize| (2 * i + 1) * pixels / (2 * RASTER);
    let plane = width * height;
    let mut sketch = Vec::with_capacity(3 * RASTER * RASTER);
    for channel in tensor.chunks_exact(plane.max(1)).take(3) {
        for row in 0..RASTER {
            let start = place(row, height) * width;
            sketch.extend((0..RASTER).map(|column| channel[start + place(column, width)]));
        }
    }
    sketch
}

/// At most [`FEATURES`] values: those at `floor(i * length / FEATURES)`.
#[must_use]
pub fn of_features(values: &[f32]) -> Vec<f32> {
    let count = values.len().min(FEATURES);
    (0..count).map(|i| values[i * values.len() / count]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sketches_are_where_they_say() {
        let tensor: Vec<f32> = (0..3 * 24 * 48_u16).map(f32::from).collect();
        let sketch = of_tensor(&tensor, (48, 24));
        assert_eq!(sketch.len(), 3 * 144);
        assert_eq!(sketch[..3], [50.0, 54.0, 58.0]);
        assert_eq!(sketch[144], 50.0 + 24.0 * 48.0);
        let features: Vec<f32> = (0..2048_u16).map(f32::from).collect();
        assert_eq!(of_features(&features)[..3], [0.0, 4.0, 8.0]);
        assert_eq!(of_features(&features[..5]), features[..5]);
        assert!(of_features(&[]).is_empty());
    }
}
