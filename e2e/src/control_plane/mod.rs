//! A private etcd and kube-apiserver: on loopback, or in a network that nodes reach.
//!
//! No controllers run with it: nothing makes the `default` service account, and nothing collects the
//! children of deleted owners. A cluster of real nodes starts them.

mod certificates;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::cleanup::TemporaryFolder;
use crate::kubectl::Kubectl;
use crate::netns::Namespace;
use crate::process::Process;
use crate::{programs, wait};
pub use certificates::{Certificates, Pair, Who};

/// A running control plane. All of it, data included, goes with this value.
pub struct ControlPlane {
    // Fields drop in this order: the server before its store, both before their folder.
    apiserver: Process,
    etcd: Process,
    certificates: Certificates,
    ports: Ports,
    place: Place,
    admission: Option<String>,
    folder: TemporaryFolder,
}

/// The ports of its programs.
#[derive(Clone, Copy, Debug)]
struct Ports {
    etcd: u16,
    peer: u16,
    apiserver: u16,
}

/// The network from which the API server is reached.
#[derive(Clone, Debug)]
enum Place {
    /// Only by this host.
    Loopback,
    /// By a program that is in this network namespace or has a route to the address.
    Network {
        namespace: String,
        address: Ipv4Addr,
    },
}

impl Place {
    fn namespace(&self) -> Option<&str> {
        match self {
            Self::Loopback => None,
            Self::Network { namespace, .. } => Some(namespace),
        }
    }

    fn address(&self) -> Ipv4Addr {
        match self {
            Self::Loopback => Ipv4Addr::LOCALHOST,
            Self::Network { address, .. } => *address,
        }
    }
}

impl ControlPlane {
    /// Starts both programs on loopback and waits until the API server is ready.
    pub fn start() -> Result<Self> {
        Self::start_at(Place::Loopback, None)
    }

    /// The same with an `AdmissionConfiguration`: the settings of a platform's admission plugins, as JSON or YAML.
    pub fn start_with_admission(configuration: &str) -> Result<Self> {
        Self::start_at(Place::Loopback, Some(configuration))
    }

    /// The same in a network namespace, at an address of it that nodes reach.
    pub fn start_in(network: &Namespace, address: Ipv4Addr) -> Result<Self> {
        let place = Place::Network {
            namespace: network.name().to_owned(),
            address,
        };
        Self::start_at(place, None)
    }

    fn start_at(place: Place, admission: Option<&str>) -> Result<Self> {
        let folder = TemporaryFolder::new("control-plane")?;
        let certificates = Certificates::write(folder.path(), place.address())?;
        let [etcd_port, peer, apiserver_port] = free_ports()?;
        let ports = Ports {
            etcd: etcd_port,
            peer,
            apiserver: apiserver_port,
        };
        let etcd = start_etcd(folder.path(), &place, ports)?;
        let apiserver = start_apiserver(folder.path(), &place, &certificates, ports, admission)?;
        let plane = Self {
            apiserver,
            etcd,
            certificates,
            ports,
            place,
            admission: admission.map(str::to_owned),
            folder,
        };
        plane.kubeconfig_of("admin", &plane.certificates.admin)?;
        plane.wait_until_ready()?;
        Ok(plane)
    }

    fn wait_until_ready(&self) -> Result<()> {
        wait::until("the API server", wait::LIMIT, || {
            self.etcd.check_running()?;
            self.apiserver.check_running()?;
            self.kubectl().run(&["get", "--raw=/readyz"]).map(Some)
        })
        .map(drop)
    }

    /// The API server.
    pub fn apiserver(&self) -> &Process {
        &self.apiserver
    }

    /// Kills the API server, lets this time pass, and starts it anew.
    pub fn restart_apiserver(&mut self, away: Duration) -> Result<()> {
        self.apiserver.kill()?;
        thread::sleep(away);
        let folder = self.folder.path();
        let admission = self.admission.as_deref();
        self.apiserver = start_apiserver(
            folder,
            &self.place,
            &self.certificates,
            self.ports,
            admission,
        )?;
        self.wait_until_ready()
    }

    /// Kills the store under the API server, lets this time pass, and starts it anew with what it has stored.
    pub fn restart_etcd(&mut self, away: Duration) -> Result<()> {
        self.etcd.kill()?;
        thread::sleep(away);
        self.etcd = start_etcd(self.folder.path(), &self.place, self.ports)?;
        self.wait_until_ready()
    }

    /// The API server's port on loopback.
    pub fn port(&self) -> u16 {
        self.ports.apiserver
    }

    /// An administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("admin.kubeconfig")
    }

    /// kubectl as administrator.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig()).inside(self.place.namespace())
    }

    /// The files that other programs need to trust each other and the API server.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The folder of its files, with room for those of programs that go with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a kubeconfig file for the holder of a client certificate.
    pub fn kubeconfig_of(&self, name: &str, holder: &Pair) -> Result<PathBuf> {
        let path = self.folder.path().join(format!("{name}.kubeconfig"));
        let user = json!({ "client-certificate": holder.certificate, "client-key": holder.key });
        self.write_kubeconfig(&path, &user)?;
        Ok(path)
    }

    /// A client with an administrator's rights.
    pub async fn client(&self) -> Result<kube::Client> {
        // Fails when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig())?;
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        Ok(kube::Client::try_from(config)?)
    }

    /// Writes a kubeconfig file that uses `token`, a service account's for example.
    pub fn kubeconfig_with_token(&self, name: &str, token: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(format!("{name}.kubeconfig"));
        self.write_kubeconfig(&path, &json!({ "token": token }))?;
        Ok(path)
    }

    /// The same with a file that holds the token, as a pod has it: it may be replaced.
    pub fn kubeconfig_with_token_file(&self, name: &str, token: &Path) -> Result<PathBuf> {
        let path = self.folder.path().join(format!("{name}.kubeconfig"));
        self.write_kubeconfig(&path, &json!({ "tokenFile": token }))?;
        Ok(path)
    }

    fn write_kubeconfig(&self, path: &Path, user: &Value) -> Result<()> {
        let cluster = json!({
            "server": format!("https://{}:{}", self.place.address(), self.ports.apiserver),
            "certificate-authority": self.certificates.authority,
        });
        // JSON is YAML.
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "test", "cluster": cluster }],
            "users": [{ "name": "user", "user": user }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "user" } }],
            "current-context": "test",
        });
        fs::write(path, text.to_string())
            .with_context(|| format!("failed to write {}", path.display()))
    }
}

fn start_etcd(folder: &Path, place: &Place, ports: Ports) -> Result<Process> {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    let mut command = programs::kubernetes_in(place.namespace(), "etcd");
    command
        .arg("--data-dir")
        .arg(folder.join("etcd"))
        .args(["--listen-client-urls", &client])
        .args(["--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer])
        .args(["--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("default={peer}")])
        // The data is thrown away, so it need not survive a power cut.
        .arg("--unsafe-no-fsync")
        .args(["--log-level", "warn"]);
    Process::start("etcd", command, &folder.join("etcd.log"))
}

fn start_apiserver(
    folder: &Path,
    place: &Place,
    certificates: &Certificates,
    ports: Ports,
    admission: Option<&str>,
) -> Result<Process> {
    let path = |path: &Path| path.display().to_string();
    // The endpoint of the `kubernetes` service must not be loopback, and nobody asks for it there.
    let (advertised, endpoints) = match place {
        Place::Loopback => (Ipv4Addr::new(192, 0, 2, 1), "none"),
        Place::Network { address, .. } => (*address, "lease"),
    };
    let flags = [
        ("etcd-servers", format!("http://127.0.0.1:{}", ports.etcd)),
        ("secure-port", ports.apiserver.to_string()),
        ("bind-address", place.address().to_string()),
        ("advertise-address", advertised.to_string()),
        ("endpoint-reconciler-type", endpoints.to_owned()),
        ("tls-cert-file", path(&certificates.server.certificate)),
        ("tls-private-key-file", path(&certificates.server.key)),
        ("client-ca-file", path(&certificates.authority)),
        ("cert-dir", path(folder)),
        ("service-cluster-ip-range", "10.96.0.0/16".to_owned()),
        (
            "service-account-key-file",
            path(&certificates.accounts_public),
        ),
        (
            "service-account-signing-key-file",
            path(&certificates.accounts_private),
        ),
        (
            "service-account-issuer",
            "https://kubernetes.default.svc".to_owned(),
        ),
        ("authorization-mode", "Node,RBAC".to_owned()),
        ("enable-admission-plugins", "NodeRestriction".to_owned()),
        ("allow-privileged", "true".to_owned()),
        // For logs of pods and for port forwarding, where there are nodes.
        ("kubelet-preferred-address-types", "InternalIP".to_owned()),
        (
            "kubelet-client-certificate",
            path(&certificates.admin.certificate),
        ),
        ("kubelet-client-key", path(&certificates.admin.key)),
        (
            "kubelet-certificate-authority",
            path(&certificates.authority),
        ),
    ];
    let mut command = programs::kubernetes_in(place.namespace(), "kube-apiserver");
    command.args(flags.map(|(name, value)| format!("--{name}={value}")));
    if let Some(configuration) = admission {
        let file = folder.join("admission.yaml");
        fs::write(&file, configuration).context("failed to write the admission configuration")?;
        command.arg("--admission-control-config-file").arg(file);
    }
    Process::start(
        "kube-apiserver",
        command,
        &folder.join("kube-apiserver.log"),
    )
}

/// Ports that are free now. All are held until all are found, so they differ.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").context("failed to find a free port")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
