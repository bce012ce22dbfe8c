//! Encrypted connections: rustls over ring, certificates judged as the operating system judges them.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use strata_core::{Error, ErrorKind, Result};

/// TLS 1.2 and 1.3 to servers that the operating system trusts.
pub(crate) fn of_the_system() -> Result<ClientConfig> {
    let builder = builder()?.with_platform_verifier().map_err(|error| {
        let message = "the system has no certificate authorities; install them (such as the package ca-certificates), or give \
                       a configuration by `tls`";
        Error::new(ErrorKind::Unsupported, "build HTTP client", message).because(error)
    })?;
    Ok(with_protocols(builder.with_no_client_auth()))
}

/// Of a client that never connects encrypted: nobody is trusted, so that none is needed on the machine.
pub(crate) fn of_nobody() -> Result<ClientConfig> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| {
        let message = "the cipher library has no suites for TLS 1.2 and 1.3; this build is broken";
        Error::new(ErrorKind::Unsupported, "build HTTP client", message).because(error)
    })
}

/// HTTP/2 where the server speaks it.
fn with_protocols(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
