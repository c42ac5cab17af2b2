//! Writes the graph anew: a node for every operator of our own, and the nodes that stay.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use kernels::Isa;

use crate::integer::layer::Layer;
use crate::integer::operator::{IntegerOp, NUMBER, OP_TYPE};
use crate::integer::step::{Bridge, Steps, TensorId, Work};
use crate::integer::{Lowered, Report, build};
use crate::onnx::pb;

/// Replaces the nodes of the graph. If a layer cannot be built, the graph stays as it is.
pub(crate) fn emit(graph: &mut pb::GraphProto, steps: Steps, isa: Isa) -> Lowered {
    let mut writer = Writer { nodes: Vec::new(), operators: Vec::new(), isa };
    if let Err(reason) = writer.all(&steps) {
        let report = Report { steps: 0, in_floats: vec![format!("whole graph: {reason}")] };
        return Lowered { operators: Vec::new(), report };
    }
    if writer.operators.is_empty() {
        return Lowered { operators: Vec::new(), report: Report::default() };
    }
    let mut in_floats = Vec::new();
    let stays = |n: &pb::NodeProto| n.output.iter().any(|o| steps.kept.contains(o));
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for node in graph.node.iter().filter(|n| stays(n)) {
        let output = node.output.first().map_or("", String::as_str);
        // conversions and constants are not worth a line each
        if matches!(node.op_type.as_str(), "DequantizeLinear" | "QuantizeLinear" | "Constant") {
            *count.entry(node.op_type.clone()).or_default() += 1;
            continue;
        }
        let reason = steps.reasons.get(output).map_or(String::new(), |r| format!(": {r}"));
        in_floats.push(format!("{} `{}`{reason}", node.op_type, node.name));
    }
    in_floats.extend(count.into_iter().map(|(op, n)| format!("{n} x {op}")));
    let bridged: HashSet<&str> = steps.bridges.iter().map(Bridge::name).collect();
    let old = std::mem::take(&mut graph.node);
    graph.node = writer.nodes;
    graph.node.extend(
        old.into_iter()
            .filter(stays)
            .filter(|n| !n.output.iter().any(|o| bridged.contains(o.as_str()))),
    );
    let used: HashSet<&str> =
        graph.node.iter().flat_map(|n| &n.input).map(String::as_str).collect();
    let outputs: HashSet<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    graph
        .initializer
        .retain(|t| used.contains(t.name.as_str()) || outputs.contains(t.name.as_str()));
    let names: HashSet<String> = graph.initializer.iter().map(|t| t.name.clone()).collect();
    let picture = crate::onnx::data_input(graph).map(|i| i.name.clone());
    graph.input.retain(|i| Some(&i.name) == picture.as_ref() || names.contains(&i.name));
    let report = Report { steps: writer.operators.len(), in_floats };
    Lowered { operators: writer.operators, report }
}

struct Writer {
    nodes: Vec<pb::NodeProto>,
    operators: Vec<Arc<IntegerOp>>,
    isa: Isa,
}

impl Writer {
    fn all(&mut self, steps: &Steps) -> Result<(), String> {
        for step in &steps.steps {
            let layer = build::layer(steps, &step.work, step.output)
                .map_err(|e| format!("{}: {e}", step.name))?;
            let inputs = match &step.work {
                Work::Quantize { float } => vec![float.clone()],
                other => other.inputs().into_iter().map(tensor_name).collect(),
            };
            let cells = steps.cells(step.output);
            let shape = vec![1, cells.height, cells.width, cells.channels];
            let size = [cells.height, cells.width];
            self.node(&step.name, layer, inputs, tensor_name(step.output), (shape, size, false));
        }
        for bridge in &steps.bridges {
            let layer =
                build::bridge(steps, bridge).map_err(|e| format!("{}: {e}", bridge.name()))?;
            let (Bridge::Dequantize { shape, .. } | Bridge::Product { shape, .. }) = bridge;
            let inputs = vec![tensor_name(bridge.input())];
            let name = bridge.name().to_owned();
            let cells = steps.cells(bridge.input());
            let size = [cells.height, cells.width];
            self.node(&name, layer, inputs, name.clone(), (shape.clone(), size, true));
        }
        Ok(())
    }

    fn node(
        &mut self,
        name: &str,
        layer: Layer,
        input: Vec<String>,
        output: String,
        (shape, cells, floats): (Vec<usize>, [usize; 2], bool),
    ) {
        let (number, inputs, isa) = (self.operators.len(), input.len(), self.isa);
        self.operators.push(Arc::new(IntegerOp {
            number,
            layer,
            inputs,
            shape,
            cells,
            floats,
            isa,
        }));
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.nodes.push(pb::NodeProto {
            name: format!("{name} #{number}"),
            op_type: OP_TYPE.to_owned(),
            input,
            output: vec![output],
            attribute: vec![pb::AttributeProto {
                name: NUMBER.to_owned(),
                i: number,
                r#type: 2, // INT in onnx.proto
                ..Default::default()
            }],
            ..Default::default()
        });
    }
}

fn tensor_name(id: TensorId) -> String {
    format!("roadgaze codes {id}")
}
