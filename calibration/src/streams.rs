//! Equalizes residual streams: gives the channels of a stream one range where nothing but their grid notices.
//!
//! ConvNeXt carries a sum from block to block, and a few of its channels grow to a hundred times the others (after training here:
//! 750 beside a median of 8), so that one grid of 256 steps leaves the others a handful. With r the largest magnitude of each channel,
//! `s = r / max r`, and every tensor of the stream divided by s:
//!
//! ```text
//! writes the stream   linear layer, convolution, layer norm      w' = w / s      b' = b / s
//! reads a channel     depthwise convolution                      w' = w s
//! reads all channels  anything else                              reads x s: a multiplication in f32 before it
//! ```
//!
//! Weights have a scale for each output channel, so the first two lose nothing, and the network computes the same. The idea is
//! that of equalization between layers (Nagel et al., arXiv 1906.04721, section 4.1), carried from pairs to streams; a stream that a
//! dense convolution reads is left alone, since the channels of its weights share a scale. So is one that ends in pooling, in whichever
//! form: the last feature map keeps its meaning for `GradCAM`.

use std::collections::{BTreeMap, BTreeSet};

use models::Probe;

use crate::error::CalibrationError;
use crate::net::{Links, Net, input, output};
use crate::observe::Pictures;
use crate::placement::{AVERAGE, is_sum};
use crate::simplify::{Affine, apply, target};
use crate::tensor;

/// Pictures that tell the ranges of channels.
const PICTURES: usize = 64;
/// A channel that is always next to nothing is not blown up beyond this.
const SMALLEST: f64 = 1.0 / 4096.0;
/// Streams whose largest channel is below this multiple of the median one are left as they are.
const UNEVEN: f64 = 2.0;

/// A sum that is carried from block to block, and who reads it.
struct Stream {
    tensors: BTreeSet<String>,
    /// Depthwise convolutions: position of the node.
    channelwise: BTreeSet<usize>,
    /// Position of the node and the tensor that it reads.
    whole: Vec<(usize, String)>,
    /// Tensors of the stream that no sum makes.
    written: Vec<String>,
}

/// Equalizes all streams that can be and have none of the tensors `left_alone`; gives their number.
pub(crate) fn equalize(
    net: &mut Net,
    left_alone: &[String],
    pictures: &Pictures<'_>,
    side: (usize, usize),
    threads: usize,
    place: &str,
) -> Result<usize, CalibrationError> {
    let links = net.links();
    let mut streams = streams(net, &links);
    streams.retain(|stream| !left_alone.iter().any(|name| stream.tensors.contains(name)));
    if streams.is_empty() {
        return Ok(0);
    }
    let names: Vec<String> = streams.iter().flat_map(|s| s.tensors.iter().cloned()).collect();
    let ranges = ranges(net, &names, pictures, side, threads, place)?;
    let mut done = 0;
    let mut multiplied = Vec::new();
    for stream in &streams {
        let Some(factors) = factors(stream, &ranges) else { continue };
        let before = net.clone();
        if rescale(net, &links, stream, &factors) {
            done += 1;
            multiplied.extend(stream.whole.iter().map(|w| (w.clone(), factors.clone())));
        } else {
            *net = before;
        }
    }
    // from behind, so that positions in front stay what they are
    multiplied.sort_by_key(|((at, name), _)| std::cmp::Reverse((*at, name.clone())));
    let mut first = BTreeMap::new();
    for ((at, name), factors) in multiplied {
        for read in net.nodes[at].input.iter_mut().filter(|read| **read == name) {
            *read = whole(&name);
        }
        first.insert(name, (at, factors));
    }
    let mut products: Vec<_> = first.into_iter().collect();
    products.sort_by_key(|(_, (at, _))| std::cmp::Reverse(*at));
    for (name, (at, factors)) in products {
        let scale = format!("{name}_stream_scale");
        net.set_floats(&scale, &[1, factors.len(), 1, 1], &narrowed(&factors));
        net.nodes.insert(at, tensor::node("Mul", &[&name, &scale], &whole(&name)));
    }
    Ok(done)
}

/// Name of a tensor of a stream with its factors put back.
fn whole(name: &str) -> String {
    format!("{name}_whole")
}

/// All sums of the graph that belong together, where every reader and writer can be rescaled.
fn streams(net: &Net, links: &Links) -> Vec<Stream> {
    let mut groups: Vec<BTreeSet<String>> = Vec::new();
    for node in net.nodes.iter().filter(|n| is_sum(net, n)) {
        let mut group: BTreeSet<String> = node.input.iter().chain(&node.output).cloned().collect();
        groups.retain(|other| {
            let apart = other.is_disjoint(&group);
            if !apart {
                group.extend(other.iter().cloned());
            }
            apart
        });
        groups.push(group);
    }
    groups.into_iter().filter_map(|tensors| stream(net, links, tensors)).collect()
}

fn stream(net: &Net, links: &Links, tensors: BTreeSet<String>) -> Option<Stream> {
    let mut stream =
        Stream { tensors, channelwise: BTreeSet::new(), whole: Vec::new(), written: Vec::new() };
    for name in &stream.tensors {
        let made = links.maker(name)?;
        if !is_sum(net, &net.nodes[made]) {
            stream.written.push(name.clone());
        }
        if *name == net.output {
            return None;
        }
        for &at in links.readers(name) {
            let node = &net.nodes[at];
            if is_sum(net, node) {
                continue;
            }
            let dense_or_pooled =
                node.op_type == "Conv" || AVERAGE.contains(&node.op_type.as_str());
            if is_depthwise(net, node) {
                stream.channelwise.insert(at);
            } else if dense_or_pooled {
                return None;
            } else {
                stream.whole.push((at, name.clone()));
            }
        }
    }
    (!stream.channelwise.is_empty()).then_some(stream)
}

fn is_depthwise(net: &Net, node: &models::onnx::pb::NodeProto) -> bool {
    let dims = net.floats(input(node, 1)).map(|(_, dims)| dims).unwrap_or_default();
    let groups = usize::try_from(tensor::int(node, "group", 1)).unwrap_or(0);
    node.op_type == "Conv" && dims.len() == 4 && dims[1] == 1 && dims[0] == groups && groups > 1
}

/// Largest magnitude of each channel (axis 1) of tensors with four axes, over the first pictures.
fn ranges(
    net: &Net,
    names: &[String],
    pictures: &Pictures<'_>,
    side: (usize, usize),
    threads: usize,
    place: &str,
) -> Result<BTreeMap<String, Vec<f32>>, CalibrationError> {
    let probe = Probe::new(net.to_proto(), side, names, place)?;
    let few = pictures.at_most(PICTURES);
    let start = || Ok((probe.session()?, vec![Vec::new(); names.len()]));
    let found = few.stream(
        threads,
        &start,
        &|(session, largest), picture, _| {
            session.run(picture, &mut |i, values| {
                add_largest(&mut largest[i], &probe.shapes()[i], values);
            })?;
            Ok(())
        },
        &|_| {},
    )?;
    let mut ranges = BTreeMap::new();
    for (i, name) in names.iter().enumerate() {
        let mut all: Vec<f32> = Vec::new();
        for (_, largest) in &found {
            all.resize(all.len().max(largest[i].len()), 0.0);
            all.iter_mut().zip(&largest[i]).for_each(|(a, &b)| *a = a.max(b));
        }
        ranges.insert(name.clone(), all);
    }
    Ok(ranges)
}

fn add_largest(largest: &mut Vec<f32>, shape: &[usize], values: &[f32]) {
    let [_, channels, rows, columns] = *shape else { return };
    largest.resize(channels, 0.0);
    for (block, part) in values.chunks((rows * columns).max(1)).enumerate() {
        let max = &mut largest[block % channels.max(1)];
        *max = part.iter().fold(*max, |a, &v| a.max(v.abs()));
    }
}

/// Factor of each channel, at most 1; none where the channels are even enough or no two tensors agree on their number.
fn factors(stream: &Stream, ranges: &BTreeMap<String, Vec<f32>>) -> Option<Vec<f64>> {
    let mut largest: Vec<f64> = Vec::new();
    for name in &stream.tensors {
        let found = ranges.get(name).filter(|r| !r.is_empty())?;
        largest.resize(largest.len().max(found.len()), 0.0);
        if largest.len() != found.len() {
            return None;
        }
        largest.iter_mut().zip(found).for_each(|(a, &b)| *a = a.max(f64::from(b)));
    }
    let top = largest.iter().copied().fold(0.0, f64::max);
    let mut sorted = largest.clone();
    sorted.sort_by(f64::total_cmp);
    let median = *sorted.get(sorted.len() / 2)?;
    (top.is_finite() && top > UNEVEN * median && median > 0.0)
        .then(|| largest.iter().map(|r| (r / top).max(SMALLEST)).collect())
}

/// Divides what writes the stream and multiplies what reads it by channel; false, with the network half done, where a
/// writer is of another kind.
fn rescale(net: &mut Net, links: &Links, stream: &Stream, factors: &[f64]) -> bool {
    let inverse: Vec<f64> = factors.iter().map(|s| 1.0 / s).collect();
    for name in &stream.written {
        let mut source = name.clone();
        let mut made = links.maker(&source);
        if let Some(at) = made.filter(|&at| net.nodes[at].op_type == "Transpose") {
            source = input(&net.nodes[at], 0).to_owned();
            if links.only_reader(&source).is_none()
                || tensor::ints(&net.nodes[at], "perm") != [0, 3, 1, 2]
            {
                return false;
            }
            made = links.maker(&source);
        }
        let Some(at) = made else { return false };
        let node = net.nodes[at].clone();
        let is_norm = node.op_type == "LayerNormalization";
        let channels_last = source != *name;
        let written = if is_norm {
            channels_last && scale_norm(net, &node, &inverse)
        } else {
            let affine = Affine { factor: inverse.clone(), summand: vec![0.0; inverse.len()] };
            target(net, links, &source)
                .filter(|t| (net.nodes[t.node].op_type == "Conv") != channels_last)
                .is_some_and(|t| apply(net, &t, &affine))
        };
        if !written {
            return false;
        }
    }
    for &at in &stream.channelwise {
        let weight = input(&net.nodes[at], 1).to_owned();
        let Some((values, dims)) = net.floats(&weight) else { return false };
        if dims[0] != factors.len() {
            return false;
        }
        let each = values.len() / factors.len();
        let scaled: Vec<f64> =
            values.iter().enumerate().map(|(i, &w)| f64::from(w) * factors[i / each]).collect();
        net.set_floats(&weight, &dims, &narrowed(&scaled));
    }
    true
}

/// Gain and offset of a norm over the last axis, which is that of the channels.
fn scale_norm(net: &mut Net, node: &models::onnx::pb::NodeProto, inverse: &[f64]) -> bool {
    for position in [1, 2] {
        let name = input(node, position).to_owned();
        if position == 2 && name.is_empty() {
            continue;
        }
        let Some((values, dims)) = net.floats(&name).filter(|(v, _)| v.len() == inverse.len())
        else {
            return false;
        };
        let scaled: Vec<f64> = values.iter().zip(inverse).map(|(&v, f)| f64::from(v) * f).collect();
        // norms may share their gain, so this one gets its own
        let own = format!("{}_{}", output(node), if position == 1 { "gain" } else { "offset" });
        net.set_floats(&own, &dims, &narrowed(&scaled));
        let Some(at) = net.nodes.iter().position(|n| output(n) == output(node)) else {
            return false;
        };
        net.nodes[at].input[position] = own;
    }
    true
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
fn narrowed(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tests::{conv, net_of};
    use crate::tensor::{node, with_int};

    fn turned(x: &str, perm: [i64; 4], y: &str) -> models::onnx::pb::NodeProto {
        let mut turn = node("Transpose", &[x], y);
        turn.attribute.push(models::onnx::pb::AttributeProto {
            name: "perm".into(),
            r#type: 7,
            ints: perm.to_vec(),
            ..Default::default()
        });
        turn
    }

    /// conv - depthwise - turn - linear - turn - + - turn - norm
    ///      \-----------------------------------/
    fn block(reader: &str) -> Net {
        let nodes = vec![
            conv("x", "stem", "stem_bias", "s"),
            with_int(conv("s", "depth", "", "d"), "group", 2),
            turned("d", [0, 2, 3, 1], "t"),
            node("MatMul", &["t", "linear"], "p"),
            node("Add", &["linear_bias", "p"], "a"),
            turned("a", [0, 3, 1, 2], "u"),
            node("Add", &["s", "u"], "sum"),
            node(reader, &["sum"], "y"),
        ];
        let mut net = net_of(nodes, "y");
        net.set_floats("stem", &[2, 3, 1, 1], &[8.0, 8.0, 8.0, 1.0, 1.0, 1.0]);
        net.set_floats("stem_bias", &[2], &[4.0, 2.0]);
        net.set_floats("depth", &[2, 1, 1, 1], &[3.0, 5.0]);
        net.set_floats("linear", &[2, 2], &[1.0, 2.0, 3.0, 4.0]);
        net.set_floats("linear_bias", &[2], &[1.0, -1.0]);
        net
    }

    #[test]
    fn writers_are_divided_readers_multiplied_and_the_rest_reads_a_product() {
        let mut net = block("Relu");
        let links = net.links();
        let found = streams(&net, &links);
        let [stream] = found.as_slice() else { panic!("{} streams", found.len()) };
        assert_eq!(stream.tensors.iter().collect::<Vec<_>>(), ["s", "sum", "u"]);
        assert_eq!(stream.written, ["s", "u"]);
        assert_eq!(stream.whole, [(7, "sum".to_owned())]);
        assert!(rescale(&mut net, &links, stream, &[1.0, 0.5]));
        let values = |name: &str| net.floats(name).unwrap().0;
        assert_eq!(values("stem"), [8.0, 8.0, 8.0, 2.0, 2.0, 2.0]);
        assert_eq!(values("stem_bias"), [4.0, 4.0]);
        assert_eq!(values("depth"), [3.0, 2.5]);
        assert_eq!(values("linear"), [1.0, 4.0, 3.0, 8.0]);
        assert_eq!(values("linear_bias"), [1.0, -2.0]);
    }

    #[test]
    fn pooled_and_densely_read_streams_are_left_alone() {
        let streams_of = |net: &Net| streams(net, &net.links()).len();
        assert_eq!(streams_of(&block("GlobalAveragePool")), 0);
        let mut dense = block("Relu");
        dense.nodes[1].attribute.clear();
        assert_eq!(streams_of(&dense), 0);
    }

    #[test]
    fn factors_follow_the_largest_of_all_tensors_and_even_streams_have_none() {
        let net = block("Relu");
        let stream = &streams(&net, &net.links())[0];
        let ranges = |of: [[f32; 2]; 3]| {
            ["s", "sum", "u"].map(str::to_owned).into_iter().zip(of.map(Vec::from)).collect()
        };
        let found = factors(stream, &ranges([[1.0, 0.0], [8.0, 1.0], [2.0, 1.0]]));
        // two channels: the median is the larger one
        assert_eq!(found, None);
        let uneven =
            BTreeMap::from(["s", "sum", "u"].map(|n| (n.to_owned(), vec![1.0_f32, 0.0, 100.0])));
        assert_eq!(factors(stream, &uneven), Some(vec![0.01_f64, SMALLEST, 1.0]));
        let other = BTreeMap::from([
            ("s".to_owned(), vec![1.0]),
            ("sum".to_owned(), vec![1.0, 2.0]),
            ("u".to_owned(), vec![1.0]),
        ]);
        assert_eq!(factors(stream, &other), None);
    }

    #[test]
    fn magnitudes_run_along_the_channels() {
        let mut largest = Vec::new();
        add_largest(&mut largest, &[1, 2, 1, 2], &[1.0, -3.0, 2.0, 0.0]);
        add_largest(&mut largest, &[1, 2, 1, 2], &[2.0, 0.0, -4.0, 0.0]);
        assert_eq!(largest, [3.0, 4.0]);
    }
}
