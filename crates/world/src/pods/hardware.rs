//! The hardware that a program asks for, in each provider's words.

/// What a pod runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hardware {
    /// What the provider's settings say.
    #[default]
    AsSet,
    /// Four H200.
    FourH200,
    /// Four RTX PRO 6000.
    FourRtx6000Pro,
}

impl Hardware {
    /// The hardware for a program that can run on these, by their names in files: `4xRTX6000Pro` if it is among them,
    /// else four H200.
    #[must_use]
    pub fn of(names: &[String]) -> Hardware {
        if names.iter().any(|name| name == "4xRTX6000Pro") { Hardware::FourRtx6000Pro } else { Hardware::FourH200 }
    }

    /// RunPod's id of the GPU and their number.
    pub(super) fn runpod(self) -> Option<(&'static str, u32)> {
        match self {
            Hardware::AsSet => None,
            Hardware::FourH200 => Some(("NVIDIA H200", 4)),
            Hardware::FourRtx6000Pro => Some(("NVIDIA RTX PRO 6000 Blackwell Server Edition", 4)),
        }
    }

    /// Targon's name of the machine type.
    pub(super) fn targon(self) -> Option<&'static str> {
        match self {
            Hardware::AsSet => None,
            Hardware::FourH200 => Some("h200-large"),
            Hardware::FourRtx6000Pro => Some("rtx6000pro-large"),
        }
    }

    /// Verda's name of the GPU and their number.
    pub(super) fn verda(self) -> Option<(&'static str, u32)> {
        match self {
            Hardware::AsSet => None,
            Hardware::FourH200 => Some(("H200", 4)),
            Hardware::FourRtx6000Pro => Some(("RTX6000Pro", 4)),
        }
    }

    /// Does a program there work on whole batches?
    pub(super) fn is_of_batches(self) -> bool {
        self != Hardware::AsSet
    }
}

/// GB of disk that a program of batches gets at least.
pub(super) const BATCH_DISK_GB: u32 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_can_gets_the_cheaper_ones() {
        let of = |names: &[&str]| Hardware::of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["4xH200", "4xRTX6000Pro"]), Hardware::FourRtx6000Pro);
        assert_eq!(
            (of(&["4xH200"]), of(&[]), of(&["8xB200"])),
            (Hardware::FourH200, Hardware::FourH200, Hardware::FourH200)
        );
    }
}
