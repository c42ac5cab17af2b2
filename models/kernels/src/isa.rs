//! Instruction sets: a value of [`Isa`] is the proof that this processor has it.

use std::fmt;
use std::str::FromStr;

/// An instruction set that this processor has, found at run time or asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Kind);

/// What [`Isa`] stands for; not constructible outside, so that no unsupported one can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Portable code, the oracle of all others.
    Scalar,
    /// `vpmaddubsw`; two of them with masks where the weights could saturate it.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// `vpdpbusd` on 256 bits.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// `vpdpbusd` on 512 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    /// Tiles of 16 x 64 bytes, `tdpbusd`; the rest as [`Kind::Avx512Vnni`].
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// Widening multiplications.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// `sdot`.
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

/// From the slowest to the fastest.
const ALL: &[Kind] = &[
    Kind::Scalar,
    #[cfg(target_arch = "x86_64")]
    Kind::Avx2,
    #[cfg(target_arch = "x86_64")]
    Kind::AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Kind::Avx512Vnni,
    #[cfg(target_arch = "x86_64")]
    Kind::Amx,
    #[cfg(target_arch = "aarch64")]
    Kind::Neon,
    #[cfg(target_arch = "aarch64")]
    Kind::NeonDot,
];

/// An instruction set that is not known or not in this processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsaError {
    asked: String,
    available: Vec<&'static str>,
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = self.available.join(", ");
        write!(
            f,
            "isa: expected one that this processor has ({list}), found `{}`; leave it out to have the best",
            self.asked
        )
    }
}

impl std::error::Error for IsaError {}

impl Isa {
    /// Portable code, present everywhere.
    pub const SCALAR: Self = Self(Kind::Scalar);

    /// The fastest that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        Self::available().last().copied().unwrap_or(Self::SCALAR)
    }

    /// All that this processor has, from the slowest to the fastest.
    #[must_use]
    pub fn available() -> Vec<Self> {
        ALL.iter().filter(|kind| kind.present()).map(|&kind| Self(kind)).collect()
    }

    /// The name that `--isa` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name()
    }

    pub(crate) const fn kind(self) -> Kind {
        self.0
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = IsaError;

    fn from_str(name: &str) -> Result<Self, IsaError> {
        let available = Self::available();
        available.iter().find(|isa| isa.name() == name).copied().ok_or_else(|| IsaError {
            asked: name.to_owned(),
            available: available.iter().map(|isa| isa.name()).collect(),
        })
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Amx => "amx",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => "neon-dot",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn present(self) -> bool {
        let avx2 = is_x86_feature_detected!("avx2");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
            && avx2;
        match self {
            Self::Scalar => true,
            Self::Avx2 => avx2,
            Self::AvxVnni => avx2 && is_x86_feature_detected!("avxvnni"),
            Self::Avx512Vnni => avx512,
            Self::Amx => avx512 && crate::gemm::amx_usable(),
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn present(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Self::NeonDot => std::arch::is_aarch64_feature_detected!("dotprod"),
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn present(self) -> bool {
        self == Self::Scalar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ROADGAZE_EXPECT_ISA=neon,neon-dot` makes a test run demand what its processor should have.
    #[test]
    fn the_instruction_sets_that_this_processor_should_have_are_found() {
        let expected = std::env::var("ROADGAZE_EXPECT_ISA").unwrap_or_else(|_| "scalar".to_owned());
        for name in expected.split(',') {
            name.parse::<Isa>().unwrap();
        }
    }

    #[test]
    fn names_lead_back_to_what_is_available() {
        let available = Isa::available();
        assert_eq!(available.first(), Some(&Isa::SCALAR));
        for isa in available {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        let error = "sse9".parse::<Isa>().unwrap_err().to_string();
        assert!(error.contains("scalar") && error.contains("sse9"), "{error}");
    }
}
