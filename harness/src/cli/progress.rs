//! Progress: a bar on a terminal, a line now and then elsewhere.
//!
//! Frames, rate, time left, running accuracy and pixel ratios. The first result is said at once, on a line of its own.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::clock::Clock;
use crate::run::{LastFrame, Progress, Signals};

/// The bar moves this often, so that a long explanation is seen to go on.
const TICK: Duration = Duration::from_millis(200);
/// Where standard error is no terminal, a line this often.
const LINE_EVERY_SECONDS: f64 = 10.0;

/// How far a run is, on standard error; silent for machines.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    quiet: bool,
    terminal: bool,
    clock: Clock,
    next_line_seconds: f64,
    first_said: bool,
}

impl Bar {
    /// The clock tells when the program was started.
    pub(super) fn new(quiet: bool, clock: Clock, signals: Arc<Signals>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::new(0);
        if quiet || !terminal {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{bar:24.cyan/blue} {pos}/{len} frames  {rate}{eta} left  {msg}{coalitions}";
        // the template is a constant; the default bar would do as well
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                // an indicator that cannot be shown is no reason to stop
                out.write_fmt(format_args!("{:.2} frames/s  ", state.per_sec()))
                    .unwrap_or_default();
            })
            .with_key("coalitions", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                let (done, all) = signals.coalitions();
                if all > 0 {
                    out.write_fmt(format_args!("  [Kernel SHAP {done}/{all}]")).unwrap_or_default();
                }
            });
        bar.set_style(style);
        if !quiet && terminal {
            bar.enable_steady_tick(TICK);
        }
        Self {
            bar,
            quiet,
            terminal,
            clock,
            next_line_seconds: LINE_EVERY_SECONDS,
            first_said: false,
        }
    }

    pub(super) fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| super::tell(line));
        }
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        self.bar.set_length(progress.asked);
        self.bar.set_position(progress.stored);
        let Some(last) = &progress.last else {
            self.bar.reset_eta();
            return;
        };
        let seconds = self.clock.now().0 as f64 / 1e6;
        if !self.first_said {
            self.first_said = true;
            self.say(&first_result(last, seconds));
        }
        let so_far = so_far(progress);
        if !self.terminal && seconds >= self.next_line_seconds {
            self.next_line_seconds = seconds + LINE_EVERY_SECONDS;
            let Progress { stored, asked, here, .. } = progress;
            let rate = *here as f64 / seconds;
            self.say(&format!("{stored}/{asked} frames  {rate:.2} frames/s  {so_far}"));
        }
        self.bar.set_message(so_far);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn first_result(last: &LastFrame, seconds: f64) -> String {
    let LastFrame { position, truth, predicted, confidence, ratios, .. } = last;
    let verdict = if truth == predicted { "right" } else { "wrong" };
    let ratios: Vec<String> =
        ratios.iter().map(|(method, ratio)| format!(", pixel ratio {method} {ratio:.3}")).collect();
    format!(
        "first result after {seconds:.1} s: frame {position}, class {predicted} ({verdict}) with p = {confidence:.3}{}",
        ratios.concat()
    )
}

fn so_far(progress: &Progress) -> String {
    let accuracy = 100.0 * progress.correct as f64 / progress.here.max(1) as f64;
    let mut text = format!("top-1 {accuracy:.1} %");
    for (method, (sum, count)) in &progress.ratios {
        text.push_str(&format!("  {method} {:.3}", sum / (*count).max(1) as f64));
    }
    text
}
