//! Stand-in until the real catalogue lands.
use crate::environment::Environment;
use serde::{Deserialize, Serialize};
/// Shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "stand-in")]
pub enum Shape {
    Circular,
    Triangular,
    Rectangular,
    Other,
}
/// Sign.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "stand-in")]
pub struct Sign {
    pub id: u16,
    pub name: String,
    pub stvo: String,
    pub title: String,
    pub shape: Shape,
    pub environments: Vec<Environment>,
}
/// Catalogue.
#[derive(Debug)]
pub struct Catalogue {
    signs: Vec<Sign>,
}
impl Catalogue {
    /// get
    pub fn get() -> &'static Self {
        static C: std::sync::OnceLock<Catalogue> = std::sync::OnceLock::new();
        C.get_or_init(|| Catalogue {
            signs: (0..82_u16)
                .map(|id| {
                    let mut s = crate::rng::Stream::new("standin", &[u64::from(id)]);
                    let mut e = vec![];
                    if s.chance(0.4) {
                        e.push(Environment::InnerCity)
                    }
                    while e.len() < 4 {
                        let x = *s.pick(&Environment::ALL);
                        if !e.contains(&x) {
                            e.push(x)
                        }
                    }
                    Sign {
                        id,
                        name: format!("Name{id}"),
                        stvo: "1".into(),
                        title: "t".into(),
                        shape: [
                            Shape::Circular,
                            Shape::Triangular,
                            Shape::Rectangular,
                            Shape::Other,
                        ][usize::from(id) % 4],
                        environments: e,
                    }
                })
                .collect(),
        })
    }
    /// signs
    pub fn signs(&self) -> &[Sign] {
        &self.signs
    }
}
