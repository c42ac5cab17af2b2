//! Shadows that things outside the picture cast onto the sign: branches, or a straight edge.

use crate::config::{LightConfig, ShadowKind};
use crate::environment::tile::{Field, Pattern};
use crate::num::{sin_cos, smoothstep};
use crate::rng::Stream;

/// Share of direct sun that reaches each point of a plate.
///
/// The sun is half a degree wide, so a twig three metres away casts an edge 28 mm soft: shadows are
/// soft blobs with a few crisper lines from what hangs close by.
#[derive(Clone, Debug)]
pub enum Shadow {
    /// Full sun everywhere.
    None,
    /// Dappled shade.
    Branches {
        /// Share of the sun that the shade takes.
        depth: f32,
        /// Clusters of leaves.
        clusters: Field,
        /// Single leaves.
        leaves: Field,
        /// How much of the plate lies in the shade, 0 to 1.
        density: f32,
        /// Stretch of the pattern along the sun's direction on the plate.
        axis: [f32; 2],
        /// Twigs.
        twigs: Vec<Twig>,
    },
    /// A straight band or half plane.
    Edge {
        /// Share of the sun that the shade takes.
        depth: f32,
        /// Unit normal of the edge.
        normal: [f32; 2],
        /// Position of the edge along the normal, millimetres.
        at: f32,
        /// Width of the band, millimetres.
        width: f32,
        /// Width of the penumbra, millimetres.
        soft: f32,
    },
}

/// The shadow of a twig: a bent line.
#[derive(Clone, Copy, Debug)]
pub struct Twig {
    normal: [f32; 2],
    at: f32,
    bend: f32,
    width: f32,
    soft: f32,
}

impl Shadow {
    /// The shadow of a configuration.
    #[must_use]
    pub fn new(config: &LightConfig) -> Self {
        let mut s = Stream::from_seed(config.shadow_seed);
        match config.shadow {
            ShadowKind::None => Self::None,
            ShadowKind::Branches => {
                let (sin, cos) = sin_cos(s.range(-0.8, 0.8));
                let scale = s.range(0.8, 1.7);
                Self::Branches {
                    depth: config.shadow_depth,
                    clusters: Field::new(Pattern::Fractal, s.bits(), 3.4 * scale),
                    leaves: Field::new(Pattern::Fractal, s.bits(), 0.75 * scale),
                    density: s.range(0.25, 0.75),
                    axis: [cos, sin],
                    twigs: (0..s.below(4)).map(|_| draw_twig(&mut s)).collect(),
                }
            }
            ShadowKind::Edge => {
                let (sin, cos) = sin_cos(s.range(-core::f32::consts::PI, core::f32::consts::PI));
                Self::Edge {
                    depth: config.shadow_depth,
                    normal: [cos, sin],
                    at: s.range(-190.0, 190.0),
                    width: if s.chance(0.5) { s.range(60.0, 180.0) } else { 5000.0 },
                    soft: s.range(8.0, 60.0),
                }
            }
        }
    }

    /// Share of direct sun at a point, millimetres right and up of the plate's centre.
    #[must_use]
    pub fn sun_share(&self, x: f32, y: f32) -> f32 {
        match self {
            Self::None => 1.0,
            Self::Branches { depth, clusters, leaves, density, axis, twigs } => {
                let (u, v) =
                    (1e-3 * (x * axis[0] + y * axis[1]), 1e-3 * (y * axis[0] - x * axis[1]));
                let cover = clusters.at(u, v, 0.05) + density - 0.5;
                let leaf = leaves.at(1.35 * u, v, 0.008);
                let mut shade = smoothstep(0.92, 1.28, cover + 0.75 * leaf);
                for twig in twigs {
                    shade = shade.max(twig.shade(x, y));
                }
                1.0 - depth * shade
            }
            Self::Edge { depth, normal, at, width, soft } => {
                let d = x * normal[0] + y * normal[1] - at;
                let shade = smoothstep(-soft, *soft, d) * smoothstep(width + soft, width - soft, d);
                1.0 - depth * shade
            }
        }
    }
}

impl Twig {
    fn shade(&self, x: f32, y: f32) -> f32 {
        let along = y * self.normal[0] - x * self.normal[1];
        let d =
            (x * self.normal[0] + y * self.normal[1] - self.at + self.bend * along * along).abs();
        // a twig thinner than its penumbra never hides the whole sun
        let core = (self.width / (self.width + self.soft)).min(1.0);
        core * smoothstep(0.5 * self.width + self.soft, 0.5 * self.width - 0.5 * self.soft, d)
    }
}

fn draw_twig(s: &mut Stream) -> Twig {
    let (sin, cos) = sin_cos(s.range(0.6, 2.6));
    Twig {
        normal: [cos, sin],
        at: s.range(-320.0, 320.0),
        bend: s.range(-4.0e-4, 4.0e-4),
        width: s.range(8.0, 26.0),
        soft: s.range(8.0, 26.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shadows_take_away_a_part_of_the_sun_and_leave_lit_places() {
        for kind in [ShadowKind::None, ShadowKind::Branches, ShadowKind::Edge] {
            let mut mean = 0.0_f32;
            let mut lit = 0;
            for seed in 0..40 {
                let shadow = Shadow::new(&LightConfig {
                    sun_azimuth_deg: 0.0,
                    sun_elevation_deg: 30.0,
                    sun_temperature_k: 5000.0,
                    cloud_cover: 0.0,
                    dusk: 0.0,
                    headlamp: 0.0,
                    shadow: kind,
                    shadow_depth: 1.0,
                    shadow_seed: seed,
                });
                for i in 0..100_u8 {
                    let at = |k: u8| f32::from(k) * 60.0 - 270.0;
                    let share = shadow.sun_share(at(i % 10), at(i / 10));
                    assert!((0.0..=1.0).contains(&share), "{share}");
                    mean += share / 4000.0;
                    lit += u32::from(share > 0.9);
                }
            }
            if kind == ShadowKind::None {
                assert!((mean - 1.0).abs() < 1e-3, "{mean}");
            } else {
                assert!((0.3..0.9).contains(&mean) && lit > 800, "{kind:?}: {mean} {lit}");
            }
        }
    }
}
