//! The data set is a renderer: every image is a pure function of (renderer version, set, split, class, index).
//!
//! ```text
//! catalogue + sets -> config -> camera, light -> environment -> plate -> image formation -> frame
//! ```
#![forbid(unsafe_code)]
#![expect(clippy::cast_precision_loss, reason = "pixel counts and coordinates stay far below 2^24")]

pub mod art;
pub mod blur;
pub mod camera_pose;
pub mod canvas;
pub mod catalogue;
pub mod compose;
pub mod config;
pub mod corner_case;
pub mod digest;
pub mod environment;
pub mod folder;
pub mod formation;
pub mod geometry;
pub mod jpeg;
pub mod light;
pub mod noise;
pub mod num;
mod occlusion;
pub mod open;
pub mod outline;
pub mod photographs;
pub mod plate;
pub mod post;
pub mod renderer;
pub mod rng;
pub mod sets;
pub mod shadow;
pub mod source;
pub mod supplement;
pub mod surface;
pub mod synthetic;
mod unseen;
mod weather;
pub mod write;
