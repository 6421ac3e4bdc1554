//! TLS whose roots are loaded when a certificate is first checked.
//!
//! Reading the system's roots takes milliseconds and megabytes, which a program that only talks to
//! a server beside it would spend for nothing.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::{TransportError, TransportErrorKind};

/// The settings of every connection: the system's roots, HTTP/2 where the server speaks it.
pub(super) fn config() -> Result<ClientConfig, TransportError> {
    // Another part of the program may have chosen a provider; theirs then holds.
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(ring::default_provider()));
    let verifier = LazyVerifier { provider: Arc::clone(&provider), roots: OnceLock::new() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TransportError::new(TransportErrorKind::Other, error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The system's verifier, made when there is something to verify.
#[derive(Debug)]
struct LazyVerifier {
    provider: Arc<CryptoProvider>,
    roots: OnceLock<Verifier>,
}

impl LazyVerifier {
    fn verifier(&self) -> Result<&Verifier, Error> {
        match self.roots.get() {
            Some(verifier) => Ok(verifier),
            // A failure is not kept: files that cannot be opened now may be readable later.
            None => {
                let verifier = Verifier::new(Arc::clone(&self.provider))?;
                Ok(self.roots.get_or_init(|| verifier))
            }
        }
    }
}

impl ServerCertVerifier for LazyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier()?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_loaded_when_they_are_asked_for_and_not_before() {
        let provider = Arc::new(ring::default_provider());
        let verifier = LazyVerifier { provider, roots: OnceLock::new() };
        assert!(!verifier.supported_verify_schemes().is_empty());
        assert!(verifier.roots.get().is_none());
        let name = ServerName::try_from("example.com").unwrap();
        let garbage = CertificateDer::from(vec![0; 8]);
        let refused = verifier.verify_server_cert(&garbage, &[], &name, &[], UnixTime::now());
        assert!(matches!(refused, Err(Error::InvalidCertificate(_))), "{refused:?}");
        assert!(verifier.roots.get().is_some());
    }
}
