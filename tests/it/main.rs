//! End-to-end tests, one module a question.

mod calibration;
mod compare_runs;
mod golden_desktop;
mod layering;
mod model_errors;
