//! The light on one wall.

use crate::canvas::Rgb;
use crate::environment::Light;
use crate::geometry::Vec3;
use crate::num::smoothstep;

/// Light on one wall.
#[derive(Clone, Copy, Debug)]
pub struct Lit {
    /// What falls onto the wall where the sun reaches it.
    pub open: Rgb,
    /// What falls onto it in the shade of something.
    pub shade: Rgb,
    /// What a window that faces the sky mirrors.
    pub sky: Rgb,
    /// As [`Light::dusk`].
    pub dusk: f32,
    /// Height below which the sun is blocked by what stands opposite, metres.
    pub shaded_below: f32,
}

impl Lit {
    /// Light on a wall with this outward normal, nothing opposite.
    #[must_use]
    pub fn new(light: &Light, normal: Vec3) -> Self {
        let open = light.on(normal);
        let overcast = Light { sun: Rgb::default(), ..*light };
        Self {
            open,
            shade: overcast.on(normal),
            sky: light.sky.scale(1.25),
            dusk: light.dusk,
            shaded_below: -1.0,
        }
    }

    /// The same wall with something `height` metres tall opposite, `distance` metres away.
    #[must_use]
    pub fn opposite(self, light: &Light, normal: Vec3, height: f32, distance: f32) -> Self {
        let toward = normal.dot(light.to_sun);
        let drop = if toward > 0.02 { distance * (light.to_sun.y.max(0.0) / toward) } else { 0.0 };
        Self { shaded_below: height - drop, ..self }
    }

    /// Light at a height on the wall, metres.
    #[must_use]
    #[inline]
    pub fn at(&self, v: f32) -> Rgb {
        let t = smoothstep(self.shaded_below - 0.25, self.shaded_below + 0.25, v);
        self.shade.mix(self.open, t)
    }
}
