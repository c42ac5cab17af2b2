//! Counts the records of an ONNX file on the wire, before they are built in memory.
//!
//! A node without content takes two bytes in the file and hundreds in memory, so the size of a file does not bound what
//! decoding it takes. This walks through the bytes by the field numbers of `onnx.proto` and counts every message, string
//! and number that would become an element of a list.

use std::fmt;

/// Records of a graph at most, up to a kilobyte of memory each. ConvNeXt-Large in QDQ form has about 100,000.
pub(super) const MOST_RECORDS: usize = 500_000;
/// Numbers in lists that take as much memory as one record.
const NUMBERS: usize = 256;
/// As deep as the decoder itself goes.
const DEEPEST: usize = 100;

/// Bytes that are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WireError {
    /// What should have been there.
    expected: &'static str,
    /// Where in the file.
    at: usize,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} expected at byte {}", self.expected, self.at)
    }
}

/// Messages whose fields are looked into; everything else counts as one record.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Training,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    Value,
    Type,
    /// `Sequence`, `Optional`, `Map`: a type inside a type.
    Wrapped,
    TensorType,
    Shape,
    Function,
    /// A list of small records.
    List,
    Leaf,
}

impl Message {
    /// What a field of this number holds.
    const fn field(self, number: u64) -> Self {
        match (self, number) {
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::Model, 7) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::Sparse, 1 | 2) => Self::Tensor,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::Sparse,
            (Self::Graph, 11..=13) | (Self::Function, 12) => Self::Value,
            (Self::Graph, 14) => Self::List,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Value, 2) | (Self::Wrapped, 1 | 2) | (Self::Attribute, 14 | 15) => Self::Type,
            (Self::Type, 1 | 8) => Self::TensorType,
            (Self::Type, 4 | 5 | 9) => Self::Wrapped,
            (Self::TensorType, 2) => Self::Shape,
            _ => Self::Leaf,
        }
    }

    /// How numbers are written in a field of this number, if it is a list of them.
    const fn numbers(self, number: u64) -> Option<Written> {
        match (self, number) {
            (Self::Attribute, 7) | (Self::Tensor, 4) => Some(Written::Four),
            (Self::Tensor, 10) => Some(Written::Eight),
            (Self::Attribute, 8) | (Self::Tensor, 1 | 5 | 7 | 11) | (Self::Sparse, 3) => {
                Some(Written::Varint)
            }
            _ => None,
        }
    }
}

/// Bytes of a number in a packed list.
#[derive(Clone, Copy)]
enum Written {
    Four,
    Eight,
    /// Seven bits a byte, the highest bit of each but the last set.
    Varint,
}

impl Written {
    /// How many numbers these bytes are.
    fn count(self, bytes: &[u8]) -> usize {
        match self {
            Self::Four => bytes.len().div_ceil(4),
            Self::Eight => bytes.len().div_ceil(8),
            Self::Varint => bytes.iter().filter(|byte| **byte < 0x80).count(),
        }
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    records: usize,
    numbers: usize,
}

/// Number of records, or a number above [`MOST_RECORDS`] as soon as that is certain. Numbers of a list count by [`NUMBERS`].
pub(super) fn count(bytes: &[u8]) -> Result<usize, WireError> {
    let mut walk = Walk { bytes, records: 0, numbers: 0 };
    walk.message(0, bytes.len(), Message::Model, 0)?;
    Ok(walk.total())
}

impl Walk<'_> {
    const fn total(&self) -> usize {
        self.records + self.numbers / NUMBERS
    }

    fn message(
        &mut self,
        start: usize,
        end: usize,
        message: Message,
        depth: usize,
    ) -> Result<(), WireError> {
        if depth > DEEPEST {
            return Err(WireError { expected: "at most 100 levels of messages", at: start });
        }
        let mut at = start;
        while at < end && self.total() <= MOST_RECORDS {
            let key = self.varint(&mut at, end)?;
            let number = key >> 3;
            let kind = key & 7;
            let written = message.numbers(number);
            if kind != 2 {
                self.numbers += usize::from(written.is_some());
            }
            match kind {
                0 => drop(self.varint(&mut at, end)?),
                1 => at += 8,
                5 => at += 4,
                2 => {
                    let length = self.varint(&mut at, end)?;
                    let stop = usize::try_from(length).ok().and_then(|n| at.checked_add(n));
                    let stop = stop.filter(|&stop| stop <= end).ok_or(WireError {
                        expected: "a field that ends within its message",
                        at,
                    })?;
                    self.records += 1;
                    if let Some(written) = written {
                        self.numbers += written.count(&self.bytes[at..stop]);
                    }
                    let inner = message.field(number);
                    if !matches!(inner, Message::Leaf) {
                        self.message(at, stop, inner, depth + 1)?;
                    }
                    at = stop;
                }
                _ => return Err(WireError { expected: "a field type of 0, 1, 2 or 5", at }),
            }
        }
        if at > end {
            return Err(WireError { expected: "a field that ends within its message", at: end });
        }
        Ok(())
    }

    fn varint(&self, at: &mut usize, end: usize) -> Result<u64, WireError> {
        let start = *at;
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let Some(&byte) = self.bytes[..end].get(*at) else { break };
            *at += 1;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError { expected: "a number of at most ten bytes", at: start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::pb;
    use prost::Message as _;

    fn model(graph: pb::GraphProto) -> Vec<u8> {
        pb::ModelProto { graph: Some(graph), ..Default::default() }.encode_to_vec()
    }

    #[test]
    fn the_micro_networks_have_as_many_records_as_their_lists_are_long() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/desktop");
        for name in ["resnet-micro.onnx", "convnext-micro-f16.onnx"] {
            let bytes = std::fs::read(format!("{folder}/{name}")).unwrap();
            let proto = pb::ModelProto::decode(bytes.as_slice()).unwrap();
            let graph = proto.graph.unwrap();
            let nodes = graph.node.iter().map(|n| 1 + n.input.len() + n.output.len());
            let least = nodes.sum::<usize>() + graph.initializer.len();
            let found = count(&bytes).unwrap();
            assert!(found >= least && found < 20 * least, "{name}: {found}, {least} at least");
        }
    }

    #[test]
    fn empty_nodes_attributes_dimensions_and_numbers_are_counted() {
        let many = 60_000;
        let node = pb::NodeProto {
            attribute: vec![pb::AttributeProto::default(); many],
            ..Default::default()
        };
        let wide = pb::NodeProto { input: vec![String::new(); many], ..Default::default() };
        let graph = |node: Vec<pb::NodeProto>| pb::GraphProto { node, ..Default::default() };
        let nested = pb::AttributeProto {
            g: Some(graph(vec![pb::NodeProto::default(); many])),
            ..Default::default()
        };
        let inside = pb::NodeProto { attribute: vec![nested], ..Default::default() };
        for list in [vec![pb::NodeProto::default(); many], vec![node], vec![wide], vec![inside]] {
            let found = count(&model(graph(list))).unwrap();
            assert!((many..many + 10).contains(&found), "{found}");
        }
        // negative codes take ten bytes each and floats four, in the file alone
        for tensor in [
            pb::TensorProto { int32_data: vec![1; many], ..Default::default() },
            pb::TensorProto { int32_data: vec![-1; many], ..Default::default() },
            pb::TensorProto { float_data: vec![1.0; many], ..Default::default() },
            pb::TensorProto { double_data: vec![1.0; many], ..Default::default() },
        ] {
            let initializer = pb::GraphProto { initializer: vec![tensor], ..Default::default() };
            let found = count(&model(initializer)).unwrap();
            assert!((many / NUMBERS..many / NUMBERS + 10).contains(&found), "{found}");
        }
    }

    #[test]
    fn counting_stops_once_it_is_too_much() {
        let graph = [0x0a_u8, 0].repeat(4 * MOST_RECORDS);
        let mut bytes = vec![0x3a];
        prost::encoding::encode_varint(graph.len() as u64, &mut bytes);
        bytes.extend(graph);
        assert_eq!(count(&bytes), Ok(MOST_RECORDS + 1));
    }

    #[test]
    fn what_is_no_message_is_refused_with_its_place() {
        for (bytes, said) in [
            (&[0x3a, 5, 0x0a][..], "a field that ends within its message expected at byte 2"),
            (&[0x3b], "a field type of 0, 1, 2 or 5 expected at byte 1"),
            (&[0xff; 12], "a number of at most ten bytes expected at byte 0"),
            (&[0x0d, 1], "a field that ends within its message expected at byte 2"),
        ] {
            assert_eq!(count(bytes).unwrap_err().to_string(), said);
        }
        // a graph in an attribute in a node in a graph, and so on
        let mut deep = Vec::new();
        for _ in 0..200 {
            for key in [0x32, 0x2a, 0x0a] {
                let inner = std::mem::take(&mut deep);
                deep.push(key);
                prost::encoding::encode_varint(inner.len() as u64, &mut deep);
                deep.extend(inner);
            }
        }
        let mut bytes = vec![0x3a];
        prost::encoding::encode_varint(deep.len() as u64, &mut bytes);
        bytes.extend(&deep[2..]);
        let error = count(&bytes);
        assert!(error.is_err(), "{error:?}");
    }
}
