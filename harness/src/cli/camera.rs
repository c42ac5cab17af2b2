//! `roadgaze camera`: serves frames as camera link packets.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use datasets::folder::OpenOptions;
use datasets::source::FrameSource;
use firmware_host::DropReason;
use models::digest::class_list_hash;
use serde_json::json;

use super::Outcome;
use crate::clock::{self, Clock};
use crate::feed::remote::{LinkAddress, LinkFailure, ServeReport, ServeSettings, Transport, serve};
use crate::feed::scenario::PolicyName;
use crate::feed::wire::Greeting;
use crate::feed::{Filming, Pace, Preloaded, Scenario};
use crate::run::Signals;

/// Arguments of `camera`.
#[derive(Args, Debug)]
pub(super) struct CameraArgs {
    /// Where to serve: HOST:PORT, or :PORT for this machine alone; tcp:// or udp:// may stand before it
    #[arg(long, value_name = "ADDR")]
    serve: LinkAddress,
    /// Over TCP (the default): in order and complete, with delays instead of losses
    #[arg(long)]
    tcp: bool,
    /// Over UDP: datagrams, which may be lost
    #[arg(long, conflicts_with = "tcp")]
    udp: bool,
    /// Frames: synthetic:SET/SPLIT, for example synthetic:CF/test, or a folder of pictures with masks
    #[arg(long, value_name = "NAME", default_value = "synthetic:CF/test")]
    data: String,
    /// Frames to show, the first ones of the data set
    #[arg(long, value_name = "N", default_value_t = 82)]
    frames: u32,
    /// Frames a second [default: that of the scenario, else 30]; 0: as fast as they are taken, over TCP alone
    #[arg(long, value_name = "FPS")]
    fps: Option<f64>,
    /// What camera, cable and queue are like, and what goes wrong: a TOML file
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Seed of the scenario, in place of the one in its file
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Render the first N frames ahead and show them in a loop
    #[arg(long, value_name = "N")]
    preload: Option<usize>,
    /// Give up when no receiver came for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Lose this share of datagrams on purpose, 0 to 1; over UDP alone
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    lose: f64,
    /// Print how it went as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: &CameraArgs) -> anyhow::Result<Outcome> {
    let address = address(args);
    let lockstep = args.fps == Some(0.0);
    let scenario = scenario(args, lockstep)?;
    if !(0.0..=1.0).contains(&args.lose) || (args.lose > 0.0 && address.transport == Transport::Tcp)
    {
        bail!("--lose: a share of 0 to 1 expected, with --udp, {} found for {address}", args.lose);
    }
    if lockstep && address.transport == Transport::Udp {
        bail!(
            "--fps 0: --tcp expected, {address} found: a receiver of datagrams cannot slow the camera down, \
             so that most frames would be lost"
        );
    }
    let source = open(args)?;
    let frames = usize::try_from(args.frames).unwrap_or(usize::MAX);
    if frames == 0 || frames > source.len() {
        bail!(
            "--frames: 1 to {} expected, as many as {} has, {frames} found",
            source.len(),
            source.name()
        );
    }
    let period_nanos = if lockstep { 0 } else { scenario.period_nanos() };
    let greeting = greeting(args, source.as_ref(), period_nanos)?;
    let signals = Arc::new(Signals::default());
    super::run::end_on_ctrl_c(&signals)?;
    let positions: Vec<u32> = (0..args.frames).collect();
    let settings = ServeSettings {
        address: address.clone(),
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
    let stop = || signals.stopped();
    let served = serve(&filming, &greeting, &settings, &stop, &mut |socket| {
        let address = LinkAddress { socket, ..address.clone() };
        super::tell(&format!("serving {} frames of {} at {address}", args.frames, greeting.name));
    });
    if matches!(served, Err(LinkFailure::NoReceiver { .. })) && signals.stopped() {
        super::tell("stopped before a receiver came");
        return Ok(Outcome::Stopped);
    }
    tell_how(args, &served?)?;
    Ok(if signals.stopped() { Outcome::Stopped } else { Outcome::Done })
}

fn address(args: &CameraArgs) -> LinkAddress {
    let transport = match (args.tcp, args.udp) {
        (true, _) => Transport::Tcp,
        (_, true) => Transport::Udp,
        _ => args.serve.transport,
    };
    LinkAddress { transport, ..args.serve.clone() }
}

fn scenario(args: &CameraArgs, lockstep: bool) -> anyhow::Result<Scenario> {
    let mut scenario = match &args.scenario {
        Some(path) => Scenario::read(path)?,
        None => Scenario::default(),
    };
    if let Some(seed) = args.seed {
        scenario.seed = seed;
    }
    if let Some(fps) = args.fps.filter(|_| !lockstep) {
        scenario.camera.fps = fps;
    }
    if lockstep {
        scenario.queue.policy = PolicyName::Block;
    }
    scenario.check()?;
    Ok(scenario)
}

fn open(args: &CameraArgs) -> anyhow::Result<Box<dyn FrameSource>> {
    let source = datasets::open::open(&args.data, &OpenOptions::default())?;
    let Some(count) = args.preload else { return Ok(source) };
    let frames = usize::try_from(args.frames).unwrap_or(usize::MAX);
    if count == 0 {
        bail!("--preload: 1 or more frames expected, 0 found");
    }
    Ok(Box::new(Preloaded::load(source.as_ref(), count.min(frames), frames, |_| {})?))
}

fn greeting(
    args: &CameraArgs,
    source: &dyn FrameSource,
    period_nanos: u64,
) -> anyhow::Result<Greeting> {
    let first = source.frame(0)?;
    let side =
        |s: u32| u16::try_from(s).with_context(|| format!("a side of {s} pixels is too long"));
    let names = source.class_names();
    Ok(Greeting {
        session: clock::unix_seconds() ^ (u64::from(std::process::id()) << 32),
        frames: args.frames,
        period_nanos,
        width: side(first.image.width())?,
        height: side(first.image.height())?,
        // as it was asked for, so that a replay can ask for it again
        name: args.data.clone(),
        content_hash: source.content_hash(),
        classes: u16::try_from(names.len()).unwrap_or(u16::MAX),
        class_hash: class_list_hash(names),
    })
}

fn tell_how(args: &CameraArgs, report: &ServeReport) -> anyhow::Result<()> {
    let counters = report.film.intake.counters;
    // what happens to packets on their way is for the receiver to find out
    let own: u64 = [DropReason::QueueFull, DropReason::NoSlot, DropReason::BadSource]
        .into_iter()
        .map(|reason| counters.dropped_by[reason as usize])
        .sum();
    if args.json {
        let value = json!({
            "schema": 1,
            "frames": counters.frames_in,
            "sent": report.sent,
            "unheard": report.unheard,
            "dropped_by_own_queue": own,
            "connections": report.connections,
            "lost_datagrams": report.lost_datagrams,
            "camera_late": report.film.camera_late,
            "held_up": report.film.intake.held_up,
            "held_up_ms": report.film.intake.held_up_for.0 as f64 / 1000.0,
        });
        super::print(&serde_json::to_string_pretty(&value)?);
    } else {
        super::print(&format!(
            "{} frames: {} packets sent, {} with no receiver, {} dropped by the camera's own queue; \
             {} connections, {} datagrams lost on purpose or for want of room",
            counters.frames_in,
            report.sent,
            report.unheard,
            own,
            report.connections,
            report.lost_datagrams
        ));
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 0 to 1")]
const fn per_million(share: f64) -> u32 {
    (share * 1e6 + 0.5) as u32
}
