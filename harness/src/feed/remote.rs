//! Two boxes: a camera that serves its packets over TCP or UDP, and the receiver on the target.
//!
//! ```text
//! camera:  stream (scenario, faults, queue) -> COBS -> socket
//! target:  socket -> COBS -> intake (checks, books, watchdog, detectors) -> line (queue policy) -> pipeline
//! ```
//!
//! Both ends use the code of `firmware_host` that a camera and a controller would use. No wait is without limit: a receiver
//! that is gone costs the camera frames, not time; a camera that is gone is looked for again, the gap is counted, and
//! after [`ReceiveSettings::give_up_after`] the run ends with what it has.

#[cfg(test)]
mod link_tests;
mod other_clock;
mod receive;
mod serve;

pub use receive::{Found, ReceiveSettings, RemoteReport, find, receive};
pub use serve::{ServeReport, ServeSettings, serve};

use std::fmt;
use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;
use std::time::Duration;

use firmware_host::Micros;

use super::stream::FilmError;

/// Bytes of the stream in one datagram.
const DATAGRAM: usize = 8192;
/// Longest wait in any single call of the system.
const NAP: Duration = Duration::from_millis(100);
/// How often a receiver on UDP says that it is still there.
const KEEP_ALIVE: Duration = Duration::from_millis(500);

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In order and complete, with delays instead of losses.
    Tcp,
    /// As datagrams, which may be lost.
    Udp,
}

/// An address such as `tcp://127.0.0.1:7000`; `:7000` alone is loopback, without a scheme it is TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// How packets travel.
    pub transport: Transport,
    /// Host and port.
    pub socket: SocketAddr,
}

impl FromStr for LinkAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (transport, rest) = match text.split_once("://") {
            Some(("tcp", rest)) => (Transport::Tcp, rest),
            Some(("udp", rest)) => (Transport::Udp, rest),
            Some((other, _)) => {
                return Err(format!("tcp:// or udp:// expected, `{other}://` found"));
            }
            None => (Transport::Tcp, text),
        };
        let host = if rest.starts_with(':') { format!("127.0.0.1{rest}") } else { rest.to_owned() };
        let expected = || format!("HOST:PORT or :PORT expected, `{rest}` found");
        let mut found = host.to_socket_addrs().map_err(|e| format!("{}: {e}", expected()))?;
        let socket = found.next().ok_or_else(expected)?;
        Ok(Self { transport, socket })
    }
}

impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        };
        write!(f, "{scheme}://{}", self.socket)
    }
}

/// Why a link could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkFailure {
    /// The address cannot be served.
    #[error("{address}: {source}; choose another port, or stop what uses it")]
    Bind {
        /// Which.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// No receiver came.
    #[error("{address}: no receiver within {seconds} s; start `roadgaze run --camera {address}`")]
    NoReceiver {
        /// Which.
        address: String,
        /// How long the camera waited.
        seconds: u64,
    },
    /// No camera answered.
    #[error("{address}: no camera within {seconds} s; start `roadgaze camera --serve {address}`")]
    NoCamera {
        /// Which.
        address: String,
        /// How long the receiver looked for it.
        seconds: u64,
    },
    /// What answers is not a camera of this version.
    #[error("{address}: {source}")]
    Wire {
        /// Which.
        address: String,
        /// What is wrong.
        source: super::wire::WireError,
    },
    /// The camera films other classes than the network knows.
    #[error("{address}: {expected} expected, {found} found; serve the data set of this network")]
    OtherClasses {
        /// Which.
        address: String,
        /// Classes of the network.
        expected: String,
        /// Classes of the camera.
        found: String,
    },
    /// Filming failed.
    #[error(transparent)]
    Film(#[from] FilmError),
    /// A thread ended by a panic.
    #[error("the {0} thread failed; this is a bug in roadgaze")]
    Thread(&'static str),
}

/// Whether a call of the system ended because nothing happened in time.
fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn micros(span: Duration) -> Micros {
    Micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_loopback_and_tcp_unless_said_otherwise() {
        let parse = |text: &str| text.parse::<LinkAddress>();
        assert_eq!(parse(":7000").unwrap().to_string(), "tcp://127.0.0.1:7000");
        assert_eq!(parse("udp://:7001").unwrap().to_string(), "udp://127.0.0.1:7001");
        assert_eq!(parse("tcp://0.0.0.0:80").unwrap().to_string(), "tcp://0.0.0.0:80");
        assert!(parse("ftp://:1").unwrap_err().contains("ftp"));
        assert!(parse("7000").unwrap_err().contains("HOST:PORT"));
    }
}
