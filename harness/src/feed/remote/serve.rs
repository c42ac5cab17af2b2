//! The camera box: films and sends, whoever listens (`port`).

mod port;

use std::net::SocketAddr;
use std::time::Duration;

use firmware_host::Micros;

use self::port::Port;
use super::super::line::{Line, Taken};
use super::super::stream::{FilmReport, Filming, Pace, stream};
use super::super::wire::{Greeting, frame_into, truth_bytes};
use super::{LinkAddress, LinkFailure, NAP, micros};

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// Where.
    pub address: LinkAddress,
    /// How long to wait for the first receiver.
    pub wait: Duration,
    /// Share of datagrams that are lost on purpose, in a million; UDP alone.
    pub lose_per_million: u32,
    /// Seed of the losses.
    pub seed: u64,
    /// The receiver sets the pace: every frame is sent, as fast as they are taken.
    pub lockstep: bool,
}

/// How serving went.
#[derive(Clone, Debug, Default)]
pub struct ServeReport {
    /// How filming went; its books hold what the camera's own queue dropped.
    pub film: FilmReport,
    /// Frames sent.
    pub sent: u64,
    /// Frames for which there was no receiver.
    pub unheard: u64,
    /// Receivers that came, one after the other.
    pub connections: u32,
    /// Datagrams lost on purpose.
    pub lost_datagrams: u64,
}

/// Serve the frames of `filming` to one receiver at a time; the clock of the camera starts with the first one.
///
/// `bound` hears the address once it is served.
///
/// # Errors
/// If the address cannot be served, no receiver comes in time, or a frame cannot be filmed.
pub fn serve(
    filming: &Filming<'_>,
    greeting: &Greeting,
    settings: &ServeSettings,
    stop: &(dyn Fn() -> bool + Sync),
    bound: &mut dyn FnMut(SocketAddr),
) -> Result<ServeReport, LinkFailure> {
    let clock = filming.clock;
    let mut port = Port::bind(settings, greeting, clock, stop)?;
    bound(port.local()?);
    let deadline = clock.now().after(micros(settings.wait));
    while !port.accept() {
        if stop() || clock.now() >= deadline {
            let seconds = settings.wait.as_secs();
            return Err(LinkFailure::NoReceiver { address: settings.address.to_string(), seconds });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let start = clock.now().after(Micros(20_000));
    let pace = if settings.lockstep { Pace::Lockstep } else { Pace::Realtime { start } };
    let filming = Filming { pace, check: false, ..*filming };
    let line = Line::new(filming.scenario.queue);
    std::thread::scope(|scope| {
        let camera = scope.spawn(|| stream(&filming, &line, stop));
        let mut report = ServeReport::default();
        loop {
            let waiting = match line.take(NAP) {
                Taken::Frame(waiting) => waiting,
                Taken::Nothing if stop() => break,
                Taken::Nothing => {
                    port.accept();
                    continue;
                }
                Taken::Closed => break,
            };
            let mut bytes = Vec::new();
            let mut packet = waiting.slot.filled().to_vec();
            if let Some(truth) = &waiting.truth {
                packet.extend(truth_bytes(truth, waiting.capture));
            }
            frame_into(&mut bytes, &packet);
            port.accept();
            if port.send(&bytes) {
                report.sent += 1;
            } else {
                report.unheard += 1;
            }
            line.give_back(waiting.slot);
        }
        line.abandon();
        report.film = camera.join().map_err(|_panic| LinkFailure::Thread("camera"))??;
        let total = report.film.intake.counters.frames_in;
        port.finish(total);
        report.connections = port.connections;
        report.lost_datagrams = port.lost;
        Ok(report)
    })
}
