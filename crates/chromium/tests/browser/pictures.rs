//! What pictures show: where the camera stands, how it is lit, and that they come the same from every browser.

use gen404_chromium::{Lighting, Picture, Pool, Sheet, View, grid};

use crate::settings;

/// Six panels on the sides of a cube, each of a colour of its own: +X red, -X cyan, +Y green, -Y magenta, +Z blue, -Z yellow.
const DIE: &str = "export default function (THREE) {
  const g = new THREE.Group();
  const side = (x, y, z, color) => {
    const m = new THREE.Mesh(new THREE.BoxGeometry(x ? .02 : .6, y ? .02 : .6, z ? .02 : .6), new THREE.MeshBasicMaterial({ color, toneMapped: false }));
    m.position.set(x * .4, y * .4, z * .4); g.add(m);
  };
  side(1, 0, 0, 0xff0000); side(-1, 0, 0, 0x00ffff); side(0, 1, 0, 0x00ff00);
  side(0, -1, 0, 0xff00ff); side(0, 0, 1, 0x0000ff); side(0, 0, -1, 0xffff00);
  return g;
}";

fn at(picture: &Picture, x: u32, y: u32) -> [u8; 4] {
    let start = ((y * picture.size() + x) * 4) as usize;
    picture.pixels()[start..start + 4].try_into().unwrap()
}

#[test]
fn the_camera_stands_where_the_angles_say() {
    let Some((settings, _turn)) = settings() else { return };
    let pool = Pool::open(settings).unwrap();
    let view = |theta: f64, phi: f64| View { theta, phi };
    let views =
        [view(0.0, 0.0), view(90.0, 0.0), view(180.0, 0.0), view(270.0, 0.0), view(0.0, -90.0), view(0.0, 90.0)];
    let sheet = Sheet::new(64, [0x12, 0x80, 0xfe], Lighting::Follow, &views);
    let rendered = pool.render(DIE, &[sheet], &|| false).unwrap();
    let pictures = &rendered.sheets[0];
    let middles: Vec<[u8; 4]> = pictures.iter().map(|picture| at(picture, 32, 32)).collect();
    let expected: [[u8; 4]; 6] = [
        [0, 0, 255, 255],
        [255, 0, 0, 255],
        [255, 255, 0, 255],
        [0, 255, 255, 255],
        [0, 255, 0, 255],
        [255, 0, 255, 255],
    ];
    assert_eq!(middles, expected);
    for picture in pictures {
        assert_eq!(at(picture, 0, 0), [0x12, 0x80, 0xfe, 255], "the background is exact and opaque");
    }
    let bounds = rendered.metrics.bbox.unwrap();
    assert!(bounds.min.x.is_some_and(|x| (-0.411..-0.409).contains(&x)), "{bounds:?}");
}

#[test]
fn the_top_of_a_view_from_above_is_behind() {
    let Some((settings, _turn)) = settings() else { return };
    let pool = Pool::open(settings).unwrap();
    // A box before the origin, seen from above: in the lower half.
    let before = "export default (THREE) => { const m = new THREE.Mesh(new THREE.BoxGeometry(.2, .2, .2), new THREE.MeshBasicMaterial({ color: 0 })); m.position.z = .3; return m; }";
    let sheet = Sheet::new(64, [255; 3], Lighting::Follow, &[View { theta: 0.0, phi: -90.0 }]);
    let rendered = pool.render(before, &[sheet], &|| false).unwrap();
    let picture = &rendered.sheets[0][0];
    assert_eq!((at(picture, 32, 43)[0], at(picture, 32, 21)[0]), (0, 255));
}

#[test]
fn every_browser_draws_the_same_bytes_at_any_number_of_threads() {
    let Some((settings, _turn)) = settings() else { return };
    let pool = Pool::open(settings).unwrap();
    let source = "export default (THREE) => {
      const g = new THREE.Group();
      for (let n = 0; n < 30; n++) {
        const m = new THREE.Mesh(new THREE.TorusKnotGeometry(.08, .02, 64, 8), new THREE.MeshPhysicalMaterial({
          color: Math.random() * 0xffffff, metalness: Math.random(), roughness: Math.random(), clearcoat: n % 2,
          transparent: n % 3 === 0, opacity: .6, transmission: n % 5 ? 0 : .5 }));
        m.position.set(Math.random() - .5, Math.random() - .5, Math.random() - .5).multiplyScalar(.7);
        g.add(m);
      }
      return g; }";
    let view = |theta: f64| View { theta, phi: -15.0 };
    let sheets = [
        Sheet::new(256, [255; 3], Lighting::Follow, &[view(30.0), view(330.0)]),
        Sheet::new(128, [0x80; 3], Lighting::Studio, &[view(24.0), view(120.0), view(216.0), view(312.0)]),
    ];
    let drawn = || {
        let rendered = pool.render(source, &sheets, &|| false).unwrap();
        let [views, four] = rendered.sheets.as_slice() else { panic!("two sheets") };
        let mut files: Vec<Vec<u8>> = views.iter().map(|picture| picture.png().unwrap()).collect();
        files.push(grid(four, 5).unwrap());
        files
    };
    let first = drawn();
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..2).map(|_| scope.spawn(drawn)).collect();
        assert!(others.into_iter().all(|other| other.join().unwrap() == first));
    });
    assert!(pool.idle_groups().len() <= 2);
}
