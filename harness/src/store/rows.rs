//! What is stored of a frame.

use crate::metrics::{Localisation, RatioError, Undefined};

/// A timed part of the way of a frame, in the order in which it is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Rendering or reading the frame into its slot.
    Capture,
    /// From the slot to the receiver: waiting in the queue and checking the packet.
    Transport,
    /// Resizing and normalizing.
    Preprocess,
    /// One forward pass with feature map.
    Network,
    /// The closed-form GradCAM map.
    Gradcam,
    /// All coalitions and the fit.
    KernelShap,
    /// The mask, pixel ratios, chance and ceilings.
    Metrics,
    /// The picture kept for the report.
    Preview,
    /// Live: copying the frame, preprocessing and classifying it, from when it was taken out of the queue.
    Service,
    /// Live: from the scheduled capture time until the class is known.
    Decision,
    /// Writing the row of the frame, until it would survive a power cut.
    Store,
    /// From the scheduled capture time until all results are known, before they are stored.
    EndToEnd,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 12] = [
        Self::Capture,
        Self::Transport,
        Self::Preprocess,
        Self::Network,
        Self::Gradcam,
        Self::KernelShap,
        Self::Metrics,
        Self::Preview,
        Self::Service,
        Self::Decision,
        Self::Store,
        Self::EndToEnd,
    ];

    /// Name in the store and in `summary.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Transport => "transport",
            Self::Preprocess => "preprocess",
            Self::Network => "network",
            Self::Gradcam => "gradcam",
            Self::KernelShap => "kernel_shap",
            Self::Metrics => "metrics",
            Self::Preview => "preview",
            Self::Service => "service",
            Self::Decision => "decision",
            Self::Store => "store",
            Self::EndToEnd => "end_to_end",
        }
    }

    /// The stage of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// One explanation of a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributionRow {
    /// `gradcam` or `kernel-shap`.
    pub method: String,
    /// Class that was explained.
    pub target: u16,
    /// Rows and columns of the map.
    pub grid: (u16, u16),
    /// Attribution of each cell, row by row.
    pub map: Vec<f32>,
    /// Share of the positive attribution that lies on the sign, 0 to 1, or why there is none.
    pub ratio: Result<f64, Undefined>,
    /// Highest ratio that any map of this grid could reach with this mask.
    pub ceiling: f64,
    /// Ratio of the map whose cells are their own coverage; none for an empty mask.
    pub proportional: Option<f64>,
    /// Forward passes spent, the cached ones not counted.
    pub evaluations: u32,
    /// Pointing game, relevance rank and zones of the sign; none where there is no ratio.
    pub localisation: Option<Localisation>,
    /// How sure the ratio is; none where no sample was drawn, or one too small to tell.
    pub ratio_error: Option<RatioError>,
    /// Standard error of each cell, row by row; empty where there is none.
    pub map_error: Vec<f32>,
}

impl AttributionRow {
    /// The ratio freed of what clipping makes of sampling noise, 0 to 1; none where that cannot be told.
    #[must_use]
    pub fn corrected(&self) -> Option<f64> {
        self.ratio_error?.corrected(self.ratio.ok()?)
    }

    /// The ratio to be shown, 0 to 1: the corrected one, else the plain one.
    #[must_use]
    pub fn shown(&self) -> Option<f64> {
        self.corrected().or(self.ratio.ok())
    }
}

/// The picture as the network saw it, small enough to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// JPEG of the frame.
    pub jpeg: Vec<u8>,
    /// PNG of the mask.
    pub mask_png: Vec<u8>,
}

/// Everything stored of one frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameRow {
    /// Position in the data set: the key of the run.
    pub position: u32,
    /// True class.
    pub class: u16,
    /// Index within the class.
    pub index: u32,
    /// Shape of the sign, empty if unknown.
    pub shape: String,
    /// Environment behind the sign, empty if unknown.
    pub environment: String,
    /// First eight bytes, hexadecimal, of the sha256 of the pixels.
    pub image_hash: String,
    /// Share of the image that the mask covers: the chance level of the pixel ratio.
    pub mask_share: f64,
    /// The five classes with the highest logits, best first.
    pub top5: Vec<u16>,
    /// Softmax probability of the best class.
    pub confidence: f32,
    /// All logits.
    pub logits: Vec<f32>,
    /// Some values of the input tensor, for comparison with another run.
    pub tensor: Vec<f32>,
    /// Some values of the last feature map, for comparison with another run; empty if there is none.
    pub features: Vec<f32>,
    /// Explanations.
    pub attributions: Vec<AttributionRow>,
    /// Times, microseconds.
    pub stages: Vec<(Stage, u64)>,
    /// Picture for the report, for some of the frames.
    pub preview: Option<Preview>,
}

impl FrameRow {
    /// Whether the best class is the true one.
    #[must_use]
    pub fn correct(&self) -> bool {
        self.top5.first() == Some(&self.class)
    }
}
