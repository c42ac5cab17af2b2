//! Colours of the season: grass, leaves, crops, snow.

use crate::canvas::Rgb;
use crate::rng::{Stream, key};

use super::{Season, View};

/// Surface colours (diffuse reflectance) that change through the year, drawn once for a place.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Time of year.
    pub season: Season,
    /// Two tones of the verge's grass.
    pub grass: [Rgb; 2],
    /// Dry stalks and dead grass.
    pub straw: Rgb,
    /// Bare soil.
    pub soil: Rgb,
    /// Share of the ground below snow, 0 to 1.
    pub snow: f32,
    /// Fresh snow.
    pub snow_colour: Rgb,
    /// Leaf colour of most trees.
    leaf: Rgb,
    /// Leaf colour of some.
    other_leaf: Rgb,
}

impl Palette {
    /// The palette of a view.
    #[must_use]
    pub fn new(view: &View) -> Self {
        let mut s = Stream::from_seed(key("palette", &[view.seed]));
        let c = Rgb::srgb8;
        let (grass, leaf, other_leaf) = match view.season {
            Season::Spring => ([c(112, 130, 66), c(86, 108, 54)], c(112, 132, 66), c(142, 152, 86)),
            Season::Summer => ([c(114, 120, 70), c(84, 98, 54)], c(68, 86, 46), c(86, 102, 54)),
            Season::Autumn => ([c(120, 116, 62), c(92, 96, 50)], c(158, 112, 36), c(128, 74, 34)),
            Season::Winter => ([c(122, 114, 82), c(92, 92, 60)], c(96, 78, 52), c(110, 92, 60)),
        };
        let snowy = view.season == Season::Winter && s.chance(0.45);
        let tone = s.range(0.8, 1.2);
        Self {
            season: view.season,
            grass: [grass[0].scale(tone), grass[1].scale(tone)],
            straw: c(164, 146, 96),
            soil: c(112, 90, 66).mix(c(92, 78, 66), s.unit()),
            snow: if snowy { s.range(0.3, 1.0) } else { 0.0 },
            snow_colour: Rgb::new(0.80, 0.82, 0.86),
            leaf: leaf.mix(other_leaf, 0.4 * s.unit()),
            other_leaf,
        }
    }

    /// Leaf colour of one tree.
    pub fn leaf(&self, s: &mut Stream) -> Rgb {
        let base = if s.chance(0.75) { self.leaf } else { self.other_leaf };
        let base = base.scale(s.range(0.75, 1.2));
        match self.season {
            // yellow, orange, rust and still green side by side
            Season::Autumn => {
                let c = Rgb::srgb8;
                let tints = [c(166, 130, 56), c(150, 92, 46), c(112, 108, 58), c(126, 70, 44)];
                base.mix(*s.pick(&tints), s.range(0.3, 0.9))
            }
            _ => base.mix(Rgb::srgb8(96, 124, 66), 0.3 * s.unit()),
        }
    }

    /// Needle colour of one conifer.
    pub fn needle(&self, s: &mut Stream) -> Rgb {
        let c = Rgb::srgb8;
        c(44, 62, 40).mix(c(58, 78, 62), s.unit()).scale(s.range(0.8, 1.2))
    }

    /// True if broad-leaved trees are bare.
    #[must_use]
    pub fn bare(&self) -> bool {
        self.season == Season::Winter
    }

    /// Colour of a field's crop, or of its stubble or soil, for this time of year.
    pub fn crop(&self, s: &mut Stream) -> Rgb {
        let c = Rgb::srgb8;
        let choices = match self.season {
            Season::Spring => [c(110, 146, 58), c(206, 186, 40), c(122, 98, 72), c(90, 130, 52)],
            Season::Summer => [c(196, 168, 96), c(178, 152, 84), c(84, 108, 46), c(140, 134, 70)],
            Season::Autumn => [c(122, 96, 70), c(168, 148, 100), c(100, 122, 56), c(108, 86, 64)],
            Season::Winter => [c(112, 94, 74), c(104, 112, 66), c(126, 114, 88), c(96, 80, 64)],
        };
        s.pick(&choices).scale(s.range(0.85, 1.12))
    }
}
