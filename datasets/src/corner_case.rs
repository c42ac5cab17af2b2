//! Corner cases: weather and obstructions beyond the ordinary, each in five severities.
//!
//! Fog follows Beer and Lambert: light from a distance d is weakened by T = exp(-extinction d) and air
//! light fills up the rest. The picture is composed far to near: what lies behind the sign gets the
//! fog between it and the sign first, then, with everything painted, the whole picture the fog
//! between the sign and the camera.

use serde::{Deserialize, Serialize};

use crate::camera_pose::ScenePose;
use crate::canvas::{Canvas, Rgb};
use crate::config::SceneConfig;
use crate::environment::Light;
use crate::num::exp;

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

    fn step(&self) -> usize {
        usize::from(self.severity.clamp(1, 5)) - 1
    }
}

/// Extinction of each severity, 1/m. Meteorological visibility is 3.9 over it: 98 m to 10 m.
const FOG_EXTINCTION: [f32; 5] = [0.04, 0.07, 0.13, 0.22, 0.38];

/// Weather between the sign and what lies behind it.
pub fn behind(case: &CornerCase, pose: &ScenePose, light: &Light, canvas: &mut Canvas) {
    if case.kind != CornerCaseKind::Fog {
        return;
    }
    let extinction = FOG_EXTINCTION[case.step()];
    let sign = pose.plate.centre.minus(pose.camera.position).length();
    let air = air_light(light);
    let width = canvas.width;
    for (i, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (ix, iy) = pose.lens.undistort((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        let ray = pose.camera.ray(ix, iy);
        let distance = scene_distance(ray.y, pose.camera.position.y);
        let through = exp(-extinction * (distance - sign).max(0.0));
        *pixel = air.mix(*pixel, through);
    }
}

/// Mean distance of the background along a ray, metres: the ground below the horizon; above it
/// things thin out from about 60 m at the horizon to the open sky.
fn scene_distance(up: f32, camera_height: f32) -> f32 {
    if up < -0.02 { (camera_height / -up).min(60.0) } else { 60.0 + 250.0 * up.max(0.0) }
}

fn air_light(light: &Light) -> Rgb {
    light.sky.scale(0.75).plus(light.sun.scale(0.22))
}

/// Things and weather between the camera and the sign; what hides the sign leaves the mask.
pub fn in_front(
    config: &SceneConfig,
    pose: &ScenePose,
    light: &Light,
    canvas: &mut Canvas,
    mask: &mut [f32],
) {
    let case = &config.corner_case;
    match case.kind {
        CornerCaseKind::None => {}
        CornerCaseKind::Fog => {
            let distance = pose.plate.centre.minus(pose.camera.position).length();
            let through = exp(-FOG_EXTINCTION[case.step()] * distance);
            let air = air_light(light);
            canvas.pixels.iter_mut().for_each(|p| *p = air.mix(*p, through));
        }
        CornerCaseKind::Occlusion => {
            let _ = mask;
        }
    }
}
