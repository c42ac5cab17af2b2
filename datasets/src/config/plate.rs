//! The plate as the years left it, and what carries it.

use serde::Serialize;

use crate::num::lerp;

use super::Identity;

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

/// Age skews every amount: most signs are fairly clean, some are bad.
pub(super) fn draw_surface(identity: &Identity) -> SurfaceConfig {
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

pub(super) fn draw_furniture(identity: &Identity) -> FurnitureConfig {
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
