//! What is wrong with a module, in the deployed names.

use serde::{Deserialize, Serialize};

/// One failure, as the render service tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When it was found.
    pub stage: Stage,
    /// The rule that failed.
    pub rule: Rule,
    /// What was found, and where; for people.
    pub detail: String,
}

impl Failure {
    /// A failure of `rule` at the stage that it belongs to (`ASYNC_NOT_ALLOWED`: the static one).
    #[must_use]
    pub fn new(rule: Rule, detail: String) -> Self {
        Self { stage: rule.stage(), rule, detail }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.detail)
    }
}

/// The stages of a module's validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Size and syntax.
    Parse,
    /// The syntax tree.
    StaticAnalysis,
    /// Running it.
    Execution,
    /// What it returned.
    PostValidation,
}

macro_rules! rules {
    ($($stage:ident { $($(#[$doc:meta])* $rule:ident $name:literal,)* })*) => {
        /// The rules of a module, in the order of the stages.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Rule {
            $($($(#[$doc])* #[serde(rename = $name)] $rule,)*)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$($(Self::$rule,)*)*];

            /// Its deployed name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($(Self::$rule => $name,)*)* }
            }

            /// The stage at which it is told first.
            #[must_use]
            pub fn stage(self) -> Stage {
                match self { $($(Self::$rule => Stage::$stage,)*)* }
            }
        }
    };
}

rules! {
    Parse {
        /// More bytes than [`crate::SOURCE_BYTES`].
        FileSizeExceeded "FILE_SIZE_EXCEEDED",
        /// No ES module in UTF-8, or nested too deeply to tell.
        ParseError "PARSE_ERROR",
    }
    StaticAnalysis {
        /// No default export, or none that is a function written there.
        MissingDefaultExport "MISSING_DEFAULT_EXPORT",
        /// An export beside the default one.
        MultipleTopLevelExports "MULTIPLE_TOP_LEVEL_EXPORTS",
        /// An async function, `for await`, or `await` outside of functions; at run time, a promise that came back.
        AsyncNotAllowed "ASYNC_NOT_ALLOWED",
        /// A name that may not even be bound, an import, or `Math.random`.
        ForbiddenIdentifier "FORBIDDEN_IDENTIFIER",
        /// A free name that is not in the list.
        IdentifierNotAllowed "IDENTIFIER_NOT_ALLOWED",
        /// A member of three.js that is known and excluded.
        ForbiddenThreeApi "FORBIDDEN_THREE_API",
        /// A member of `THREE` that is in no list.
        UnknownThreeApi "UNKNOWN_THREE_API",
        /// `THREE` where nothing binds it.
        ThreeAtTopLevel "THREE_AT_TOP_LEVEL",
        /// `THREE` in a place from which it could go elsewhere.
        ThreeAliasForbidden "THREE_ALIAS_FORBIDDEN",
        /// `x[...]` on an object whose members are checked by name.
        ComputedPropertyAccess "COMPUTED_PROPERTY_ACCESS",
        /// A member through which code constructors or prototypes are reached.
        ForbiddenPropertyAccess "FORBIDDEN_PROPERTY_ACCESS",
        /// More bytes of literals than [`crate::LITERAL_BYTES`].
        LiteralBudgetExceeded "LITERAL_BUDGET_EXCEEDED",
    }
    Execution {
        /// It did not compile, threw, or was refused by a guard.
        ExecutionThrew "EXECUTION_THREW",
        /// It read a trapped global.
        RuntimeViolation "RUNTIME_VIOLATION",
        /// It took longer than allowed.
        TimeoutExceeded "TIMEOUT_EXCEEDED",
        /// It took more memory than allowed.
        HeapExceeded "HEAP_EXCEEDED",
    }
    PostValidation {
        /// What came back cannot be drawn.
        InvalidReturnType "INVALID_RETURN_TYPE",
        /// A node was met twice.
        CycleDetected "CYCLE_DETECTED",
        /// Nodes nested too deeply.
        DepthLimitExceeded "DEPTH_LIMIT_EXCEEDED",
        /// Nothing to draw.
        EmptyScene "EMPTY_SCENE",
        /// Outside of the unit cube around the origin.
        BoundingBoxOutOfRange "BOUNDING_BOX_OUT_OF_RANGE",
        /// Too many vertices.
        VertexLimitExceeded "VERTEX_LIMIT_EXCEEDED",
        /// Too many draw calls.
        DrawCallLimitExceeded "DRAW_CALL_LIMIT_EXCEEDED",
        /// Too many instances.
        InstanceLimitExceeded "INSTANCE_LIMIT_EXCEEDED",
        /// Too many bytes of textures.
        TextureDataExceeded "TEXTURE_DATA_EXCEEDED",
    }
}
