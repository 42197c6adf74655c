//! The names that a module finds.

/// Global names of the language that a module keeps. They are parameters of the function around it, since a name that
/// is looked for in the traps first is slow.
pub(crate) const KEPT: &str = "AggregateError Array ArrayBuffer BigInt BigInt64Array BigUint64Array Boolean DataView \
    Error EvalError Float16Array Float32Array Float64Array Infinity Int16Array Int32Array Int8Array Intl Iterator JSON \
    Map Math NaN Number Object Promise RangeError ReferenceError RegExp Set String Symbol SyntaxError TypeError URIError \
    Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakSet decodeURI decodeURIComponent encodeURI \
    encodeURIComponent escape isFinite isNaN parseFloat parseInt undefined unescape";

/// Names that a module may not even read.
pub(crate) const FORBIDDEN: &str = "eval Function setTimeout setInterval setImmediate queueMicrotask fetch \
    XMLHttpRequest WebSocket document window navigator localStorage sessionStorage indexedDB OffscreenCanvas \
    HTMLCanvasElement crypto Date performance Proxy Reflect WeakRef FinalizationRegistry SharedArrayBuffer Atomics Worker \
    process module global globalThis self require";

/// Members of three.js that a module finds.
pub(crate) const THREE: &str = "BufferGeometry BoxGeometry SphereGeometry CylinderGeometry CapsuleGeometry ConeGeometry \
    TorusGeometry TorusKnotGeometry PlaneGeometry CircleGeometry RingGeometry TetrahedronGeometry OctahedronGeometry \
    DodecahedronGeometry IcosahedronGeometry PolyhedronGeometry ExtrudeGeometry LatheGeometry ShapeGeometry TubeGeometry \
    EdgesGeometry WireframeGeometry BufferAttribute InterleavedBuffer InterleavedBufferAttribute Float32BufferAttribute \
    Uint8BufferAttribute Uint16BufferAttribute Uint32BufferAttribute Int8BufferAttribute Int16BufferAttribute \
    Int32BufferAttribute MeshStandardMaterial MeshPhysicalMaterial MeshBasicMaterial PointsMaterial LineBasicMaterial \
    LineDashedMaterial DataTexture Vector2 Vector3 Vector4 Matrix3 Matrix4 Quaternion Euler Box2 Box3 Sphere Plane Ray \
    Line3 Triangle Spherical Cylindrical Color MathUtils Curve CurvePath Shape Path CatmullRomCurve3 CubicBezierCurve3 \
    LineCurve3 QuadraticBezierCurve3 EllipseCurve ArcCurve LineCurve SplineCurve QuadraticBezierCurve CubicBezierCurve \
    Object3D Group Mesh InstancedMesh Line LineSegments Points SRGBColorSpace LinearSRGBColorSpace NoColorSpace FrontSide \
    BackSide DoubleSide NormalBlending AdditiveBlending SubtractiveBlending MultiplyBlending NoBlending NearestFilter \
    LinearFilter NearestMipmapNearestFilter NearestMipmapLinearFilter LinearMipmapNearestFilter \
    LinearMipmapLinearFilter RepeatWrapping ClampToEdgeWrapping MirroredRepeatWrapping RGBAFormat RGBFormat RGFormat \
    RedFormat LuminanceFormat UnsignedByteType HalfFloatType FloatType StaticDrawUsage DynamicDrawUsage StreamDrawUsage";

/// The names, as JSON for the page.
pub(crate) fn as_json() -> String {
    let list = |names: &str| names.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    serde_json::json!({ "kept": list(KEPT), "forbidden": list(FORBIDDEN), "three": list(THREE) }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_both_kept_and_forbidden() {
        assert_eq!(THREE.split_whitespace().count(), 109);
        assert_eq!(FORBIDDEN.split_whitespace().count(), 33);
        assert!(KEPT.split_whitespace().all(|kept| FORBIDDEN.split_whitespace().all(|name| name != kept)));
    }
}
