//! Corner cases: weather and obstructions beyond the ordinary, each in five severities.

use serde::{Deserialize, Serialize};

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
    /// Falling snow, and snow on the sign.
    Snow,
    /// Sun shining into the lens.
    LowSun,
    /// Night with the vehicle's own headlamps.
    Night,
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
}
