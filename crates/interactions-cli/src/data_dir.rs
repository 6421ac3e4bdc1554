//! Where files go: the user's data directory.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::failure::Failure;

/// The directory that was named, or the platform's own. It is made if it is missing, for its owner only.
pub(crate) fn data_dir(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let dir = match named {
        Some(dir) => dir,
        None => etcetera::choose_base_strategy()
            .map_err(|_| {
                Failure::new("there is no home directory to store in: name one with --data-dir")
            })?
            .data_dir()
            .join("interactions"),
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&dir).map_err(|error| {
        Failure::new(format!("the data directory {} cannot be made: {error}", dir.display()))
    })?;
    Ok(dir)
}
