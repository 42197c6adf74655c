//! A record in one of two layouts, distinguished by a key.

/// Declares an enum of two records: the first if its key is there, otherwise the second. Marked `[exact]`, it is read in
/// one pass if both records are (see [`record!`](crate::model::record)).
macro_rules! either {
    (
        $(#[$meta:meta])*
        pub enum $Name:ident [exact] {
            $(#[$with_meta:meta])*
            $key:literal => $With:ident($WithType:ty),
            $(#[$else_meta:meta])*
            else => $Else:ident($ElseType:ty),
        }
    ) => {
        $crate::model::threejs::either::either! {
            $(#[$meta])*
            pub enum $Name {
                $(#[$with_meta])*
                $key => $With($WithType),
                $(#[$else_meta])*
                else => $Else($ElseType),
            }
        }

        impl $crate::model::exact::Exact for $Name {
            fn exact(text: &mut $crate::model::exact::ExactText<'_>) -> Option<Self> {
                text.either($Name::$With, $Name::$Else)
            }
        }
    };
    (
        $(#[$meta:meta])*
        pub enum $Name:ident {
            $(#[$with_meta:meta])*
            $key:literal => $With:ident($WithType:ty),
            $(#[$else_meta:meta])*
            else => $Else:ident($ElseType:ty),
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $Name {
            $(#[$with_meta])*
            $With($WithType),
            $(#[$else_meta])*
            $Else($ElseType),
        }

        impl serde::Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $Name::$With(record) => record.serialize(serializer),
                    $Name::$Else(record) => record.serialize(serializer),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::{DeserializeSeed as _, Error as _};
                let room = $crate::model::record::room();
                let value = $crate::model::record::Keep::under(stringify!($Name), &room).deserialize(deserializer)?;
                if value.get($key).is_some() {
                    serde_json::from_value(value).map($Name::$With).map_err(D::Error::custom)
                } else {
                    serde_json::from_value(value).map($Name::$Else).map_err(D::Error::custom)
                }
            }
        }
    };
}
pub(crate) use either;
