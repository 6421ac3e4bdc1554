//! Files that are handed to the model.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interactions_types::{Audio, Content, Document, Image, Video};

use crate::failure::Failure;

/// More than this does not fit a request.
const LARGEST: u64 = 20 * 1024 * 1024;

/// A file as a part of the input: text as it is, media by what their name says.
pub(crate) fn read(path: &Path) -> Result<Content, Failure> {
    let shown = path.display();
    let fail = |error: &dyn std::fmt::Display| Failure::new(format!("--file {shown}: {error}"));
    let size = fs::metadata(path).map_err(|error| fail(&error))?.len();
    if size > LARGEST {
        return Err(fail(&format!("it has {size} bytes, and {LARGEST} are the most")));
    }
    let bytes = fs::read(path).map_err(|error| fail(&error))?;
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_lowercase();
    let encoded = || STANDARD.encode(&bytes);
    let content = match extension.as_str() {
        "png" => Image::new().data(encoded()).mime_type("image/png").into(),
        "jpg" | "jpeg" => Image::new().data(encoded()).mime_type("image/jpeg").into(),
        "webp" => Image::new().data(encoded()).mime_type("image/webp").into(),
        "pdf" => Document::new().data(encoded()).mime_type("application/pdf").into(),
        "wav" => Audio::new().data(encoded()).mime_type("audio/wav").into(),
        "mp3" => Audio::new().data(encoded()).mime_type("audio/mp3").into(),
        "mp4" => Video::new().data(encoded()).mime_type("video/mp4").into(),
        _ => {
            let text = String::from_utf8(bytes)
                .map_err(|_| fail(&"it is neither text nor a kind of file that models read"))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Content::text(format!("The file {name}:\n\n{text}"))
        }
    };
    Ok(content)
}
