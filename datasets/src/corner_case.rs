//! Corner cases: weather and obstructions beyond the ordinary, each in five severities.
//!
//! The ordinary sets have none. [`crate::config::SceneConfig::with_corner_case`] turns any picture
//! into a hard one of the same sign, pose and surface, so that the effect is measured pair by pair.

use serde::{Deserialize, Serialize};

use crate::camera_pose::ScenePose;
use crate::canvas::{Canvas, Rgb};
use crate::config::SceneConfig;
use crate::environment::{Light, Season};
use crate::occlusion;
use crate::plate::Face;
use crate::weather;

/// What makes the picture hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CornerCaseKind {
    /// The ordinary picture.
    None,
    /// Fog between camera, sign and background.
    Fog,
    /// Leaves, a pole or a poster in front of the sign; the mask loses what they hide.
    Occlusion,
    /// Falling rain, and drops on the windscreen.
    Rain,
    /// Falling snow, and snow that sticks to the sign; the mask loses what it hides.
    Snow,
    /// The sun shines into the lens.
    LowSun,
    /// Night with the vehicle's own headlamps.
    Night,
}

impl CornerCaseKind {
    /// All but the ordinary picture.
    pub const ALL: [Self; 6] =
        [Self::Fog, Self::Occlusion, Self::Rain, Self::Snow, Self::LowSun, Self::Night];
}

/// A corner case and how bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CornerCase {
    /// What makes the picture hard.
    pub kind: CornerCaseKind,
    /// 1 (hardly noticeable) to 5 (a person has trouble); 0 without a corner case.
    pub severity: u8,
}

impl CornerCase {
    /// The ordinary picture.
    pub const NONE: Self = Self { kind: CornerCaseKind::None, severity: 0 };

    /// Index into a table of five severities.
    #[must_use]
    pub fn step(&self) -> usize {
        usize::from(self.severity.clamp(1, 5)) - 1
    }

    /// Change what the weather changes in the configuration itself: sky, sun, lamps, exposure.
    pub(crate) fn adapt(&self, config: &mut SceneConfig) {
        let step = self.step() as f32;
        let light = &mut config.light;
        match self.kind {
            CornerCaseKind::None | CornerCaseKind::Occlusion => {}
            CornerCaseKind::Fog | CornerCaseKind::Rain => light.cloud_cover = 1.0,
            CornerCaseKind::Snow => {
                light.cloud_cover = 1.0;
                config.season = Season::Winter;
            }
            CornerCaseKind::LowSun => {
                light.cloud_cover = light.cloud_cover.min(0.15);
                light.dusk = 0.0;
                light.headlamp = 0.0;
                // just above the sign; the worse the closer to it
                let aside = (light.sun_azimuth_deg / 180.0).clamp(-1.0, 1.0);
                let half_view = 0.5 * config.pose.fov_deg;
                light.sun_azimuth_deg = aside * half_view * (0.3 + 0.1 * (4.0 - step));
                light.sun_elevation_deg =
                    config.pose.pitch_deg.max(0.0) + half_view * (0.62 + 0.12 * (4.0 - step));
                light.sun_temperature_k = light.sun_temperature_k.min(3900.0);
            }
            CornerCaseKind::Night => {
                light.dusk = 1.0;
                light.sun_elevation_deg = -12.0;
                light.headlamp = 0.16 - 0.028 * step;
                let gain = 1.5 + 0.9 * step;
                config.formation.exposure_stops -= 0.25 + 0.22 * step;
                config.formation.shot_noise *= gain;
                config.formation.read_noise *= gain;
            }
        }
    }
}

/// Weather between the sign and what lies behind it.
pub(crate) fn behind(config: &SceneConfig, pose: &ScenePose, light: &Light, canvas: &mut Canvas) {
    match config.corner_case.kind {
        CornerCaseKind::Fog => weather::fog_behind(config.corner_case.step(), pose, light, canvas),
        CornerCaseKind::LowSun => weather::sun_disc(pose, light, canvas),
        _ => {}
    }
}

/// Things and weather between the camera and the sign; what hides the sign leaves the mask.
pub(crate) fn in_front<F: Face>(
    config: &SceneConfig,
    face: &F,
    pose: &ScenePose,
    light: &Light,
    canvas: &mut Canvas,
    mask: &mut [f32],
    spare: &mut Vec<Rgb>,
) {
    let step = config.corner_case.step();
    let seed = config.identity.stream("corner_case").bits();
    match config.corner_case.kind {
        CornerCaseKind::None | CornerCaseKind::Night => {}
        CornerCaseKind::Fog => weather::fog_in_front(step, pose, light, canvas),
        CornerCaseKind::Occlusion => {
            let scene = occlusion::Scene { pose, light, season: config.season };
            occlusion::cover(step, seed, face, &scene, canvas, mask);
        }
        CornerCaseKind::Rain => weather::rain(step, seed, light, canvas, spare),
        CornerCaseKind::Snow => {
            weather::snow_on_plate(step, seed, face, pose, light, canvas, mask);
            weather::snowfall(step, seed, light, canvas);
        }
        CornerCaseKind::LowSun => weather::glare(step, pose, light, canvas),
    }
}
