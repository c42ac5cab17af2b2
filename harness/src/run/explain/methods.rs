//! How a frame is explained: GradCAM, Kernel SHAP, and the game of a frame recorded for whoever compares estimators.

use models::Prediction;
use sha2::{Digest as _, Sha256};

use super::{ExplainError, Explainer, to_usize};
use crate::attribution::{
    Explanation, Map, MaskedPicture, PictureGame, Replicates, Solution, Stop, explain,
    explain_until, gradcam,
};
use crate::feed::{Received, Truth};
use crate::games::{self, GameError};
use crate::metrics::{Mask, RatioError, Shares};
use crate::run::signals::{Manners, Watched};
use crate::telemetry::hex;

/// Map, forward passes, and what leaving single units of the sample out changes.
type Explained = (Map, usize, Option<Replicates>);

impl Explainer {
    /// GradCAM from what the network made of the frame.
    pub(super) fn gradcam(
        &self,
        prediction: &Prediction,
        target: usize,
    ) -> Result<Explained, ExplainError> {
        let map = gradcam(prediction, self.network.head()?, target, self.plan.gradcam)?;
        Ok((map, 1, None))
    }

    /// Kernel SHAP on all sessions; ended early where a precision is asked for and reached.
    pub(super) fn kernel_shap(
        &mut self,
        frame: &Received,
        input: &[f32],
        target: usize,
        mask: &Mask,
    ) -> Result<Explained, ExplainError> {
        let plans = self.coalitions.as_ref().ok_or(ExplainError::NoPlan)?;
        let plan = plans.of_frame(frame.header.position);
        let shap = &self.plan.shap;
        let baseline = shap.baseline.tensor(frame.image.as_raw(), input, &self.preprocessor);
        let info = self.network.info();
        let size = (info.height, info.width);
        let picture = MaskedPicture::new(input.to_vec(), baseline, size, shap.grid)?;
        let shares = Shares::of(mask, shap.grid.rows, shap.grid.columns, self.plan.upsampling);
        let mut enough = |so_far: &Explanation| {
            let error = so_far.replicates.as_ref().and_then(|r| RatioError::of(r, &shares));
            let wanted = shap.precision.unwrap_or(0.0);
            error.is_some_and(|e| e.standard_error <= wanted)
        };
        let mut stop = Stop { least: shap.least_evaluations, enough: &mut enough };
        self.signals.begin(plan.distinct().1.len());
        let manners = self.manners.as_ref().map(Manners::begin);
        let mut workers: Vec<_> = self
            .sessions
            .iter_mut()
            .map(|session| PictureGame::new(&picture, session, target, shap.output))
            .map(|game| Watched::new(game, &self.signals).polite(manners))
            .collect();
        let explained = if shap.precision.is_some() {
            explain_until(plan, &mut workers, Solution::Exact, &mut stop)
        } else {
            explain(plan, &mut workers, Solution::Exact)
        };
        self.signals.begin(0);
        let explanation = explained?;
        Ok((explanation.map, explanation.forwards, explanation.replicates))
    }

    /// Write the game of a frame, if it is one of those to be recorded.
    pub(super) fn record(
        &mut self,
        frame: &Received,
        truth: &Truth,
        input: &[f32],
        target: usize,
        mask: &Mask,
    ) -> Result<(), ExplainError> {
        let settings = self.plan.record;
        let Some(folder) = &self.games else { return Ok(()) };
        if to_usize(frame.header.position) >= settings.frames {
            return Ok(());
        }
        let (rgb, shap, info) = (frame.image.as_raw(), &self.plan.shap, self.network.info());
        let baseline = shap.baseline.tensor(rgb, input, &self.preprocessor);
        let size = (info.height, info.width);
        let picture = MaskedPicture::new(input.to_vec(), baseline, size, shap.grid)?;
        let about = games::About {
            picture: format!("{} {}/{}", self.plan.data, truth.key.class, truth.key.index),
            image_hash: hex(&Sha256::digest(rgb)[..8]),
            network: info.name.clone(),
            network_hash: self.network.sha256().to_owned(),
            target,
            output: shap.output,
            baseline: shap.baseline,
            grid: shap.grid,
        };
        let shares = Shares::of(mask, shap.grid.rows, shap.grid.columns, self.plan.upsampling);
        let path = folder.join(format!("{:03}-{:04}.game", truth.key.class, truth.key.index));
        let mut workers: Vec<_> = self
            .sessions
            .iter_mut()
            .map(|session| PictureGame::new(&picture, session, target, shap.output))
            .collect();
        let game = games::record(about, shares, settings, &mut workers)?;
        std::fs::create_dir_all(folder)
            .map_err(|source| GameError::Io { path: folder.clone(), source })?;
        game.write(&path)?;
        Ok(())
    }
}
