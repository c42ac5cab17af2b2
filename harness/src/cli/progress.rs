//! Progress on a terminal: frames, rate, time left, running accuracy and pixel ratio.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::run::Progress;

/// A bar on standard error; silent for machines, and where standard error is no terminal.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    quiet: bool,
}

impl Bar {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::new(0);
        if quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{bar:28.cyan/blue} {pos}/{len} frames {per_sec:.1} {eta} left  {msg}";
        // the template is a constant; the default bar would do as well
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        Self { bar, quiet }
    }

    pub(super) fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| super::tell(line));
        }
    }

    pub(super) fn show(&self, progress: &Progress) {
        self.bar.set_length(progress.asked);
        self.bar.set_position(progress.stored);
        if progress.here == 0 {
            self.bar.reset_eta();
            return;
        }
        let accuracy = 100.0 * progress.correct as f64 / progress.here as f64;
        let (sum, count) = progress.ratios;
        let ratio = if count == 0 {
            String::new()
        } else {
            format!("  pixel ratio {:.3}", sum / count as f64)
        };
        self.bar.set_message(format!("top-1 {accuracy:.1} %{ratio}"));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
