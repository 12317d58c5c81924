//! Functions of the kernel.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use super::Site;

/// A function of the kernel that frees packets, without compiler suffixes (`.isra.0`, `.constprop.0`, ..); none where
/// the names of functions are hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Function(Cow<'static, str>);

impl Function {
    /// The function's name is not known.
    pub fn is_hidden(&self) -> bool {
        self.0.is_empty()
    }

    /// The function's name, where it is known.
    pub fn named(&self) -> Option<&str> {
        (!self.is_hidden()).then_some(self.0.as_ref())
    }

    /// The site that this function is of; `None` where the table has none.
    pub fn site(&self) -> Option<&'static Site> {
        Site::of(&self.0)
    }

    /// The function is this site's.
    pub fn is_of(&self, site: &Site) -> bool {
        site.has(&self.0)
    }

    /// The function is one of these sites'.
    pub fn is_of_any(&self, sites: &[&Site]) -> bool {
        sites.iter().any(|site| self.is_of(site))
    }
}

impl From<String> for Function {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

impl From<&str> for Function {
    fn from(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
