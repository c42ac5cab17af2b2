//! `roadgaze camera`: serves frames as camera link packets.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use datasets::folder::OpenOptions;
use datasets::source::FrameSource;
use serde_json::json;

use super::Outcome;
use crate::clock::{self, Clock};
use crate::feed::remote::{LinkAddress, ServeSettings, Transport, serve};
use crate::feed::scenario::PolicyName;
use crate::feed::wire::Greeting;
use crate::feed::{Filming, Pace, Preloaded, Scenario};

/// Arguments of `camera`.
#[derive(Args, Debug)]
pub(super) struct CameraArgs {
    /// Where to serve: tcp://HOST:PORT or udp://HOST:PORT; :PORT is this machine alone
    #[arg(long, value_name = "ADDR")]
    serve: LinkAddress,
    /// Frames: synthetic:SET/SPLIT, for example synthetic:CF/test, or a folder of pictures with masks
    #[arg(long, value_name = "NAME", default_value = "synthetic:CF/test")]
    data: String,
    /// Frames to show, the first ones of the data set
    #[arg(long, value_name = "N", default_value_t = 82)]
    frames: u32,
    /// Frames a second; 0: as fast as they are taken
    #[arg(long, value_name = "FPS")]
    fps: Option<f64>,
    /// What the camera, its cable and its queue are like, and what goes wrong: a TOML file
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Hold the first N frames in memory and show them in a loop
    #[arg(long, value_name = "N")]
    preload: Option<usize>,
    /// Give up when no receiver came for this long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Lose this share of datagrams on purpose, 0 to 1; udp alone
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    lose: f64,
    /// Print how it went as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: &CameraArgs) -> anyhow::Result<Outcome> {
    let mut scenario = match &args.scenario {
        Some(path) => Scenario::read(path)?,
        None => Scenario::default(),
    };
    let lockstep = args.fps == Some(0.0);
    if let Some(fps) = args.fps.filter(|_| !lockstep) {
        scenario.camera.fps = fps;
    }
    if lockstep {
        scenario.queue.policy = PolicyName::Block;
    }
    scenario.check()?;
    if !(0.0..=1.0).contains(&args.lose)
        || (args.lose > 0.0 && args.serve.transport == Transport::Tcp)
    {
        bail!(
            "--lose: a share of 0 to 1 expected, and an address with udp://, {} found for {}",
            args.lose,
            args.serve
        );
    }
    let frames = usize::try_from(args.frames).unwrap_or(usize::MAX);
    let options = OpenOptions::default();
    let mut source: Box<dyn FrameSource> = datasets::open::open(&args.data, &options)?;
    if let Some(count) = args.preload {
        source = Box::new(Preloaded::load(source.as_ref(), count, frames, |_| {})?);
    }
    if frames == 0 || frames > source.len() {
        bail!(
            "--frames: 1 to {} expected, as many as {} has, {frames} found",
            source.len(),
            source.name()
        );
    }
    let first = source.frame(0)?;
    let side =
        |s: u32| u16::try_from(s).with_context(|| format!("a side of {s} pixels is too long"));
    let greeting = Greeting {
        session: clock::unix_seconds() ^ (u64::from(std::process::id()) << 32),
        frames: args.frames,
        period_nanos: if lockstep { 0 } else { scenario.period_nanos() },
        width: side(first.image.width())?,
        height: side(first.image.height())?,
        name: source.name(),
        content_hash: source.content_hash(),
    };
    let positions: Vec<u32> = (0..args.frames).collect();
    let settings = ServeSettings {
        address: args.serve.clone(),
        wait: Duration::from_secs(args.wait),
        lose_per_million: per_million(args.lose),
        seed: scenario.seed,
        lockstep,
    };
    let filming = Filming {
        source: source.as_ref(),
        positions: &positions,
        scenario: &scenario,
        pace: Pace::Lockstep,
        clock: Clock::start(),
        skip_bad: false,
        check: false,
        only: None,
    };
    let transport = LinkAddress { transport: args.serve.transport, ..args.serve.clone() };
    let report = serve(&filming, &greeting, &settings, &|| false, &mut |socket| {
        let address = LinkAddress { socket, ..transport.clone() };
        super::tell(&format!("serving {} frames of {} at {address}", args.frames, greeting.name));
    })?;
    let counters = report.film.intake.counters;
    if args.json {
        let value = json!({
            "schema": 1,
            "frames": counters.frames_in,
            "sent": report.sent,
            "unheard": report.unheard,
            "dropped_by_own_queue": counters.dropped(),
            "connections": report.connections,
            "lost_datagrams": report.lost_datagrams,
            "camera_late": report.film.camera_late,
        });
        super::print(&serde_json::to_string_pretty(&value)?);
    } else {
        super::print(&format!(
            "{} frames: {} sent, {} with no receiver, {} dropped by the camera's queue; {} connections, {} datagrams lost on purpose or for want of room",
            counters.frames_in,
            report.sent,
            report.unheard,
            counters.dropped(),
            report.connections,
            report.lost_datagrams
        ));
    }
    Ok(Outcome::Done)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 0 to 1")]
const fn per_million(share: f64) -> u32 {
    (share * 1e6 + 0.5) as u32
}
