//! The rendered sets as a source of frames: every frame is made when it is asked for.
//!
//! Frames are ordered by index, and within an index by class, so every prefix holds (almost) equally many frames of
//! each class. The order of the classes is shuffled anew for each index: otherwise every N-th frame, as
//! `--shard I/N` takes them, would be the same few classes again and again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::art::SignFace;
use crate::catalogue::Catalogue;
use crate::compose::{Background, Scratch};
use crate::config::{Identity, SceneConfig};
use crate::digest::Digest;
use crate::environment::Environment;
use crate::photographs::Photographs;
use crate::renderer::{RENDERER_VERSION, render_face};
use crate::rng::Stream;
use crate::sets::settings::SETS_TOML;
pub use crate::sets::spec::environment_word;
use crate::sets::{Conditional, CorrelationSettings, SetName, SetSettings};
use crate::source::{Frame, FrameKey, FrameSource, MetadataValue, SourceError};

/// A rendered set.
#[derive(Debug)]
pub struct Synthetic {
    name: SetName,
    classes: Vec<u16>,
    class_names: Vec<String>,
    table: Conditional,
    photographs: Option<Photographs>,
    scratch: Mutex<Vec<Scratch>>,
}

impl Synthetic {
    /// The set of a name such as `synthetic:CF/test?per_class=50`.
    ///
    /// # Errors
    /// If the name is not understood or the photographs cannot be used.
    pub fn open(name: &str) -> Result<Self, SourceError> {
        Self::new(name.parse()?)
    }

    /// The set of a parsed name.
    ///
    /// # Errors
    /// If the photographs cannot be used.
    pub fn new(name: SetName) -> Result<Self, SourceError> {
        let photographs = name.photographs.as_deref().map(Photographs::open).transpose()?;
        let table = match &photographs {
            Some(photographs) => photographs.table(name.correlation_settings()),
            None => match name.environment {
                Some(environment) => forced_table(environment),
                None => name.set.environment_table_with(name.correlation_settings()),
            },
        };
        Ok(Self {
            classes: name.set.signs().iter().map(|sign| sign.id).collect(),
            class_names: Catalogue::get().signs().iter().map(|sign| sign.name.clone()).collect(),
            table,
            photographs,
            scratch: Mutex::new(Vec::new()),
            name,
        })
    }

    /// What the set was asked to be.
    #[must_use]
    pub fn set_name(&self) -> &SetName {
        &self.name
    }

    /// P(environment | class), one row a class of the whole catalogue.
    #[must_use]
    pub fn environment_table(&self) -> &Conditional {
        &self.table
    }

    /// I(class; environment) in bits over the classes of this set.
    #[must_use]
    pub fn information_bits(&self) -> f64 {
        let classes: Vec<usize> = self.classes.iter().map(|&class| usize::from(class)).collect();
        self.table.restricted(&classes).information_bits()
    }

    /// Names of the environments, in the order of the table's columns.
    #[must_use]
    pub fn environment_names(&self) -> Vec<String> {
        match &self.photographs {
            Some(photographs) => photographs.labels(),
            None => Environment::ALL.iter().map(|&e| environment_word(e)).collect(),
        }
    }

    /// Entries for `dataset.toml`: what makes up the set.
    #[must_use]
    pub fn identity_table(&self) -> toml::Table {
        let integer = |n: u32| toml::Value::Integer(i64::from(n));
        let mut table = toml::Table::new();
        table.insert("set".into(), self.name.set.to_string().into());
        table.insert("split".into(), self.name.split.as_str().into());
        table.insert("per_class".into(), integer(self.name.per_class));
        table.insert("first".into(), integer(self.name.first));
        table.insert("size".into(), integer(u32::try_from(self.name.size).unwrap_or(0)));
        if let Some(strength) = self.name.strength {
            table.insert("strength".into(), strength.value().into());
        }
        table.insert("renderer_version".into(), integer(RENDERER_VERSION));
        table.insert("catalogue_hash".into(), Catalogue::get().content_hash().into());
        // four digits: the last bits of a logarithm differ between machines
        let bits = format!("{:.4}", self.information_bits());
        table.insert("information_bits".into(), bits.into());
        table.insert("environments".into(), self.environment_names().into());
        table
    }

    /// Ids of the classes of this set.
    #[must_use]
    pub fn classes(&self) -> &[u16] {
        &self.classes
    }

    fn identity(&self, key: FrameKey) -> Identity {
        Identity { split: self.name.split, class: key.class, index: key.index }
    }

    /// Column of the environment: the same uniform number in all sets.
    fn environment_column(&self, identity: &Identity) -> usize {
        let unit = f64::from(identity.stream("environment").unit());
        self.table.draw(usize::from(identity.class), unit)
    }

    /// The configuration of a frame; costs microseconds, nothing is rendered.
    #[must_use]
    pub fn config(&self, key: FrameKey) -> SceneConfig {
        let identity = self.identity(key);
        let column = self.environment_column(&identity);
        let environment = Environment::ALL[column % Environment::ALL.len()];
        let level = SetSettings::get().level(self.name.set.level);
        SceneConfig::draw(identity, level, environment).with_corner_case(self.name.corner_case)
    }

    /// Render the frame of a key, whether or not it lies within the requested indices.
    ///
    /// # Errors
    /// If the class does not exist or a photograph cannot be read.
    pub fn render(&self, key: FrameKey) -> Result<Frame, SourceError> {
        let face = SignFace::new(key.class).ok_or_else(|| SourceError::Name {
            name: self.name(),
            problem: format!("unknown class id {}", key.class),
            remedy: format!("class ids run from 0 to {}", self.class_names.len() - 1),
        })?;
        let config = self.config(key);
        let mut metadata: BTreeMap<_, _> = config.to_metadata();
        let identity = self.identity(key);
        let photograph = match &self.photographs {
            Some(photographs) => {
                let column = self.environment_column(&identity);
                let (canvas, file) = photographs.crop(column, &identity, self.name.size)?;
                let label = photographs.labels().swap_remove(column);
                metadata.insert("environment".into(), MetadataValue::Text(label));
                metadata.insert("photograph".into(), MetadataValue::Text(file));
                Some(canvas)
            }
            None => None,
        };
        if let Some(sign) = Catalogue::get().sign(key.class) {
            metadata.insert("shape".into(), MetadataValue::Text(sign.shape.word().into()));
        }
        metadata.insert("set".into(), MetadataValue::Text(self.name.set.to_string()));
        let background = photograph.as_ref().map_or(Background::Painted, Background::Photograph);
        let mut scratch = self.pool().pop().unwrap_or_else(|| Scratch::new(self.name.size));
        let rendered = render_face(&config, &face, background, &mut scratch);
        self.pool().push(scratch);
        Ok(Frame { key, image: rendered.image, mask: rendered.mask, metadata })
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        // buffers hold no state between frames, so one left by a panic is as good as any
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every class in this one environment.
fn forced_table(environment: Environment) -> Conditional {
    let column = Environment::ALL.iter().position(|&e| e == environment).unwrap_or(0);
    let lists = vec![vec![column]; Catalogue::get().signs().len()];
    let always = CorrelationSettings { strength: 1.0, ..CorrelationSettings::INDEPENDENT };
    Conditional::new(&lists, Environment::ALL.len(), always)
}

/// The classes of an index in their order: Fisher-Yates with a stream of the index.
pub(crate) fn shuffled(classes: usize, index: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..classes).collect();
    let mut stream = Stream::new("order", &[u64::from(index)]);
    for last in (1..classes).rev() {
        order.swap(last, stream.below(last + 1));
    }
    order
}

impl FrameSource for Synthetic {
    fn name(&self) -> String {
        self.name.to_string()
    }

    fn content_hash(&self) -> String {
        let mut digest = Digest::new()
            .number(u64::from(RENDERER_VERSION))
            .part(Catalogue::get().content_hash().as_bytes())
            .part(SETS_TOML.as_bytes())
            .part(self.name().as_bytes())
            .number(u64::from(self.name.per_class))
            .number(self.name.size as u64);
        if let Some(photographs) = &self.photographs {
            digest = digest.part(photographs.content_hash().as_bytes());
        }
        digest.hex()
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn len(&self) -> usize {
        self.classes.len() * usize::try_from(self.name.per_class).unwrap_or(0)
    }

    fn key(&self, position: usize) -> Result<FrameKey, SourceError> {
        let len = self.len();
        if position >= len {
            return Err(SourceError::OutOfRange { position, len });
        }
        let classes = self.classes.len();
        let round = u32::try_from(position / classes).unwrap_or(u32::MAX);
        let index = self.name.first.saturating_add(round);
        let class = self.classes[shuffled(classes, index)[position % classes]];
        Ok(FrameKey { class, index })
    }

    fn frame(&self, position: usize) -> Result<Frame, SourceError> {
        self.render(self.key(position)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn set(name: &str) -> Synthetic {
        Synthetic::open(name).unwrap()
    }

    #[test]
    fn every_prefix_is_balanced_and_every_key_appears_once() {
        let source = set("synthetic:CMT/test?per_class=5&first=7");
        let keys: Vec<_> = (0..source.len()).map(|p| source.key(p).unwrap()).collect();
        let classes = source.classes().len();
        for (round, part) in keys.chunks(classes).enumerate() {
            let seen: BTreeSet<u16> = part.iter().map(|k| k.class).collect();
            assert_eq!(seen.len(), classes);
            assert!(part.iter().all(|k| k.index as usize == 7 + round));
        }
        assert!(keys[..classes] != keys[classes..2 * classes], "shuffled anew");
        assert!(matches!(source.key(keys.len()), Err(SourceError::OutOfRange { .. })));
    }

    #[test]
    fn u_and_c_share_all_but_the_environment_and_levels_share_it() {
        let sources = ["UF", "UH", "CF", "CH"].map(|n| set(&format!("synthetic:{n}/test")));
        let mut moved = 0;
        for class in 0..82 {
            let key = FrameKey { class, index: 3 };
            let [uf, uh, cf, ch] = sources.each_ref().map(|s| s.config(key));
            assert_eq!(uf.environment, uh.environment);
            assert_eq!(cf.environment, ch.environment);
            assert_eq!(
                (uf.pose, uf.light, uf.surface, uf.formation),
                (cf.pose, cf.light, cf.surface, cf.formation)
            );
            assert_eq!((cf.light, cf.surface), (ch.light, ch.surface));
            moved += usize::from(uf.environment != cf.environment);
        }
        assert!(moved > 30, "{moved}");
    }

    #[test]
    fn a_forced_environment_changes_what_stands_behind_the_sign_and_nothing_else() {
        let (own, moved) = (set("synthetic:CF/test"), set("synthetic:CF/test?environment=coast"));
        assert_eq!(moved.information_bits().to_bits(), 0.0_f64.to_bits());
        let mut stayed = 0;
        for class in 0..82 {
            let key = FrameKey { class, index: 1 };
            let (a, b) = (own.config(key), moved.config(key));
            assert_eq!(b.environment, Environment::Coast);
            let back = SceneConfig { environment: a.environment, layout_seed: a.layout_seed, ..b };
            assert_eq!(back, a);
            stayed += usize::from(a.environment == Environment::Coast);
        }
        assert!(stayed < 41, "{stayed} signs stand at the coast anyway");
        assert_ne!(own.content_hash(), moved.content_hash());
    }

    #[test]
    fn strength_is_a_dose_of_what_the_background_tells() {
        let bits = |name: &str| set(name).information_bits();
        let doses = ["0", "0.25", "0.5", "0.75", "1"];
        let told = doses.map(|s| bits(&format!("synthetic:CF/test?strength={s}")));
        assert!(told[0].abs() < 1e-9 && told.is_sorted(), "{told:?}");
        assert!(told[3] < bits("synthetic:CF/test") && bits("synthetic:CF/test") < told[4]);
        let (none, uf) = (set("synthetic:CF/test?strength=0"), set("synthetic:UF/test"));
        let own = set("synthetic:CF/test");
        for class in 0..82 {
            let key = FrameKey { class, index: 3 };
            assert_eq!(none.config(key), uf.config(key), "strength 0 is U");
            let (a, b) = (none.config(key), own.config(key));
            assert_eq!((a.pose, a.light, a.surface), (b.pose, b.light, b.surface));
        }
        assert_ne!(none.content_hash(), own.content_hash());
    }

    #[test]
    fn frames_are_a_pure_function_of_their_key() {
        let source = set("synthetic:CM/train?per_class=2&size=64");
        let (a, b) = (source.frame(70).unwrap(), source.frame(3).unwrap());
        let again = set("synthetic:CM/train?per_class=2&size=64").frame(70).unwrap();
        assert_eq!(a.image, again.image);
        assert_eq!(a.mask, again.mask);
        assert_ne!(a.image, b.image);
        assert_eq!(a.image.dimensions(), (64, 64));
        assert!(a.mask.iter().any(|&v| v > 127), "the sign is in the picture");
    }

    #[test]
    fn the_hash_depends_on_all_that_changes_frames() {
        let hash = |n: &str| set(n).content_hash();
        let base = hash("synthetic:CF/test");
        assert_eq!(base, hash("cf/test?size=224"));
        for other in
            ["UF/test", "CF/train", "CF/test?size=64", "CF/test?per_class=5", "CF/test?first=1"]
        {
            assert_ne!(base, hash(other), "{other}");
        }
    }
}
