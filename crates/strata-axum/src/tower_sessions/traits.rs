//! The traits of tower-sessions-core for [`StrataStore`]: the same for each of its versions, which are different traits to the compiler.

use async_trait::async_trait;
use strata_core::{Error, ErrorKind};

use super::{Asked, StrataStore};

macro_rules! implement {
    ($core:ident) => {
        const _: () = {
            use $core::session::{Id, Record};
            use $core::session_store::{self, ExpiredDeletion, SessionStore};

            #[async_trait]
            #[deny(clippy::missing_trait_methods)]
            impl SessionStore for StrataStore {
                async fn create(&self, record: &mut Record) -> session_store::Result<()> {
                    let asked = Asked { id: record.id.0, data: &record.data, expires: record.expiry_date };
                    let id = self.create(asked, || Id::default().0).await.map_err(told)?;
                    record.id = Id(id);
                    Ok(())
                }

                async fn save(&self, record: &Record) -> session_store::Result<()> {
                    let asked = Asked { id: record.id.0, data: &record.data, expires: record.expiry_date };
                    self.save(asked).await.map(drop).map_err(told)
                }

                async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
                    let found = self.load(id.0).await.map_err(told)?;
                    Ok(found.map(|(data, expiry_date)| Record { id: *id, data, expiry_date }))
                }

                async fn delete(&self, id: &Id) -> session_store::Result<()> {
                    self.delete(id.0).await.map_err(told)
                }
            }

            #[async_trait]
            impl ExpiredDeletion for StrataStore {
                async fn delete_expired(&self) -> session_store::Result<()> {
                    self.delete_expired().await.map_err(told)
                }
            }

            /// The error in tower-sessions' words. Our text holds no secret and no value.
            fn told(error: Error) -> session_store::Error {
                match error.kind() {
                    ErrorKind::TooLarge => session_store::Error::Encode(error.to_string()),
                    ErrorKind::Mismatch
                    | ErrorKind::Corrupt
                    | ErrorKind::WrongKey
                    | ErrorKind::MissingKey
                    | ErrorKind::Downgrade
                    | ErrorKind::Newer
                    | ErrorKind::Unsupported => session_store::Error::Decode(error.to_string()),
                    _ => session_store::Error::Backend(error.to_string()),
                }
            }
        };
    };
}

#[cfg(feature = "tower-sessions")]
implement!(tower_sessions_core);
#[cfg(feature = "tower-sessions-0-14")]
implement!(tower_sessions_core_014);
