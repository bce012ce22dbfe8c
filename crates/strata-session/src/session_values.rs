//! What managers beside a session keep inside it: [`SessionValues`], for every kind of session. Such values have names no application can
//! use; they are sealed, live and end with the session.

use strata_core::MaybeSync;

use crate::id::SessionId;

/// A session that managers of Strata keep values of their own in. Implemented by every kind of session here, and by nothing else.
pub trait SessionValues: sealed::Own + MaybeSync {
    /// Its public id.
    fn session_id(&self) -> SessionId {
        self.own_id()
    }
}

impl<S: sealed::Own + MaybeSync> SessionValues for S {}

pub(crate) mod sealed {
    //! What a session does for managers; out of reach of other crates.

    use strata_core::{Handle, MaybeSend, Result, Value};

    use crate::id::SessionId;

    pub trait Own {
        fn own_id(&self) -> SessionId;

        /// The handle its record is stored through.
        fn own_handle(&self) -> &Handle;

        /// The value under a name of Strata's own. No activity, and nothing is written.
        fn look<T: Value>(&self, name: &'static str) -> impl Future<Output = Result<Option<T>>> + MaybeSend;

        /// Makes what `act` returns of the value under a name of Strata's own: atomic, and run again when somebody else was faster.
        fn make<T: Value>(
            &self,
            name: &'static str,
            act: impl FnMut(Option<T>) -> Result<T> + MaybeSend,
        ) -> impl Future<Output = Result<()>> + MaybeSend;
    }
}

/// Lets managers keep values in a kind of session that has a `bearer`: `keeps_values!(Session)`, with generics in brackets first.
macro_rules! keeps_values {
    ($session:ident) => {
        $crate::session_values::keeps_values!([] $session);
    };
    ([$($generics:tt)*] $session:ty) => {
        impl<$($generics)*> $crate::session_values::sealed::Own for $session {
            fn own_id(&self) -> $crate::SessionId {
                self.bearer.id()
            }

            fn own_handle(&self) -> &strata_core::Handle {
                self.bearer.handle()
            }

            async fn look<T: strata_core::Value>(&self, name: &'static str) -> strata_core::Result<Option<T>> {
                self.bearer.look(name).await
            }

            async fn make<T: strata_core::Value>(
                &self,
                name: &'static str,
                act: impl FnMut(Option<T>) -> strata_core::Result<T> + strata_core::MaybeSend,
            ) -> strata_core::Result<()> {
                self.bearer.make(name, act).await
            }
        }
    };
}
pub(crate) use keeps_values;
