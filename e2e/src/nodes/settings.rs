//! Configuration files of a node's daemons.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::network::{POD_RANGE, node_address, pod_range};
use crate::control_plane::{ControlPlane, Who};

/// The image of the container that holds a pod's namespaces.
pub const PAUSE_IMAGE: &str = "localhost/pause:1";

/// Files of one node, below its folder.
pub struct Settings {
    /// For containerd.
    pub containerd: PathBuf,
    /// For the kubelet.
    pub kubelet: PathBuf,
    /// Its credentials.
    pub kubelet_kubeconfig: PathBuf,
    /// For kube-proxy.
    pub proxy: PathBuf,
}

impl Settings {
    /// Writes them for the node of this number. `cni` is the folder of the network plugins, `group` the control group
    /// below which the kubelet keeps those of its pods.
    pub fn write(
        plane: &ControlPlane,
        folder: &Path,
        number: u8,
        cni: &Path,
        group: &str,
    ) -> Result<Self> {
        let name = format!("node-{number}");
        let address = node_address(number);
        let certificates = plane.certificates();
        let user = format!("system:node:{name}");
        let client = certificates.issue(&name, Who::Client(&user, Some("system:nodes")))?;
        let proxy = certificates.issue(
            &format!("{name}-proxy"),
            Who::Client("system:kube-proxy", None),
        )?;
        let proxy_kubeconfig = plane.kubeconfig_of(&format!("{name}-proxy"), &proxy)?;
        let network = json!({
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{ "subnet": pod_range(number) }]],
                        "routes": [{ "dst": "0.0.0.0/0" }],
                    },
                },
                { "type": "portmap", "capabilities": { "portMappings": true } },
            ],
        });
        write(folder, "cni/net.d/10-bridge.conflist", &network.to_string())?;
        let proxy = json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "hostnameOverride": name,
            "clusterCIDR": POD_RANGE,
            "clientConnection": { "kubeconfig": proxy_kubeconfig },
            // Else it would change settings of the whole machine.
            "conntrack": { "maxPerCore": 0, "min": 0 },
        });
        Ok(Self {
            containerd: write(folder, "containerd.toml", &containerd(cni))?,
            kubelet: kubelet(plane, folder, &name, address, group)?,
            kubelet_kubeconfig: plane.kubeconfig_of(&name, &client)?,
            proxy: write(folder, "kube-proxy.json", &proxy.to_string())?,
        })
    }
}

fn containerd(cni: &Path) -> String {
    // Debian's containerd 1.6 reads version 2 of the format. Where root lacks SYS_RESOURCE, runc may not lower the
    // score by which the kernel chooses whom to end when memory runs out.
    format!(
        "version = 2\n\
         [plugins.\"io.containerd.grpc.v1.cri\"]\n\
         sandbox_image = \"{PAUSE_IMAGE}\"\n\
         restrict_oom_score_adj = true\n\
         [plugins.\"io.containerd.grpc.v1.cri\".cni]\n\
         bin_dir = \"{}\"\n\
         conf_dir = \"/etc/cni/net.d\"\n\
         [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n\
         runtime_type = \"io.containerd.runc.v2\"\n",
        cni.display()
    )
}

fn kubelet(
    plane: &ControlPlane,
    folder: &Path,
    name: &str,
    address: Ipv4Addr,
    group: &str,
) -> Result<PathBuf> {
    let certificates = plane.certificates();
    let serving = certificates.issue(&format!("{name}-serving"), Who::Server(name, address))?;
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        // Kubelets side by side must not share /kubepods.
        "cgroupRoot": format!("/{group}"),
        "failCgroupV1": false,
        "failSwapOn": false,
        "makeIPTablesUtilChains": false,
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": certificates.authority },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": serving.certificate,
        "tlsPrivateKeyFile": serving.key,
        // There is no cluster DNS.
        "resolvConf": write(folder, "resolv.conf", "")?,
        // There is no registry to get an image again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        // Nor does a percent of a large disk mean that a small cluster has no room.
        "evictionHard": {
            "memory.available": "100Mi", "nodefs.available": "200Mi",
            "nodefs.inodesFree": "1%", "imagefs.available": "200Mi",
        },
        "nodeStatusUpdateFrequency": "5s",
    });
    write(folder, "kubelet.json", &config.to_string())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("failed to create {parent:?}"))?;
    }
    fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    Ok(path)
}
