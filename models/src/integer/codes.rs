//! Tensors of codes: their shape, their quantization, and in which order the graph lists their axes.

use kernels::Quantization;

/// Cells and channels of a tensor; memory order is always `[height, width, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cells {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Cells {
    pub(crate) const fn count(self) -> usize {
        self.height * self.width
    }
}

/// How the graph lists the axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axes {
    /// `[1, C, H, W]`
    ChannelsFirst,
    /// `[1, H, W, C]`
    ChannelsLast,
    /// `[H * W, C]`
    Rows,
}

impl Axes {
    /// Shape in the graph.
    pub(crate) fn shape(self, cells: Cells) -> Vec<usize> {
        let Cells { height, width, channels } = cells;
        match self {
            Self::ChannelsFirst => vec![1, channels, height, width],
            Self::ChannelsLast => vec![1, height, width, channels],
            Self::Rows => vec![cells.count(), channels],
        }
    }

    /// Position of the channels among the axes.
    pub(crate) const fn channel_axis(self) -> usize {
        match self {
            Self::ChannelsFirst | Self::Rows => 1,
            Self::ChannelsLast => 3,
        }
    }

    /// Number of axes.
    pub(crate) const fn rank(self) -> usize {
        match self {
            Self::ChannelsFirst | Self::ChannelsLast => 4,
            Self::Rows => 2,
        }
    }

    /// After a `Transpose`.
    pub(crate) fn transposed(self, permutation: &[usize], cells: Cells) -> Option<Self> {
        match (self, permutation) {
            (Self::ChannelsFirst, [0, 2, 3, 1]) => Some(Self::ChannelsLast),
            (Self::ChannelsLast, [0, 3, 1, 2]) => Some(Self::ChannelsFirst),
            (_, [0, 1, 2, 3]) if self.rank() == 4 => Some(self),
            (Self::Rows, [0, 1]) => Some(self),
            _ if cells.count() == 1 && self.rank() == 4 && permutation.len() == 4 => {
                // one cell: only the place of the channels matters
                let place = permutation.iter().position(|p| *p == self.channel_axis())?;
                [Self::ChannelsFirst, Self::ChannelsLast]
                    .into_iter()
                    .find(|a| a.channel_axis() == place)
            }
            _ => None,
        }
    }

    /// After a `Reshape` to this shape (with 0 and -1 resolved), if memory stays as it is.
    pub(crate) fn reshaped(self, shape: &[usize], cells: Cells) -> Option<Self> {
        let last_stays = self != Self::ChannelsFirst || cells.count() == 1;
        let candidates = [self, Self::ChannelsLast, Self::Rows, Self::ChannelsFirst];
        candidates.into_iter().find(|axes| {
            let same = *axes == self;
            let last = *axes != Self::ChannelsFirst || cells.count() == 1;
            axes.shape(cells) == shape && (same || (last && last_stays))
        })
    }
}

/// A tensor of codes that a step makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tensor {
    pub(crate) cells: Cells,
    pub(crate) quantization: Quantization,
}

/// Shape that `Reshape` asks for, 0 (same) and -1 (rest) resolved.
pub(crate) fn resolve(target: &[i64], from: &[usize], allow_zero: bool) -> Option<Vec<usize>> {
    let whole: usize = from.iter().product();
    let mut rest = None;
    let mut shape = Vec::with_capacity(target.len());
    for (i, &size) in target.iter().enumerate() {
        shape.push(match size {
            -1 => {
                if rest.replace(i).is_some() {
                    return None;
                }
                1
            }
            0 if !allow_zero => *from.get(i)?,
            _ => usize::try_from(size).ok()?,
        });
    }
    let known = shape.iter().try_fold(1_usize, |a, &b| a.checked_mul(b))?;
    if let Some(i) = rest {
        shape[i] = whole.checked_div(known)?;
    }
    (shape.iter().try_fold(1_usize, |a, &b| a.checked_mul(b))? == whole).then_some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELLS: Cells = Cells { height: 2, width: 3, channels: 5 };
    const POINT: Cells = Cells { height: 1, width: 1, channels: 5 };

    #[test]
    fn views_that_keep_memory_are_found_and_others_refused() {
        use Axes::{ChannelsFirst, ChannelsLast, Rows};
        assert_eq!(ChannelsLast.reshaped(&[6, 5], CELLS), Some(Rows));
        assert_eq!(Rows.reshaped(&[1, 2, 3, 5], CELLS), Some(ChannelsLast));
        assert_eq!(ChannelsFirst.reshaped(&[1, 30], CELLS), None);
        assert_eq!(ChannelsFirst.reshaped(&[6, 5], CELLS), None);
        assert_eq!(ChannelsFirst.reshaped(&[1, 5], POINT), Some(Rows));
        assert_eq!(ChannelsFirst.transposed(&[0, 2, 3, 1], CELLS), Some(ChannelsLast));
        assert_eq!(ChannelsFirst.transposed(&[0, 3, 2, 1], CELLS), None);
        assert_eq!(ChannelsFirst.transposed(&[0, 3, 2, 1], POINT), Some(ChannelsLast));
    }

    #[test]
    fn reshape_targets_are_resolved() {
        assert_eq!(resolve(&[0, -1], &[1, 2, 3], false), Some(vec![1, 6]));
        assert_eq!(resolve(&[-1, -1], &[1, 2, 3], false), None);
        assert_eq!(resolve(&[4, -1], &[1, 2, 3], false), None);
        assert_eq!(resolve(&[7], &[1, 2, 3], false), None);
    }
}
