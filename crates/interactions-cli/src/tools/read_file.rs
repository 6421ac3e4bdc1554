//! `read_file`: text files below the current directory, when the person allows it.

use std::path::{Path, PathBuf};

use interactions_agent::{Tool, schemars, tool_fn};
use schemars::JsonSchema;
use serde::Deserialize;

/// More than this would only drown the model.
const LIMIT: u64 = 256 * 1024;

#[derive(Deserialize, JsonSchema)]
struct File {
    /// The path of the file, relative to the current directory.
    path: String,
}

pub(super) fn tool() -> impl Tool {
    tool_fn("read_file", "Reads a text file of the current directory.", |file: File| async move {
        let root = std::env::current_dir().map_err(|error| error.to_string())?;
        read(&root, &file.path).await
    })
}

async fn read(root: &Path, path: &str) -> Result<String, String> {
    let fail = |error: std::io::Error| format!("`{path}` cannot be read: {error}");
    let root = tokio::fs::canonicalize(root).await.map_err(fail)?;
    // Resolved first, so that neither `..` nor a link leads out.
    let file: PathBuf = tokio::fs::canonicalize(root.join(path)).await.map_err(fail)?;
    if !file.starts_with(&root) {
        return Err(format!("`{path}` is outside of the current directory"));
    }
    let size = tokio::fs::metadata(&file).await.map_err(fail)?.len();
    if size > LIMIT {
        return Err(format!("`{path}` has {size} bytes, more than the {LIMIT} allowed"));
    }
    let bytes = tokio::fs::read(&file).await.map_err(fail)?;
    String::from_utf8(bytes).map_err(|_| format!("`{path}` is not a text file"))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[tokio::test]
    async fn stays_inside() {
        let root = std::env::temp_dir().join(format!("interactions-read-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join("note.txt"), "hello").unwrap();
        std::fs::write(root.join("raw.bin"), [0xff, 0xfe]).unwrap();
        assert_eq!(read(&root, "./note.txt").await.unwrap(), "hello");
        for (path, words) in [
            ("..", "outside"),
            ("/etc/hostname", "outside"),
            ("raw.bin", "not a text"),
            ("no", "cannot be read"),
        ] {
            let error = read(&root, path).await.unwrap_err();
            assert!(error.contains(words) || error.contains("cannot be read"), "{path}: {error}");
        }
        std::fs::remove_dir_all(&root).unwrap();
    }
}
