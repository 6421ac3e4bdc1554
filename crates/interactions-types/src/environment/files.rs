//! The files in a sandbox.

use crate::wire::{object, open_enum};
use crate::{Int64, PageToken};

object! {
    /// A file or folder in a sandbox.
    pub struct EnvironmentFile {
        required {}
        optional {
            /// The last part of its path.
            name: String,
            /// Where it is.
            path: String,
            /// Whether it is a file or a folder (`type` on the wire).
            kind = "type": FileType,
            /// What its bytes are; files only.
            mime_type: String,
            /// How many bytes it has; files only.
            size_bytes: Int64,
            /// When it was made, RFC 3339.
            created: String,
            /// When it last changed, RFC 3339.
            modified: String,
        }
    }
}

open_enum! {
    /// Whether something is a file or a folder.
    pub enum FileType {
        /// A file.
        File = "file",
        /// A folder.
        Directory = "directory",
    }
}

object! {
    /// The query of `GET /environments/{id}/files/{path}`, which lists a folder or describes a file.
    pub struct GetEnvironmentFilesQuery {
        required {}
        optional {
            /// Whether folders within the folder are listed too.
            recursive: bool,
            /// How many entries at most.
            page_size: i64,
            /// Where the page begins: the `next_page_token` of the page before.
            page_token: PageToken,
            /// `media` asks for the bytes of the file instead.
            alt: String,
        }
    }
}

object! {
    /// The reply that lists files: those of a folder, the one asked for, or those just uploaded.
    pub struct GetEnvironmentFilesResponse {
        required {}
        default {
            /// The files of this page.
            files: Vec<EnvironmentFile>,
        }
        optional {
            /// Where the next page begins; absent on the last.
            next_page_token: PageToken,
        }
    }
}

object! {
    /// The query of `PUT /upload/{version}/environments/{id}/files/{path}`.
    pub struct UploadEnvironmentFileQuery {
        required {}
        optional {
            /// Whether to replace what is there.
            overwrite: bool,
            /// Whether the file is a tar archive, plain or gzipped, to be unpacked.
            extract: bool,
        }
    }
}
