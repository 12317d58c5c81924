use std::{error, io, sync::Arc};

use aya::maps::MapError;
use netdiag_diagnosis::evidence::{Capability, Missing, Why};

use super::{
    btf,
    refusal::{KernelRefusal, refusal},
};
use crate::causes::causes;

/// Why a probe does not read.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("this agent was built without its eBPF object")]
    NotBuilt,
    #[error("{reason}")]
    Unsupported { reason: String },
    #[error("failed to find in the kernel what the probe reads")]
    Layout { source: Arc<btf::Error> },
    #[error("failed to load eBPF: {why}")]
    NotPermitted {
        why: String,
        lacking: Vec<Capability>,
    },
    #[error("failed to load the probe: {reason}")]
    Refused {
        reason: String,
        lacking: Vec<Capability>,
    },
    #[error("failed to find the program, map or layout {name} in the eBPF object")]
    Inconsistent { name: &'static str },
    #[error("failed to access a map of the probe")]
    Map { source: Arc<MapError> },
    #[error("failed to read the iterator {program:?}")]
    Read {
        program: &'static str,
        source: Arc<io::Error>,
    },
}

impl Error {
    /// The message of the kernel when it refused a program or a map.
    pub(crate) fn refused(source: &(dyn error::Error + 'static)) -> Self {
        match refusal(source) {
            KernelRefusal::NotPermitted { why, lacking } => Self::NotPermitted { why, lacking },
            KernelRefusal::Refused { reason, lacking } => Self::Refused { reason, lacking },
        }
    }

    /// The evidence that is missing because of it, in its words.
    pub(crate) fn missing(&self) -> Missing {
        Missing {
            text: causes(self),
            why: self.why(),
        }
    }

    /// The kind of reason.
    pub(crate) fn why(&self) -> Why {
        match self {
            Self::NotBuilt | Self::Unsupported { .. } | Self::Layout { .. } => Why::Unsupported,
            Self::NotPermitted { lacking, .. } => Why::Permission {
                capabilities: lacking.clone(),
            },
            Self::Refused { lacking, .. } if !lacking.is_empty() => Why::Permission {
                capabilities: lacking.clone(),
            },
            Self::Refused { .. }
            | Self::Inconsistent { .. }
            | Self::Map { .. }
            | Self::Read { .. } => Why::Failed,
        }
    }
}

impl From<MapError> for Error {
    fn from(source: MapError) -> Self {
        Self::Map {
            source: Arc::new(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_reason_is_the_error_not_its_text() {
        let capabilities = vec![Capability::Perfmon];
        let refused = |lacking: &[Capability]| Error::Refused {
            reason: "CAP_PERFMON may help".to_owned(),
            lacking: lacking.to_vec(),
        };
        assert_eq!(refused(&[]).why(), Why::Failed);
        let lacks = Why::Permission { capabilities };
        assert_eq!(refused(&[Capability::Perfmon]).why(), lacks);
        let locked_down = Error::NotPermitted {
            why: "lockdown".to_owned(),
            lacking: Vec::new(),
        };
        let expected = Missing::not_permitted("failed to load eBPF: lockdown", Vec::new());
        assert_eq!(locked_down.missing(), expected);
        assert_eq!(Error::NotBuilt.why(), Why::Unsupported);
    }
}
