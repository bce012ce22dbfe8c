//! What goes over a connection: 4 bytes of length, most significant first, and a message. No length is loss. The first frame says who sends.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::folder::Name;

/// Who speaks: this protocol, in this version.
const MAGIC: [u8; 8] = *b"strata\0\x01";
/// The length of a greeting.
const GREETING: usize = 16;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A message.
    Message(Arc<[u8]>),
    /// Messages that the sender could not hold.
    Lost,
}

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It ended, between frames or within one.
    Ended,
    /// A frame over the bound.
    Oversized,
    /// It does not begin as it should.
    Garbage,
    /// Nothing moved for too long.
    Stalled,
}

pub(super) async fn write_greeting(out: &mut (impl AsyncWrite + Unpin), name: Name) -> io::Result<()> {
    let mut greeting = [0; GREETING];
    greeting[..8].copy_from_slice(&MAGIC);
    greeting[8..].copy_from_slice(&name.to_be_bytes());
    out.write_all(&greeting).await
}

pub(super) async fn read_greeting(from: &mut (impl AsyncRead + Unpin)) -> Result<Name, Broken> {
    let mut greeting = [0; GREETING];
    from.read_exact(&mut greeting).await.map_err(|_| Broken::Ended)?;
    let name = greeting.strip_prefix(&MAGIC).and_then(|name| name.first_chunk()).ok_or(Broken::Garbage)?;
    Ok(Name::from_be_bytes(*name))
}

pub(super) async fn write(out: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    let body: &[u8] = match frame {
        Frame::Message(message) => message,
        Frame::Lost => &[],
    };
    let len = u32::try_from(body.len()).map_err(|_| io::Error::other("a frame of 4 GiB"))?;
    out.write_all(&len.to_be_bytes()).await?;
    out.write_all(body).await
}

/// Waits for a frame to begin: its first byte.
pub(super) async fn read_start(from: &mut (impl AsyncRead + Unpin)) -> Result<u8, Broken> {
    from.read_u8().await.map_err(|_| Broken::Ended)
}

/// The rest of a frame that began with `start`. A length alone makes nobody set memory aside.
pub(super) async fn read_rest(
    from: &mut (impl AsyncRead + Unpin),
    start: u8,
    most: usize,
) -> Result<Frame, Broken> {
    let mut rest = [0; 3];
    from.read_exact(&mut rest).await.map_err(|_| Broken::Ended)?;
    let len = u32::from_be_bytes([start, rest[0], rest[1], rest[2]]);
    let len = usize::try_from(len).ok().filter(|len| *len <= most).ok_or(Broken::Oversized)?;
    if len == 0 {
        return Ok(Frame::Lost);
    }
    let mut body = Vec::new();
    from.take(len as u64).read_to_end(&mut body).await.map_err(|_| Broken::Ended)?;
    if body.len() == len { Ok(Frame::Message(body.into())) } else { Err(Broken::Ended) }
}

#[cfg(test)]
mod tests {
    use strata_core::conformance::block_on;

    use super::*;

    async fn read(mut bytes: &[u8], most: usize) -> Result<Frame, Broken> {
        let start = read_start(&mut bytes).await?;
        read_rest(&mut bytes, start, most).await
    }

    #[test]
    fn frames_come_back_and_every_cut_is_noticed() {
        let frames = [Frame::Message(Arc::from(*b"tea")), Frame::Lost];
        for frame in frames {
            let mut bytes = Vec::new();
            block_on(write(&mut bytes, &frame)).expect("written");
            for end in 0..bytes.len() {
                assert_eq!(block_on(read(&bytes[..end], 8)), Err(Broken::Ended));
            }
            assert_eq!(block_on(read(&bytes, 8)), Ok(frame));
        }
    }

    #[test]
    fn a_length_of_64_mib_is_refused_before_anything_is_read() {
        assert_eq!(block_on(read(&(64_u32 << 20).to_be_bytes(), 4 << 20)), Err(Broken::Oversized));
        assert_eq!(block_on(read(&9_u32.to_be_bytes(), 8)), Err(Broken::Oversized));
    }

    #[test]
    fn only_a_greeting_of_ours_is_one() {
        let mut bytes = Vec::new();
        block_on(write_greeting(&mut bytes, 7)).expect("written");
        assert_eq!(block_on(read_greeting(&mut &*bytes)), Ok(7));
        assert_eq!(block_on(read_greeting(&mut &bytes[..15])), Err(Broken::Ended));
        for place in 0..8 {
            let mut other = bytes.clone();
            other[place] ^= 1;
            assert_eq!(block_on(read_greeting(&mut &*other)), Err(Broken::Garbage), "byte {place}");
        }
    }
}
