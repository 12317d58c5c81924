//! Writes that hold for the version of an object that a decision was made on, and for no other.

use kube::{
    Resource,
    api::{DeleteParams, Preconditions},
};

/// Deletes this very object: not one that was made anew under its name, nor one that was edited since.
pub fn delete_params(object: &impl Resource) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid: object.meta().uid.clone(),
            resource_version: object.meta().resource_version.clone(),
        }),
        ..DeleteParams::default()
    }
}

/// True where a write was refused because the object has changed or gone: then there is nothing to repair but the copy
/// that the decision was made on.
pub fn is_outdated(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409 || status.code == 404)
}
