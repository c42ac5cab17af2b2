//! The complete, seeded configuration of one picture: every parameter of the scene as a plain
//! number with its unit, drawn from independent streams and written out beside the picture.
//!
//! Pairing follows from the keys of the streams. Light, season, surface, furniture and sensor are
//! drawn from (split, class, index) alone. The pose takes its *unit numbers* from (split, class, index)
//! and only then is scaled into the ranges of the camera level, so the three levels show one draw
//! more or less strongly. Only the seed of the environment's layout also knows the environment. The
//! class enters nowhere but as part of a key: no distribution depends on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::corner_case::CornerCase;
use crate::environment::{Environment, Season};
use crate::num::{lerp, radians, tan};
use crate::rng::{Stream, key};
use crate::source::MetadataValue;

/// Side of the picture, pixels, in which all lengths of the configuration are stated; other sizes
/// show the same scene with more or fewer pixels.
pub const REFERENCE_SIZE: usize = 224;

/// The part of a data set that a picture belongs to; the streams of the two are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// For fitting networks.
    Train,
    /// For measuring them.
    Test,
}

impl Split {
    /// The word that stands for the split in the keys of random streams.
    #[must_use]
    pub const fn word(self) -> u64 {
        match self {
            Self::Train => 0,
            Self::Test => 1,
        }
    }
}

/// Which picture this is, apart from the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Identity {
    /// Part of the data set.
    pub split: Split,
    /// Class id of the sign.
    pub class: u16,
    /// Index within the class.
    pub index: u32,
}

impl Identity {
    /// The stream of one part of the scene, the same in all six sets.
    #[must_use]
    pub fn stream(&self, part: &str) -> Stream {
        Stream::from_seed(self.seed(part))
    }

    fn seed(&self, part: &str) -> u64 {
        key(part, &[self.split.word(), u64::from(self.class), u64::from(self.index)])
    }
}

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

/// What casts a shadow onto the sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShadowKind {
    /// Nothing.
    None,
    /// Twigs and leaves between sun and sign.
    Branches,
    /// A straight thing: a plate above, a pole, a gantry.
    Edge,
}

/// Daylight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LightConfig {
    /// Direction of the sun against the direction from camera to sign, degrees, positive to the
    /// right; 180 is behind the camera.
    pub sun_azimuth_deg: f32,
    /// Height of the sun above the horizon, degrees.
    pub sun_elevation_deg: f32,
    /// Correlated colour temperature of direct sunlight, kelvin.
    pub sun_temperature_k: f32,
    /// Share of the sky covered by clouds, 0 to 1.
    pub cloud_cover: f32,
    /// 0 in daylight, 1 at deep dusk.
    pub dusk: f32,
    /// Light from the vehicle's own headlamps that the sheeting sends back, relative to full sun.
    pub headlamp: f32,
    /// What shades the sign.
    pub shadow: ShadowKind,
    /// Depth of that shadow, 0 to 1.
    pub shadow_depth: f32,
    /// Seed of the shape of that shadow (63 bits, as all seeds here: they fit a signed column).
    pub shadow_seed: u64,
}

/// State of the plate's surface; every amount runs from 0 (new) to 1 (severe).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SurfaceConfig {
    /// Road spray and dust, denser towards the bottom.
    pub dirt: f32,
    /// Stains that run down from bolts and the upper edge.
    pub streaks: f32,
    /// Scratches through the film.
    pub scratches: f32,
    /// Bleaching of the pigments; red goes first.
    pub fading: f32,
    /// Dents in the sheet.
    pub dents: f32,
    /// Chalky haze of old film.
    pub haze: f32,
    /// Green growth from the edges.
    pub algae: f32,
    /// Stickers on the plate, number.
    pub stickers: u8,
    /// Width of the sun's reflection on the film, degrees.
    pub gloss_width_deg: f32,
    /// Seed of all patterns.
    pub seed: u64,
}

/// What carries the sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PostKind {
    /// One galvanized tube behind the middle.
    Tube,
    /// Two tubes.
    TwinTube,
    /// A lamp post, thicker and taller.
    LampPost,
    /// A square steel section.
    SquareSection,
}

/// A supplementary plate beside the sign. Its bars are random: it says nothing about the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondPlate {
    /// There is none.
    None,
    /// Below the sign.
    Below,
    /// Above the sign.
    Above,
}

/// Post and plate hardware.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FurnitureConfig {
    /// What carries the sign.
    pub post: PostKind,
    /// Width of the post, metres.
    pub post_width_m: f32,
    /// How far the post stands out above the plate, metres; may be negative.
    pub post_overhang_m: f32,
    /// Depth of the plate's folded rim, millimetres.
    pub rim_depth_mm: f32,
    /// Whether bolt heads show on the front.
    pub bolts: bool,
    /// Whether clamps show on the post.
    pub clamps: bool,
    /// Supplementary plate.
    pub second_plate: SecondPlate,
    /// Whether the post carries a reflective band.
    pub post_band: bool,
    /// Seed of the details.
    pub seed: u64,
}

/// Camera and image processing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FormationConfig {
    /// Deviation from the metered exposure, stops.
    pub exposure_stops: f32,
    /// Gain error of the red channel, 1 = none.
    pub balance_red: f32,
    /// Gain error of the blue channel, 1 = none.
    pub balance_blue: f32,
    /// Loss of light at the corner, 0 to 1.
    pub vignetting: f32,
    /// Radius of the circle of confusion at the sign, pixels of a 224-pixel picture.
    pub defocus_px: f32,
    /// Further radius for everything far behind the sign, pixels of a 224-pixel picture.
    pub background_defocus_px: f32,
    /// Length of the motion blur, pixels of a 224-pixel picture.
    pub motion_px: f32,
    /// Direction of the motion in the picture, degrees.
    pub motion_angle_deg: f32,
    /// Shot noise at full scale, share of full scale.
    pub shot_noise: f32,
    /// Read noise, share of full scale.
    pub read_noise: f32,
    /// Seed of the noise field.
    pub noise_seed: u64,
    /// Quality (1 to 100) of a JPEG compression in the camera; 0 for none.
    pub jpeg_quality: u8,
}

/// Everything that a picture depends on besides the sign's art and its size in pixels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SceneConfig {
    /// Which picture this is.
    pub identity: Identity,
    /// What stands behind the sign.
    pub environment: Environment,
    /// Seed of the environment's layout.
    pub layout_seed: u64,
    /// Time of year.
    pub season: Season,
    /// Camera and plate.
    pub pose: PoseConfig,
    /// Daylight.
    pub light: LightConfig,
    /// State of the plate.
    pub surface: SurfaceConfig,
    /// Post and hardware.
    pub furniture: FurnitureConfig,
    /// Camera and image processing.
    pub formation: FormationConfig,
    /// Weather or obstruction beyond the ordinary.
    pub corner_case: CornerCase,
}

impl SceneConfig {
    /// Draw the configuration of a picture.
    #[must_use]
    pub fn draw(identity: Identity, level: &LevelRanges, environment: Environment) -> Self {
        let layout = [
            identity.split.word(),
            u64::from(identity.class),
            u64::from(identity.index),
            Environment::ALL.iter().position(|&e| e == environment).unwrap_or(0) as u64,
        ];
        let season = *identity.stream("season").pick(&[
            Season::Spring,
            Season::Summer,
            Season::Autumn,
            Season::Winter,
        ]);
        let light = draw_light(&identity, season);
        Self {
            identity,
            environment,
            layout_seed: key("layout", &layout) >> 1,
            season,
            pose: draw_pose(&identity, level),
            light,
            surface: draw_surface(&identity),
            furniture: draw_furniture(&identity),
            formation: draw_formation(&identity, &light),
            corner_case: CornerCase::NONE,
        }
    }

    /// The same scene with a corner case; sky, lamps and exposure change with the weather.
    #[must_use]
    pub fn with_corner_case(mut self, corner_case: CornerCase) -> Self {
        self.corner_case = corner_case;
        corner_case.adapt(&mut self);
        self
    }

    /// Every parameter by name, groups joined with `_`: `pose_yaw_deg`, `surface_dirt`, ...
    #[must_use]
    pub fn to_metadata(&self) -> BTreeMap<String, MetadataValue> {
        let mut rows = BTreeMap::new();
        // All fields are numbers, words or tables of them, and seeds have 63 bits, so this cannot
        // fail; a test covers it.
        if let Ok(table) = toml::Table::try_from(self) {
            flatten("", &table, &mut rows);
        }
        rows
    }
}

fn flatten(prefix: &str, table: &toml::Table, rows: &mut BTreeMap<String, MetadataValue>) {
    for (name, value) in table {
        let name = if prefix.is_empty() || prefix == "identity" {
            name.clone()
        } else {
            format!("{prefix}_{name}")
        };
        let value = match value {
            toml::Value::Table(inner) => {
                flatten(&name, inner, rows);
                continue;
            }
            toml::Value::Integer(i) => MetadataValue::Integer(*i),
            toml::Value::Float(f) => MetadataValue::Number(*f),
            toml::Value::Boolean(b) => MetadataValue::Flag(*b),
            other => MetadataValue::Text(
                other.as_str().map_or_else(|| other.to_string(), ToOwned::to_owned),
            ),
        };
        rows.insert(name, value);
    }
}

fn between(range: [f32; 2], unit: f32) -> f32 {
    lerp(range[0], range[1], unit)
}

/// Half the width of the largest sign with a little air, metres; bounds the offset of every sign
/// alike, so that the room around it says nothing about its class.
const HALF_ROOM_M: f32 = 0.47;

fn draw_pose(identity: &Identity, level: &LevelRanges) -> PoseConfig {
    let mut s = identity.stream("pose");
    let mut scaled = |range: [f32; 2]| between(range, s.unit());
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

fn draw_light(identity: &Identity, season: Season) -> LightConfig {
    let mut s = identity.stream("light");
    let highest = match season {
        Season::Spring => 52.0,
        Season::Summer => 62.0,
        Season::Autumn => 40.0,
        Season::Winter => 24.0,
    };
    let sky = s.unit();
    let is_dusk = s.chance(0.07);
    let cloud_cover = if sky < 0.45 {
        s.range(0.0, 0.25)
    } else if sky < 0.72 {
        s.range(0.25, 0.7)
    } else {
        s.range(0.8, 1.0)
    };
    let (sun_elevation_deg, dusk) = {
        let (height, depth) = (s.unit(), s.unit());
        if is_dusk {
            (lerp(-5.0, 3.0, height), lerp(0.35, 1.0, depth))
        } else {
            (lerp(6.0, highest, height), 0.0)
        }
    };
    // low sun is red: about 2,600 K at the horizon, 5,600 K from 35 degrees on
    let rise = (sun_elevation_deg / 35.0).clamp(0.0, 1.0);
    let shadow_roll = s.unit();
    LightConfig {
        sun_azimuth_deg: s.range(-180.0, 180.0),
        sun_elevation_deg,
        sun_temperature_k: lerp(2700.0, 5600.0, rise * (2.0 - rise)) + 180.0 * s.normal(),
        cloud_cover,
        dusk,
        headlamp: dusk * s.range(0.02, 0.14),
        shadow: if shadow_roll < 0.24 {
            ShadowKind::Branches
        } else if shadow_roll < 0.36 {
            ShadowKind::Edge
        } else {
            ShadowKind::None
        },
        shadow_depth: s.range(0.55, 1.0),
        shadow_seed: s.bits() >> 1,
    }
}

/// Age skews every amount: most signs are fairly clean, some are bad.
fn draw_surface(identity: &Identity) -> SurfaceConfig {
    let mut s = identity.stream("surface");
    let age = s.unit();
    let mut amount = |share: f32, power: u32| {
        let present = s.chance(share * (0.5 + age));
        let u = s.unit();
        let skewed = (0..power).fold(1.0, |p, _| p * u);
        if present { (skewed * (0.35 + 0.65 * age)).min(1.0) } else { 0.0 }
    };
    SurfaceConfig {
        dirt: amount(0.9, 1),
        streaks: amount(0.6, 1),
        scratches: amount(0.5, 1),
        fading: amount(0.6, 2),
        dents: amount(0.4, 1),
        haze: amount(0.5, 2),
        algae: amount(0.25, 1),
        stickers: if s.chance(0.06) { 1 + u8::from(s.chance(0.3)) } else { 0 },
        gloss_width_deg: s.range(4.0, 14.0),
        seed: s.bits() >> 1,
    }
}

fn draw_furniture(identity: &Identity) -> FurnitureConfig {
    let mut s = identity.stream("furniture");
    let roll = s.unit();
    let post = if roll < 0.68 {
        PostKind::Tube
    } else if roll < 0.78 {
        PostKind::TwinTube
    } else if roll < 0.90 {
        PostKind::LampPost
    } else {
        PostKind::SquareSection
    };
    let wide = s.unit();
    let second = s.unit();
    FurnitureConfig {
        post,
        post_width_m: match post {
            PostKind::Tube | PostKind::TwinTube => {
                if wide < 0.6 {
                    0.0603
                } else {
                    0.0761
                }
            }
            PostKind::LampPost => lerp(0.10, 0.16, wide),
            PostKind::SquareSection => lerp(0.05, 0.08, wide),
        },
        post_overhang_m: s.range(-0.06, 0.12),
        rim_depth_mm: if s.chance(0.55) { s.range(9.0, 18.0) } else { s.range(2.0, 3.0) },
        bolts: s.chance(0.4),
        clamps: s.chance(0.6),
        second_plate: if second < 0.16 {
            SecondPlate::Below
        } else if second < 0.21 {
            SecondPlate::Above
        } else {
            SecondPlate::None
        },
        post_band: s.chance(0.08),
        seed: s.bits() >> 1,
    }
}

fn draw_formation(identity: &Identity, light: &LightConfig) -> FormationConfig {
    let mut s = identity.stream("formation");
    let gain = 1.0 + 2.5 * light.dusk;
    let moving = s.chance(0.4);
    let u = s.unit();
    let compressed = s.chance(0.35);
    let quality = s.below(43);
    FormationConfig {
        exposure_stops: (0.33 * s.normal()).clamp(-0.8, 0.8),
        balance_red: 1.0 + 0.035 * s.normal(),
        balance_blue: 1.0 + 0.045 * s.normal(),
        vignetting: s.range(0.0, 0.32),
        defocus_px: 0.35 + 0.9 * s.unit() * s.unit(),
        background_defocus_px: s.range(0.3, 1.6),
        motion_px: if moving { 0.6 + 4.4 * u * u * u } else { 0.0 },
        motion_angle_deg: s.range(-25.0, 25.0) + if s.chance(0.3) { 90.0 } else { 0.0 },
        shot_noise: s.range(0.004, 0.016) * gain,
        read_noise: s.range(0.0008, 0.004) * gain,
        noise_seed: s.bits() >> 1,
        jpeg_quality: if compressed { u8::try_from(52 + quality).unwrap_or(90) } else { 0 },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const FRONTAL: LevelRanges = LevelRanges {
        yaw_deg: [-8.0, 8.0],
        pitch_deg: [1.0, 6.0],
        roll_deg: [-2.0, 2.0],
        pixels_per_metre: [134.0, 249.0],
        offset_share: [-0.04, 0.04],
        fov_deg: [26.0, 42.0],
        distortion_k1: [0.0, 0.01],
    };
    pub(crate) const HIGH: LevelRanges = LevelRanges {
        yaw_deg: [-50.0, 50.0],
        pitch_deg: [-9.0, 20.0],
        roll_deg: [-12.0, 12.0],
        pixels_per_metre: [137.0, 244.0],
        offset_share: [-0.2, 0.2],
        fov_deg: [22.0, 54.0],
        distortion_k1: [-0.05, 0.12],
    };

    fn identity(class: u16, index: u32) -> Identity {
        Identity { split: Split::Test, class, index }
    }

    #[test]
    fn levels_share_everything_but_the_pose_and_the_pose_is_one_draw_scaled() {
        let id = identity(13, 7);
        let f = SceneConfig::draw(id, &FRONTAL, Environment::Coast);
        let h = SceneConfig::draw(id, &HIGH, Environment::Coast);
        assert_eq!(SceneConfig { pose: f.pose, ..h.clone() }, f);
        assert!((f.pose.yaw_deg / 8.0 - h.pose.yaw_deg / 50.0).abs() < 1e-5);
        assert_eq!(f.pose.sign_height_m.to_bits(), h.pose.sign_height_m.to_bits());
    }

    #[test]
    fn environments_share_everything_but_the_layout() {
        let id = identity(3, 1);
        let a = SceneConfig::draw(id, &HIGH, Environment::Coast);
        let b = SceneConfig::draw(id, &HIGH, Environment::Forest);
        assert_ne!(a.layout_seed, b.layout_seed);
        let moved = SceneConfig { environment: a.environment, layout_seed: a.layout_seed, ..b };
        assert_eq!(moved, a);
    }

    #[test]
    fn pictures_differ_and_the_splits_are_independent() {
        let draw = |i| SceneConfig::draw(i, &HIGH, Environment::Coast);
        let a = draw(identity(3, 1));
        assert_ne!(a.surface.seed, draw(identity(3, 2)).surface.seed);
        assert_ne!(a.surface.seed, draw(identity(4, 1)).surface.seed);
        let train = Identity { split: Split::Train, ..identity(3, 1) };
        assert_ne!(a.surface.seed, draw(train).surface.seed);
    }

    #[test]
    fn metadata_names_every_parameter_once_and_the_columns_never_change() {
        let names = |class, index| {
            SceneConfig::draw(identity(class, index), &HIGH, Environment::Coast)
                .to_metadata()
                .into_keys()
                .collect::<Vec<_>>()
        };
        let first = names(0, 0);
        assert!(first.len() > 55, "{first:?}");
        assert!(first.contains(&"pose_yaw_deg".to_owned()), "{first:?}");
        assert!(first.contains(&"corner_case_kind".to_owned()), "{first:?}");
        for i in 0..50 {
            assert_eq!(names(5, i), first);
        }
    }
}
