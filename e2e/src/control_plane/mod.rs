//! A private etcd and kube-apiserver on loopback.
//!
//! No controllers run: nothing makes the `default` service account, and nothing collects the
//! children of deleted owners.

mod certificates;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::cleanup::TemporaryFolder;
use crate::kubectl::Kubectl;
use crate::process::Process;
use crate::{programs, wait};
use certificates::Certificates;

/// It takes 4 to 9 s on a busy machine.
const READY_LIMIT: Duration = Duration::from_secs(90);

/// A running control plane. All of it, data included, goes with this value.
pub struct ControlPlane {
    // Fields drop in this order: the server before its store, both before their folder.
    apiserver: Process,
    etcd: Process,
    certificates: Certificates,
    port: u16,
    folder: TemporaryFolder,
}

impl ControlPlane {
    /// Starts both programs and waits until the API server is ready.
    pub fn start() -> Result<Self> {
        let folder = TemporaryFolder::new("control-plane")?;
        let certificates = Certificates::write(folder.path())?;
        let [client_port, peer_port, secure_port] = free_ports()?;
        let etcd = start_etcd(folder.path(), client_port, peer_port)?;
        let apiserver = start_apiserver(folder.path(), &certificates, client_port, secure_port)?;
        let plane = Self {
            apiserver,
            etcd,
            certificates,
            port: secure_port,
            folder,
        };
        let admin = json!({
            "client-certificate": plane.certificates.admin.certificate,
            "client-key": plane.certificates.admin.key,
        });
        plane.write_kubeconfig(&plane.kubeconfig(), &admin)?;
        wait::until("the API server", READY_LIMIT, || {
            plane.etcd.check_running()?;
            plane.apiserver.check_running()?;
            plane.kubectl().run(&["get", "--raw=/readyz"]).map(Some)
        })?;
        Ok(plane)
    }

    /// The API server's port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// An administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("admin.kubeconfig")
    }

    /// kubectl as administrator.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig())
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

    fn write_kubeconfig(&self, path: &Path, user: &Value) -> Result<()> {
        let cluster = json!({
            "server": format!("https://127.0.0.1:{}", self.port),
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

fn start_etcd(folder: &Path, client_port: u16, peer_port: u16) -> Result<Process> {
    let client = format!("http://127.0.0.1:{client_port}");
    let peer = format!("http://127.0.0.1:{peer_port}");
    let mut command = programs::kubernetes("etcd");
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
    certificates: &Certificates,
    etcd_port: u16,
    port: u16,
) -> Result<Process> {
    let path = |path: &Path| path.display().to_string();
    let flags = [
        ("etcd-servers", format!("http://127.0.0.1:{etcd_port}")),
        ("secure-port", port.to_string()),
        ("bind-address", "127.0.0.1".to_owned()),
        // The address of the `kubernetes` service's endpoint, which must not be loopback.
        ("advertise-address", "192.0.2.1".to_owned()),
        ("endpoint-reconciler-type", "none".to_owned()),
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
    ];
    let mut command = programs::kubernetes("kube-apiserver");
    command.args(flags.map(|(name, value)| format!("--{name}={value}")));
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
