//! The four views: where the camera stands and the light comes from.
//!
//! Azimuth 24, 120, 216 and 312 degrees, elevation 15 degrees, distance 2, looking at the origin with
//! +Y up; vertical field of view 49.1 degrees, near plane 0.05, no far plane. The light of each view
//! comes from the camera's position moved by (1, 1, 0). The reference renderer computes the angles in
//! 32 bits (`x * (pi / 180)`), the rest in 64, and hands the result over in 32 bits: the numbers
//! below are those, written out, so that no sine of any machine has a say.

/// The focal length of the projection: 1 / tan(49.1 degrees / 2).
const FOCAL: f32 = 2.189_235;
/// Twice the near plane.
const NEAR_TERM: f32 = -0.1;

/// One view of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct View {
    /// World to camera, three rows of rotation and shift.
    view: [[f32; 4]; 3],
    /// Where the camera stands.
    pub(crate) eye: [f32; 3],
    /// The way the light travels, length 1 but for rounding.
    pub(crate) light: [f32; 3],
}

/// The views in the order of the grid: top left, top right, bottom left, bottom right.
pub(crate) const VIEWS: [View; 4] = [
    View {
        view: [
            [0.913_545_4, -1.723_856_1e-17, -0.406_736_64, 0.0],
            [-0.105_271_2, 0.965_925_8, -0.236_442_97, 0.0],
            [0.392_877_43, 0.258_819_04, 0.882_417_14, -2.0],
        ],
        eye: [0.785_754_86, 0.517_638_1, 1.764_834_3],
        light: [-0.608_697_24, -0.517_306_27, -0.601_566_2],
    },
    View {
        view: [
            [-0.500_000_06, -4.830_738e-18, -0.866_025_4, -1.327_198_5e-16],
            [-0.224_143_86, 0.965_925_8, 0.129_409_54, -5.949_667e-17],
            [0.836_516_26, 0.258_819_04, -0.482_962_97, -2.0],
        ],
        eye: [1.673_032_5, 0.517_638_1, -0.965_925_93],
        light: [-0.829_616_7, -0.471_022_3, 0.299_789_97],
    },
    View {
        view: [
            [-0.809_017_06, 2.034_908_4e-18, 0.587_785_1, -0.0],
            [0.152_13, 0.965_925_8, 0.209_389_03, 0.0],
            [-0.567_756_83, 0.258_819_04, -0.781_450_5, -2.0],
        ],
        eye: [-1.135_513_7, 0.517_638_1, -1.562_901],
        light: [0.062_084_9, -0.695_298, 0.716_035],
    },
    View {
        view: [
            [0.669_130_74, 4.755_249_3e-17, 0.743_144_75, 0.0],
            [0.192_340_02, 0.965_925_8, -0.173_183_78, 0.0],
            [-0.717_822_7, 0.258_819_04, 0.646_330_65, -2.0],
        ],
        eye: [-1.435_645_3, 0.517_638_1, 1.292_661_3],
        light: [0.213_490_47, -0.743_727_15, -0.633_475_96],
    },
];

impl View {
    /// Model to clip coordinates, column by column, in the order in which the products are summed.
    pub(crate) fn columns(&self) -> [[f32; 4]; 4] {
        std::array::from_fn(|c| {
            let shift = if c == 3 { NEAR_TERM } else { 0.0 };
            let [x, y, z] = self.view.map(|row| row[c]);
            [FOCAL * x, FOCAL * y, shift - z, -z]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a camera at these angles stands, from the angles in 32 bits.
    fn position(azimuth: f32) -> [f64; 3] {
        let radians = |degrees: f32| f64::from(degrees * (std::f32::consts::PI / 180.0));
        let (t, p) = (radians(azimuth), radians(-15.0));
        [2.0 * libm::cos(p) * libm::sin(t), -2.0 * libm::sin(p), 2.0 * libm::cos(p) * libm::cos(t)]
    }

    fn unit(v: [f64; 3]) -> [f64; 3] {
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.map(|x| x / length)
    }

    fn near(a: [f64; 3], b: &[f32]) -> bool {
        a.iter().zip(b).all(|(a, &b)| (a - f64::from(b)).abs() < 1.3e-7)
    }

    #[test]
    fn the_tables_follow_from_the_angles() {
        for (view, azimuth) in VIEWS.iter().zip([24.0, 120.0, 216.0, 312.0]) {
            let eye = position(azimuth);
            assert!(near(eye, &view.eye), "{azimuth}");
            let away = unit(eye);
            assert!(near(away, &view.view[2][..3]), "{azimuth}");
            let right = unit([away[2], 0.0, -away[0]]);
            assert!(near(right, &view.view[0][..3]), "{azimuth}");
            let light = unit([eye[0] + 1.0, eye[1] + 1.0, eye[2]]).map(|x| -x);
            assert!(near(light, &view.light), "{azimuth}");
        }
        let focal = 1.0 / libm::tan(49.1_f64.to_radians() / 2.0);
        assert!((focal - f64::from(FOCAL)).abs() < 1.3e-7);
    }
}
