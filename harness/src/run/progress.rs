//! What is known while a run goes on, for whoever shows it: counts, the last frame, its picture.

use std::collections::BTreeMap;
use std::sync::Arc;

use firmware_host::Micros;
use image::RgbImage;

use super::Job;
use crate::store::{AttributionRow, FrameRow, Stage};

/// What is known while the run goes on, for whoever shows progress.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Frames stored, those of an earlier part included.
    pub stored: u64,
    /// Frames asked for; 0 if only the camera knows.
    pub asked: u64,
    /// Frames that were due up to the last one stored.
    pub due: u64,
    /// Frames of this part classified rightly.
    pub correct: u64,
    /// Frames of this part.
    pub here: u64,
    /// Sum and number of the pixel ratios of this part, corrected where they can be, by method.
    pub ratios: BTreeMap<String, (f64, u64)>,
    /// The frame that was stored last.
    pub last: Option<LastFrame>,
    /// Its picture, if the job asks for pictures.
    pub shown: Option<Shown>,
}

impl Progress {
    /// Counts a frame that was stored.
    pub(super) fn take(&mut self, row: &FrameRow) {
        self.stored += 1;
        self.here += 1;
        self.correct += u64::from(row.correct());
        let ratios = row.attributions.iter().filter_map(|a| Some((a.method.clone(), a.shown()?)));
        let ratios: Vec<(String, f64)> = ratios.collect();
        row.attributions.iter().for_each(|a| self.take_explanation(a));
        self.last = Some(LastFrame {
            position: row.position,
            truth: row.class,
            predicted: row.top5.first().copied().unwrap_or(u16::MAX),
            confidence: row.confidence,
            ratios,
            delay: [Stage::Decision, Stage::EndToEnd]
                .iter()
                .find_map(|wanted| row.stages.iter().find(|(stage, _)| stage == wanted))
                .map(|(_, micros)| Micros(*micros)),
        });
    }

    /// The picture of the frame that was taken last; copied only if somebody wants to see it.
    pub(super) fn picture(&mut self, job: &Job<'_>, image: &RgbImage, row: &FrameRow) {
        if job.pictures {
            let map = row.attributions.first().map(ShownMap::of);
            self.shown = Some(Shown { image: Arc::new(image.clone()), map });
        }
    }

    /// Counts the pixel ratio of an explanation.
    pub(super) fn take_explanation(&mut self, row: &AttributionRow) {
        if let Some(ratio) = row.shown() {
            let (sum, count) = self.ratios.entry(row.method.clone()).or_default();
            *sum += ratio;
            *count += 1;
        }
    }
}

/// A picture with its newest map, to be looked at.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The picture.
    pub image: Arc<RgbImage>,
    /// `GradCAM` if there is one, else Kernel SHAP.
    pub map: Option<ShownMap>,
}

/// A map over a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownMap {
    /// Rows and columns.
    pub grid: (u16, u16),
    /// Attribution of each cell, row by row.
    pub values: Vec<f32>,
}

impl ShownMap {
    fn of(row: &AttributionRow) -> Self {
        Self { grid: row.grid, values: row.map.clone() }
    }
}

/// What became of a frame, in short.
#[derive(Clone, Debug)]
pub struct LastFrame {
    /// Position in the data set.
    pub position: u32,
    /// True class.
    pub truth: u16,
    /// Class with the highest logit.
    pub predicted: u16,
    /// Its softmax probability.
    pub confidence: f32,
    /// Pixel ratio by method, where there is one.
    pub ratios: Vec<(String, f64)>,
    /// From the scheduled capture to the class, or to all results where there is no such time.
    pub delay: Option<Micros>,
}
