//! How a command ends: [`Failure`], its exit code and how it is told. One line and its causes for people, an object for
//! programs.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use serde_json::json;
use strata::ErrorKind;

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library refused or failed.
    Strata(strata::Error),
    /// The words of the command line do not fit together.
    Usage(String),
    /// What was asked for is not there; the message may have been printed already.
    NotFound(String),
    /// Something exists or was changed by somebody else.
    Conflict(String),
    /// The command ran, and what it found is bad: a check with problems, an import with broken lines.
    Bad(String),
    /// Reading or writing outside the store failed.
    Io(&'static str, io::Error),
    /// A file that was named can't be read.
    File(PathBuf, io::Error),
    /// Whoever read our output has left; there is nobody to tell.
    BrokenPipe,
    /// The same, while there was more to do than to print.
    BrokenPipeAmid,
}

impl Failure {
    /// The exit code: 1 error, 2 usage, 3 not found, 4 conflict. 0 for a reader that has seen enough.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Strata(error) => match error.kind() {
                ErrorKind::Invalid => 2,
                ErrorKind::Gone => 3,
                ErrorKind::Conflict => 4,
                _ => 1,
            },
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Conflict(_) => 4,
            Self::Bad(_) | Self::Io(..) | Self::File(..) | Self::BrokenPipeAmid => 1,
            Self::BrokenPipe => 0,
        }
    }

    /// The same failure met in the middle of work: a reader that has left then is no good end.
    pub(crate) fn amid(self) -> Self {
        match self {
            Self::BrokenPipe => Self::BrokenPipeAmid,
            other => other,
        }
    }

    /// Tells it on standard error. A closed standard error is nobody to tell.
    pub(crate) fn tell(&self, json: bool) {
        use std::io::Write as _;
        if matches!(self, Self::BrokenPipe | Self::BrokenPipeAmid) {
            return;
        }
        let text = if json {
            json!({ "error": { "kind": self.kind(), "message": self.message() } }).to_string()
        } else {
            format!("error: {}", self.message())
        };
        let _ = writeln!(io::stderr(), "{text}");
    }

    fn kind(&self) -> String {
        match self {
            Self::Strata(error) => error.kind().to_string(),
            Self::Usage(_) => "Usage".to_owned(),
            Self::NotFound(_) => "NotFound".to_owned(),
            Self::Conflict(_) => "Conflict".to_owned(),
            Self::Bad(_) => "Bad".to_owned(),
            Self::Io(..) | Self::File(..) | Self::BrokenPipe | Self::BrokenPipeAmid => "Io".to_owned(),
        }
    }

    /// The sentence, and its causes behind it.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Strata(error) => {
                let mut message = error.to_string();
                let mut source = error.source();
                while let Some(cause) = source {
                    message = format!("{message} (cause: {cause})");
                    source = cause.source();
                }
                message
            }
            Self::Usage(message) | Self::NotFound(message) | Self::Conflict(message) | Self::Bad(message) => {
                message.clone()
            }
            Self::Io(what, error) => format!("{what}: {error}"),
            Self::File(path, error) => {
                format!("can't read `{}`: {error}; name a file that can be read", path.display())
            }
            Self::BrokenPipe | Self::BrokenPipeAmid => String::new(),
        }
    }
}

impl From<strata::Error> for Failure {
    fn from(error: strata::Error) -> Self {
        Self::Strata(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata::Error;

    #[test]
    fn exit_codes_follow_the_situation() {
        for (kind, code) in [
            (ErrorKind::Invalid, 2),
            (ErrorKind::Gone, 3),
            (ErrorKind::Conflict, 4),
            (ErrorKind::Locked, 1),
            (ErrorKind::WrongKey, 1),
        ] {
            assert_eq!(Failure::from(Error::new(kind, "test", "message")).code(), code, "{kind}");
        }
        assert_eq!(Failure::BrokenPipe.code(), 0);
    }

    #[test]
    fn causes_stand_behind_the_sentence() {
        let error = Error::new(ErrorKind::Full, "set", "no room; remove something")
            .because(io::Error::other("device is full"));
        assert_eq!(Failure::from(error).message(), "set: no room; remove something (cause: device is full)");
    }
}
