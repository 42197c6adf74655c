//! The members of `THREE`, as data: what a module may use, and what is known and excluded.
//!
//! The second list decides only which rule is told. Sources as in [`crate::names`].

use crate::failure::Rule;
use crate::names::is_in;

/// What a module may use. Sorted.
#[rustfmt::skip]
pub const ALLOWED: &[&str] = &[
    "AdditiveBlending", "ArcCurve", "BackSide", "Box2", "Box3", "BoxGeometry", "BufferAttribute", "BufferGeometry",
    "CapsuleGeometry", "CatmullRomCurve3", "CircleGeometry", "ClampToEdgeWrapping", "Color", "ConeGeometry",
    "CubicBezierCurve", "CubicBezierCurve3", "Curve", "CurvePath", "CylinderGeometry", "Cylindrical", "DataTexture",
    "DodecahedronGeometry", "DoubleSide", "DynamicDrawUsage", "EdgesGeometry", "EllipseCurve", "Euler",
    "ExtrudeGeometry", "Float32BufferAttribute", "FloatType", "FrontSide", "Group", "HalfFloatType",
    "IcosahedronGeometry", "InstancedMesh", "Int16BufferAttribute", "Int32BufferAttribute", "Int8BufferAttribute",
    "InterleavedBuffer", "InterleavedBufferAttribute", "LatheGeometry", "Line", "Line3", "LineBasicMaterial",
    "LineCurve", "LineCurve3", "LineDashedMaterial", "LineSegments", "LinearFilter", "LinearMipmapLinearFilter",
    "LinearMipmapNearestFilter", "LinearSRGBColorSpace", "LuminanceFormat", "MathUtils", "Matrix3", "Matrix4", "Mesh",
    "MeshBasicMaterial", "MeshPhysicalMaterial", "MeshStandardMaterial", "MirroredRepeatWrapping", "MultiplyBlending",
    "NearestFilter", "NearestMipmapLinearFilter", "NearestMipmapNearestFilter", "NoBlending", "NoColorSpace",
    "NormalBlending", "Object3D", "OctahedronGeometry", "Path", "Plane", "PlaneGeometry", "Points", "PointsMaterial",
    "PolyhedronGeometry", "QuadraticBezierCurve", "QuadraticBezierCurve3", "Quaternion", "RGBAFormat", "RGBFormat",
    "RGFormat", "Ray", "RedFormat", "RepeatWrapping", "RingGeometry", "SRGBColorSpace", "Shape", "ShapeGeometry",
    "Sphere", "SphereGeometry", "Spherical", "SplineCurve", "StaticDrawUsage", "StreamDrawUsage",
    "SubtractiveBlending", "TetrahedronGeometry", "TorusGeometry", "TorusKnotGeometry", "Triangle", "TubeGeometry",
    "Uint16BufferAttribute", "Uint32BufferAttribute", "Uint8BufferAttribute", "UnsignedByteType", "Vector2",
    "Vector3", "Vector4", "WireframeGeometry",
];

/// Known, and excluded: lights, loaders, other materials and textures, renderers, cameras, animation, audio, helpers.
#[rustfmt::skip]
const EXCLUDED: &[&str] = &[
    "3MFLoader", "AmbientLight", "AmbientLightProbe", "AnimationAction", "AnimationClip", "AnimationLoader",
    "AnimationMixer", "AnimationObjectGroup", "AnimationUtils", "ArrayCamera", "ArrowHelper", "Audio",
    "AudioAnalyser", "AudioContext", "AudioListener", "AudioLoader", "AxesHelper", "BasisTextureLoader",
    "BatchedMesh", "Bone", "BooleanKeyframeTrack", "Box3Helper", "BoxHelper", "BufferGeometryLoader", "Camera",
    "CameraHelper", "CanvasTexture", "Clock", "ColladaLoader", "ColorKeyframeTrack", "CompressedArrayTexture",
    "CompressedCubeTexture", "CompressedTexture", "CompressedTextureLoader", "CubeCamera", "CubeTexture",
    "CubeTextureLoader", "DRACOLoader", "Data3DTexture", "DataArrayTexture", "DataTextureLoader", "DepthTexture",
    "DirectionalLight", "DirectionalLightHelper", "DirectionalLightShadow", "EXRLoader", "EventDispatcher",
    "FBXLoader", "FileLoader", "Fog", "FogExp2", "FontLoader", "FramebufferTexture", "GLTFLoader", "GridHelper",
    "HDRCubeTextureLoader", "HemisphereLight", "HemisphereLightHelper", "HemisphereLightProbe", "ImageBitmapLoader",
    "ImageLoader", "KTX2Loader", "KTXLoader", "KeyframeTrack", "LOD", "Layers", "LightProbe", "LightShadow", "Loader",
    "LoadingManager", "MTLLoader", "Material", "MaterialLoader", "MeshDepthMaterial", "MeshDistanceMaterial",
    "MeshLambertMaterial", "MeshMatcapMaterial", "MeshNormalMaterial", "MeshPhongMaterial", "MeshToonMaterial",
    "NumberKeyframeTrack", "OBJLoader", "ObjectLoader", "OrthographicCamera", "PLYLoader", "PerspectiveCamera",
    "PlaneHelper", "PointLight", "PointLightHelper", "PointLightShadow", "PolarGridHelper", "PositionalAudio",
    "PropertyBinding", "PropertyMixer", "QuaternionKeyframeTrack", "RGBELoader", "RawShaderMaterial", "Raycaster",
    "RectAreaLight", "STLLoader", "SVGLoader", "Scene", "ShaderMaterial", "ShadowMaterial", "Skeleton",
    "SkeletonHelper", "SkinnedMesh", "SpotLight", "SpotLightHelper", "SpotLightShadow", "Sprite", "SpriteMaterial",
    "StereoCamera", "StringKeyframeTrack", "TGALoader", "TIFFLoader", "Texture", "TextureLoader", "USDZLoader",
    "VRMLLoader", "VectorKeyframeTrack", "VideoTexture", "WebGL1Renderer", "WebGL3DRenderTarget",
    "WebGLArrayRenderTarget", "WebGLCubeRenderTarget", "WebGLMultipleRenderTargets", "WebGLRenderTarget",
    "WebGLRenderer", "XYZLoader",
];

/// The rule that `THREE.name` fails, if it is not allowed.
pub(crate) fn refusal(name: &str) -> Option<Rule> {
    if is_in(ALLOWED, name) {
        None
    } else if is_in(EXCLUDED, name) {
        Some(Rule::ForbiddenThreeApi)
    } else {
        Some(Rule::UnknownThreeApi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_have_the_documented_sizes() {
        for table in [ALLOWED, EXCLUDED] {
            assert!(table.is_sorted_by(|a, b| a < b));
        }
        assert_eq!((ALLOWED.len(), EXCLUDED.len()), (109, 130));
    }

    #[test]
    fn nothing_is_both_allowed_and_excluded() {
        for name in EXCLUDED {
            assert!(!is_in(ALLOWED, name), "{name}");
        }
    }
}
