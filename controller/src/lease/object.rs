//! The Lease as it is made.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        authentication::v1::{SelfSubjectReview, UserInfo},
        coordination::v1::{Lease, LeaseSpec},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ObjectMeta, PostParams},
};
use tracing::debug;

use super::NAME;

/// Label that says who manages an object; Helm takes over an object only where it says so.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotations by which Helm knows the objects of a release.
const RELEASE_NAME: &str = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// The things that the Lease says of itself: whose it is.
#[derive(Clone, Debug)]
pub struct Marks {
    namespace: String,
    release: Option<String>,
}

impl Marks {
    /// The marks of a Lease in this namespace, which a release of Helm there may take over.
    pub fn new(namespace: &str, release: Option<&str>) -> Self {
        Self {
            namespace: namespace.to_owned(),
            release: release.map(str::to_owned),
        }
    }

    /// The namespace of the Lease.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A new Lease. The controller's service account owns it, so that it goes with the release.
    pub async fn new_lease(&self, client: &Client, spec: LeaseSpec) -> Lease {
        let reviews = Api::<SelfSubjectReview>::all(client.clone());
        // Every authenticated account may ask who it is.
        let review = reviews
            .create(&PostParams::default(), &SelfSubjectReview::default())
            .await;
        let owner = match review {
            Ok(review) => review
                .status
                .and_then(|status| status.user_info)
                .and_then(|user| owner(&user, &self.namespace)),
            Err(error) => {
                debug!(
                    error = &error as &dyn std::error::Error,
                    "Own account not known"
                );
                None
            }
        };
        let labels = [
            ("app.kubernetes.io/name", "netdiag"),
            ("app.kubernetes.io/component", "controller"),
            (MANAGED_BY, "netdiag-controller"),
        ];
        let mut lease = Lease {
            metadata: ObjectMeta {
                name: Some(NAME.to_owned()),
                labels: Some(BTreeMap::from(
                    labels.map(|(key, value)| (key.to_owned(), value.to_owned())),
                )),
                owner_references: owner.map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
        };
        self.set(&mut lease);
        lease
    }

    /// Gives a Lease the marks of the release. One that a release of another name left has them too then.
    pub fn set(&self, lease: &mut Lease) {
        let Some(release) = &self.release else { return };
        let labels = lease.labels_mut();
        labels.insert(MANAGED_BY.to_owned(), "Helm".to_owned());
        let annotations = lease.annotations_mut();
        annotations.insert(RELEASE_NAME.to_owned(), release.clone());
        annotations.insert(RELEASE_NAMESPACE.to_owned(), self.namespace.clone());
    }
}

/// The service account behind this user, if it lies in the Lease's namespace: an owner elsewhere would count as gone.
fn owner(user: &UserInfo, namespace: &str) -> Option<OwnerReference> {
    let account = user.username.as_deref()?;
    let account = account.strip_prefix("system:serviceaccount:")?;
    let (own_namespace, name) = account.split_once(':')?;
    let uid = user.uid.as_deref().filter(|uid| !uid.is_empty())?;
    (own_namespace == namespace).then(|| OwnerReference {
        api_version: "v1".to_owned(),
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        ..OwnerReference::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned_by(username: &str, uid: &str) -> Option<String> {
        let user = UserInfo {
            username: Some(username.to_owned()),
            uid: Some(uid.to_owned()),
            ..UserInfo::default()
        };
        owner(&user, "here").map(|owner| owner.name)
    }

    #[test]
    fn only_a_service_account_of_the_same_namespace_owns_the_lease() {
        let account = "system:serviceaccount:here:netdiag-controller";
        assert_eq!(
            owned_by(account, "1").as_deref(),
            Some("netdiag-controller")
        );
        assert_eq!(owned_by(account, ""), None);
        assert_eq!(owned_by("system:serviceaccount:there:a", "1"), None);
        assert_eq!(owned_by("kubernetes-admin", "1"), None);
    }
}
