//! End-to-end tests, one module a question.

mod bench;
mod by_difference;
mod calibration;
mod compare_runs;
mod damage;
mod data_folders;
mod doctor;
mod errors;
mod evidence_pack;
mod exports;
mod faults;
mod forged_pack;
mod golden_desktop;
mod help;
mod hostile;
mod instruction_sets;
mod layering;
mod live_run;
mod model_errors;
mod parity;
mod power_loss;
mod program;
mod resume;
mod study;
mod telemetry;
mod two_boxes;
