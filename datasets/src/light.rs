//! Daylight from its configuration: colour and strength of sun and sky, and the exposure that meters it.
//!
//! Light depends neither on the class nor on the environment, and the exposure is metered on the
//! light alone: the brightness of a sign never tells what stands behind it.

use crate::canvas::Rgb;
use crate::config::LightConfig;
use crate::environment::Light;
use crate::geometry::Vec3;
use crate::num::{exp, radians, sin_cos, smoothstep};

/// Linear RGB of a black body, scaled to luminance 1, relative to the 6,500 K white of sRGB.
///
/// Chromaticity: Kim et al., US patent 7024034 (2006), the cubic fits in 1/T that are valid from
/// 1,667 to 25,000 K. Deviation: clamped to that range, and negative components are cut.
#[must_use]
pub fn black_body(kelvin: f32) -> Rgb {
    let i = 1000.0 / kelvin.clamp(1667.0, 25_000.0);
    let x = if i > 0.25 {
        ((-0.266_123_9 * i - 0.234_358_9) * i + 0.877_695_6) * i + 0.179_910
    } else {
        ((-3.025_847 * i + 2.107_038) * i + 0.222_634_7) * i + 0.240_390
    };
    let y = if i > 0.45 {
        ((-1.106_381_4 * x - 1.348_110_2) * x + 2.185_558_3) * x - 0.202_196_83
    } else if i > 0.25 {
        ((-0.954_947_6 * x - 1.374_185_9) * x + 2.091_37) * x - 0.167_488_67
    } else {
        ((3.081_758 * x - 5.873_387) * x + 3.751_13) * x - 0.370_014_83
    };
    let (cap_x, cap_z) = (x / y, (1.0 - x - y) / y);
    Rgb::new(
        (3.2406 * cap_x - 1.5372 - 0.4986 * cap_z).max(0.0),
        (-0.9689 * cap_x + 1.8758 + 0.0415 * cap_z).max(0.0),
        (0.0557 * cap_x - 0.2040 + 1.0570 * cap_z).max(0.0),
    )
}

/// The light of a scene. Sun in the zenith of a clear day has strength 1 on a surface that faces it.
#[must_use]
pub fn light_from_config(config: &LightConfig) -> Light {
    let (sin_az, cos_az) = sin_cos(radians(config.sun_azimuth_deg));
    let (sin_el, cos_el) = sin_cos(radians(config.sun_elevation_deg));
    let to_sun = Vec3::new(sin_az * cos_el, sin_el, cos_az * cos_el);
    // attenuation with the air mass, which is about 1/sin, limited near the horizon
    let air_mass = 1.0 / (sin_el.max(0.0) + 0.06);
    let above = smoothstep(-1.0, 4.0, config.sun_elevation_deg);
    let through_clouds = 1.0 - smoothstep(0.45, 0.85, config.cloud_cover);
    let day = 1.0 - config.dusk;
    let direct = 1.15 * exp(-0.14 * air_mass) * above * through_clouds * (0.15 + 0.85 * day);
    // sky: blue when clear, neutral when overcast, violet-blue at dusk
    let height = smoothstep(-6.0, 30.0, config.sun_elevation_deg);
    let clear = black_body(9_200.0).scale(0.22 + 0.17 * height);
    let overcast = black_body(6_700.0).scale(0.26 + 0.42 * height);
    let twilight = Rgb::new(0.075, 0.088, 0.14);
    let day_sky = clear.mix(overcast, smoothstep(0.1, 0.95, config.cloud_cover));
    let sky = day_sky.mix(twilight, (1.25 * config.dusk).min(1.0)).scale(1.0 - 0.45 * config.dusk);
    Light {
        to_sun,
        sun: black_body(config.sun_temperature_k).scale(direct),
        sky,
        cloud_cover: config.cloud_cover,
        dusk: config.dusk,
    }
}

/// Gain of each channel between scene radiance and sensor: metering and automatic white balance.
///
/// The meter averages an upward surface and the four walls of a room, and brings a white one to about
/// 0.62 of full scale; at dusk it stops earlier, so that evenings stay dark. The
/// balance takes out three quarters of the tint, as cameras do that have to keep a sunset red.
#[must_use]
pub fn exposure_gain(light: &Light) -> Rgb {
    let sides = [(0.0, -1.0), (0.0, 1.0), (1.0, 0.0), (-1.0, 0.0)];
    let walls = sides.iter().map(|&(x, z)| light.on(Vec3::new(x, 0.0, z)));
    let sum = walls.fold(light.on(Vec3::new(0.0, 1.0, 0.0)).scale(2.0), Rgb::plus);
    let mean = sum.scale(1.0 / 6.0);
    // what the sun hits must not burn out, however dark the rest
    let sunlit = mean.luminance().max(0.45 * (light.sun.luminance() + light.sky.luminance()));
    let level = 0.62 * (1.0 - 0.55 * light.dusk) / sunlit.max(0.02);
    let balance = |c: f32| {
        let tint = (c / mean.luminance().max(1e-4)).max(0.2);
        1.0 / (0.25 + 0.75 * tint)
    };
    Rgb::new(balance(mean.r), balance(mean.g), balance(mean.b)).scale(level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ShadowKind;

    fn config(elevation: f32, cloud_cover: f32, dusk: f32) -> LightConfig {
        LightConfig {
            sun_azimuth_deg: 150.0,
            sun_elevation_deg: elevation,
            sun_temperature_k: 5200.0,
            cloud_cover,
            dusk,
            headlamp: 0.0,
            shadow: ShadowKind::None,
            shadow_depth: 0.0,
            shadow_seed: 0,
        }
    }

    #[test]
    fn black_bodies_run_from_red_to_blue_through_white() {
        let white = black_body(6500.0);
        assert!((white.r - 1.0).abs() < 0.06 && (white.b - 1.0).abs() < 0.09, "{white:?}");
        assert!(black_body(3000.0).r > 1.5 && black_body(3000.0).b < 0.4);
        assert!(black_body(12_000.0).b > 1.3);
    }

    #[test]
    fn clouds_and_dusk_take_the_sun_away_and_the_meter_follows() {
        let clear = light_from_config(&config(40.0, 0.1, 0.0));
        let overcast = light_from_config(&config(40.0, 0.95, 0.0));
        let dusk = light_from_config(&config(-3.0, 0.1, 0.8));
        assert!(clear.sun.luminance() > 0.8 && overcast.sun.luminance() < 0.01);
        assert!(dusk.sun.luminance() < 0.01);
        assert!(dusk.sky.luminance() < 0.3 * clear.sky.luminance());
        assert!(exposure_gain(&dusk).g > exposure_gain(&overcast).g);
        assert!(exposure_gain(&overcast).g > exposure_gain(&clear).g);
        assert!((clear.to_sun.length() - 1.0).abs() < 1e-5);
        assert!(clear.to_sun.z < 0.0, "azimuth 150 degrees lies behind the camera");
    }
}
