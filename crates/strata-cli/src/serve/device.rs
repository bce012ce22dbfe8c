//! What a session was begun on, for its owner to recognise it by: a label made of the user agent, and the address.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use strata::session::auth::Device;

use super::answer::Refusal;
use super::service::Shared;

/// Who is at the other end of a request.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    agent: String,
}

impl Client {
    /// As a session keeps it.
    pub(crate) fn device(&self) -> Device {
        let device = Device::new().label(label(&self.agent)).address(self.address.to_string());
        if self.agent.is_empty() { device } else { device.agent(self.agent.clone()) }
    }
}

impl FromRequestParts<Shared> for Client {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Refusal> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self {
            // Always there behind `server`.
            address: address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)),
            agent: agent
                .unwrap_or_default()
                .chars()
                .filter(char::is_ascii_graphic_or_space)
                .take(512)
                .collect(),
        })
    }
}

/// A character that may stand in the text of a device.
trait Plain {
    fn is_ascii_graphic_or_space(&self) -> bool;
}

impl Plain for char {
    fn is_ascii_graphic_or_space(&self) -> bool {
        self.is_ascii_graphic() || *self == ' '
    }
}

/// Browser and platform, as far as the agent tells; the first that is found counts, so those that pretend to be others come first.
fn label(agent: &str) -> String {
    const BROWSERS: [(&str, &str); 8] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("HeadlessChrome/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
        ("Mozilla/", "Browser"),
    ];
    const PLATFORMS: [(&str, &str); 6] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&PLATFORMS)) {
        (Some(browser), Some(platform)) => format!("{browser} on {platform}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(platform)) => format!("Program on {platform}"),
        (None, None) => "Program".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_for_people() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1";
        assert_eq!(label(chrome), "Chrome on Linux");
        assert_eq!(label(&format!("{chrome} Edg/140.0")), "Edge on Linux");
        assert_eq!(label(safari), "Safari on iPhone");
        assert_eq!(label("curl/8.0"), "curl");
        assert_eq!(label(""), "Program");
    }
}
