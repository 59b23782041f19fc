//! TLS to the server. The server's certificate is checked as `sslmode` requires.

use std::fmt::Display;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::base::error::{Error, Result};

/// How the server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verify {
    /// Nothing.
    Nothing,
    /// That a trusted authority has signed it.
    Authority,
    /// The signature and the host name.
    Full,
}

/// The settings of TLS. `roots` is the file of `sslrootcert`.
pub(super) fn client(verify: Verify, roots: Option<&str>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusted: Option<Arc<dyn ServerCertVerifier>> = match (verify, roots) {
        (Verify::Nothing, _) => None,
        (_, None | Some("system")) => {
            let system = rustls_platform_verifier::Verifier::new(provider.clone());
            let system = system.map_err(|error| {
                Error::failed(format!(
                    "the certificates of this system cannot be read: {error}; name a file of certificates with sslrootcert"
                ))
            })?;
            Some(Arc::new(system))
        }
        (_, Some(file)) => {
            let refuse =
                |error: &dyn Display| Error::failed(format!("sslrootcert: {file:?}: {error}"));
            let mut store = RootCertStore::empty();
            for certificate in certificates(file)? {
                store.add(certificate).map_err(|error| refuse(&error))?;
            }
            let built = WebPkiServerVerifier::builder_with_provider(store.into(), provider.clone());
            Some(built.build().map_err(|error| refuse(&error))?)
        }
    };
    let verifier = CertificateCheck {
        verify,
        trusted,
        provider: provider.clone(),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?;
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>> {
    let refuse = |reason: String| {
        let expected = "expected a file of certificates in PEM form";
        Error::failed(format!("sslrootcert: {file:?}: {expected}: {reason}"))
    };
    let read = CertificateDer::pem_file_iter(file).map_err(|error| refuse(error.to_string()))?;
    let found: Result<Vec<_>, _> = read.collect();
    let found = found.map_err(|error| refuse(error.to_string()))?;
    match found.is_empty() {
        true => Err(refuse("it has none".into())),
        false => Ok(found),
    }
}

/// Checks a certificate as `sslmode` requires. It always checks that the server has the key of its certificate. With
/// `sslmode=require` and no `sslrootcert` it checks nothing else, which protects against eavesdroppers, but not against
/// somebody who impersonates the server.
#[derive(Debug)]
struct CertificateCheck {
    verify: Verify,
    /// The trusted authorities, `None` if no signature is needed.
    trusted: Option<Arc<dyn ServerCertVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for CertificateCheck {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(trusted) = &self.trusted else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = trusted.verify_server_cert(certificate, between, name, ocsp, now);
        match verified {
            // The name is checked last, so everything else is valid.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.verify == Verify::Authority => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
