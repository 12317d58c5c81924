//! The connection to the API server.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use crate::bounded::{Bounded, Deadlines};

/// For a connection, and for the write of a request.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// For the next bytes of an answer. A watch may be silent for 75 s before it is opened anew.
const READ_WITHIN: Duration = Duration::from_secs(90);

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
        /// The error in it.
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

/// A client with these credentials. Each request has a deadline, and none is tried again behind its caller's back.
///
/// # Errors
/// When the credentials do not fit together.
pub fn client(config: Config) -> Result<Client, Error> {
    client_within(config, Deadlines::default())
}

/// The same with other deadlines.
///
/// # Errors
/// When the credentials do not fit together.
pub fn client_within(mut config: Config, deadlines: Deadlines) -> Result<Client, Error> {
    config.connect_timeout = Some(CONNECT_WITHIN);
    config.write_timeout = Some(CONNECT_WITHIN);
    config.read_timeout = Some(READ_WITHIN);
    config.reset_reader_on_write = true;
    // kube would wait for 1000 s within one request; here the callers wait between requests.
    config.default_retry = false;
    let builder =
        ClientBuilder::try_from(config).map_err(|source| Error::Build(Box::new(source)))?;
    Ok(builder.with_layer(&Bounded::layer(deadlines)).build())
}
