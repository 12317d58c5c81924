//! The certificates and keys of a test control plane.

use std::fs;
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
    pub server: Pair,
    pub admin: Pair,
    /// Signs service accounts' tokens.
    pub accounts_private: PathBuf,
    pub accounts_public: PathBuf,
}

/// A certificate and its private key.
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificates {
    /// Makes all of them in `folder`, with elliptic-curve keys: those are made in no time.
    pub fn write(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "netdiag test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let authority = write(folder, "ca.crt", &params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);

        let names = ["localhost", "127.0.0.1", "kubernetes.default.svc"].map(str::to_owned);
        let mut server = CertificateParams::new(names)?;
        server
            .distinguished_name
            .push(DnType::CommonName, "kube-apiserver");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];

        // The API server takes the user's name and group from the subject.
        let mut admin = CertificateParams::new(Vec::new())?;
        admin.distinguished_name.push(DnType::CommonName, "admin");
        admin
            .distinguished_name
            .push(DnType::OrganizationName, "system:masters");
        admin.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];

        let accounts = KeyPair::generate()?;
        Ok(Self {
            authority,
            server: sign(folder, "apiserver", &server, &issuer)?,
            admin: sign(folder, "admin", &admin, &issuer)?,
            accounts_private: write(folder, "accounts.key", &accounts.serialize_pem())?,
            accounts_public: write(folder, "accounts.pub", &accounts.public_key_pem())?,
        })
    }
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
