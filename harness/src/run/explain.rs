//! What is done with one frame: preprocess, classify, explain, measure.

mod methods;

use std::path::PathBuf;
use std::sync::Arc;

use datasets::source::MetadataValue;
use firmware_host::Micros;
use models::{Classifier as _, ModelError, Network, Prediction, Preprocessor, Session};
use sha2::{Digest as _, Sha256};

use super::plan::{Method, RunPlan, Target};
use super::signals::{Manners, Signals};
use crate::attribution::{AttributionError, Map, Plans, Solution, Stop, gradcam, solve};
use crate::clock::Clock;
use crate::feed::{Received, Truth};
use crate::games::GameError;
use crate::metrics::{self, Mask, RatioError, Shares, Zoned};
use crate::report;
use crate::store::{AttributionRow, FrameRow, Stage, sketch};
use crate::telemetry::hex;

/// Why a frame could not be explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The network failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The explanation failed.
    #[error(transparent)]
    Attribution(#[from] AttributionError),
    /// The game of the frame could not be recorded.
    #[error(transparent)]
    Game(#[from] GameError),
    /// The picture could not be encoded for the report.
    #[error("preview: {0}")]
    Preview(#[from] image::ImageError),
    /// Kernel SHAP was asked for without a coalition plan.
    #[error("kernel-shap: no coalition plan was drawn; this is a bug in roadgaze")]
    NoPlan,
    /// The mask does not fit the picture.
    #[error("mask of {width} x {height} pixels holds {bytes} bytes")]
    Mask {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes found.
        bytes: usize,
    },
}

/// Network sessions, coalition plan and settings, ready for frames.
#[derive(Debug)]
pub struct Explainer {
    plan: RunPlan,
    network: Network,
    preprocessor: Preprocessor,
    sessions: Vec<Session>,
    coalitions: Option<Plans>,
    games: Option<PathBuf>,
    signals: Arc<Signals>,
    manners: Option<Manners>,
}

impl Explainer {
    /// Prepare everything that does not depend on a frame.
    ///
    /// # Errors
    /// If a method is asked for that this network does not support, or the coalition plan cannot be drawn.
    pub fn new(
        plan: &RunPlan,
        network: &Network,
        signals: &Arc<Signals>,
    ) -> Result<Self, ExplainError> {
        let wants = |method| plan.attribute.contains(&method);
        if wants(Method::Gradcam) {
            network.head()?;
        }
        let shap = &plan.shap;
        let coalitions = wants(Method::KernelShap)
            .then(|| {
                Plans::draw(shap.estimator, shap.grid, shap.evaluations, shap.seed, shap.plans)
            })
            .transpose()?;
        if let (Some(plans), Some(_)) = (&coalitions, shap.precision) {
            plans.all().iter().try_for_each(Stop::check)?;
        }
        for plan in coalitions.iter().flat_map(Plans::all) {
            // a sample too small for its regression ends the run here, not at the first frame that is dealt it
            solve(plan, &vec![0.0; plan.coalitions().len()], Solution::Exact)?;
        }
        let count =
            if coalitions.is_some() || plan.record.frames > 0 { plan.thread_count() } else { 1 };
        let sessions = (0..count).map(|_| network.session()).collect::<Result<_, _>>()?;
        Ok(Self {
            plan: plan.clone(),
            network: network.clone(),
            preprocessor: Preprocessor::new(&network.manifest().input),
            sessions,
            coalitions,
            games: None,
            signals: Arc::clone(signals),
            manners: None,
        })
    }

    /// Explain beside frames that must be classified in time.
    pub(super) fn with_manners(self, manners: Manners) -> Self {
        Self { manners: Some(manners), ..self }
    }

    /// Record the games of the first frames into this folder, as many as the plan says.
    #[must_use]
    pub fn with_games(self, folder: PathBuf) -> Self {
        Self { games: (self.plan.record.frames > 0).then_some(folder), ..self }
    }

    /// Hash of the coalition plans, if there are any.
    #[must_use]
    pub fn plan_hash(&self) -> Option<&str> {
        self.coalitions.as_ref().map(Plans::hash)
    }

    /// Hash and text of each coalition plan, for the store.
    ///
    /// # Errors
    /// If one cannot be written as JSON.
    pub fn plan_bodies(&self) -> Result<Vec<(String, String)>, ExplainError> {
        let plans = self.coalitions.as_ref().map_or(&[][..], Plans::all);
        plans.iter().map(|plan| Ok((plan.hash().to_owned(), plan.to_json()?))).collect()
    }

    /// The row of a frame, with all stages timed but those around it.
    ///
    /// # Errors
    /// If the network or an explanation fails.
    pub fn explain(
        &mut self,
        frame: &Received,
        truth: &Truth,
        clock: Clock,
    ) -> Result<FrameRow, ExplainError> {
        let position = frame.header.position;
        let explains = |m: &Method| self.plan.explains(*m, position);
        let methods: Vec<Method> = self.plan.attribute.iter().copied().filter(explains).collect();
        self.explain_by(&methods, frame, truth, clock)
    }

    /// As [`Explainer::explain`], by these methods.
    pub(super) fn explain_by(
        &mut self,
        methods: &[Method],
        frame: &Received,
        truth: &Truth,
        clock: Clock,
    ) -> Result<FrameRow, ExplainError> {
        let decided = decide(&self.preprocessor, &mut self.sessions[0], frame, clock)?;
        self.finish(frame, truth, &decided, methods, clock)
    }

    /// The row of a frame that was classified already.
    pub(super) fn finish(
        &mut self,
        frame: &Received,
        truth: &Truth,
        decided: &Decided,
        methods: &[Method],
        clock: Clock,
    ) -> Result<FrameRow, ExplainError> {
        let rgb = frame.image.as_raw();
        let Decided { input, prediction, stages } = decided;
        let (mask, mut metrics) = clock.time(|| mask_of(truth).map(|m| (m.area_share(), m)));
        let (mask_share, mask) = mask?;
        let best = metrics::top_classes(&prediction.logits, 5);
        let mut stages = stages.to_vec();
        let mut attributions = Vec::new();
        let (zoned, taken) = clock.time(|| Zoned::new(&mask));
        metrics.0 += taken.0;
        for &method in methods {
            let made = self.attribute(method, frame, decided, truth, &mask, &zoned, clock)?;
            stages.push((stage_of(method), made.taken.0));
            metrics.0 += made.metrics.0;
            attributions.push(made.row);
        }
        stages.push((Stage::Metrics, metrics.0));
        self.record(frame, truth, input, self.explained_class(prediction, truth), &mask)?;
        let position = frame.header.position;
        let preview = if to_usize(position) < self.plan.previews {
            let (made, taken) = clock.time(|| report::preview(&frame.image, &truth.mask));
            stages.push((Stage::Preview, taken.0));
            Some(made?)
        } else {
            None
        };
        let probabilities = gradcam::softmax(&prediction.logits);
        let confidence = best.first().and_then(|&c| probabilities.get(c)).copied().unwrap_or(0.0);
        let features = prediction.feature_map.as_ref();
        Ok(FrameRow {
            position,
            class: truth.key.class,
            index: truth.key.index,
            shape: text(truth, "shape"),
            environment: text(truth, "environment"),
            image_hash: hex(&Sha256::digest(rgb)[..8]),
            mask_share,
            top5: best.iter().map(|&c| class_number(c)).collect(),
            confidence: narrow(confidence),
            logits: prediction.logits.clone(),
            tensor: sketch::of_tensor(input, self.preprocessor.size()),
            features: features.map_or_else(Vec::new, |f| sketch::of_features(&f.data)),
            attributions,
            stages,
            preview,
        })
    }

    /// Kernel SHAP of a frame that was classified elsewhere, with the time that it took.
    pub(super) fn beside(
        &mut self,
        frame: &Received,
        truth: &Truth,
        decided: &Decided,
        clock: Clock,
    ) -> Result<(AttributionRow, Micros), ExplainError> {
        let mask = mask_of(truth)?;
        let zoned = Zoned::new(&mask);
        let method = Method::KernelShap;
        let made = self.attribute(method, frame, decided, truth, &mask, &zoned, clock)?;
        Ok((made.row, made.taken))
    }

    fn explained_class(&self, prediction: &Prediction, truth: &Truth) -> usize {
        match self.plan.target {
            Target::Predicted => top_class(prediction),
            Target::True => usize::from(truth.key.class),
        }
    }

    fn attribute(
        &mut self,
        method: Method,
        frame: &Received,
        decided: &Decided,
        truth: &Truth,
        mask: &Mask,
        zoned: &Zoned<'_>,
        clock: Clock,
    ) -> Result<Attributed, ExplainError> {
        let Decided { input, prediction, .. } = decided;
        let target = self.explained_class(prediction, truth);
        let (result, taken) = clock.time(|| match method {
            Method::Gradcam => self.gradcam(prediction, target),
            Method::KernelShap => self.kernel_shap(frame, input, target, mask),
        });
        let (map, forwards, replicates) = result?;
        let (row, metrics) = clock.time(|| {
            let mut row = self.measure(method, target, &map, forwards, mask);
            row.localisation = zoned.localise(&map, self.plan.upsampling).ok();
            if let Some(replicates) = &replicates {
                row.map_error = replicates.errors().into_iter().map(narrow).collect();
                row.ratio_error = RatioError::of(replicates, &self.shares(&map, mask));
            }
            row
        });
        Ok(Attributed { row, taken, metrics })
    }

    fn shares(&self, map: &Map, mask: &Mask) -> Shares {
        Shares::of(mask, map.height(), map.width(), self.plan.upsampling)
    }

    fn measure(
        &self,
        method: Method,
        target: usize,
        map: &Map,
        forwards: usize,
        mask: &Mask,
    ) -> AttributionRow {
        let (rows, columns, rule) = (map.height(), map.width(), self.plan.upsampling);
        AttributionRow {
            method: method.name().to_owned(),
            target: class_number(target),
            grid: (class_number(rows), class_number(columns)),
            map: map.values().iter().map(|&v| narrow(v)).collect(),
            ratio: metrics::pixel_ratio(map, mask, rule),
            ceiling: metrics::ceiling(mask, rows, columns, rule),
            proportional: metrics::proportional(mask, rows, columns, rule),
            evaluations: u32::try_from(forwards).unwrap_or(u32::MAX),
            localisation: None,
            ratio_error: None,
            map_error: Vec::new(),
        }
    }
}

/// One explanation with its times.
struct Attributed {
    row: AttributionRow,
    /// The explanation itself.
    taken: Micros,
    /// What is measured of it.
    metrics: Micros,
}

/// What the network made of a frame.
#[derive(Debug)]
pub(super) struct Decided {
    input: Vec<f32>,
    prediction: Prediction,
    stages: [(Stage, u64); 2],
}

/// Preprocess and classify: the part that has to be in time.
pub(super) fn decide(
    preprocessor: &Preprocessor,
    session: &mut Session,
    frame: &Received,
    clock: Clock,
) -> Result<Decided, ModelError> {
    let (width, height) = frame.image.dimensions();
    let (columns, rows) = (to_usize(width), to_usize(height));
    let (input, preprocess) = clock.time(|| preprocessor.run(frame.image.as_raw(), columns, rows));
    let input = input?;
    let (prediction, network) = clock.time(|| session.run(&input));
    let stages = [(Stage::Preprocess, preprocess.0), (Stage::Network, network.0)];
    Ok(Decided { input, prediction: prediction?, stages })
}

fn mask_of(truth: &Truth) -> Result<Mask, ExplainError> {
    let (width, height) = truth.mask.dimensions();
    let bytes = truth.mask.as_raw();
    Mask::new(to_usize(height), to_usize(width), bytes).ok_or(ExplainError::Mask {
        width,
        height,
        bytes: bytes.len(),
    })
}

fn top_class(prediction: &Prediction) -> usize {
    metrics::top_classes(&prediction.logits, 1).first().copied().unwrap_or(0)
}

impl From<ExplainError> for super::RunError {
    fn from(source: ExplainError) -> Self {
        match source {
            ExplainError::Model(error) => Self::Model(error),
            ExplainError::Attribution(error) => Self::Attribution(error),
            other => Self::Explain { position: 0, source: other },
        }
    }
}

const fn stage_of(method: Method) -> Stage {
    match method {
        Method::Gradcam => Stage::Gradcam,
        Method::KernelShap => Stage::KernelShap,
    }
}

fn text(truth: &Truth, name: &str) -> String {
    match truth.metadata.get(name) {
        Some(MetadataValue::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

fn to_usize(side: u32) -> usize {
    usize::try_from(side).unwrap_or(usize::MAX)
}

/// Classes and grid sides are far below 65,536.
fn class_number(class: usize) -> u16 {
    u16::try_from(class).unwrap_or(u16::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "stored values need no more than 24 bits")]
const fn narrow(value: f64) -> f32 {
    value as f32
}
