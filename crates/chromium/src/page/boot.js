// Called once in a fresh page, before any module. What it returns is held over the debugging pipe alone: no variable
// that a module could read leads to it.
(function (threeText, checkText, names, limits) {
  "use strict";
  const frame = document.createElement("iframe");
  document.documentElement.append(frame);
  const inside = frame.contentWindow;
  const load = `(function () { const exports = {}; ${threeText}\n; return exports; })`;
  const check = inside.eval(checkText)(inside.eval(load)(), JSON.parse(limits));
  const global = globalThis;
  const three = global.eval(load)();
  frame.remove();

  // No address is allowed at all, nor any script but what comes over the pipe.
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = "default-src 'none'; webrtc 'block'";
  document.head.append(policy);

  const { cos, sin, imul, PI } = Math;
  const { defineProperty, getOwnPropertyNames, getPrototypeOf, create } = Object;
  const TheirError = Error;
  const TheirReferenceError = ReferenceError;
  const known = JSON.parse(names);

  // mulberry32. three.js numbers its objects by it too, so that a module sees the same numbers only with the same three.js.
  let state = 0;
  Math.random = function random() {
    state = (state + 0x6d2b79f5) | 0;
    let t = imul(state ^ (state >>> 15), state | 1);
    t ^= t + imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };

  // The first forbidden name that was read: an error that the module catches does not hide it.
  let violation = null;
  const violate = (name) => {
    if (violation === null) violation = name;
    throw new TheirError(`${name} is not available`);
  };
  const traps = create(null);
  const trap = (on, name, say) => defineProperty(on, name, { get: () => say(name), set: () => say(name) });
  for (const name of known.forbidden) trap(traps, name, violate);
  // What a browser has and the language has not is unknown to a module.
  const unknown = (name) => { throw new TheirReferenceError(`${name} is not defined`); };
  const kept = new Set(known.kept);
  for (let at = global; at !== null; at = getPrototypeOf(at)) {
    for (const name of getOwnPropertyNames(at)) {
      if (!kept.has(name) && !(name in traps)) trap(traps, name, unknown);
    }
  }
  const makers = [function () {}, async function () {}, function* () {}, async function* () {}];
  for (const maker of makers) trap(getPrototypeOf(maker), "constructor", violate);

  // What the module sees of three.js.
  const members = create(null);
  for (const name of known.three) if (name in three) members[name] = three[name];
  const exported = create(null);
  for (const name of getOwnPropertyNames(three)) exported[name] = true;
  const refuse = () => { throw new TheirError("THREE cannot be changed"); };
  const guarded = new Proxy(create(null), {
    get(_, name) {
      if (typeof name === "symbol") return undefined;
      if (name in members) return members[name];
      throw new TheirError(name in exported ? `THREE.${name} is forbidden` : `THREE.${name} is not a recognized Three.js API`);
    },
    has: (_, name) => typeof name === "string" && name in members,
    set: refuse, defineProperty: refuse, deleteProperty: refuse, setPrototypeOf: refuse, preventExtensions: refuse,
  });
  const classes = {
    Group: three.Group.prototype, Mesh: three.Mesh.prototype, LineSegments: three.LineSegments.prototype,
    Points: three.Points.prototype, Object3D: three.Object3D.prototype, Promise: Promise.prototype,
  };
  const builtins = known.kept.map((name) => global[name]);

  const renderer = new three.WebGLRenderer({ antialias: true, alpha: true, preserveDrawingBuffer: true });
  const canvas = renderer.domElement;
  const gl = renderer.getContext();
  renderer.setPixelRatio(1);
  renderer.toneMapping = three.ACESFilmicToneMapping;
  renderer.toneMappingExposure = 1;
  renderer.outputColorSpace = three.SRGBColorSpace;

  const scene = new three.Scene();
  const sun = (intensity, x, y, z) => {
    const light = new three.DirectionalLight(0xffffff, intensity);
    light.position.set(x, y, z);
    return light;
  };
  const key = sun(1.5, 0, 0, 0);
  const rigs = {
    follow: new three.Group().add(new three.AmbientLight(0xffffff, 0.4), key),
    studio: new three.Group().add(
      new three.AmbientLight(0xffffff, 0.12), sun(1.2, 2, 3, 2), sun(0.4, -2, 1, 1), sun(0.3, 0, 2, -3)),
  };
  // The render service's studio has an environment, too, made of a scene that holds a light and nothing that it falls
  // on: it is black, and adds nothing to any pixel. To make it takes longer than to draw all views.
  scene.add(rigs.follow, rigs.studio);

  function draw(view) {
    const { size, background, lighting, theta, phi, radius, fov } = view;
    renderer.setSize(size, size, false);
    const camera = new three.PerspectiveCamera(fov, 1, 0.01, 100);
    const turn = (theta * PI) / 180;
    const tilt = (phi * PI) / 180;
    camera.position.set(radius * cos(tilt) * sin(turn), -radius * sin(tilt), radius * cos(tilt) * cos(turn));
    camera.lookAt(0, 0, 0);
    key.position.set(camera.position.x + 1, camera.position.y + 1, camera.position.z);
    rigs.follow.visible = lighting === "follow";
    rigs.studio.visible = !rigs.follow.visible;
    scene.background = new three.Color(background);
    renderer.render(scene, camera);
  }

  const page = create(null);
  page.parses = check.parses;
  page.run = (make) => {
    state = 0x12345678;
    violation = null;
    const wrap = (object) => new three.Group().add(object);
    const body = make(traps)(...builtins);
    const { root, text } = check.ran(body, guarded, classes, () => violation, wrap);
    if (root !== null) scene.add(root);
    return text;
  };
  // A picture as data URL, "" if the graphics context is lost, or "!" and what was thrown.
  page.draw = (view) => {
    try {
      draw(view);
      return check.lost(gl) ? "" : check.picture(canvas);
    } catch (error) {
      return check.lost(gl) ? "" : "!" + check.told(error);
    }
  };
  return page;
})
