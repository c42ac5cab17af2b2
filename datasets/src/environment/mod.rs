//! What stands behind the sign: one file an environment, built from shared parts (sky, ground, buildings, plants, vehicles).

mod bare_tree;
pub mod building;
mod coast;
mod conifer;
mod construction_site;
pub mod country;
pub mod example;
pub mod facade;
mod farmland;
pub mod foliage;
mod forest;
pub mod ground;
pub mod hall;
pub mod house;
mod industrial_estate;
pub mod industry;
mod inner_city;
mod layers;
mod motorway;
mod mountain;
pub mod painter;
pub mod place;
pub mod plants;
mod residential;
pub mod ridge;
pub mod road;
pub mod scene;
pub mod seaside;
pub mod season;
pub mod site_machines;
pub mod site_works;
pub mod sky;
pub mod solids;
pub mod steelwork;
pub mod street_furniture;
pub mod strokes;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod tile;
pub mod vehicle;
mod village;

use serde::{Deserialize, Serialize};

use crate::canvas::{Canvas, Rgb};
use crate::geometry::{Camera, Vec3};

/// The places in which signs stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Dense buildings, shops, parked cars.
    InnerCity,
    /// Detached houses, hedges, gardens.
    Residential,
    /// Half-timbered or plastered houses, a church tower, fields nearby.
    Village,
    /// Open country road between fields.
    Farmland,
    /// Road between dense trees.
    Forest,
    /// Several lanes, guard rails, gantries.
    Motorway,
    /// Barriers, fences, excavators, raw ground.
    ConstructionSite,
    /// Halls, silos, chimneys, fences, lorries.
    IndustrialEstate,
    /// Rock faces, slopes, peaks.
    Mountain,
    /// Dunes, water, dyke, wide sky.
    Coast,
}

impl Environment {
    /// All environments, in the order of the tables in `sets.toml`.
    pub const ALL: [Self; 10] = [
        Self::InnerCity,
        Self::Residential,
        Self::Village,
        Self::Farmland,
        Self::Forest,
        Self::Motorway,
        Self::ConstructionSite,
        Self::IndustrialEstate,
        Self::Mountain,
        Self::Coast,
    ];
}

/// Time of year: colour and density of the vegetation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Season {
    /// Fresh green, some blossom.
    Spring,
    /// Full, dark green, ripe fields.
    Summer,
    /// Yellow to brown leaves.
    Autumn,
    /// Bare trees, dull grass, sometimes snow on the ground.
    Winter,
}

/// Daylight of a scene; the same object lights background and sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// Unit vector towards the sun, world coordinates.
    pub to_sun: Vec3,
    /// Colour and strength of direct sun on a surface that faces it; black when overcast or in the shade.
    pub sun: Rgb,
    /// Colour and strength of light from the whole sky on an upward surface.
    pub sky: Rgb,
    /// Share of the sky that clouds cover, 0 to 1.
    pub cloud_cover: f32,
    /// 0 in full daylight, 1 at deep dusk, when windows and lamps are lit.
    pub dusk: f32,
}

impl Light {
    /// Light that a matt surface with this unit normal receives, without shadows.
    #[must_use]
    #[inline]
    pub fn on(&self, normal: Vec3) -> Rgb {
        let direct = normal.dot(self.to_sun).max(0.0);
        let open_sky = 0.5 + 0.5 * normal.y;
        // the ground sends about a fifth of the light back
        self.sun.scale(direct).plus(self.sky.scale(0.2 + 0.8 * open_sky))
    }
}

/// Everything that a background depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// The camera, in pixels of the canvas that is to be painted.
    pub camera: Camera,
    /// Direction of the road against the world's z axis, radians, positive to the right.
    pub road_bearing: f32,
    /// x of the right edge of the carriageway beside the camera (z = 0), metres; the sign stands to its right.
    pub kerb_x: f32,
    /// Light of the scene.
    pub light: Light,
    /// Time of year.
    pub season: Season,
    /// Seed of everything random in this place.
    pub seed: u64,
}

/// Paint the environment onto the whole canvas.
pub fn paint(environment: Environment, view: &View, canvas: &mut Canvas) {
    match environment {
        Environment::InnerCity => inner_city::paint(view, canvas),
        Environment::Residential => residential::paint(view, canvas),
        Environment::Village => village::paint(view, canvas),
        Environment::Farmland => farmland::paint(view, canvas),
        Environment::Forest => forest::paint(view, canvas),
        Environment::Motorway => motorway::paint(view, canvas),
        Environment::ConstructionSite => construction_site::paint(view, canvas),
        Environment::IndustrialEstate => industrial_estate::paint(view, canvas),
        Environment::Mountain => mountain::paint(view, canvas),
        Environment::Coast => coast::paint(view, canvas),
    }
}
