//! What of a graph is needed: from its outputs back, which steps, which nodes, and which numbers made from codes.

use std::collections::HashSet;

use super::Recognizer;
use crate::integer::codes::Axes;
use crate::integer::expression::Form;
use crate::integer::step::{Bridge, Limits, TensorId, Work};
use crate::onnx::pb;

impl<'g> Recognizer<'g> {
    /// Decides, from the outputs back, which nodes stay and which numbers have to be made from codes.
    pub(super) fn demand_all(&mut self, graph: &'g pb::GraphProto) {
        let mut wanted: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
        let mut live = vec![false; self.steps.tensors.len()];
        let mut pending: Vec<TensorId> = Vec::new();
        let mut seen = HashSet::new();
        loop {
            if let Some(id) = pending.pop() {
                if !std::mem::replace(&mut live[id], true)
                    && let Some(step) = self.steps.steps.iter().find(|s| s.output == id)
                {
                    pending.extend(step.work.inputs());
                    if let Work::Quantize { float } = &step.work {
                        let producer = self.graph.producer(float);
                        let name = producer.and_then(|n| n.output.iter().find(|o| *o == float));
                        wanted.extend(name.map(String::as_str));
                    }
                }
                continue;
            }
            let Some(name) = wanted.pop() else { break };
            if !seen.insert(name) {
                continue;
            }
            if let Some(bridge) = self.bridge(name) {
                pending.push(bridge.input());
                self.steps.bridges.push(bridge);
            } else if let Some(node) = self.graph.producer(name) {
                self.steps.kept.extend(node.output.iter().cloned());
                wanted.extend(node.input.iter().map(String::as_str).filter(|n| !n.is_empty()));
            }
        }
        self.steps.steps.retain(|step| live[step.output]);
    }

    /// How the numbers of this name are made from codes, if they can be.
    fn bridge(&self, name: &str) -> Option<Bridge> {
        let x = self.numbers.get(name)?;
        match &x.form {
            Form::Codes(id) => Some(Bridge::Dequantize {
                input: *id,
                name: name.to_owned(),
                shape: x.shape(),
                channels_first: x.axes == Axes::ChannelsFirst,
            }),
            Form::Product { product, limits: Limits::NONE }
                if !product.depthwise
                    && (x.axes != Axes::ChannelsFirst || x.cells.count() == 1) =>
            {
                let product = product.clone();
                Some(Bridge::Product { product, name: name.to_owned(), shape: x.shape() })
            }
            _ => None,
        }
    }
}
