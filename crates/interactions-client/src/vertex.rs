//! Where Vertex AI is.

/// A project and a location on Vertex AI. Without a project it is express mode, with an API key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vertex {
    pub(crate) project: Option<String>,
    pub(crate) location: Option<String>,
}

/// Locations that are several regions and have addresses of their own.
const MULTI_REGIONS: [&str; 2] = ["us", "eu"];

impl Vertex {
    pub(crate) fn base_url(&self) -> String {
        match self.location.as_deref() {
            None | Some("global") => "https://aiplatform.googleapis.com".to_owned(),
            Some(location) if MULTI_REGIONS.contains(&location) => {
                format!("https://aiplatform.{location}.rep.googleapis.com")
            }
            Some(location) => format!("https://{location}-aiplatform.googleapis.com"),
        }
    }

    /// What comes before the resources in a path.
    pub(crate) fn path(&self, version: &str) -> Vec<String> {
        let mut path = vec![version.to_owned()];
        if let Some(project) = &self.project {
            let location = self.location.as_deref().unwrap_or("global");
            path.extend(["projects", project, "locations", location].map(str::to_owned));
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_location_has_its_address() {
        for (location, base) in [
            (None, "https://aiplatform.googleapis.com"),
            (Some("global"), "https://aiplatform.googleapis.com"),
            (Some("us"), "https://aiplatform.us.rep.googleapis.com"),
            (Some("europe-west4"), "https://europe-west4-aiplatform.googleapis.com"),
        ] {
            let vertex = Vertex { project: None, location: location.map(str::to_owned) };
            assert_eq!(vertex.base_url(), base);
        }
    }
}
