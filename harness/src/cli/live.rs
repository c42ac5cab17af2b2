//! Arguments of `run` that concern the camera: who sets the pace, what goes wrong, what is explained beside it.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use firmware_host::Micros;

use crate::feed::Scenario;
use crate::feed::remote::{LinkAddress, ReceiveSettings};
use crate::feed::scenario::PolicyName;
use crate::run::{ExplainWhen, Feed, FeedPace, Recorded, ThreadSettings};

/// Camera, queue, explanations beside the stream, verdict.
#[derive(Args, Debug)]
#[command(next_help_heading = "Camera")]
pub(super) struct FeedArgs {
    /// The camera sets the pace, so many frames a second; latency counts from when a frame was due
    #[arg(long, value_name = "FPS", conflicts_with_all = ["lockstep", "camera", "replay"])]
    realtime: Option<f64>,
    /// The pipeline sets the pace (the default): every frame is processed, results do not depend on speed
    #[arg(long, conflicts_with_all = ["camera"])]
    lockstep: bool,
    /// Take frames from `roadgaze camera` at tcp://HOST:PORT or udp://HOST:PORT; :PORT is this machine
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["replay", "data", "preload"])]
    pub(super) camera: Option<LinkAddress>,
    /// Without a frame from --camera for so long the run ends
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "camera")]
    give_up_after: u64,
    /// What camera, cable and queue are like, and what goes wrong: a TOML file
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Seed of the scenario, in place of the one in its file
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// When the queue is full: block, drop-oldest, drop-newest or latest-only; with --realtime or --camera
    #[arg(long, value_name = "POLICY")]
    queue: Option<String>,
    /// Frames that may wait in the queue, 1 to 16
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Render the first N frames ahead and show them in a loop, so that rendering costs nothing later
    #[arg(long, value_name = "N")]
    pub(super) preload: Option<usize>,
    /// Frames that Kernel SHAP explains: every N-th, or auto: the next one whenever there is time
    #[arg(long, value_name = "N|auto", conflicts_with = "replay")]
    explain_every: Option<Every>,
    /// Give an explanation beside the stream up when it takes longer
    #[arg(long, value_name = "MS")]
    explain_budget: Option<f64>,
    /// Cores of the stream and of explanations, for example 0/1 or 0,1/2,3
    #[arg(long, value_name = "STREAM/EXPLAIN", conflicts_with = "target")]
    cores: Option<Cores>,
    /// Lower the priority of explanations by this much, 0 to 19
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..20))]
    explain_nice: u8,
    /// Threads that share the forward pass of a frame [default: one a stream core of --cores, else 1]
    #[arg(long, value_name = "N")]
    stream_threads: Option<usize>,
    /// Budgets that the run has to keep: a TOML file; exit code 1 if it does not
    #[arg(long, value_name = "FILE")]
    pub(super) budget: Option<PathBuf>,
    /// Give the delivered frames of a run once more, in lockstep; exit code 1 if a result differs in any bit
    #[arg(long, value_name = "RUN", conflicts_with_all = ["plan", "resume", "shard"])]
    pub(super) replay: Option<PathBuf>,
}

/// Value of `--explain-every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Every {
    Nth(u32),
    Auto,
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            number => match number.parse() {
                Ok(n) if n > 0 => Ok(Self::Nth(n)),
                _ => Err("a number from 1 on, or auto, expected".to_owned()),
            },
        }
    }
}

/// Value of `--cores`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cores {
    stream: Vec<usize>,
    explain: Vec<usize>,
}

impl FromStr for Cores {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "core numbers as STREAM/EXPLAIN expected, for example 0/1 or 0,1/2,3".to_owned();
        let list = |part: &str| -> Option<Vec<usize>> {
            part.split(',').map(|n| n.trim().parse().ok()).collect()
        };
        let (stream, explain) = text.split_once('/').ok_or_else(wrong)?;
        let (Some(stream), Some(explain)) = (list(stream), list(explain)) else {
            return Err(wrong());
        };
        let there: Vec<usize> =
            core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
        let missing = stream.iter().chain(&explain).find(|core| !there.contains(core));
        match missing {
            Some(core) if !there.is_empty() => {
                Err(format!("one of the cores {there:?} of this machine expected, {core} found"))
            }
            _ => Ok(Self { stream, explain }),
        }
    }
}

impl FeedArgs {
    /// The feed that was asked for; none for a plain run in lockstep. `recorded` is the run of `--replay`.
    ///
    /// # Errors
    /// If a value is out of its range, or does not go with the pace.
    pub(super) fn feed(&self, recorded: Option<Recorded>) -> anyhow::Result<Option<Feed>> {
        let wanted = self.realtime.is_some()
            || self.camera.is_some()
            || self.scenario.is_some()
            || self.seed.is_some()
            || self.queue.is_some()
            || self.depth.is_some()
            || self.explain_every.is_some()
            || recorded.is_some();
        if !wanted {
            self.refuse_without_stream("a run in lockstep without --scenario")?;
            return Ok(None);
        }
        let mut scenario = match (&self.scenario, &recorded) {
            (Some(path), _) => Scenario::read(path)?,
            (None, Some(recorded)) => recorded.scenario.clone(),
            (None, None) => Scenario::default(),
        };
        if let Some(seed) = self.seed {
            scenario.seed = seed;
        }
        if let Some(fps) = self.realtime {
            scenario.camera.fps = fps;
        }
        if let Some(name) = &self.queue {
            scenario.queue.policy = PolicyName::from_name(name).with_context(|| {
                format!("--queue: block, drop-oldest, drop-newest or latest-only expected, `{name}` found")
            })?;
        }
        if let Some(depth) = self.depth {
            scenario.queue.depth = depth;
        }
        scenario.check()?;
        let pace = match (&self.camera, self.realtime) {
            (Some(address), _) => FeedPace::Camera(ReceiveSettings {
                address: address.clone(),
                give_up_after: Duration::from_secs(self.give_up_after.max(1)),
            }),
            (None, Some(_)) => FeedPace::Realtime,
            (None, None) => FeedPace::Lockstep,
        };
        let explain = match (self.explain_every, &pace) {
            (Some(Every::Nth(n)), _) => ExplainWhen::Every(n),
            (Some(Every::Auto), FeedPace::Lockstep) => bail!(
                "--explain-every auto: --realtime or --camera expected, a run in lockstep found; \
                 name a number there"
            ),
            (Some(Every::Auto), _) => ExplainWhen::WhenIdle,
            (None, FeedPace::Lockstep) => ExplainWhen::AsPlanned,
            (None, _) => ExplainWhen::WhenIdle,
        };
        if matches!(pace, FeedPace::Lockstep) {
            self.refuse_without_stream("a run in lockstep")?;
            if let Some(name) = self.queue.as_deref().filter(|name| *name != "block") {
                bail!(
                    "--queue {name}: --realtime or --camera expected, a run in lockstep found: \
                     there the camera waits and nothing is dropped"
                );
            }
            scenario.queue.policy = PolicyName::Block;
        }
        let (stream, cores_explain) =
            self.cores.clone().map_or_else(Default::default, |c| (c.stream, c.explain));
        let threads = ThreadSettings {
            classify: self.stream_threads.unwrap_or_else(|| stream.len().max(1)),
            stream,
            explain: cores_explain,
            explain_nice: self.explain_nice,
        };
        let preload = self.preload.or_else(|| recorded.as_ref()?.preload);
        let replay = recorded.map(|recorded| recorded.replay);
        let explain_budget = self.explain_budget.map(budget).transpose()?;
        Ok(Some(Feed { scenario, pace, preload, explain, explain_budget, threads, replay }))
    }

    /// Settings of the threads beside a stream say nothing where there is none.
    fn refuse_without_stream(&self, found: &str) -> anyhow::Result<()> {
        let named = [
            ("--explain-budget", self.explain_budget.is_some()),
            ("--cores", self.cores.is_some()),
            ("--explain-nice", self.explain_nice > 0),
            ("--stream-threads", self.stream_threads.is_some()),
        ];
        match named.iter().find(|(_, given)| *given) {
            Some((name, _)) => bail!("{name}: --realtime or --camera expected, {found} found"),
            None => Ok(()),
        }
    }
}

fn budget(millis: f64) -> anyhow::Result<Micros> {
    if !(millis > 0.0 && millis <= 3.6e6) {
        bail!("--explain-budget: more than 0 and at most 3600000 ms expected, {millis} found");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked: above 0 and at most an hour"
    )]
    let micros = (millis * 1000.0) as u64;
    Ok(Micros(micros.max(1)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        /// Stands for the arguments of `run` that these conflict with.
        plan: Option<PathBuf>,
        #[arg(long)]
        data: Option<String>,
        #[arg(long)]
        resume: bool,
        #[arg(long)]
        shard: Option<String>,
        #[arg(long)]
        target: Option<String>,
        #[command(flatten)]
        feed: FeedArgs,
    }

    fn parse(arguments: &str) -> anyhow::Result<Option<Feed>> {
        let line = Line::try_parse_from(std::iter::once("x").chain(arguments.split_whitespace()))?;
        line.feed.feed(None)
    }

    #[test]
    fn nothing_asked_is_a_plain_run_and_realtime_explains_when_there_is_time() {
        assert!(parse("").unwrap().is_none());
        assert!(parse("--lockstep").unwrap().is_none());
        let feed = parse("--realtime 25 --queue latest-only --depth 1").unwrap().unwrap();
        assert!(feed.is_open_loop());
        assert_eq!(feed.explain, ExplainWhen::WhenIdle);
        assert!((feed.scenario.camera.fps - 25.0).abs() < 1e-9);
        assert_eq!(feed.scenario.queue.policy, PolicyName::LatestOnly);
        let every = parse("--realtime 25 --explain-every 7").unwrap().unwrap();
        assert_eq!(every.explain, ExplainWhen::Every(7));
    }

    #[test]
    fn in_lockstep_the_queue_blocks_whatever_the_default() {
        let feed = parse("--seed 3").unwrap().unwrap();
        assert_eq!((feed.scenario.seed, feed.scenario.queue.policy), (3, PolicyName::Block));
        assert_eq!(feed.explain, ExplainWhen::AsPlanned);
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_a_remedy() {
        for (arguments, words) in [
            ("--queue drop-oldest", &["--queue drop-oldest", "--realtime"][..]),
            ("--queue never --realtime 5", &["latest-only", "`never`"]),
            ("--depth 99 --realtime 5", &["queue.depth", "99 found"]),
            ("--realtime 0", &["camera.fps", "0 found"]),
            ("--explain-every auto", &["--explain-every auto", "--realtime"]),
            ("--explain-every 0 --realtime 5", &["from 1 on"]),
            ("--explain-budget 50", &["--explain-budget", "--realtime"]),
            ("--explain-budget 0 --realtime 5", &["more than 0"]),
            ("--realtime 5 --cores 0", &["STREAM/EXPLAIN"]),
            ("--realtime 5 --cores 0/99999", &["99999"]),
            ("--realtime 5 --camera :1", &["cannot be used with"]),
            ("--camera ftp://x:1", &["ftp"]),
            ("--realtime 5 --explain-nice 20", &["20"]),
        ] {
            let error = parse(arguments).unwrap_err().to_string();
            assert!(words.iter().all(|w| error.contains(w)), "{arguments}: {error}");
        }
    }
}
