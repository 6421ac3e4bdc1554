//! Feature `fs`: bodies from and to files, piece by piece.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Body, TransportError, TransportErrorKind};

/// How much of a file is in memory at a time.
const PIECE: usize = 64 * 1024;

impl Body {
    /// Feature `fs`: a body that reads a file as it is sent.
    ///
    /// Its length is known, so it is sent with a `Content-Length`; it can be repeated, since each
    /// [`try_clone`](Self::try_clone) opens the file again; and 64 KiB of it are in memory at a
    /// time. A file that grows or shrinks meanwhile ends the body with an error.
    ///
    /// # Errors
    /// [`TransportErrorKind::Request`] when there is no such file or it may not be read.
    ///
    /// # Cancellation
    /// Dropping the future or the body closes the file.
    pub async fn from_file(path: impl Into<PathBuf>) -> Result<Self, TransportError> {
        let path = path.into();
        // Opened to find out now whether it may be read.
        let file = File::open(&path).await.map_err(unreadable)?;
        let facts = file.metadata().await.map_err(unreadable)?;
        if !facts.is_file() {
            return Err(TransportError::new(TransportErrorKind::Request, "it is not a file"));
        }
        Ok(Self::replayable(move || pieces(path.clone())).with_length(facts.len()))
    }

    /// Feature `fs`: writes the body to a file as it arrives, and says how many bytes there were.
    ///
    /// The bytes gather in a file next to `path`, which takes its place at the end;
    /// a body that breaks off changes nothing and leaves nothing behind.
    ///
    /// # Errors
    /// What broke the body off, [`TransportErrorKind::TooLarge`] past `limit` bytes,
    /// or [`TransportErrorKind::Other`] when the file cannot be written.
    ///
    /// # Cancellation
    /// Dropping the future removes what was written.
    pub async fn save(mut self, path: impl AsRef<Path>, limit: u64) -> Result<u64, TransportError> {
        let path = path.as_ref();
        let mut part = Part::next_to(path);
        let mut file = File::create_new(&part.path).await.map_err(unwritable)?;
        part.exists = true;
        let mut written: u64 = 0;
        while let Some(piece) = self.next().await {
            let piece = piece?;
            written += piece.len() as u64;
            if written > limit {
                let why = format!("it has more than {limit} bytes");
                return Err(TransportError::new(TransportErrorKind::TooLarge, why));
            }
            file.write_all(&piece).await.map_err(unwritable)?;
        }
        // A tokio file buffers; without this the last write could fail unseen.
        file.flush().await.map_err(unwritable)?;
        drop(file);
        tokio::fs::rename(&part.path, path).await.map_err(unwritable)?;
        part.exists = false;
        Ok(written)
    }
}

enum Reading {
    Unopened(PathBuf),
    Open(File),
    Done,
}

fn pieces(path: PathBuf) -> impl Stream<Item = Result<Bytes, TransportError>> + Send {
    stream::unfold(Reading::Unopened(path), |state| async move {
        let read = async {
            let mut file = match state {
                Reading::Unopened(path) => File::open(path).await?,
                Reading::Open(file) => file,
                Reading::Done => return Ok(None),
            };
            let mut piece = BytesMut::with_capacity(PIECE);
            let read = file.read_buf(&mut piece).await?;
            Ok((read > 0).then(|| (piece.freeze(), file)))
        };
        match read.await {
            Ok(Some((piece, file))) => Some((Ok(piece), Reading::Open(file))),
            Ok(None) => None,
            Err(error) => Some((Err(unreadable(error)), Reading::Done)),
        }
    })
}

/// The file that a download gathers in; it goes unless it was moved to its place.
struct Part {
    path: PathBuf,
    exists: bool,
}

impl Part {
    fn next_to(path: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}-{count}.part", std::process::id()));
        Self { path: path.with_file_name(name), exists: false }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.exists {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn unreadable(error: std::io::Error) -> TransportError {
    TransportError::new(TransportErrorKind::Request, error)
}

fn unwritable(error: std::io::Error) -> TransportError {
    TransportError::new(TransportErrorKind::Other, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("interactions-fs-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn a_file_goes_out_and_comes_back_in_small_pieces() {
        let folder = folder("round");
        let bytes: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
        std::fs::write(folder.join("up"), &bytes).unwrap();

        let mut body = Body::from_file(folder.join("up")).await.unwrap();
        assert_eq!(body.len(), Some(300_000));
        let copy = body.try_clone().unwrap();
        while let Some(piece) = body.next().await {
            assert!(piece.unwrap().len() <= PIECE);
        }
        assert_eq!(copy.save(folder.join("down"), u64::MAX).await.unwrap(), 300_000);
        assert_eq!(std::fs::read(folder.join("down")).unwrap(), bytes);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_download_that_breaks_off_leaves_the_old_file() {
        let folder = folder("broken");
        let target = folder.join("file");
        std::fs::write(&target, "old").unwrap();
        let broken = Body::stream(stream::iter([
            Ok(Bytes::from("new")),
            Err(TransportError::new(TransportErrorKind::Interrupted, "gone")),
        ]));
        let error = broken.save(&target, 99).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Interrupted);
        let error = Body::from("too long").save(&target, 3).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::TooLarge);

        let never = Body::stream(stream::iter([Ok(Bytes::from("new"))]).chain(stream::pending()));
        let given_up =
            tokio::time::timeout(std::time::Duration::from_millis(50), never.save(&target, 99));
        assert!(given_up.await.is_err());
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_file_that_shrinks_is_an_error_and_so_is_none() {
        let folder = folder("shrink");
        let path = folder.join("file");
        std::fs::write(&path, "0123456789").unwrap();
        let body = Body::from_file(&path).await.unwrap();
        std::fs::write(&path, "0123").unwrap();
        let error = body.collect(99).await.unwrap_err();
        assert!(error.to_string().contains("fewer"), "{error}");
        for missing in [folder.join("missing"), folder.clone()] {
            let error = Body::from_file(missing).await.unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::Request);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
