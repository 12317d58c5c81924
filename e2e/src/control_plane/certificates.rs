//! The certificates and keys of a test control plane.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// Files below the control plane's folder.
pub struct Certificates {
    /// The authority's certificate, which signs all others.
    pub authority: PathBuf,
    /// The API server's.
    pub server: Pair,
    /// An administrator's.
    pub admin: Pair,
    /// Signs service accounts' tokens.
    pub accounts_private: PathBuf,
    /// Checks them.
    pub accounts_public: PathBuf,
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// The holder of a certificate; the API server takes user and group from it.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// A client of this name, in this group if any.
    Client(&'a str, Option<&'a str>),
    /// A server of this name at this address.
    Server(&'a str, Ipv4Addr),
}

/// A certificate and its private key.
pub struct Pair {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes all of them in `folder`, with elliptic-curve keys: those are made in no time.
    pub fn write(folder: &Path, address: Ipv4Addr) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "netdiag test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let authority = write(folder, "ca.crt", &params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);

        let address = address.to_string();
        // Pods reach it by the first address of the services' range.
        let names = ["localhost", "kubernetes.default.svc", "10.96.0.1", &address];
        let names = names.map(str::to_owned);
        let mut server = CertificateParams::new(names)?;
        server
            .distinguished_name
            .push(DnType::CommonName, "kube-apiserver");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];

        let admin = params_of(Who::Client("admin", Some("system:masters")))?;
        let accounts = KeyPair::generate()?;
        Ok(Self {
            authority,
            server: sign(folder, "apiserver", &server, &issuer)?,
            admin: sign(folder, "admin", &admin, &issuer)?,
            accounts_private: write(folder, "accounts.key", &accounts.serialize_pem())?,
            accounts_public: write(folder, "accounts.pub", &accounts.public_key_pem())?,
            folder: folder.to_path_buf(),
            issuer,
        })
    }

    /// Makes another certificate, in files of this name.
    pub fn issue(&self, file: &str, who: Who<'_>) -> Result<Pair> {
        sign(&self.folder, file, &params_of(who)?, &self.issuer)
    }
}

fn params_of(who: Who<'_>) -> Result<CertificateParams> {
    let (name, names, usage) = match who {
        Who::Client(name, _) => (name, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth),
        Who::Server(name, address) => {
            let names = vec![name.to_owned(), address.to_string()];
            (name, names, ExtendedKeyUsagePurpose::ServerAuth)
        }
    };
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    if let Who::Client(_, Some(group)) = who {
        let organisation = DnType::OrganizationName;
        params.distinguished_name.push(organisation, group);
    }
    params.extended_key_usages = vec![usage];
    Ok(params)
}

fn sign(
    folder: &Path,
    name: &str,
    params: &CertificateParams,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<Pair> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok(Pair {
        certificate: write(folder, &format!("{name}.crt"), &certificate.pem())?,
        key: write(folder, &format!("{name}.key"), &key.serialize_pem())?,
    })
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    Ok(path)
}
