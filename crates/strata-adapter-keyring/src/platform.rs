//! The keyring of the machine this is built for: its name, its limit, how to reach it, and what its own errors mean.

use std::error::Error as StdError;
use std::sync::Arc;

use keyring_core::CredentialStore;
use strata_core::ErrorKind;

#[cfg(all(unix, not(any(target_os = "macos", target_os = "ios", target_os = "android"))))]
pub(crate) use self::secret_service::{MAX_ENTRY, NAME, connect, situation};

#[cfg(target_os = "macos")]
pub(crate) use self::keychain::{MAX_ENTRY, NAME, connect, situation};

#[cfg(windows)]
pub(crate) use self::credential_manager::{MAX_ENTRY, NAME, connect, situation};

#[cfg(not(any(
    windows,
    target_os = "macos",
    all(unix, not(any(target_os = "macos", target_os = "ios", target_os = "android")))
)))]
pub(crate) use self::none::{MAX_ENTRY, NAME, connect, situation};

/// What an error of the platform is an instance of. `None`: nothing that is known.
pub(crate) type Situation = Option<ErrorKind>;

/// The Secret Service over D-Bus. Unlocking may ask the user.
#[cfg(all(unix, not(any(target_os = "macos", target_os = "ios", target_os = "android"))))]
mod secret_service {
    use super::{Arc, CredentialStore, ErrorKind, Situation, StdError};

    pub(crate) const NAME: &str = "Secret Service";
    /// No limit is stated; a megabyte takes half a second, so that a mistake is met before it hurts.
    pub(crate) const MAX_ENTRY: usize = 96 * 1024;

    pub(crate) fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
        Ok(zbus_secret_service_keyring_store::Store::new()?)
    }

    pub(crate) fn situation(error: &(dyn StdError + Send + Sync + 'static)) -> Situation {
        use secret_service::Error as Service;
        match error.downcast_ref::<Service>()? {
            // Without a result: there is no login keyring. A question that was dismissed leaves it locked, also where nothing could ask.
            Service::Locked | Service::NoResult | Service::Prompt => Some(ErrorKind::Locked),
            Service::PromptDisconnected => Some(ErrorKind::Unavailable),
            Service::Unavailable => Some(ErrorKind::Unsupported),
            Service::Zbus(error) => bus(error),
            Service::ZbusFdo(error) => desktop(error),
            _ => None,
        }
    }

    fn bus(error: &zbus::Error) -> Situation {
        match error {
            zbus::Error::MethodError(name, ..) => Some(named(name.as_str())),
            zbus::Error::FDO(error) => desktop(error),
            zbus::Error::Address(_) | zbus::Error::InterfaceNotFound | zbus::Error::Unsupported => {
                Some(ErrorKind::Unsupported)
            }
            zbus::Error::InputOutput(error) | zbus::Error::Connection(error, _) => {
                Some(reached(error.kind()))
            }
            _ => None,
        }
    }

    /// A bus that nobody listens at is none; any other failure is one of a bus that is there.
    fn reached(kind: std::io::ErrorKind) -> ErrorKind {
        use std::io::ErrorKind as Io;
        match kind {
            Io::NotFound | Io::NotADirectory | Io::ConnectionRefused | Io::AddrNotAvailable => {
                ErrorKind::Unsupported
            }
            Io::PermissionDenied => ErrorKind::Denied,
            _ => ErrorKind::Unavailable,
        }
    }

    fn desktop(error: &zbus::fdo::Error) -> Situation {
        use zbus::fdo::Error as Desktop;
        match error {
            Desktop::ZBus(error) => bus(error),
            Desktop::ServiceUnknown(_) | Desktop::NameHasNoOwner(_) | Desktop::SpawnServiceNotFound(_) => {
                Some(ErrorKind::Unsupported)
            }
            Desktop::AccessDenied(_) | Desktop::AuthFailed(_) => Some(ErrorKind::Denied),
            _ => Some(ErrorKind::Unavailable),
        }
    }

    fn named(name: &str) -> ErrorKind {
        match name {
            "org.freedesktop.Secret.Error.IsLocked" => ErrorKind::Locked,
            "org.freedesktop.DBus.Error.ServiceUnknown"
            | "org.freedesktop.DBus.Error.NameHasNoOwner"
            | "org.freedesktop.DBus.Error.Spawn.ServiceNotFound" => ErrorKind::Unsupported,
            "org.freedesktop.DBus.Error.AccessDenied" | "org.freedesktop.DBus.Error.AuthFailed" => {
                ErrorKind::Denied
            }
            _ => ErrorKind::Unavailable,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_the_bus_says_is_told_apart() {
            use secret_service::Error as Service;
            let io = |kind: std::io::ErrorKind| zbus::Error::InputOutput(Arc::new(kind.into()));
            for (error, kind) in [
                (Service::Locked, ErrorKind::Locked),
                (Service::NoResult, ErrorKind::Locked),
                (Service::Prompt, ErrorKind::Locked),
                (Service::PromptDisconnected, ErrorKind::Unavailable),
                (Service::Unavailable, ErrorKind::Unsupported),
                (Service::Zbus(zbus::Error::Address("x".to_owned())), ErrorKind::Unsupported),
                (Service::Zbus(io(std::io::ErrorKind::ConnectionRefused)), ErrorKind::Unsupported),
                (Service::Zbus(io(std::io::ErrorKind::BrokenPipe)), ErrorKind::Unavailable),
                (Service::ZbusFdo(zbus::fdo::Error::ServiceUnknown("x".to_owned())), ErrorKind::Unsupported),
                (Service::ZbusFdo(zbus::fdo::Error::AccessDenied("x".to_owned())), ErrorKind::Denied),
                (Service::ZbusFdo(zbus::fdo::Error::NoReply("x".to_owned())), ErrorKind::Unavailable),
            ] {
                let said = format!("{error:?}");
                let error: Box<dyn StdError + Send + Sync> = Box::new(error);
                assert_eq!(situation(&*error), Some(kind), "{said}");
            }
            assert_eq!(named("org.freedesktop.Secret.Error.IsLocked"), ErrorKind::Locked);
            let other: Box<dyn StdError + Send + Sync> = "something else".into();
            assert_eq!(situation(&*other), None);
        }
    }
}

/// The login keychain of macOS. Written by its documentation, not run.
#[cfg(target_os = "macos")]
mod keychain {
    use super::{Arc, CredentialStore, Situation, StdError};

    pub(crate) const NAME: &str = "macOS keychain";
    /// No limit is stated; values of tens of kilobytes are said to work.
    pub(crate) const MAX_ENTRY: usize = 96 * 1024;

    pub(crate) fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
        Ok(apple_native_keyring_store::keychain::Store::new()?)
    }

    pub(crate) fn situation(error: &(dyn StdError + Send + Sync + 'static)) -> Situation {
        super::by_status(&format!("{error:?}"))
    }
}

/// By the `OSStatus` in what macOS prints, whole numbers only, so that no second binding is needed for one.
#[cfg(any(target_os = "macos", test))]
fn by_status(said: &str) -> Situation {
    let numbers = said.split(|letter: char| letter != '-' && !letter.is_ascii_digit());
    numbers.filter_map(|number| number.parse::<i32>().ok()).find_map(|status| match status {
        // errSecInteractionNotAllowed, errSecNotAvailable
        -25308 | -25291 => Some(ErrorKind::Locked),
        // userCanceledErr, errSecAuthFailed, errSecInvalidOwnerEdit, errSecReadOnly, wrPermErr
        -128 | -25293 | -25244 | -25292 | -61 => Some(ErrorKind::Denied),
        // errSecNoSuchKeychain, errSecNoDefaultKeychain
        -25294 | -25307 => Some(ErrorKind::Unsupported),
        _ => None,
    })
}

/// The Credential Manager of Windows. Written by its documentation, not run.
#[cfg(windows)]
mod credential_manager {
    use super::{Arc, CredentialStore, Situation, StdError};

    pub(crate) const NAME: &str = "Windows Credential Manager";
    /// `CRED_MAX_CREDENTIAL_BLOB_SIZE`.
    pub(crate) const MAX_ENTRY: usize = 2560;

    pub(crate) fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
        Ok(windows_native_keyring_store::Store::new()?)
    }

    /// There is no other kind of refusal: a session without a logon has no credentials.
    pub(crate) fn situation(_error: &(dyn StdError + Send + Sync + 'static)) -> Situation {
        None
    }
}

/// No keyring is known for this platform; one may be given.
#[cfg(not(any(
    windows,
    target_os = "macos",
    all(unix, not(any(target_os = "macos", target_os = "ios", target_os = "android")))
)))]
mod none {
    use super::{Arc, CredentialStore, Situation, StdError};

    pub(crate) const NAME: &str = "no keyring";
    pub(crate) const MAX_ENTRY: usize = 96 * 1024;

    pub(crate) fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
        Err(keyring_core::Error::NoDefaultStore)
    }

    pub(crate) fn situation(_error: &(dyn StdError + Send + Sync + 'static)) -> Situation {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_macos_is_a_whole_number() {
        for (said, kind) in [
            (
                "Error { code: -25308, message: \"User interaction is not allowed.\" }",
                Some(ErrorKind::Locked),
            ),
            ("Error { code: -128, message: \"User canceled the operation.\" }", Some(ErrorKind::Denied)),
            (
                "Error { code: -25307, message: \"A default keychain could not be found.\" }",
                Some(ErrorKind::Unsupported),
            ),
            ("Error { code: -12865 }", None),
            ("Error { code: -6100, message: \"of 128 and 61\" }", None),
            ("", None),
        ] {
            assert_eq!(by_status(said), kind, "{said}");
        }
    }
}
