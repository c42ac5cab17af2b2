//! Where the camera stands and looks, drawn as unit numbers and scaled into the ranges of a camera level.

use serde::{Deserialize, Serialize};

use crate::num::{lerp, radians, tan};

use super::{Identity, REFERENCE_SIZE};

/// Ranges of one camera level, each `[low, high]`; drawn uniformly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelRanges {
    /// Horizontal angle from the plate's normal to the camera, degrees.
    pub yaw_deg: [f32; 2],
    /// Elevation of the sign above the camera, degrees.
    pub pitch_deg: [f32; 2],
    /// Rotation of the camera about its optical axis, degrees.
    pub roll_deg: [f32; 2],
    /// Pixels that a metre covers at the sign's distance, in a picture of 224 pixels.
    pub pixels_per_metre: [f32; 2],
    /// Position of the sign's centre right of and below the centre of the picture, share of its side.
    pub offset_share: [f32; 2],
    /// Full horizontal angle of view, degrees.
    pub fov_deg: [f32; 2],
    /// Radial distortion at the corner of the picture, see [`crate::camera_pose::Lens`].
    pub distortion_k1: [f32; 2],
}

/// Where the camera stands and looks, relative to the sign.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PoseConfig {
    /// Horizontal angle from the plate's normal to the camera, degrees; positive: the camera stands
    /// to the right of the sign's axis.
    pub yaw_deg: f32,
    /// Elevation of the sign above the camera, degrees.
    pub pitch_deg: f32,
    /// Rotation of the camera about its optical axis, degrees.
    pub roll_deg: f32,
    /// Pixels that a metre covers at the sign's distance, in a picture of 224 pixels.
    pub pixels_per_metre: f32,
    /// Distance from the optical centre to the sign's centre, metres (follows from scale and angle of view).
    pub distance_m: f32,
    /// Sign's centre right of the picture's centre, share of the side.
    pub offset_x: f32,
    /// Sign's centre below the picture's centre, share of the side.
    pub offset_y: f32,
    /// Full horizontal angle of view, degrees.
    pub fov_deg: f32,
    /// Radial distortion at the corner of the picture.
    pub distortion_k1: f32,
    /// Height of the sign's centre above the ground, metres.
    pub sign_height_m: f32,
    /// Turn of the plate in its own plane, degrees.
    pub plate_lean_deg: f32,
    /// Tilt of the plate towards the ground, degrees.
    pub plate_tilt_deg: f32,
    /// Direction of the road against the plate's axis, degrees.
    pub road_skew_deg: f32,
    /// Distance of the sign's centre from the edge of the carriageway, metres.
    pub kerb_gap_m: f32,
}

/// Half the width of the largest sign with a little air, metres; bounds the offset of every sign
/// alike, so that the room around it says nothing about its class.
const HALF_ROOM_M: f32 = 0.47;

pub(super) fn draw(identity: &Identity, level: &LevelRanges) -> PoseConfig {
    let mut s = identity.stream("pose");
    let mut scaled = |range: [f32; 2]| lerp(range[0], range[1], s.unit());
    let yaw_deg = scaled(level.yaw_deg);
    let pitch_deg = scaled(level.pitch_deg);
    let roll_deg = scaled(level.roll_deg);
    let pixels_per_metre = scaled(level.pixels_per_metre);
    let fov_deg = scaled(level.fov_deg);
    let distortion_k1 = scaled(level.distortion_k1);
    let size = REFERENCE_SIZE as f32;
    let room = ((0.5 * size - HALF_ROOM_M * pixels_per_metre) / size).max(0.0);
    let offset_x = scaled(level.offset_share).clamp(-room, room);
    let offset_y = scaled(level.offset_share).clamp(-room, room);
    let focal_px = 0.5 * size / tan(radians(0.5 * fov_deg));
    PoseConfig {
        yaw_deg,
        pitch_deg,
        roll_deg,
        pixels_per_metre,
        distance_m: focal_px / pixels_per_metre,
        offset_x,
        offset_y,
        fov_deg,
        distortion_k1,
        sign_height_m: s.range(1.95, 2.5),
        plate_lean_deg: 1.2 * s.normal(),
        plate_tilt_deg: 0.8 * s.normal(),
        road_skew_deg: 2.5 * s.normal(),
        kerb_gap_m: s.range(0.7, 1.8),
    }
}
