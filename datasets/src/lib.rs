//! The data set is a renderer: every image is a pure function of (renderer version, set, split, class, index).
//!
//! ```text
//! catalogue + sets -> config -> camera, light -> environment -> plate -> image formation -> frame
//! ```
#![forbid(unsafe_code)]
#![expect(clippy::cast_precision_loss, reason = "pixel counts and coordinates stay far below 2^24")]

pub mod camera_pose;
pub mod canvas;
pub mod config;
pub mod corner_case;
pub mod environment;
pub mod geometry;
pub mod light;
pub mod noise;
pub mod num;
pub mod rng;
pub mod source;
