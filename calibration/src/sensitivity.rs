//! What each layer costs alone: the network in f32 but for one layer, compared at the logits.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use models::Probe;

use crate::error::CalibrationError;
use crate::grid::Grid;
use crate::net::Net;
use crate::observe::Pictures;
use crate::placement::Placement;
use crate::qdq::{self, Form};
use crate::sqnr::Noise;
use crate::weights::QuantizedLayer;

/// Inputs and logits of the network in f32, for a few pictures.
pub(crate) struct Reference {
    inputs: Vec<Vec<f32>>,
    logits: Vec<Vec<f32>>,
}

impl Reference {
    /// Runs the network in f32.
    pub(crate) fn new(
        net: &Net,
        pictures: &Pictures<'_>,
        side: (usize, usize),
        threads: usize,
    ) -> Result<Self, CalibrationError> {
        let probe = Probe::new(net.to_proto(), side, std::slice::from_ref(&net.output), "f32")?;
        let seen = Mutex::new(Vec::new());
        let start = || Ok(probe.session()?);
        let each = |session: &mut models::ProbeSession, input: &[f32], id| {
            let mut logits = Vec::new();
            session.run(input, &mut |_, values| logits = values.to_vec())?;
            seen.lock().unwrap_or_else(PoisonError::into_inner).push((id, input.to_vec(), logits));
            Ok(())
        };
        pictures.stream(threads, &start, &each, &|_| {})?;
        let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        let (inputs, logits) = seen.into_iter().map(|(_, x, y)| (x, y)).unzip();
        Ok(Self { inputs, logits })
    }
}

/// SQNR of the logits in dB when this layer alone is quantized, by its name; `None` if nothing changes.
pub(crate) fn table(
    net: &Net,
    placement: &Placement,
    grids: &BTreeMap<String, Grid>,
    layers: &BTreeMap<String, QuantizedLayer>,
    reference: &Reference,
    side: (usize, usize),
    threads: usize,
    done: &(dyn Fn(usize) + Sync),
) -> Result<BTreeMap<String, Option<f64>>, CalibrationError> {
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut rows = Vec::new();
        while let Some(layer) = placement.layers.get(next.fetch_add(1, Ordering::Relaxed)) {
            let only = placement.only(layer);
            let proto = qdq::emit(net, &only, grids, layers, Form::Values);
            let probe = Probe::new(proto, side, std::slice::from_ref(&net.output), &layer.name)?;
            let mut session = probe.session()?;
            let mut noise = Noise::default();
            for (input, exact) in reference.inputs.iter().zip(&reference.logits) {
                session.run(input, &mut |_, logits| noise.add(exact, logits))?;
            }
            rows.push((layer.name.clone(), noise.sqnr_db()));
            done(finished.fetch_add(1, Ordering::Relaxed) + 1);
        }
        Ok(rows)
    };
    let parts: Vec<Vec<_>> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        handles
            .into_iter()
            .map(|handle| handle.join().map_err(|_panic| CalibrationError::Thread)?)
            .collect::<Result<_, CalibrationError>>()
    })?;
    Ok(parts.into_iter().flatten().collect())
}
