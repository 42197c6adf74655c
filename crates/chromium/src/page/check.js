// Evaluated in a realm of its own, an iframe that is taken out of the document before a module runs: a module cannot
// reach what is used here, so that it cannot change what is counted. Nothing of this realm is passed to a module, not
// even an error. Values of the module are read as they are and believed in nothing but what three.js would draw.
(function (THREE, limits) {
  "use strict";
  const { getPrototypeOf, getOwnPropertyDescriptor } = Object;
  const { apply } = Reflect;
  const typed = getPrototypeOf(Uint8Array.prototype);
  const lengthOf = getOwnPropertyDescriptor(typed, "length").get;
  const bytesOf = getOwnPropertyDescriptor(typed, "byteLength").get;
  const { toDataURL } = HTMLCanvasElement.prototype;
  const { isContextLost } = WebGL2RenderingContext.prototype;

  const SLOTS = [
    "map", "lightMap", "aoMap", "emissiveMap", "bumpMap", "normalMap", "displacementMap", "roughnessMap",
    "metalnessMap", "alphaMap", "anisotropyMap", "clearcoatMap", "clearcoatNormalMap", "clearcoatRoughnessMap",
    "iridescenceMap", "iridescenceThicknessMap", "sheenColorMap", "sheenRoughnessMap", "specularColorMap",
    "specularIntensityMap", "transmissionMap", "thicknessMap",
  ];

  // What is wrong with a module, as the render service names it.
  class Failure {
    constructor(stage, rule, detail) {
      this.stage = stage;
      this.rule = rule;
      this.detail = cut(detail);
    }
  }
  const cut = (text) => (text.length > limits.detail ? text.slice(0, limits.detail) + "..." : text);
  const threw = (detail) => new Failure("execution", "EXECUTION_THREW", detail);
  const invalid = (rule, detail) => new Failure("post_validation", rule, detail);

  const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

  // What was thrown, without calling what it brings along, except a getter of `message`.
  function told(error) {
    try {
      if (!isObject(error)) return typeof error === "symbol" ? "a symbol was thrown" : String(error);
      const { message } = error;
      return typeof message === "string" && message !== "" ? message : "an object without a message was thrown";
    } catch {
      return "what was thrown cannot be read";
    }
  }

  // Is this an object of the class with that prototype? `instanceof` could be answered by the module.
  function isA(object, prototype) {
    for (let at = object, steps = 0; isObject(at) && steps < 64; steps++) {
      if (at === prototype) return true;
      at = getPrototypeOf(at);
    }
    return false;
  }

  const number = (value, name) => {
    if (typeof value !== "number") throw threw(`${name} is not a number`);
    return value;
  };

  const whole = (value, name) => {
    if (!Number.isSafeInteger(value) || value < 0) throw threw(`${name} is no whole number`);
    return value;
  };

  // An attribute over the same numbers, of this realm. Its count is never less than what the array holds: an index
  // reaches all of it.
  function attribute(theirs) {
    const interleaved = theirs.isInterleavedBufferAttribute === true;
    const array = interleaved ? theirs.data.array : theirs.array;
    if (!ArrayBuffer.isView(array)) throw threw("an attribute without a typed array");
    const itemSize = whole(theirs.itemSize, "itemSize");
    const stride = interleaved ? whole(theirs.data.stride, "stride") : itemSize;
    const count = Math.max(whole(theirs.count, "count"), Math.floor(apply(lengthOf, array, []) / stride) || 0);
    const normalized = theirs.normalized === true;
    let ours;
    if (interleaved) {
      const buffer = new THREE.InterleavedBuffer(array, stride);
      buffer.count = count;
      ours = new THREE.InterleavedBufferAttribute(buffer, itemSize, whole(theirs.offset, "offset"), normalized);
    } else {
      ours = new THREE.BufferAttribute(array, itemSize, normalized);
      ours.count = count;
    }
    return ours;
  }

  function geometry(theirs) {
    const ours = new THREE.BufferGeometry();
    if (!isObject(theirs)) throw threw("a mesh without a geometry");
    const { position } = theirs.attributes;
    if (!isObject(position)) return ours;
    ours.setAttribute("position", attribute(position));
    const morphs = theirs.morphAttributes.position;
    if (isObject(morphs)) {
      ours.morphAttributes.position = [];
      const length = whole(morphs.length, "length");
      for (let n = 0; n < length; n++) ours.morphAttributes.position[n] = attribute(morphs[n]);
      ours.morphTargetsRelative = theirs.morphTargetsRelative === true;
    }
    return ours;
  }

  const xyz = (ours, theirs) => ours.set(number(theirs.x, "x"), number(theirs.y, "y"), number(theirs.z, "z"));

  const matrix = (ours, theirs) => {
    const { elements } = theirs;
    for (let n = 0; n < 16; n++) ours.elements[n] = number(elements[n], "a matrix element");
  };

  function placed(ours, theirs) {
    xyz(ours.position, theirs.position);
    xyz(ours.scale, theirs.scale);
    const { x, y, z, w } = theirs.quaternion;
    ours.quaternion.set(number(x, "x"), number(y, "y"), number(z, "z"), number(w, "w"));
    if (isObject(theirs.pivot)) ours.pivot = xyz(new THREE.Vector3(), theirs.pivot);
    ours.matrixAutoUpdate = !!theirs.matrixAutoUpdate;
    ours.matrixWorldAutoUpdate = theirs.matrixWorldAutoUpdate === true;
    if (!ours.matrixAutoUpdate) matrix(ours.matrix, theirs.matrix);
    if (!ours.matrixWorldAutoUpdate) matrix(ours.matrixWorld, theirs.matrixWorld);
    return ours;
  }

  // The bytes of the data textures of a material that were not counted yet.
  function textureBytes(material, seen) {
    let bytes = 0;
    if (Array.isArray(material)) {
      const length = whole(material.length, "length");
      for (let n = 0; n < length; n++) bytes += textureBytes(material[n], seen);
      return bytes;
    }
    if (!isObject(material) || seen.has(material)) return 0;
    seen.add(material);
    for (const slot of SLOTS) {
      const texture = material[slot];
      if (!isObject(texture) || texture.isDataTexture !== true || seen.has(texture)) continue;
      seen.add(texture);
      const data = isObject(texture.image) ? texture.image.data : undefined;
      if (ArrayBuffer.isView(data)) bytes += data instanceof DataView ? 0 : apply(bytesOf, data, []);
    }
    return bytes;
  }

  // One node of the module's tree as a node of this realm, and what it adds to the counts.
  function node(theirs, counts, seen) {
    const instanced = theirs.isInstancedMesh === true;
    if (theirs.isMesh !== true && theirs.isLine !== true && theirs.isPoints !== true) {
      return placed(new THREE.Group(), theirs);
    }
    const shape = geometry(theirs.geometry);
    counts.vertices += shape.attributes.position === undefined ? 0 : shape.attributes.position.count;
    counts.drawCalls += 1;
    counts.textureBytes += textureBytes(theirs.material, seen);
    if (!instanced) return placed(new THREE.Mesh(shape), theirs);
    const count = whole(theirs.count, "count");
    counts.instances += count;
    const ours = new THREE.InstancedMesh(shape, undefined, 0);
    ours.instanceMatrix = attribute(theirs.instanceMatrix);
    // Each instance is looked at; those beyond what is allowed need no look.
    ours.count = Math.min(count, limits.instances);
    return placed(ours, theirs);
  }

  // Walks the tree, and copies its shape into this realm.
  function copied(root, object3d, counts) {
    const nodes = new Set();
    const seen = new Set();
    const path = [];
    const enter = (theirs, parent) => {
      if (!isA(theirs, object3d)) throw invalid("INVALID_RETURN_TYPE", "a child is no Object3D");
      if (nodes.has(theirs)) throw invalid("CYCLE_DETECTED", "a node is met twice");
      nodes.add(theirs);
      if (path.length > limits.depth) throw invalid("DEPTH_LIMIT_EXCEEDED", `deeper than ${limits.depth}`);
      counts.depth = Math.max(counts.depth, path.length);
      const ours = node(theirs, counts, seen);
      // As in `add`, which is slow for many children of one parent.
      ours.parent = parent;
      if (parent !== null) parent.children.push(ours);
      const { children } = theirs;
      if (!Array.isArray(children)) throw invalid("INVALID_RETURN_TYPE", "children is no array");
      path.push({ ours, children, next: 0 });
      return ours;
    };
    const copy = enter(root, null);
    while (path.length > 0) {
      const at = path[path.length - 1];
      if (at.next < at.children.length) enter(at.children[at.next++], at.ours);
      else path.pop();
    }
    return copy;
  }

  // The counts and the box of a tree, and what is wrong with them.
  function inspected(root, object3d) {
    const counts = { vertices: 0, drawCalls: 0, depth: 0, instances: 0, textureBytes: 0, bbox: null };
    const copy = copied(root, object3d, counts);
    const failures = [];
    const box = new THREE.Box3().setFromObject(copy);
    if (box.isEmpty()) failures.push(invalid("EMPTY_SCENE", "nothing to be seen"));
    else {
      const { min, max } = box;
      counts.bbox = { min: { x: min.x, y: min.y, z: min.z }, max: { x: max.x, y: max.y, z: max.z } };
      for (const axis of ["x", "y", "z"]) {
        // Not numbers pass, as they do in the render service.
        if (!(min[axis] < -limits.box || max[axis] > limits.box)) continue;
        const range = `${axis} is from ${min[axis]} to ${max[axis]}, allowed is -${limits.box} to ${limits.box}`;
        failures.push(invalid("BOUNDING_BOX_OUT_OF_RANGE", range));
        break;
      }
    }
    const most = (rule, has, may) => {
      if (has > may) failures.push(invalid(rule, `${has}, allowed are ${may}`));
    };
    most("VERTEX_LIMIT_EXCEEDED", counts.vertices, limits.vertices);
    most("DRAW_CALL_LIMIT_EXCEEDED", counts.drawCalls, limits.draw_calls);
    most("INSTANCE_LIMIT_EXCEEDED", counts.instances, limits.instances);
    most("TEXTURE_DATA_EXCEEDED", counts.textureBytes, limits.texture_bytes);
    return { failures, metrics: counts };
  }

  // What a module may return: a Group, or what is wrapped in one.
  function kind(result, classes) {
    if (!isObject(result)) return null;
    if (isA(result, classes.Group)) return "group";
    return isA(result, classes.Mesh) || isA(result, classes.LineSegments) || isA(result, classes.Points) ? "bare" : null;
  }

  const refused = (failure) => ({ failures: [failure], metrics: null });

  function ran(make, three, classes, violated, wrap) {
    let root = null;
    let verdict;
    try {
      const generate = make();
      const result = typeof generate === "function" ? apply(generate, undefined, [three]) : undefined;
      if (typeof generate !== "function") verdict = refused(threw("the default export is no function"));
      else if (isA(result, classes.Promise)) {
        verdict = refused(new Failure("execution", "ASYNC_NOT_ALLOWED", "a Promise came back"));
      } else {
        const is = kind(result, classes);
        if (is === null) verdict = refused(invalid("INVALID_RETURN_TYPE", "neither Group, Mesh, LineSegments nor Points"));
        else {
          root = is === "group" ? result : wrap(result);
          verdict = inspected(root, classes.Object3D);
        }
      }
    } catch (error) {
      verdict = refused(error instanceof Failure ? error : threw(told(error)));
    }
    const name = violated();
    if (name !== null) verdict = refused(new Failure("execution", "RUNTIME_VIOLATION", `${name} was read`));
    return { root: verdict.failures.length === 0 ? root : null, text: JSON.stringify(verdict) };
  }

  return {
    ran,
    told: (error) => cut(told(error)),
    // Is this the whole body of a function? It is not run.
    parses(body) {
      try {
        new Function(`"use strict";${body}\n`);
        return "";
      } catch (error) {
        return cut(String(error.message)) || "it does not compile";
      }
    },
    picture: (canvas) => apply(toDataURL, canvas, ["image/png"]),
    lost: (gl) => apply(isContextLost, gl, []),
  };
});
