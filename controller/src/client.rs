//! How to reach the API server.

use std::path::{Path, PathBuf};

use kube::{
    Client, Config,
    config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};

/// The API server cannot be reached with what is given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No usable credentials.
    #[error("failed to find out how to reach the API server; give --kubeconfig or run in a pod")]
    Infer(#[source] Box<InferConfigError>),
    /// The file given is not usable.
    #[error("failed to read kubeconfig {path:?}")]
    ReadKubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// The client cannot be built from the credentials.
    #[error("failed to set up the API client")]
    Build(#[source] Box<kube::Error>),
}

/// Address and credentials from a file, else as kubectl and pods find them.
///
/// # Errors
/// When there are none, or they cannot be read.
pub async fn config(kubeconfig: Option<&Path>) -> Result<Config, Error> {
    let Some(path) = kubeconfig else {
        return Config::infer()
            .await
            .map_err(|source| Error::Infer(Box::new(source)));
    };
    let unreadable = |source| Error::ReadKubeconfig {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(unreadable)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(unreadable)
}

/// A client with these credentials.
///
/// # Errors
/// When they do not fit together.
pub fn client(config: Config) -> Result<Client, Error> {
    Client::try_from(config).map_err(|source| Error::Build(Box::new(source)))
}
